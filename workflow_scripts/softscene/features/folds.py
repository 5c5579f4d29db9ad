"""Folds: which recordings and clips each part has, and the statistics of its features."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from softscene.config.study import HELDOUT
from softscene.core.errors import AnnotationError
from softscene.core.tsv import read_table, write_table
from softscene.data.annotations import FOLD_LIST, MAIN_LIST, SECOND_LIST, read_published
from softscene.data.splits import DEVELOPMENT, EVALUATION, split_recordings
from softscene.features.store import FeatureParameters, FeatureStore, sources_of


def cut_clips(frames: int, clip_frames: int) -> list[tuple[int, int]]:
    """Start and length, in frames, of the clips of a recording; the last may be shorter."""
    return [(start, min(clip_frames, frames - start)) for start in range(0, frames, clip_frames)]


def fewest_trained(seconds: float, hop: float) -> int:
    """Frames of ``hop`` seconds in a clip of ``seconds``; clips with fewer are not trained on."""
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


def lists_of(fold: str, annotations: str | Path, heldout: str | Path | None) -> tuple[Path, Path]:
    """The lists that name a fold's development and evaluation part.

    Parameters
    ----------
    fold
        Its number, or :data:`softscene.config.study.HELDOUT`.
    annotations
        Folder of the authors' lists, or of your own data's.
    heldout
        Folder of the authors' second list; only for that fold.
    """
    if fold == HELDOUT and heldout is not None:
        return Path(annotations, MAIN_LIST), Path(heldout, SECOND_LIST)
    development, evaluation = (
        Path(annotations, FOLD_LIST.format(fold=fold, part=part))
        for part in (DEVELOPMENT, EVALUATION)
    )
    return development, evaluation


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
    standardisation: str = "band",
) -> None:
    """Write one fold's ``recordings``, ``clips`` and ``statistics`` (the keys of ``results``).

    Statistics are those of the development part alone.

    Parameters
    ----------
    development, evaluation
        The authors' lists of the fold; only the names of their recordings are used.
    events
        ``events.tsv``, which names all recordings.
    tables
        Tables of the downloaded recordings that the features were made from.
    features
        ``features.h5``.
    clip_frames
        Frames of a clip.
    shortest_trained
        Seconds; shorter clips are not used for training, see :func:`read_clips`.
    parameters
        What the features must have been made with.
    standardisation
        Whether the statistics are of each ``band``, or of ``all`` bands together.

    Raises
    ------
    AnnotationError
        A recording is in both parts or in none, or is not in ``events.tsv``.
    FeatureError
        The feature file is damaged, or was made with other parameters or from other data.
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
    seen = [found[name][0] for name in parts[DEVELOPMENT]]
    _write_statistics(seen, standardisation, results["statistics"])


def read_clips(source: str | Path, part: str, training: bool = False) -> pd.DataFrame:
    """The clips of a part, in the order of the fold.

    Parameters
    ----------
    source
        ``clips.tsv`` of :func:`make_fold` or :func:`make_inner_fold`.
    part
        ``development`` or ``evaluation``.
    training
        Whether to leave out the clips that are ``short``: they are not used for training and get no
        soft labels, but are evaluated like any other.

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
    standardisation: str = "band",
) -> None:
    """Write a fold inside a fold's development part: one of its parts is held out for evaluation.

    The fold's own evaluation part is in neither part. Clips keep their numbers.

    Parameters
    ----------
    recordings, clips
        The fold's, as :func:`make_fold` wrote them.
    events, features, results, parameters, standardisation
        As for :func:`make_fold`.
    held_out
        Which part, from 1 to ``parts``.
    parts
        Number of parts that the development part is split into, see :func:`split_recordings`.

    Raises
    ------
    AnnotationError
        A part would have no recording, or a scene would be in only one part.
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
    _write_statistics(seen, standardisation, results["statistics"])


def _write_statistics(
    features: Sequence[np.ndarray], standardisation: str, target: str | Path
) -> None:
    bands = features[0].shape[1]
    if standardisation == "all":
        features = [part.reshape(-1, 1) for part in features]
    mean, deviation = (np.broadcast_to(each, bands) for each in band_statistics(features))
    statistics = pd.DataFrame({"band": np.arange(bands), "mean": mean, "std": deviation})
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
