"""The paper's claims, and what the paired differences of a run say of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from softscene.contenders import SYMBOLS, TEACHER, Chosen, Contender, without_own
from softscene.files import read_table
from softscene.statistics import (
    CONFIDENCE,
    ENOUGH_PAIRS,
    SCORES,
    Estimate,
    compare,
    estimate,
    of,
)

REPRODUCED, NOT_REPRODUCED, UNTOLD = "reproduced", "not reproduced", "cannot be told"
EXPLAINS, EXPLAINS_PART = "explains the gain", "explains a part of the gain"
EXPLAINS_SOME = "explains the gain or a part of it"
EXPLAINS_NOT = "does not explain the gain"
BETTER = {"f_score": 1, "error_rate": -1}  # side of zero on which a difference is an improvement
SCALE = {"f_score": 100.0, "error_rate": 1.0}
SETTINGS = (("frame", "adaptive"), ("frame", "oracle"))
Student = tuple[str, Mapping[str, float]]  # loss, weights


@dataclass(frozen=True)
class Claim:
    """One student is better than another.

    Attributes
    ----------
    key
        Short name.
    text
        The claim as a sentence.
    better, worse
        Loss and weights of the two students, as published.
    """

    key: str
    text: str
    better: Student
    worse: Student


CRNN: Student = ("none", {})
LIGHT: Student = ("hard", {"alpha": 0.0001})
HEAVY: Student = ("hard", {"alpha": 1.0})
SOFT: Student = ("soft", {"beta": 1.0, "temperature": 1.0})
CLAIMS = (
    Claim(
        "soft_over_hard",
        "MTL gets better with soft scene labels (beta = 1, T = 1) than it is with one-hot ones at "
        "their best published weight (alpha = 0.0001).",
        SOFT,
        LIGHT,
    ),
    Claim(
        "soft_over_crnn",
        "MTL with soft scene labels (beta = 1, T = 1) is better than CNN-BiGRU, which has no "
        "scene branch.",
        SOFT,
        CRNN,
    ),
    Claim(
        "hard_over_crnn",
        "MTL with one-hot scenes and a small weight (alpha = 0.0001) is better than CNN-BiGRU.",
        LIGHT,
        CRNN,
    ),
    Claim(
        "heavy_under_crnn",
        "MTL with one-hot scenes and a large weight (alpha = 1) is worse than CNN-BiGRU.",
        CRNN,
        HEAVY,
    ),
)
SPREAD = (
    "soft_spreads_less",
    "With soft labels (T = 1) the scores depend less on the weight of the scene loss than with "
    "one-hot scenes (Fig. 3; how to measure it is our reading: the largest less the smallest "
    "score over the weights that both have).",
)


def judge(found: Estimate | None, wanted: int) -> str:
    """Verdict on a claim that a difference lies on one side of zero (1 or -1)."""
    side = 0 if found is None else found.side()
    return {wanted: REPRODUCED, -wanted: NOT_REPRODUCED}.get(side, UNTOLD)


def joint(verdicts: Sequence[str]) -> str:
    """Verdict on a claim about several scores: theirs where they agree."""
    return verdicts[0] if len(set(verdicts)) == 1 else UNTOLD


def judge_claims(
    scores: pd.DataFrame, contenders: Sequence[Contender], published: str | Path
) -> pd.DataFrame:
    """What the scores say of each claim.

    Parameters
    ----------
    scores
        Micro-averaged, with fold and seed, of all settings.
    contenders
        All that are trained; the claims are about none of the user's own code.
    published
        Table 3 as published.

    Returns
    -------
    DataFrame
        A row for each claim, setting (frames; adaptive and oracle thresholds) and score: the
        ``comparison``, its published and its own ``difference``, what :class:`Estimate` has, the
        ``verdict`` and its ``reason``.
    """
    paper = read_table(published)
    contenders = without_own(contenders)
    rows = []
    for convention, threshold in SETTINGS:
        part = scores[(scores.convention == convention) & (scores.threshold == threshold)]
        setting = {"convention": convention, "threshold": threshold}
        for claim in CLAIMS:
            rows += [row | setting for row in _judge_one(claim, part, contenders, paper)]
        rows += [row | setting for row in _judge_spread(part, contenders)]
    front = ["claim", "text", "convention", "threshold", "score", "comparison"]
    table = pd.DataFrame(rows)
    return table[front + [name for name in table.columns if name not in front]]


def _judge_one(
    claim: Claim, scores: pd.DataFrame, contenders: Sequence[Contender], paper: pd.DataFrame
) -> list[dict]:
    better, worse = (_find(contenders, each) for each in (claim.better, claim.worse))
    lacking = [
        _words(wanted)
        for wanted, found in ((claim.better, better), (claim.worse, worse))
        if found is None
    ]
    comparison = f"{_title(better, claim.better)} - {_title(worse, claim.worse)}"
    rows = []
    for score in SCORES:
        found = None if lacking else compare(scores, better, worse, score)
        gap = _published(paper, claim.better, score) - _published(paper, claim.worse, score)
        names = {"claim": claim.key, "text": claim.text, "score": score, "comparison": comparison}
        rows.append(names | _row(found, round(gap, 6), BETTER[score], lacking))
    return rows


def _judge_spread(scores: pd.DataFrame, contenders: Sequence[Contender]) -> list[dict]:
    key, text = SPREAD
    pairs = _same_weights(contenders)
    comparison = "range over the weights of the scene loss, soft (T = 1) - one-hot"
    lacking = (
        [] if len(pairs) > 1 else ["two weights that alpha and beta (at T = 1) have in common"]
    )
    rows = []
    for score in SCORES:
        found = None
        if not lacking:
            spreads = [_spread(scores, [pair[i] for pair in pairs], score) for i in (0, 1)]
            both = pd.concat(spreads, axis=1).dropna()
            found = estimate(both.iloc[:, 0] - both.iloc[:, 1], both.index.get_level_values("fold"))
        names = {"claim": key, "text": text, "score": score, "comparison": comparison}
        rows.append(names | _row(found, float("nan"), -1, lacking))
    return rows


def _same_weights(contenders: Sequence[Contender]) -> list[tuple[Contender, Contender]]:
    """(Soft at T = 1, hard) of each weight that both have."""
    hard = {dict(each.given)["alpha"]: each for each in contenders if each.loss == "hard"}
    pairs = []
    for weight, each in hard.items():
        soft = _find(contenders, ("soft", {"beta": weight, "temperature": 1.0}))
        pairs += [(soft, each)] if soft else []
    return pairs


def _spread(scores: pd.DataFrame, students: Sequence[Contender], score: str) -> pd.Series:
    """Range of a score over students, for each (fold, seed) that all of them have."""
    columns = [of(scores, each).set_index(["fold", "seed"])[score] for each in students]
    table = pd.concat(columns, axis=1, keys=range(len(columns))).dropna().sort_index()
    return table.max(axis=1) - table.min(axis=1)


def _row(found: Estimate | None, published: float, wanted: int, lacking: Sequence[str]) -> dict:
    empty = Estimate(*[float("nan")] * 5, pairs=0, folds=0)
    values = dict(vars(found or empty))
    return {
        "published_difference": published,
        "difference": values.pop("mean"),
        **values,
        "verdict": judge(found, wanted),
        "reason": _reason(found, wanted, lacking),
    }


def _reason(found: Estimate | None, wanted: int, lacking: Sequence[str]) -> str:
    """Why the verdict is what it is, for reading."""
    if found is None:
        return f"the configuration lacks {' and '.join(lacking)}"
    if not found.side():
        return _unseen(found)
    where = "on the claimed side of zero" if found.side() == wanted else "on the other side of zero"
    folds = {
        found.side(): "so it does with folds as the unit: it would be expected of other recordings",
        0: "with folds as the unit the interval holds zero: other recordings may differ",
    }
    return f"the interval lies {where}; {folds.get(found.fold_side(), 'folds contradict it')}"


def _unseen(found: Estimate) -> str:
    """Why the interval over pairs lies on neither side of zero, for reading."""
    if found.pairs < ENOUGH_PAIRS:
        return (
            f"{found.pairs} pairs are too few for an interval of {CONFIDENCE:.0%}, which "
            f"needs {ENOUGH_PAIRS}"
        )
    if np.isnan(found.low):
        return "all differences are equal, so nothing tells how far others would be from them"
    return "the interval holds zero"


def _find(contenders: Sequence[Contender], wanted: Student) -> Contender | None:
    loss, weights = wanted
    fitting = [
        each
        for each in contenders
        if (each.loss, each.labels, dict(each.given)) == (loss, TEACHER, dict(weights))
    ]
    return fitting[0] if fitting else None


def _published(paper: pd.DataFrame, wanted: Student, score: str) -> float:
    """Of the row with these weights; no two methods of the published table share theirs."""
    weights = wanted[1]
    rows = paper
    for column in ("alpha", "beta", "temperature"):
        value = weights.get(column)
        rows = rows[rows[column].isna() if value is None else rows[column] == value]
    (row,) = rows.itertuples()
    return row.f_score_percent / 100 if score == "f_score" else row.error_rate


def _words(wanted: Student) -> str:
    loss, weights = wanted
    name = {"none": "a method without a scene branch", "hard": "MTL", "soft": "soft labels"}[loss]
    given = [f"{SYMBOLS[key]} = {value:g}" for key, value in weights.items()]
    return ", ".join([name, *given])


def _title(found: Contender | None, wanted: Student) -> str:
    return found.title if found else _words(wanted)


def explain_gain(scores: pd.DataFrame, chosen: Chosen) -> pd.DataFrame:
    """Whether a control gains as soft labels do, for each control and score.

    Parameters
    ----------
    scores
        Micro-averaged, with fold and seed, of one setting.
    chosen
        Who stands for each method.

    Returns
    -------
    DataFrame
        ``control``, ``labels``, ``score``; the paired differences ``gain`` (soft labels - MTL),
        ``control_hard``, ``soft_control`` and ``control_baseline``, each with what
        :class:`Estimate` has (``gain_low`` ..); ``share``, of the gain that the control has, where
        there is one; the ``verdict`` and a ``sentence``. No rows where there are no controls, or
        soft labels or MTL with one-hot scenes are not configured.
    """
    columns = ["control", "labels", "score", "share", "verdict", "sentence"]
    rows = []
    for control in chosen.controls if chosen.soft and chosen.hard else ():
        pairs = {
            "gain": (chosen.soft, chosen.hard),
            "control_hard": (control, chosen.hard),
            "soft_control": (chosen.soft, control),
        } | ({"control_baseline": (control, chosen.baseline)} if chosen.baseline else {})
        for score in SCORES:
            found = {key: compare(scores, *pair, score) for key, pair in pairs.items()}
            row = {"control": control.title, "labels": control.labels, "score": score}
            for key, each in found.items():
                values = vars(each)
                row |= {key: values["mean"]}
                row |= {f"{key}_{name}": value for name, value in values.items() if name != "mean"}
            rows.append(row | _judge_control(control.title, found, BETTER[score]))
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def judge_control(gain: int, control: int, rest: int) -> str:
    """Whether a control explains the gain of soft labels over one-hot scenes.

    Parameters
    ----------
    gain, control, rest
        Sides on which the intervals lie of (soft - hard), (control - hard), (soft - control):
        1 better, -1 worse, 0 neither can be told.
    """
    if gain != 1:
        return UNTOLD  # there is no gain to be explained
    if control == 1:  # that the rest is not seen does not say that there is none
        return {1: EXPLAINS_PART, 0: EXPLAINS_SOME, -1: EXPLAINS}[rest]
    return EXPLAINS_NOT if rest == 1 or control == -1 else UNTOLD


def _judge_control(name: str, found: Mapping[str, Estimate], better: int) -> dict[str, object]:
    """``share``, ``verdict`` and ``sentence`` of a control and a score."""
    asked = [found[key] for key in ("gain", "control_hard", "soft_control")]
    sides = [each.side() * better for each in asked]
    verdict = judge_control(*sides)
    share = asked[1].mean / asked[0].mean if sides[0] == 1 else float("nan")
    sentence = f"{name}{_explained(verdict, sides, asked, share)}"
    if verdict != UNTOLD:
        of_folds = judge_control(*(each.fold_side() * better for each in asked))
        folds = {
            verdict: "so it does with folds as the unit: it would be expected of other recordings",
            UNTOLD: "with folds as the unit it cannot be told: other recordings may differ",
        }
        sentence += f"; {folds.get(of_folds, f'with folds as the unit it {of_folds}')}"
    return {"share": share, "verdict": verdict, "sentence": f"{sentence}."}


def _explained(verdict: str, sides: Sequence[int], asked: Sequence[Estimate], share: float) -> str:
    """What the pairs say of a control, behind its name."""
    gain, control, rest = asked
    if sides[0] == -1:
        return ": cannot be told, as soft labels are worse than one-hot scenes here"
    if sides[0] == 0:
        why = _unseen(gain)
        return f": cannot be told, as no gain of soft labels over one-hot scenes is seen: {why}"
    if verdict == UNTOLD:
        return (
            f": cannot be told, as it differs for sure neither from one-hot scenes "
            f"({_unseen(control)}) nor from the teacher's soft labels ({_unseen(rest)})"
        )
    gained = f"it gains over one-hot scenes too ({share:.0%} of the gain)"
    why = {
        EXPLAINS: f"{gained}, and is better than the teacher's soft labels",
        EXPLAINS_SOME: f"{gained}, and the teacher's soft labels are not seen to gain more "
        f"({_unseen(rest)})",
        EXPLAINS_PART: f"{gained}, and the teacher's soft labels gain more",
        EXPLAINS_NOT: "it is worse than one-hot scenes"
        if sides[1] == -1
        else "it is not seen to gain over one-hot scenes, and the teacher's soft labels are better "
        "than it",
    }
    return f" {verdict}: {why[verdict]}"
