"""The paper's claims, and what the paired differences of a run say about each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from softscene.analysis.intervals import SCORES, Estimate, compare, estimate, of
from softscene.config.variants import (
    HARD_WEIGHTS,
    HEAVY_WEIGHTS,
    SOFT_WEIGHTS,
    TEACHER,
    WEIGHTS,
    Chosen,
    Variant,
    of_paper,
    title_of,
)
from softscene.core.tsv import read_table
from softscene.evaluation.tables import HEADLINE, best_of

REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE = "reproduced", "not reproduced", "inconclusive"
EXPLAINS, EXPLAINS_PART = "explains the gain", "explains a part of the gain"
EXPLAINS_SOME = "explains the gain or a part of it"
EXPLAINS_NOT = "does not explain the gain"
BETTER = {"f_score": 1, "error_rate": -1}  # side of zero on which a difference is an improvement
SCALE = {"f_score": 100.0, "error_rate": 1.0}
SETTINGS = (HEADLINE, ("frame", "oracle"))
PAPERS, READING = "paper", "our reading"  # whose claim it is
SCORE, PER_DECADE, EVENTS = "score", "score per decade", "events"  # unit of a difference
# A mean F-score below this is "F = 0", as the paper calls its 0.08 % of (object) snapping.
UNDETECTED = 0.001
Student = tuple[str, Mapping[str, float]]  # loss, weights


@dataclass(frozen=True)
class Claim:
    """One student is better than another, over all events or at one.

    Attributes
    ----------
    key
        Short name.
    text
        The claim as a sentence.
    label
        The same in a few words, for figures.
    better, worse
        Loss and weights of the two students, as published.
    origin
        ``paper``; ``our reading`` of a table or figure if no sentence of the paper says it.
    event
        The event that it is about; None for all together.
    gains
        Whether the claim is that ``better`` is better, or that it is not.
    """

    key: str
    text: str
    label: str
    better: Student
    worse: Student
    origin: str = PAPERS
    event: str | None = None
    gains: bool = True

    @property
    def scores(self) -> Sequence[str]:
        """The scores it is about: for single events the paper gives only F-scores."""
        return SCORES[:1] if self.event else SCORES

    def side(self, score: str) -> int:
        """Side of zero on which the claim puts the difference of a score."""
        return BETTER[score] if self.gains else -BETTER[score]


@dataclass(frozen=True)
class Evidence:
    """Scores of one setting, and the paper's.

    Attributes
    ----------
    overall, events
        With fold and seed: micro-averaged, and of each event (with ``absent``).
    variants
        All that are trained, without those with custom code or overrides.
    table3, table4
        As published.
    """

    overall: pd.DataFrame
    events: pd.DataFrame
    variants: Sequence[Variant]
    table3: pd.DataFrame
    table4: pd.DataFrame

    def of(self, event: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Our scores and the paper's, of an event or of all."""
        if event is None:
            return self.overall, self.table3
        return self.events[self.events.event == event], self.table4[self.table4.event == event]

    def find(self, wanted: Student) -> Variant | None:
        """The student of the paper's own method with exactly these weights."""
        return _find(self.variants, wanted)


CRNN: Student = ("none", {})
LIGHT: Student = ("hard", HARD_WEIGHTS)
HEAVY: Student = ("hard", HEAVY_WEIGHTS)
SOFT: Student = ("soft", SOFT_WEIGHTS)
STUDENTS = (CRNN, LIGHT, HEAVY, SOFT)  # those of Tables 3 and 4
OF_TABLE3 = (
    Claim(
        "soft_over_hard",
        "MTL with soft scene labels (beta = 1, T = 1) is better than with one-hot ones at their "
        "best published weight (alpha = 0.0001).",
        "soft vs one-hot",
        SOFT,
        LIGHT,
    ),
    Claim(
        "hard_over_crnn",
        "MTL with one-hot scenes and a small weight (alpha = 0.0001) is better than CNN-BiGRU.",
        "one-hot vs CNN-BiGRU",
        LIGHT,
        CRNN,
    ),
)
OF_EVENTS = (
    *(
        Claim(
            f"soft_gains_{event.replace(' ', '_')}",
            f"Soft scene labels (beta = 1, T = 1) have a higher F-score of {event} than one-hot "
            "ones (alpha = 0.0001).",
            f"{event}: soft vs one-hot",
            SOFT,
            LIGHT,
            event=event,
        )
        for event in ("dishes", "fan", "people walking")
    ),
    *(
        Claim(
            f"no_gain_{event.removeprefix('(object) ').replace(' ', '_')}",
            f"{event[0].upper() + event[1:]} does not improve with soft scene labels: F = 0 in all "
            "methods.",
            f"{event.removeprefix('(object) ')}: no gain",
            SOFT,
            LIGHT,
            event=event,
            gains=False,
        )
        for event in ("(object) snapping", "breathing", "wind blowing")
    ),
)
READINGS = (
    Claim(
        "soft_over_crnn",
        "MTL with soft scene labels (beta = 1, T = 1) is better than CNN-BiGRU, which has no "
        "scene branch.",
        "soft vs CNN-BiGRU",
        SOFT,
        CRNN,
        READING,
    ),
    Claim(
        "heavy_under_crnn",
        "MTL with one-hot scenes and a large weight (alpha = 1) is worse than CNN-BiGRU.",
        "CNN-BiGRU vs alpha = 1",
        CRNN,
        HEAVY,
        READING,
    ),
    Claim(
        "soft_over_heavy",
        "With a large weight, soft labels do not hurt as one-hot scenes do (Fig. 3): MTL is better "
        "at beta = 1, T = 1 than at alpha = 1.",
        "soft vs alpha = 1",
        SOFT,
        HEAVY,
        READING,
    ),
)
TREND = (
    "trend_of_alpha",
    "With one-hot scenes the F-score tends to decrease as alpha grows (how to measure it is our "
    "reading: the slope of a line through the F-scores over log10 alpha, in each fold and seed).",
    "slope over alpha",
)
MANY = (
    "many_events",
    "Soft scene labels have a higher F-score and a lower error rate in many of the events than the "
    "other methods (how to measure it is our reading: the number of events at which they are the "
    "best, minus the mean of that number over the other methods, in each fold and seed).",
    "many events",
)
LACKING = "the configuration lacks "  # begins the reason of a claim whose students are not trained
NEVER_DETECTED = "no method detects it"  # the same of a claim that networks reproduce untrained
_CLAIMS = {each.key: each for each in (*OF_TABLE3, *OF_EVENTS, *READINGS)}
LABELS = {key: each.label for key, each in _CLAIMS.items()}
LABELS |= {key: label for key, _, label in (TREND, MANY)}
COLUMNS = (
    "claim", "text", "origin", "convention", "threshold", "score", "unit", "comparison",
    "published_difference", "difference", "low", "high", "fold_low", "fold_high", "pairs", "folds",
    "verdict", "reason",
)  # fmt: skip


def claimed_side(key: str, score: str) -> int:
    """Side of zero on which a claim puts its difference: 1 or -1."""
    if key in _CLAIMS:
        return _CLAIMS[key].side(score)
    return -1 if key == TREND[0] else 1


def judge(found: Estimate | None, wanted: int) -> str:
    """Verdict on a claim that a difference lies on one side of zero (1 or -1)."""
    side = 0 if found is None else found.side()
    return {wanted: REPRODUCED, -wanted: NOT_REPRODUCED}.get(side, INCONCLUSIVE)


def joint(verdicts: Sequence[str]) -> str:
    """Verdict on a claim about several scores: their common one, if they agree."""
    return verdicts[0] if len(set(verdicts)) == 1 else INCONCLUSIVE


def judge_claims(
    overall: pd.DataFrame,
    events: pd.DataFrame,
    variants: Sequence[Variant],
    published: Mapping[str, str | Path],
) -> pd.DataFrame:
    """What the scores say about each claim.

    Parameters
    ----------
    overall, events
        Micro-averaged, and of each event with ``absent`` (see
        :func:`softscene.evaluation.tables.absent_as_zero`); with fold and seed, of all settings.
    variants
        All that are trained; no claim is about those with custom code or overrides.
    published
        The paper's ``table3`` and ``table4``.

    Returns
    -------
    DataFrame
        A row for each claim, setting (frames; adaptive and oracle thresholds) and score, with
        :data:`COLUMNS`: the ``comparison``, its published and its own ``difference`` in ``unit``,
        what :class:`Estimate` has, the ``verdict`` and its ``reason``.
    """
    table3, table4 = (read_table(published[name]) for name in ("table3", "table4"))
    rows = []
    for convention, threshold in SETTINGS:
        parts = (
            each[(each.convention == convention) & (each.threshold == threshold)]
            for each in (overall, events)
        )
        evidence = Evidence(*parts, of_paper(variants), table3, table4)
        setting = {"convention": convention, "threshold": threshold}
        rows += [row | setting for row in _judge_all(evidence)]
    return pd.DataFrame(rows)[list(COLUMNS)]


def _judge_all(evidence: Evidence) -> Iterator[dict]:
    """Rows of all claims of a setting."""
    for claim in OF_TABLE3:
        yield from _judge_one(claim, evidence)
    yield from _judge_trend(evidence)
    yield from _judge_many(evidence)
    for claim in (*OF_EVENTS, *READINGS):
        yield from _judge_one(claim, evidence)


def _judge_one(claim: Claim, evidence: Evidence) -> Iterator[dict]:
    pair = (claim.better, claim.worse)
    one, other = (evidence.find(each) for each in pair)
    comparison = " vs ".join(_title(*each) for each in zip((one, other), pair, strict=True))
    scores, paper = evidence.of(claim.event)
    why = _lacking([_words(each) for each in pair if not evidence.find(each)])
    why = why or _unheard(claim.event, scores)
    for score in claim.scores:
        published = _published(paper, claim.better, score) - _published(paper, claim.worse, score)
        found = None if why else compare(scores, one, other, score)
        row = _row(found, published, claim.side(score), why)
        if found and not claim.gains and found.pairs > 1:
            row |= _undetected(scores, evidence)
        names = {"claim": claim.key, "text": claim.text, "origin": claim.origin}
        yield names | {"score": score, "unit": SCORE, "comparison": comparison} | row


def _lacking(names: Sequence[str]) -> str:
    return LACKING + " and ".join(names) if names else ""


def _unheard(event: str | None, scores: pd.DataFrame) -> str:
    """Why nothing can be said about an event; empty if something can, and for all together."""
    if event is None:
        return ""
    if scores.empty:
        return f"there is no event {event} in these data"
    return f"{event} occurs in no evaluation part of this run" if scores.absent.all() else ""


def _undetected(scores: pd.DataFrame, evidence: Evidence) -> dict[str, str]:
    """The verdict if no method detects an event, which then does not improve."""
    there = [each for each in map(evidence.find, STUDENTS) if each]
    most = max(of(scores, each).f_score.mean() for each in there)
    if most >= UNDETECTED:
        return {}
    return {
        "verdict": REPRODUCED,
        "reason": f"{NEVER_DETECTED}: mean F-score below {UNDETECTED:.1%} in all {len(there)}",
    }


def _judge_trend(evidence: Evidence) -> Iterator[dict]:
    """F-score against alpha; one row."""
    key, text, _ = TREND
    students = {
        each.weights["alpha"]: each
        for each in evidence.variants
        if each.loss == "hard" and each.weights["alpha"] > 0
    }
    why = "" if len(students) > 1 else _lacking(["two values of alpha above 0"])
    printed = {
        dict(each[1])["alpha"]: [_published(evidence.table3, each, "f_score")]
        for each in (LIGHT, HEAVY)
    }
    (published,) = _slopes(pd.DataFrame(printed))
    found = None
    if not why:
        slopes = _slopes(_side_by_side(evidence.overall, students, "f_score"))
        found = estimate(slopes, slopes.index.get_level_values("fold"))
    weights = ", ".join(f"{alpha:g}" for alpha in sorted(students))
    comparison = f"slope of MTL over alpha = {weights or 'none'}"
    names = {"claim": key, "text": text, "origin": PAPERS}
    names |= {"score": "f_score", "unit": PER_DECADE, "comparison": comparison}
    yield names | _row(found, published, claimed_side(key, "f_score"), why)


def _slopes(scores: pd.DataFrame) -> pd.Series:
    """Least squares slope of each row over log10 of the columns' names."""
    decades = np.log10(np.array(scores.columns, float))
    decades -= decades.mean()
    return scores @ (decades / (decades @ decades))


def _side_by_side(
    scores: pd.DataFrame, students: Mapping[object, Variant], score: str
) -> pd.DataFrame:
    """A score of several students, a column each; rows are the (fold, seed) that all have."""
    columns = {
        key: of(scores, each).set_index(["fold", "seed"])[score] for key, each in students.items()
    }
    return pd.DataFrame(columns).dropna().sort_index()


def _judge_many(evidence: Evidence) -> Iterator[dict]:
    """At how many events soft labels are the best of Table 4's methods; a row for each score."""
    key, text, _ = MANY
    students = [evidence.find(each) for each in STUDENTS]
    why = _lacking([_words(each) for each in STUDENTS if not evidence.find(each)])
    printed = {
        score: np.array([_column(evidence.table4, each, score) for each in STUDENTS]).T
        for score in SCORES
    }
    if not why:
        ours, folds = _of_runs(evidence.events, students)
    for score in SCORES:
        published = best_events(printed, score)
        found = None if why else estimate(_lead(best_events(ours, score)), folds)
        row = _row(found, float(_lead(published)), claimed_side(key, score), why)
        if found:
            means = {name: values.mean(axis=0) for name, values in ours.items()}
            best = best_events(means, score)[-1]
            row["reason"] += (
                f". In the means of Table 4 they are the best at {best} of {len(means[score])} "
                f"events; published: {published[-1]} of {len(printed[score])}"
            )
        comparison = f"{_title(students[-1], SOFT)} vs mean of the other three"
        names = {"claim": key, "text": text, "origin": PAPERS, "score": score, "unit": EVENTS}
        yield names | {"comparison": comparison} | row


def _of_runs(
    events: pd.DataFrame, students: Sequence[Variant]
) -> tuple[dict[str, np.ndarray], list[int]]:
    """Each score of the (fold, seed) that all students have, runs x events x students; folds."""
    rows = [of(events, each).set_index(["fold", "seed", "event"]) for each in students]
    scores = {
        score: pd.concat([each[score] for each in rows], axis=1, join="inner").sort_index()
        for score in SCORES
    }
    places = scores["f_score"].groupby(level=["fold", "seed"]).size().index
    shape = (len(places), -1, len(students))
    arrays = {score: each.to_numpy().reshape(shape) for score, each in scores.items()}
    return arrays, [fold for fold, _ in places]


def best_events(scores: Mapping[str, np.ndarray], score: str) -> np.ndarray:
    """At how many events each method is the best, by :func:`softscene.evaluation.tables.best_of`.

    Parameters
    ----------
    scores
        ``f_score`` and ``error_rate``, .. x events x methods.
    score
        Which of them.

    Returns
    -------
    array
        .. x methods.
    """
    detected = scores["f_score"] if score == "error_rate" else None
    return best_of(scores[score], BETTER[score], detected).sum(axis=-2)


def _lead(wins: np.ndarray) -> np.ndarray:
    """Events at which the last method is the best, minus the mean number of the others."""
    return wins[..., -1] - wins[..., :-1].mean(axis=-1)


def _row(found: Estimate | None, published: float, wanted: int, why: str) -> dict:
    """A claim's numbers, verdict and reason; ``why`` is the reason if nothing is found."""
    empty = Estimate(*[float("nan")] * 5, pairs=0, folds=0)
    values = dict(vars(found or empty))
    return {
        "published_difference": published,
        "difference": values.pop("mean"),
        **values,
        "verdict": judge(found, wanted),
        "reason": reason_of(found, wanted) if found else why,
    }


def reason_of(found: Estimate, wanted: int) -> str:
    """Explain the verdict in words."""
    if not found.side():
        return _unseen(found)
    where = "on the claimed side of zero" if found.side() == wanted else "on the other side of zero"
    if not found.has_seeds:
        return f"the interval over folds (one seed in each) lies {where}"
    folds = {
        found.side(): "also with folds as the unit, so it is expected for other recordings too",
        0: "with folds as the unit the interval includes zero: other recordings may differ",
    }
    if np.isnan(found.fold_low):
        return f"the interval lies {where}; this says nothing about other recordings"
    return f"the interval lies {where}; {folds.get(found.fold_side(), 'folds contradict it')}"


def _unseen(found: Estimate) -> str:
    """Explain in words why the interval lies on neither side of zero."""
    if found.pairs < 2:
        return "there is one pair, and so no interval" if found.pairs else "there is no pair"
    if np.isnan(found.bounds()[0]):
        where = "in each fold " if found.has_seeds and found.folds > 1 else ""
        return f"{where}all differences are equal, so there is no interval"
    if not found.has_seeds:
        return "the interval over folds (one seed in each) includes zero"
    return "the interval includes zero"


def _find(variants: Sequence[Variant], wanted: Student) -> Variant | None:
    loss, weights = wanted
    fitting = [
        each
        for each in variants
        if (each.loss, each.labels, each.weights) == (loss, TEACHER, dict(weights))
    ]
    return fitting[0] if fitting else None


def _published(paper: pd.DataFrame, wanted: Student, score: str) -> float:
    """A score of the one row with these weights."""
    (value,) = _column(paper, wanted, score)
    return value


def _column(paper: pd.DataFrame, wanted: Student, score: str) -> list[float]:
    """A score of all rows with these weights; a single one in Table 3, one for each event in 4."""
    rows = _of_paper(paper, wanted)
    return list(rows.f_score_percent / 100 if score == "f_score" else rows.error_rate)


def _of_paper(paper: pd.DataFrame, wanted: Student) -> pd.DataFrame:
    """Rows with these weights; no two methods of the published tables share theirs."""
    for column in ("alpha", "beta", "temperature"):
        value = wanted[1].get(column)
        paper = paper[paper[column].isna() if value is None else paper[column] == value]
    return paper


def _words(wanted: Student) -> str:
    loss, weights = wanted
    name = {"none": "a method without a scene branch", "hard": "MTL", "soft": "soft labels"}[loss]
    return title_of((name, *map(weights.get, WEIGHTS)))


def _title(found: Variant | None, wanted: Student) -> str:
    return found.title if found else _words(wanted)


def explain_gain(scores: pd.DataFrame, chosen: Chosen) -> pd.DataFrame:
    """Whether a control gains as soft labels do, for each control and score.

    Parameters
    ----------
    scores
        Micro-averaged, with fold and seed, of one setting.
    chosen
        The student that represents each method.

    Returns
    -------
    DataFrame
        ``control``, ``labels``, ``score``; the paired differences ``gain`` (soft labels - MTL),
        ``control_hard``, ``soft_control`` and ``control_baseline``, each with what
        :class:`Estimate` has (``gain_low`` ..); ``share``, the part of the gain that the control
        has, if there is a gain; the ``verdict`` and a ``sentence``. No rows if no controls, no soft
        labels or no MTL with one-hot scenes are configured.
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
        Sides of zero of the intervals of (soft - hard), (control - hard), (soft - control):
        1 better, -1 worse, 0 neither.
    """
    if gain != 1:
        return INCONCLUSIVE  # there is no gain to explain
    if control == 1:  # rest 0: none is detected, but there may be one
        return {1: EXPLAINS_PART, 0: EXPLAINS_SOME, -1: EXPLAINS}[rest]
    return EXPLAINS_NOT if rest == 1 or control == -1 else INCONCLUSIVE


def _judge_control(name: str, found: Mapping[str, Estimate], better: int) -> dict[str, object]:
    """``share``, ``verdict`` and ``sentence`` of a control and a score."""
    asked = [found[key] for key in ("gain", "control_hard", "soft_control")]
    sides = [each.side() * better for each in asked]
    verdict = judge_control(*sides)
    share = asked[1].mean / asked[0].mean if sides[0] == 1 else float("nan")
    sentence = f"{name}{_explained(verdict, sides, asked, share)}"
    if verdict != INCONCLUSIVE:
        of_folds = judge_control(*(each.fold_side() * better for each in asked))
        folds = {
            verdict: "also with folds as the unit, so it is expected for other recordings too",
            INCONCLUSIVE: "with folds as the unit it is inconclusive: other recordings may differ",
        }
        sentence += f"; {folds.get(of_folds, f'with folds as the unit it {of_folds}')}"
    return {"share": share, "verdict": verdict, "sentence": f"{sentence}."}


def _explained(verdict: str, sides: Sequence[int], asked: Sequence[Estimate], share: float) -> str:
    """What the pairs say about a control, to follow its name."""
    gain, control, rest = asked
    if sides[0] == -1:
        return ": inconclusive, as soft labels are worse than one-hot scenes here"
    if sides[0] == 0:
        why = _unseen(gain)
        return f": inconclusive, as soft labels show no clear gain over one-hot scenes: {why}"
    if verdict == INCONCLUSIVE:
        return (
            f": inconclusive, as it does not clearly differ from one-hot scenes "
            f"({_unseen(control)}) or from the teacher's soft labels ({_unseen(rest)})"
        )
    gained = f"it gains over one-hot scenes too ({share:.0%} of the gain)"
    why = {
        EXPLAINS: f"{gained}, and is better than the teacher's soft labels",
        EXPLAINS_SOME: f"{gained}, and the teacher's soft labels do not clearly gain more "
        f"({_unseen(rest)})",
        EXPLAINS_PART: f"{gained}, and the teacher's soft labels gain more",
        EXPLAINS_NOT: "it is worse than one-hot scenes"
        if sides[1] == -1
        else "it does not clearly gain over one-hot scenes, and the teacher's soft labels are "
        "better than it",
    }
    return f" {verdict}: {why[verdict]}"
