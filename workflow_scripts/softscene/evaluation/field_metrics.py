"""Scores that the field uses beside the paper's: event-based F, average precision, PSDS, scenes.

``sed_eval`` and ``sed_scores_eval`` compute them. Both are slow to import, so they are imported
where they are used. An average over events is over those that occur in the part.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from softscene.config.labels import Labels
from softscene.core.loading import without
from softscene.core.tsv import read_table, write_table
from softscene.data.annotations import happenings
from softscene.data.splits import EVALUATION
from softscene.evaluation.metrics import FIELD_KEYS, f_score
from softscene.evaluation.probabilities import load_probabilities
from softscene.features.activity import recording_activity
from softscene.features.store import sources_of

if TYPE_CHECKING:
    from sed_eval.sound_event import EventBasedMetrics

COLLAR, SHARE_OF_LENGTH = 0.2, 0.2  # of event-based scores: seconds; offsets: or this, if longer
SEGMENT = 1.0  # seconds of a segment of the average precision
MAX_RATE = 100.0  # of PSDS: false positives per hour
MODES = ("adaptive", "fixed")
PLOTTING = ("matplotlib", "matplotlib.pyplot")  # sed_scores_eval loads it for its own figures
FREE = "none"  # the threshold of scores that need none
MICRO, MACRO = "micro", "macro"
COLUMNS = [*FIELD_KEYS, "event", "value", "events"]
Spans = Mapping[str, pd.DataFrame]  # recording -> onset, offset, event
Scores = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Scenario:
    """Parameters of PSDS, as DCASE 2021 to 2023 had them (task 4), with their names there.

    ``most`` is ours: the most thresholds of an event, see :func:`operating_points`. Scenario 2
    takes longer for each, and loses less without them.
    """

    dtc_threshold: float
    gtc_threshold: float
    cttc_threshold: float | None
    alpha_ct: float
    most: int | None
    alpha_st: float = 1.0


SCENARIOS = {
    "psds_1": Scenario(0.7, 0.7, None, 0.0, 1000),  # reacts fast: times matter
    "psds_2": Scenario(0.1, 0.1, 0.3, 0.5, 500),  # confuses no events: times matter little
}


@dataclass(frozen=True)
class Part:
    """The evaluation part of a fold.

    Attributes
    ----------
    events
        Names of all events.
    reference
        Rows of each recording that are events.
    scores
        Probabilities of each recording, frames x events.
    hop
        Seconds of a frame.
    """

    events: Sequence[str]
    reference: Spans
    scores: Scores
    hop: float

    @property
    def present(self) -> list[str]:
        """The events that occur in it, in their usual order."""
        found = {name for rows in self.reference.values() for name in rows.event}
        return [name for name in self.events if name in found]

    @property
    def durations(self) -> dict[str, float]:
        """Seconds of each recording."""
        return {name: round(len(each) * self.hop, 6) for name, each in self.scores.items()}


def write_field_metrics(
    probabilities: str | Path,
    scene_logits: str | Path,
    recordings: str | Path,
    events: str | Path,
    labels: Labels,
    results: Mapping[str, str | Path],
    student: Mapping[str, str],
) -> None:
    """Write ``field_metrics`` of a student, from the other ``results`` of its evaluation.

    Parameters
    ----------
    probabilities, recordings, events, labels, student
        As for :func:`softscene.evaluation.scoring.evaluate_student`.
    scene_logits
        Of the evaluation part's clips; without rows if the student has no scene branch.
    results
        What that function wrote, ``events`` and ``class_wise``; and the target ``field_metrics``, a
        table of :data:`COLUMNS`. ``event`` is empty for averages; ``events`` is the number of
        events that the value is about.
    """
    table = read_table(recordings)
    names = list(table.recording[table.part == EVALUATION])
    scores, hop = load_probabilities(probabilities, names, {**student, **sources_of(events)})
    part = Part(labels.events, _spans(events, names), scores, hop[0] / hop[1])
    detected = read_table(results["events"])
    rows = averages_of_segments(read_table(results["class_wise"]), part.present)
    for mode in MODES:
        here = detected[detected.threshold == mode]
        found = {name: here[here.recording == name] for name in names}
        rows += event_based(part, found, mode)
    rows += average_precisions(part)
    for name, scenario in SCENARIOS.items():
        rows += psds_of(part, name, scenario)
    accuracy = scene_accuracy(read_table(scene_logits), labels.scenes)
    rows.append(_row("scene_accuracy", "", FREE, accuracy, 0))
    write_table(pd.DataFrame(rows)[COLUMNS], results["field_metrics"])


def _spans(events: str | Path, names: Sequence[str]) -> dict[str, pd.DataFrame]:
    rows = happenings(read_table(events))
    return {name: rows[rows.recording == name] for name in names}


def _row(
    metric: str, average: str, threshold: str, value: float, events: int, event: str = ""
) -> dict:
    return {
        "metric": metric,
        "average": average,
        "threshold": threshold,
        "event": event,
        "value": value,
        "events": events,
    }


def _rows_of(metric: str, threshold: str, each: Mapping[str, float]) -> list[dict]:
    """The mean over events, and a row for each."""
    mean = float(np.mean(list(each.values()))) if each else float("nan")
    rows = [_row(metric, MACRO, threshold, mean, len(each))]
    return rows + [_row(metric, "", threshold, value, 1, event) for event, value in each.items()]


def averages_of_segments(class_wise: pd.DataFrame, present: Sequence[str]) -> list[dict]:
    """Micro and macro averages of the F-score in each convention, from ``class_wise.tsv``.

    Micro pools the counts of all events, absent ones too (Table 3).
    """
    rows = []
    counts = ["true_positives", "false_positives", "false_negatives"]
    for (convention, mode), scores in class_wise.groupby(["convention", "threshold"], sort=False):
        micro = float(f_score(*scores[counts].sum()))
        known = scores.set_index("event").f_score.loc[list(present)]
        macro = known.mean() if len(known) else float("nan")
        name = f"{convention}_f_score"
        rows += [
            _row(name, MICRO, mode, micro, len(scores)),
            _row(name, MACRO, mode, macro, len(known)),
        ]
    return rows


def event_based(part: Part, detected: Spans, mode: str) -> list[dict]:
    """Event-based F-scores of ``sed_eval``: micro, macro and of each event that occurs.

    An event is found if its onset is at most :data:`COLLAR` away, and its offset at most that or
    :data:`SHARE_OF_LENGTH` of its length. Events of different names never match, so the pairs of
    one name are evaluated alone: the same counts in much less time.

    Parameters
    ----------
    part
        The reference.
    detected
        What was detected in each recording.
    mode
        With which thresholds.
    """
    counts = pd.DataFrame(0.0, index=list(part.events), columns=["Ntp", "Nsys", "Nref"])
    reference, found = (_event_lists(each) for each in (part.reference, detected))
    for event in part.events:
        evaluator = _evaluator(event)
        for name in part.reference:
            lists = [each.get((name, event), []) for each in (reference, found)]
            if all(lists):
                evaluator.evaluate(*lists)
            else:  # there is no pair to match
                evaluator.class_wise[event]["Nref"] += len(lists[0])
                evaluator.class_wise[event]["Nsys"] += len(lists[1])
        counts.loc[event] = [evaluator.class_wise[event][key] for key in counts.columns]
    sums = counts.sum()
    each = (2 * counts.Ntp / (counts.Nsys + counts.Nref))[part.present].to_dict()
    total = sums.Nsys + sums.Nref
    micro = float(2 * sums.Ntp / total) if total else float("nan")
    return [
        _row("event_f_score", MICRO, mode, micro, len(counts)),
        *_rows_of("event_f_score", mode, each),
    ]


def _evaluator(event: str) -> "EventBasedMetrics":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources is deprecated
        from sed_eval.sound_event import EventBasedMetrics  # noqa: PLC0415

    return EventBasedMetrics([event], t_collar=COLLAR, percentage_of_length=SHARE_OF_LENGTH)


def _event_lists(spans: Spans) -> dict[tuple[str, str], list[dict]]:
    """Events as ``sed_eval`` wants them, by recording and name."""
    lists: dict[tuple[str, str], list[dict]] = {}
    for name, rows in spans.items():
        for row in rows[["onset", "offset", "event"]].itertuples(index=False):
            fields = {"filename": name, "event_label": row.event}
            fields |= {"onset": float(row.onset), "offset": float(row.offset)}
            lists.setdefault((name, row.event), []).append(fields)
    return lists


def average_precisions(part: Part) -> list[dict]:
    """Segment-based average precision of ``sed_scores_eval``; a segment has its largest score."""
    if not part.present:
        return _rows_of("average_precision", FREE, {})
    with without(*PLOTTING):
        from sed_scores_eval.segment_based import average_precision  # noqa: PLC0415

    found, _ = average_precision(
        _score_tables(part, part.scores),
        _truth(part),
        part.durations,
        segment_length=SEGMENT,
    )
    each = {event: float(found[str(i)]) for i, event in enumerate(part.present)}
    return _rows_of("average_precision", FREE, each)


def psds_of(part: Part, name: str, scenario: Scenario) -> list[dict]:
    """PSDS of ``sed_scores_eval``; of each event, the area under its own curve.

    Parameters
    ----------
    part
        Scores and reference.
    name
        Of the metric.
    scenario
        Its parameters. With one event in the part there are no cross triggers.
    """
    if not part.present:
        return [_row(name, MACRO, FREE, float("nan"), 0)]
    with without(*PLOTTING):
        from sed_scores_eval.intersection_based import psds  # noqa: PLC0415

    settings = asdict(scenario)
    most = settings.pop("most")
    if len(part.present) == 1:
        settings |= {"cttc_threshold": None, "alpha_ct": 0.0}
    score, each, *_ = psds(
        _score_tables(part, _levels(part, most)),
        _truth(part),
        part.durations,
        max_efpr=MAX_RATE,
        **settings,
    )
    return [
        _row(name, MACRO, FREE, float(score), len(part.present)),
        *(_row(name, "", FREE, float(each[str(i)]), 1, e) for i, e in enumerate(part.present)),
    ]


def _score_tables(part: Part, scores: Scores) -> dict[str, pd.DataFrame]:
    """Scores as ``sed_scores_eval`` wants them, of the events that occur; named by number.

    Equal frames in a row become one. Single precision, as the package cannot write to columns of
    pandas 3, and copies those that are not double.
    """
    index = [part.events.index(event) for event in part.present]
    tables = {}
    for name, each in scores.items():
        values = each[:, index].astype(np.float32)
        kept = np.append(True, (values[1:] != values[:-1]).any(axis=1))
        times = np.round(np.append(np.flatnonzero(kept), len(values)) * part.hop, 6)
        columns = dict(zip(map(str, range(len(index))), values[kept].T, strict=True))
        tables[name] = pd.DataFrame({"onset": times[:-1], "offset": times[1:], **columns})
    return tables


def _truth(part: Part) -> dict[str, list[tuple[float, float, str]]]:
    """The reference as ``sed_scores_eval`` wants it.

    Rows of an event that overlap or touch become one.
    """
    number = {event: str(i) for i, event in enumerate(part.present)}
    truth = {}
    for name, rows in part.reference.items():
        truth[name] = merged = []
        for event, spans in rows.sort_values("onset").groupby("event"):
            end = -np.inf
            for onset, offset in spans[["onset", "offset"]].to_numpy(float).tolist():
                if onset <= end:
                    onset = merged.pop()[0]  # noqa: PLW2901
                end = max(end, offset)
                merged.append((onset, end, number[event]))
    return truth


def _levels(part: Part, most: int | None) -> dict[str, np.ndarray]:
    """How many of its event's :func:`operating_points` each score reaches, frames x events."""
    active = {
        name: recording_activity(part.reference[name], part.events, len(each), part.hop)
        for name, each in part.scores.items()
    }
    limit = MAX_RATE * sum(part.durations.values()) / 3600
    levels = {name: np.zeros(each.shape, np.int64) for name, each in part.scores.items()}
    for i, event in enumerate(part.events):
        if event in part.present:
            scores = {name: each[:, i] for name, each in part.scores.items()}
            truth = {name: each[:, i] for name, each in active.items()}
            points = operating_points(scores, truth, limit, most)
            for name, each in scores.items():
                levels[name][:, i] = np.searchsorted(points, each, side="right")
    return levels


def operating_points(scores: Scores, active: Scores, limit: float, most: int | None) -> np.ndarray:
    """The thresholds of an event at which its PSDS is computed, ascending.

    Every score that occurs is a threshold of the curve. Those at which more than ``limit`` events
    are detected that touch no event of the reference are left out first: all of these are false
    positives, so they lie beyond the end of the curve, and nothing is lost. If more than ``most``
    remain, these are taken in a geometric series of their ranks, close together among the highest.
    The score then misses some of the best points, and is a little lower (docs/method.md).

    Parameters
    ----------
    scores, active
        Scores, and where the event is active, of each recording, frames.
    limit
        Number of false positives at which the curve ends.
    most
        Largest number of thresholds; None for all.
    """
    ends = np.cumsum([len(each) for each in scores.values()])[:-1]
    values, ranks = np.unique(np.concatenate(list(scores.values())), return_inverse=True)
    ranks = np.split(ranks, ends)
    inside = [np.where(a, r, -1) for a, r in zip(active.values(), ranks, strict=True)]
    # Each detection that touches the reference has at least one run of frames inside it.
    outside = _runs(ranks, len(values)) - _runs(inside, len(values))
    kept = values[outside <= limit]
    if most is not None and len(kept) > most:
        places = len(kept) - np.geomspace(1, len(kept), most)
        kept = kept[np.unique(places.round().astype(int))]
    return kept


def _runs(ranks: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Number of runs of frames whose rank is at least 0, 1 .. size - 1."""
    steps = np.zeros(size + 1, int)
    for each in ranks:
        before = np.append(-1, each[:-1])
        rises = each > before
        steps += np.bincount(before[rises] + 1, minlength=size + 1)
        steps -= np.bincount(each[rises] + 1, minlength=size + 1)
    return steps.cumsum()[:size]


def scene_accuracy(logits: pd.DataFrame, scenes: Sequence[str]) -> float:
    """Share of the clips whose scene has the largest logit; NaN without a scene branch."""
    if logits.empty:
        return float("nan")
    best = logits[[f"logit_{scene}" for scene in scenes]].to_numpy(float).argmax(axis=1)
    return float(np.mean(np.array(scenes)[best] == logits.scene.to_numpy()))
