"""Folds: which recordings and clips each part has, and the statistics of its features."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from softscene.annotations import read_published
from softscene.errors import AnnotationError
from softscene.features import FeatureParameters, FeatureStore, sources_of
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
    tables: Sequence[str | Path],
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
    tables
        Those of the downloaded recordings, of which the features were made.
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
        The feature file is damaged, or was made with other parameters or of other data.
    """
    parts = {
        DEVELOPMENT: list(read_published(development).recording.unique()),
        EVALUATION: list(read_published(evaluation).recording.unique()),
    }
    _check_parts(parts, set(read_table(events).recording))
    with FeatureStore(features, parameters, sources_of(events, tables)) as store:
        found = {name: store.read(name) for names in parts.values() for name in names}
    recordings = pd.DataFrame(
        [
            (name, part, found[name][1], len(found[name][0]))
            for part, names in parts.items()
            for name in names
        ],
        columns=["recording", "part", "scene", "frames"],
    )
    write_table(recordings, results["recordings"])
    write_table(_clips(recordings, clip_frames), results["clips"])
    _write_statistics([found[name][0] for name in parts[DEVELOPMENT]], results["statistics"])


def make_inner_fold(
    recordings: str | Path,
    clips: str | Path,
    events: str | Path,
    features: str | Path,
    results: dict[str, str | Path],
    held_out: int,
    parts: int,
    parameters: FeatureParameters,
) -> None:
    """Write a fold inside a fold's development part: one of its parts is held out for evaluation.

    The fold's own evaluation part is in neither part. Clips keep their numbers.

    Parameters
    ----------
    recordings, clips
        The fold's, as :func:`make_fold` wrote them.
    events, features, results, parameters
        As for :func:`make_fold`.
    held_out
        Which part, from 1 to ``parts``.
    parts
        Into how many the development part is split, see :func:`split_recordings`.

    Raises
    ------
    AnnotationError
        A part would have no recording, or a scene would be in one part alone.
    """
    known = read_table(recordings)
    known = known[known.part == DEVELOPMENT].reset_index(drop=True)
    part_of = split_recordings(known, parts)
    names = {True: EVALUATION, False: DEVELOPMENT}
    place = {name: names[part == held_out] for name, part in part_of.items()}
    known = known.assign(part=known.recording.map(place))
    table = read_table(clips)
    table = table[table.part == DEVELOPMENT]
    with FeatureStore(features, parameters, sources_of(events)) as store:
        seen = [store.read(name)[0] for name in known.recording[known.part == DEVELOPMENT]]
    write_table(known, results["recordings"])
    write_table(table.assign(part=table.recording.map(place)), results["clips"])
    _write_statistics(seen, results["statistics"])


def split_recordings(recordings: pd.DataFrame, parts: int) -> dict[str, int]:
    """Split recordings into parts that have about the same length of each scene.

    Pieces of one recording stay together. No chance is in it: each scene's recordings, the longest
    first, go to the part that has least of the scene, and then least of all.

    Parameters
    ----------
    recordings
        ``recording``, ``scene``, ``frames``.
    parts
        How many.

    Returns
    -------
    dict
        Recording -> its part, from 1.

    Raises
    ------
    AnnotationError
        Lists scenes that would be in one part alone, and says if a part would be empty.
    """
    whole = recordings.assign(whole=recordings.recording.map(whole_recording))
    sizes = whole.groupby(["scene", "whole"]).frames.sum().reset_index()
    part_of: dict[str, int] = {}
    total = dict.fromkeys(range(1, parts + 1), 0)
    for _, own in sizes.sort_values(["frames", "whole"], ascending=[False, True]).groupby("scene"):
        of_scene = dict.fromkeys(total, 0)
        for row in own.itertuples():
            part = min(total, key=lambda part: (of_scene[part], total[part]))
            part_of[row.whole] = part
            of_scene[part] += row.frames
            total[part] += row.frames
    _check_split(sizes, total)
    return {row.recording: part_of[row.whole] for row in whole.itertuples()}


def _check_split(sizes: pd.DataFrame, total: dict[int, int]) -> None:
    problems = [
        f"scene {scene!r} has one recording; two or more expected"
        for scene, number in sizes.groupby("scene").whole.nunique().items()
        if number < 2
    ]
    if not all(total.values()):
        problems.append(f"{len(sizes)} recordings cannot fill {len(total)} parts")
    if problems:
        raise AnnotationError.of("the recordings cannot be split into parts:", problems)


def whole_recording(name: str) -> str:
    """The recording that a file is a piece of, itself if it is whole.

    TUT's acoustic scenes are cut: ``audio/a099_0_30.wav`` is the first 30 s of ``audio/a099``.
    """
    return re.sub(r"_[0-9]+_[0-9]+(\.[^./]+)$", "", name)


def _write_statistics(features: Sequence[np.ndarray], target: str | Path) -> None:
    mean, deviation = band_statistics(features)
    statistics = pd.DataFrame({"band": np.arange(len(mean)), "mean": mean, "std": deviation})
    write_table(statistics, target)


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
