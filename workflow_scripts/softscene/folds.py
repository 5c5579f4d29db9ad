"""Folds: which recordings and clips each part has, and the statistics of its features."""

import logging
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from softscene.annotations import read_published
from softscene.errors import AnnotationError
from softscene.features import FeatureParameters, FeatureStore, sources_of
from softscene.files import read_table, write_table

logger = logging.getLogger(__name__)

_NUMBERED = re.compile(r"(.*)_([0-9]{1,18})_([0-9]{1,18})(\.[^./]+)", re.DOTALL)
DEVELOPMENT, EVALUATION = "development", "evaluation"


def cut_clips(frames: int, clip_frames: int) -> list[tuple[int, int]]:
    """Start and length, in frames, of the clips of a recording; the last may be shorter."""
    return [(start, min(clip_frames, frames - start)) for start in range(0, frames, clip_frames)]


def fewest_trained(seconds: float, hop: float) -> int:
    """Frames of ``hop`` seconds that a clip of so many seconds has: fewer are not trained on."""
    return math.ceil(round(seconds / hop, 6))  # 0.3 / 0.02 is 14.999999999999998


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
    shortest_trained: float,
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
    shortest_trained
        Seconds; shorter clips take no part in training, see :func:`read_clips`.
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
    clips = _clips(recordings, clip_frames)
    hop = parameters.hop_length / parameters.sample_rate
    short = clips.frames < fewest_trained(shortest_trained, hop)
    write_table(clips.assign(short=short), results["clips"])
    _write_statistics([found[name][0] for name in parts[DEVELOPMENT]], results["statistics"])


def read_clips(source: str | Path, part: str, training: bool = False) -> pd.DataFrame:
    """The clips of a part, in the order of the fold.

    Parameters
    ----------
    source
        ``clips.tsv`` of :func:`make_fold` or :func:`make_inner_fold`.
    part
        ``development`` or ``evaluation``.
    training
        Whether it is for training: without the clips that are ``short``, which take no part in it
        and get no soft labels. They are evaluated like any other.

    Returns
    -------
    DataFrame
        ``clip``, ``recording``, ``part``, ``scene``, ``start``, ``frames`` and ``short``.

    Raises
    ------
    AnnotationError
        All clips of the part are too short for training.
    """
    table = read_table(source)
    table = table[table.part == part]
    if training:
        number, table = len(table), table[~table.short]
        if number and table.empty:
            raise AnnotationError(
                f"{source}: all {number} clips of the {part} part are shorter than "
                "clips.shortest_trained; longer recordings or a smaller number expected"
            )
    return table.reset_index(drop=True)


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
    everything = read_table(recordings)
    known = everything[everything.part == DEVELOPMENT].reset_index(drop=True)
    part_of = split_recordings(known, parts, among=everything.recording)
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


def split_recordings(
    recordings: pd.DataFrame, parts: int, among: Iterable[str] | None = None
) -> dict[str, int]:
    """Split recordings into parts that have about the same length of each scene.

    Pieces of one recording stay together, see :func:`whole_recordings`; the log names them. No
    chance is in it: each scene's recordings, the longest first, go to the part that has least of
    the scene, and then least of all.

    Parameters
    ----------
    recordings
        ``recording``, ``scene``, ``frames``.
    parts
        How many.
    among
        All files that there are, by whose names pieces are told; these recordings by default.

    Returns
    -------
    dict
        Recording -> its part, from 1.

    Raises
    ------
    AnnotationError
        Lists scenes that would be in one part alone, and says if a part would be empty.
    """
    names = recordings.recording if among is None else among
    whole = recordings.assign(whole=recordings.recording.map(whole_recordings(names)))
    for _, pieces in whole.groupby("whole").recording:
        if len(pieces) > 1:
            logger.info("taken for pieces of one recording: %s", ", ".join(sorted(pieces)))
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
    _check_split(whole, total)
    return {row.recording: part_of[row.whole] for row in whole.itertuples()}


def _check_split(recordings: pd.DataFrame, total: dict[int, int]) -> None:
    problems = []
    for scene, own in recordings.groupby("scene"):
        if own.whole.nunique() < 2:
            pieces = f" (its {len(own)} files are taken for pieces of it)" if len(own) > 1 else ""
            problems.append(f"scene {scene!r} has one recording{pieces}; two or more expected")
    if not all(total.values()):
        number = recordings.whole.nunique()
        problems.append(f"{number} recordings cannot fill {len(total)} parts")
    if problems:
        raise AnnotationError.of("the recordings cannot be split into parts:", problems)


def whole_recordings(names: Iterable[str]) -> dict[str, str]:
    """Of each file the recording that it is a piece of: itself if it is whole.

    TUT's acoustic scenes are cut: ``audio/a099_0_30.wav`` is the first 30 s of ``audio/a099``. Two
    numbers at the end of a name are a begin and an end only if that is possible for all files of
    the recording: whole numbers as TUT writes them (no ``05``), the begin before the end, and no
    piece before another one has ended. Dates and times, or a day and a take, are hardly ever so.

    Parameters
    ----------
    names
        Paths of all files, which may hold some pieces of a recording and not others.

    Returns
    -------
    dict
        File -> the recording, e.g. ``audio/a099.wav``; or the file itself.
    """
    spans: dict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
    impossible = set()
    names = list(names)
    for name in names:
        if numbered := _NUMBERED.fullmatch(name):
            stem, begin, end, suffix = numbered.groups()
            spans[stem, suffix][name] = int(begin), int(end)
            if [str(int(begin)), str(int(end))] != [begin, end]:
                impossible.add((stem, suffix))
    whole = {name: name for name in names}
    for (stem, suffix), pieces in spans.items():
        times = [time for span in sorted(pieces.values()) for time in span]
        if (stem, suffix) not in impossible and _follow(times):
            whole |= dict.fromkeys(pieces, f"{stem}{suffix}")
    return whole


def _follow(times: Sequence[int]) -> bool:
    """Whether begin, end, begin, end .. of pieces that are sorted by their begin can be true."""
    steps = np.diff(times)
    return bool((steps[::2] > 0).all() and (steps[1::2] >= 0).all())


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
