"""Means and paired differences of scores over (fold, seed), with their intervals.

Two intervals answer two questions. What would other initialisations give on these folds, as in the
paper's own protocol? ``low`` .. ``high`` is Student's interval with the variance within folds. What
would other recordings give? The seeds of a fold share its recordings, so they are not independent
here: ``fold_low`` .. ``fold_high`` is Student's interval of the folds' means. Bootstraps do not
have their nominal coverage for either question (docs/method.md).
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from softscene.config.variants import ROW, WEIGHTS, Variant
from softscene.evaluation.tables import Run, collect

CONFIDENCE = 0.95
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
        Student's interval with the variance within folds, for other initialisations on these folds;
        NaN with one seed in each fold, or if no fold's values differ.
    fold_low, fold_high
        Student's interval of the folds' means; NaN with one fold, or if they are equal.
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

    @property
    def has_seeds(self) -> bool:
        """Whether any fold has more than one value, so that there is a variance within folds."""
        return self.pairs > self.folds

    def bounds(self) -> tuple[float, float]:
        """The interval that decides, see :func:`bounds_of`."""
        return bounds_of(self)

    def side(self) -> int:
        """Side of zero on which all of :meth:`bounds` lies: 1, -1; 0 if on neither, or if NaN."""
        return side_of(*self.bounds())

    def fold_side(self) -> int:
        """The same of the interval over folds."""
        return side_of(self.fold_low, self.fold_high)


def bounds_of(found: Any) -> tuple[float, float]:
    """The interval that decides about other initialisations on these folds.

    With one seed in each fold it is the one over folds. That includes the spread of initialisations
    and of folds, so its coverage is at least the nominal one here.

    Parameters
    ----------
    found
        An :class:`Estimate`, or a row of a table with the same names.
    """
    within = found.pairs > found.folds
    return (found.low, found.high) if within else (found.fold_low, found.fold_high)


def side_of(low: float, high: float) -> int:
    """Side of zero on which an interval lies: 1, -1; 0 if it includes zero or is NaN."""
    return int(low > 0) - int(high < 0)


def estimate(values: Sequence[float], folds: Sequence[int]) -> Estimate:
    """Mean and intervals of values that belong to folds.

    Parameters
    ----------
    values
        One for each (fold, seed): scores, or differences of scores.
    folds
        The fold of each value.
    """
    values, folds = np.asarray(values, float), np.asarray(folds)
    groups = [values[folds == fold] for fold in np.unique(folds)]
    means = np.array([group.mean() for group in groups])
    return Estimate(
        values.mean() if len(values) else float("nan"),
        *_within(groups),
        *_within([means]),
        pairs=len(values),
        folds=len(groups),
    )


def _within(groups: Sequence[np.ndarray]) -> tuple[float, float]:
    """Student's interval of the mean of all values, with the variance within groups.

    Degrees of freedom: values minus groups, counting only groups whose values differ. A fold whose
    values are all equal (both methods have F = 0 for an event that does not occur there) adds
    nothing to the variance and says nothing about it.
    """
    varied = [group for group in groups if len(group) > 1 and np.ptp(group) > ROUNDING]
    if not varied:
        return float("nan"), float("nan")
    values = np.concatenate(groups)
    variance = sum(((group - group.mean()) ** 2).sum() for group in varied)
    variance /= len(values) - len(groups)
    freedom = sum(len(group) - 1 for group in varied)
    half = special.stdtrit(freedom, (1 + CONFIDENCE) / 2) * np.sqrt(variance / len(values))
    return float(values.mean() - half), float(values.mean() + half)


def collect_pairs(runs: Sequence[Run], places: Sequence[tuple[int, int]]) -> pd.DataFrame:
    """All runs' scores in one table, as ``evaluation.tables.collect`` does, with fold and seed.

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


def of(scores: pd.DataFrame, variant: Variant) -> pd.DataFrame:
    """A student's rows."""
    rows = scores.method == variant.name
    for column, value in zip(WEIGHTS, variant.row[1:], strict=True):
        rows &= scores[column].isna() if value is None else scores[column] == value
    return scores[rows]


def differences(scores: pd.DataFrame, one: Variant, other: Variant, score: str) -> pd.DataFrame:
    """A score of one student minus that of another, for each (fold, seed) that both have.

    Returns
    -------
    DataFrame
        ``fold``, ``seed``, ``difference``; pairs in which either has no such score are left out.
    """
    found = _placed(scores, one)[score] - _placed(scores, other)[score]
    return found.rename("difference").dropna().reset_index()


def _placed(scores: pd.DataFrame, variant: Variant, names: Sequence[str] = SCORES) -> pd.DataFrame:
    """A student's scores by fold and seed."""
    return of(scores, variant).set_index(["fold", "seed"])[list(names)].sort_index()


def compare(scores: pd.DataFrame, one: Variant, other: Variant, score: str) -> Estimate:
    """The mean paired difference of a score, and its intervals; scores are of one setting."""
    pairs = differences(scores, one, other, score)
    return estimate(pairs.difference, pairs.fold)


def table_of_means(
    scores: pd.DataFrame, keys: Sequence[str], names: Sequence[str] = SCORES
) -> pd.DataFrame:
    """Mean and intervals of each score, for each student and each value of ``keys``.

    ``names`` are the columns of the scores.
    """
    rows = []
    for place, group in scores.groupby([*ROW, *keys], dropna=False, sort=False):
        for score in names:
            known = group.dropna(subset=score)
            found = asdict(estimate(known[score], known.fold))
            rows.append(dict(zip([*ROW, *keys], place, strict=True)) | {"score": score} | found)
    return pd.DataFrame(rows)


def table_of_comparisons(
    scores: pd.DataFrame,
    pairs: Iterable[tuple[Variant, Variant]],
    keys: Sequence[str],
    scored: Sequence[str] = SCORES,
) -> pd.DataFrame:
    """Paired differences of each score, for each pair of students and each value of ``keys``.

    ``scored`` are the columns of the scores.

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
        place: {row: _placed(group, each, scored) for row, each in every.items()}
        for place, group in scores.groupby(list(keys), sort=False)
    }
    rows = []
    for one, other in pairs:
        names = dict(zip([*ROW, *AGAINST], [*one.row, *other.row], strict=True))
        for place, placed in groups.items():
            apart = placed[one.row] - placed[other.row]
            for score in scored:
                known = apart[score].dropna()
                found = asdict(estimate(known, known.index.get_level_values("fold")))
                found = {"difference": found.pop("mean")} | found
                rows.append(names | dict(zip(keys, place, strict=True)) | {"score": score} | found)
    names = [field.name for field in fields(Estimate) if field.name != "mean"]
    return pd.DataFrame(rows, columns=[*ROW, *AGAINST, *keys, "score", "difference", *names])
