"""Means and paired differences of scores over (fold, seed), with their intervals.

Two intervals stand for two questions. ``low`` .. ``high`` is the percentile bootstrap over pairs:
what other initialisations would give on these folds, which is the paper's own protocol. The seeds
of a fold share its recordings, though, so pairs are not independent of each other where other
recordings are meant: ``fold_low`` .. ``fold_high`` is Student's interval of the folds' means, as
bootstraps over four folds cover far less than they say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd
from scipy import stats

from softscene.contenders import Contender
from softscene.tables import ROW, WEIGHTS, Run, collect

CONFIDENCE = 0.95
RESAMPLES = 9999
# Of fewer than six differences, even the whole range misses their median more often than one time
# in twenty: 2^(1 - n) > 0.05.
ENOUGH_PAIRS = 6
ROUNDING = 1e-12  # differences of scores closer than this are equal
SCORES = ("f_score", "error_rate")
AGAINST = [f"against_{column}" for column in ROW]


@dataclass(frozen=True)
class Estimate:
    """A mean over (fold, seed) with its 95 % intervals; NaN where there is no interval.

    Attributes
    ----------
    mean
        Over all pairs.
    low, high
        Percentile bootstrap over pairs; none of fewer than six, or where all values are equal.
    fold_low, fold_high
        Student's interval of the folds' means; none of one fold, or where these are equal.
    pairs, folds
        How many there are.
    """

    mean: float
    low: float
    high: float
    fold_low: float
    fold_high: float
    pairs: int
    folds: int

    def side(self) -> int:
        """Side of zero on which the whole interval over pairs lies: 1, -1; 0 where it has none."""
        return self._side(self.low, self.high) if self.pairs >= ENOUGH_PAIRS else 0

    def fold_side(self) -> int:
        """The same of the interval over folds."""
        return self._side(self.fold_low, self.fold_high)

    @staticmethod
    def _side(low: float, high: float) -> int:
        return int(low > 0) - int(high < 0)  # NaN is on neither


def estimate(values: Sequence[float], folds: Sequence[int]) -> Estimate:
    """Mean and intervals of values that belong to folds.

    Parameters
    ----------
    values
        One for each (fold, seed): scores, or differences of scores.
    folds
        The fold of each value.
    """
    values = np.asarray(values, float)
    means = pd.Series(values).groupby(np.asarray(folds)).mean().to_numpy()
    nothing = (float("nan"), float("nan"))
    return Estimate(
        values.mean() if len(values) else float("nan"),
        *(_bootstrap(values) if len(values) >= ENOUGH_PAIRS and _differ(values) else nothing),
        *(_student(means) if len(means) > 1 and _differ(means) else nothing),
        pairs=len(values),
        folds=len(means),
    )


def _differ(values: np.ndarray) -> bool:
    return bool(np.ptp(values) > ROUNDING)


def _bootstrap(values: np.ndarray) -> tuple[float, float]:
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE,
        method="percentile", rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _student(values: np.ndarray) -> tuple[float, float]:
    found = stats.ttest_1samp(values, 0.0).confidence_interval(CONFIDENCE)
    return float(found.low), float(found.high)


def collect_pairs(runs: Sequence[Run], places: Sequence[tuple[int, int]]) -> pd.DataFrame:
    """All runs' scores in one table, as :func:`softscene.tables.collect`, with fold and seed.

    Parameters
    ----------
    runs
        What was trained and evaluated.
    places
        (fold, seed) of each run.
    """
    parts = [
        collect([run]).assign(fold=fold, seed=seed)
        for run, (fold, seed) in zip(runs, places, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def of(scores: pd.DataFrame, contender: Contender) -> pd.DataFrame:
    """A student's rows."""
    rows = scores.method == contender.name
    for column, value in zip(WEIGHTS, contender.row[1:], strict=True):
        rows &= scores[column].isna() if value is None else scores[column] == value
    return scores[rows]


def differences(scores: pd.DataFrame, one: Contender, other: Contender, score: str) -> pd.DataFrame:
    """A score of one student minus that of another, for each (fold, seed) that both have.

    Returns
    -------
    DataFrame
        ``fold``, ``seed``, ``difference``; pairs in which either has no such score are left out.
    """
    found = _placed(scores, one)[score] - _placed(scores, other)[score]
    return found.rename("difference").dropna().reset_index()


def _placed(scores: pd.DataFrame, contender: Contender) -> pd.DataFrame:
    """A student's scores by fold and seed."""
    return of(scores, contender).set_index(["fold", "seed"])[list(SCORES)].sort_index()


def compare(scores: pd.DataFrame, one: Contender, other: Contender, score: str) -> Estimate:
    """The mean paired difference of a score, and its intervals; scores are of one setting."""
    pairs = differences(scores, one, other, score)
    return estimate(pairs.difference, pairs.fold)


def table_of_means(scores: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Mean and intervals of each score, for each student and each value of ``keys``."""
    rows = []
    for place, group in scores.groupby([*ROW, *keys], dropna=False, sort=False):
        for score in SCORES:
            known = group.dropna(subset=score)
            found = asdict(estimate(known[score], known.fold))
            rows.append(dict(zip([*ROW, *keys], place, strict=True)) | {"score": score} | found)
    return pd.DataFrame(rows)


def table_of_comparisons(
    scores: pd.DataFrame, pairs: Iterable[tuple[Contender, Contender]], keys: Sequence[str]
) -> pd.DataFrame:
    """Paired differences of each score, for each pair of students and each value of ``keys``.

    Returns
    -------
    DataFrame
        Both students' columns (the second's are called ``against_...``), ``keys``, ``score`` and
        what :class:`Estimate` has; its ``mean`` is called ``difference``. Without pairs it has no
        rows.
    """
    pairs = list(pairs)
    every = {each.row: each for pair in pairs for each in pair}
    groups = {
        place: {row: _placed(group, each) for row, each in every.items()}
        for place, group in scores.groupby(list(keys), sort=False)
    }
    rows = []
    for one, other in pairs:
        names = dict(zip([*ROW, *AGAINST], [*one.row, *other.row], strict=True))
        for place, placed in groups.items():
            apart = placed[one.row] - placed[other.row]
            for score in SCORES:
                known = apart[score].dropna()
                found = asdict(estimate(known, known.index.get_level_values("fold")))
                found = {"difference": found.pop("mean")} | found
                rows.append(names | dict(zip(keys, place, strict=True)) | {"score": score} | found)
    names = [field.name for field in fields(Estimate) if field.name != "mean"]
    return pd.DataFrame(rows, columns=[*ROW, *AGAINST, *keys, "score", "difference", *names])
