"""Evaluation of one student: thresholds, detected events, counts and scores."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from softscene.config.labels import Labels
from softscene.core.errors import ResultError, how_to_remake
from softscene.core.tsv import read_numbers, read_table, write_table
from softscene.data.splits import EVALUATION
from softscene.evaluation import metrics
from softscene.evaluation.probabilities import load_probabilities
from softscene.evaluation.thresholds import COUNTS, MODES, best_thresholds, grid, reached, sweep
from softscene.features.activity import recording_activity, to_events, to_segments
from softscene.features.clips import Clips, join_clips
from softscene.features.store import sources_of

Activity = dict[str, np.ndarray]


def sweep_part(
    clips: Clips, probabilities: np.ndarray, labels: Labels, thresholds: Mapping[str, float]
) -> pd.DataFrame:
    """Counts of a part at each threshold of the grid, by :func:`.thresholds.sweep`."""
    reference = join_clips(clips.table, clips.targets)
    estimated = join_clips(clips.table, probabilities)
    pairs = ((reference[name], estimated[name]) for name in reference)
    return sweep(pairs, grid(**thresholds), labels.events)


def evaluate_student(
    probabilities: str | Path,
    development_sweep: str | Path,
    recordings: str | Path,
    events: str | Path,
    labels: Labels,
    results: Mapping[str, str | Path],
    conventions: Mapping[str, float],
    fixed_threshold: float,
    adaptive_thresholds: Mapping[str, float],
    student: Mapping[str, str],
) -> None:
    """Write ``thresholds``, ``events``, ``class_wise`` and ``overall`` (keys of ``results``).

    Parameters
    ----------
    probabilities
        Of the evaluation part, HDF5.
    development_sweep
        Counts of the development part, from which ``adaptive`` thresholds are taken.
    recordings
        The fold's recordings.
    events
        ``events.tsv``, the reference.
    labels
        Names of the classes.
    results
        Target of each table.
    conventions
        Name -> seconds of a segment.
    fixed_threshold, adaptive_thresholds
        See ``evaluation`` in ``config.yaml``.
    student
        Wildcards of the student that the probabilities must be of.

    Raises
    ------
    ResultError
        The probabilities are another student's, or the sweep was made with other thresholds.
    """
    table = read_table(recordings)
    names = list(table.recording[table.part == EVALUATION])
    scores, hop = load_probabilities(probabilities, names, {**student, **sources_of(events)})
    by_recording = dict(tuple(read_table(events).groupby("recording")))

    sizes = segment_frames(conventions, hop)
    reference = {
        frames: reference_activity(by_recording, scores, labels, hop[0] / hop[1], frames)
        for frames in {1, *sizes.values()}
    }
    tried = grid(**adaptive_thresholds)
    own = sweep(((reference[1][name], scores[name]) for name in names), tried, labels.events)
    known = read_numbers(development_sweep, COUNTS)
    if not np.array_equal(known.threshold.unique(), tried):
        raise ResultError(
            f"{development_sweep} was made with other thresholds than "
            "evaluation.adaptive_thresholds; " + how_to_remake(development_sweep)
        )
    thresholds = choose_thresholds(known, own, labels.events, fixed_threshold)
    detected = {
        mode: {name: reached(scores[name], limits) for name in names}
        for mode, limits in thresholds.items()
    }
    counts = {
        (convention, mode): sum_counts(
            reference[frames],
            {name: to_segments(active, frames) for name, active in detected[mode].items()},
        )
        for convention, frames in sizes.items()
        for mode in MODES
    }
    write_table(_threshold_table(thresholds, labels), results["thresholds"])
    write_table(_event_lists(detected, labels, hop), results["events"])
    write_table(_overall(counts), results["overall"])
    write_table(_class_wise(counts, labels), results["class_wise"])


def segment_frames(conventions: Mapping[str, float], hop: tuple[int, int]) -> dict[str, int]:
    """Frames of a segment of each convention."""
    return {name: round(seconds * hop[1] / hop[0]) for name, seconds in conventions.items()}


def reference_activity(
    events: Mapping[str, pd.DataFrame], scores: Activity, labels: Labels, hop: float, frames: int
) -> Activity:
    """Reference of each recording in segments of ``frames``, straight from the annotations."""
    return {
        name: recording_activity(events[name], labels.events, -(-len(each) // frames), hop * frames)
        for name, each in scores.items()
    }


def choose_thresholds(
    development: pd.DataFrame, evaluation: pd.DataFrame, events: tuple[str, ...], fixed: float
) -> dict[str, np.ndarray]:
    """Mode -> threshold of each event.

    Only ``oracle`` uses the evaluation part. It breaks ties as the authors' evaluator does, by the
    lowest threshold; ``adaptive`` takes the nearest to ``fixed``.
    """
    return {
        "fixed": np.full(len(events), fixed),
        "adaptive": best_thresholds(development, events, fixed),
        "oracle": best_thresholds(evaluation, events, evaluation.threshold.min()),
    }


def sum_counts(reference: Activity, estimated: Activity) -> metrics.Counts:
    """Counts over all recordings."""
    each = [metrics.count(reference[name], estimated[name]) for name in reference]
    return sum(each[1:], start=each[0])


def _threshold_table(thresholds: dict[str, np.ndarray], labels: Labels) -> pd.DataFrame:
    return pd.DataFrame({"event": labels.events, **thresholds})


def _event_lists(
    detected: dict[str, Activity], labels: Labels, hop: tuple[int, int]
) -> pd.DataFrame:
    parts = [
        to_events(active, labels.events, *hop).assign(threshold=mode, recording=name)
        for mode, activity in detected.items()
        for name, active in activity.items()
    ]
    table = pd.concat(parts, ignore_index=True)
    return table[["threshold", "recording", "onset", "offset", "event"]]


def _overall(counts: Mapping[tuple[str, str], metrics.Counts]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "convention": convention,
            "threshold": mode,
            "true_positives": each.true_positives.sum(),
            "false_positives": each.false_positives.sum(),
            "false_negatives": each.false_negatives.sum(),
            "substitutions": each.substitutions,
            "deletions": each.deletions,
            "insertions": each.insertions,
            "f_score": metrics.micro_f_score(each),
            "error_rate": metrics.micro_error_rate(each),
        }
        for (convention, mode), each in counts.items()
    )


def _class_wise(counts: Mapping[tuple[str, str], metrics.Counts], labels: Labels) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                "convention": convention,
                "threshold": mode,
                "event": labels.events,
                "true_positives": each.true_positives,
                "false_positives": each.false_positives,
                "false_negatives": each.false_negatives,
                "f_score": metrics.f_score(
                    each.true_positives, each.false_positives, each.false_negatives
                ),
                "error_rate": metrics.event_error_rate(each),
            }
        )
        for (convention, mode), each in counts.items()
    ]
    return pd.concat(parts, ignore_index=True)
