"""Folds: which recordings and clips each part has, and the statistics of its features."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from softscene.annotations import read_published
from softscene.errors import AnnotationError
from softscene.features import FeatureParameters, FeatureStore
from softscene.files import read_table, write_table

DEVELOPMENT, EVALUATION = "development", "evaluation"


def cut_clips(frames: int, clip_frames: int) -> list[tuple[int, int]]:
    """Start and length, in frames, of the clips of a recording; the last may be shorter."""
    return [(start, min(clip_frames, frames - start)) for start in range(0, frames, clip_frames)]


def band_statistics(features: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each band over all frames, in float64.

    Parameters
    ----------
    features
        Frames x bands of each recording, without padding.
    """
    count = sum(len(part) for part in features)
    mean = sum(part.sum(axis=0, dtype=np.float64) for part in features) / count
    square = sum(((part - mean) ** 2).sum(axis=0) for part in features) / count
    deviation = np.sqrt(square)
    return mean, np.where(deviation > 0, deviation, 1.0)


def make_fold(
    development: str | Path,
    evaluation: str | Path,
    events: str | Path,
    features: str | Path,
    results: dict[str, str | Path],
    clip_frames: int,
    parameters: FeatureParameters,
) -> None:
    """Write one fold's ``recordings``, ``clips`` and ``statistics`` (the keys of ``results``).

    Statistics are those of the development part alone.

    Parameters
    ----------
    development, evaluation
        The authors' lists of the fold; only which recordings they name is used.
    events
        ``events.tsv``, which says which recordings there are.
    features
        ``features.h5``.
    clip_frames
        Frames of a clip.
    parameters
        What the features must have been made with.

    Raises
    ------
    AnnotationError
        A recording is in both parts or in none, or is not in ``events.tsv``.
    FeatureError
        The feature file is damaged, or was made with other parameters.
    """
    parts = {
        DEVELOPMENT: list(read_published(development).recording.unique()),
        EVALUATION: list(read_published(evaluation).recording.unique()),
    }
    _check_parts(parts, set(read_table(events).recording))
    with FeatureStore(features, parameters) as store:
        found = {name: store.read(name) for names in parts.values() for name in names}
    recordings = pd.DataFrame(
        [
            (name, part, found[name][1], len(found[name][0]))
            for part, names in parts.items()
            for name in names
        ],
        columns=["recording", "part", "scene", "frames"],
    )
    mean, deviation = band_statistics([found[name][0] for name in parts[DEVELOPMENT]])
    write_table(recordings, results["recordings"])
    write_table(_clips(recordings, clip_frames), results["clips"])
    statistics = pd.DataFrame({"band": np.arange(len(mean)), "mean": mean, "std": deviation})
    write_table(statistics, results["statistics"])


def _check_parts(parts: dict[str, list[str]], known: set[str]) -> None:
    development, evaluation = set(parts[DEVELOPMENT]), set(parts[EVALUATION])
    problems = [f"{name}: in both parts" for name in sorted(development & evaluation)]
    problems += [f"{name}: in no part" for name in sorted(known - development - evaluation)]
    problems += [
        f"{name}: is not in events.tsv" for name in sorted((development | evaluation) - known)
    ]
    if problems:
        raise AnnotationError.of("the fold does not split the recordings in two:", problems)


def _clips(recordings: pd.DataFrame, clip_frames: int) -> pd.DataFrame:
    rows = [
        (row.recording, row.part, row.scene, start, frames)
        for row in recordings.itertuples()
        for start, frames in cut_clips(row.frames, clip_frames)
    ]
    clips = pd.DataFrame(rows, columns=["recording", "part", "scene", "start", "frames"])
    clips.insert(0, "clip", np.arange(len(clips)))
    return clips
