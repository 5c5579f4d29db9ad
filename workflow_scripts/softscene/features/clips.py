"""A fold's clips as arrays, ready for a network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from softscene.config.labels import Labels
from softscene.core.tsv import read_numbers, read_table
from softscene.features.activity import recording_activity
from softscene.features.folds import read_clips
from softscene.features.store import FeatureParameters, FeatureStore, sources_of


@dataclass(frozen=True)
class Clips:
    """One part of a fold.

    Attributes
    ----------
    table
        ``clip``, ``recording``, ``scene``, ``start`` and ``frames`` of each clip.
    features
        Standardised log-mel, clips x frames x bands, float32; 0 in the padding.
    lengths
        Frames that are not padding, clips.
    targets
        Clips x frames x events, boolean; false in the padding.
    scenes
        Index of each clip's scene, clips.
    sources
        What the features were made from, see :func:`softscene.features.store.sources_of`.
    """

    table: pd.DataFrame
    features: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray
    scenes: np.ndarray
    sources: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lengths)


@dataclass(frozen=True)
class FoldFiles:
    """Paths of a fold's files, and what its features must have been made with."""

    features: str | Path
    clips: str | Path
    statistics: str | Path
    events: str | Path
    parameters: FeatureParameters


def load_clips(
    files: FoldFiles, part: str, labels: Labels, clip_frames: int, training: bool = False
) -> Clips:
    """Read the clips of ``development`` or ``evaluation``, see :func:`.folds.read_clips`.

    Raises
    ------
    FeatureError
        The feature file lacks a recording, is damaged, or was made with other parameters or from
        other events.
    """
    table = read_clips(files.clips, part, training)
    statistics = read_numbers(files.statistics, ["mean", "std"])
    mean, deviation = statistics["mean"].to_numpy(), statistics["std"].to_numpy()
    by_recording = dict(tuple(read_table(files.events).groupby("recording")))
    features = np.zeros((len(table), clip_frames, len(mean)), np.float32)
    targets = np.zeros((len(table), clip_frames, len(labels.events)), bool)
    hop = files.parameters.hop_length / files.parameters.sample_rate
    with FeatureStore(files.features, files.parameters, sources_of(files.events)) as store:
        for recording, clips in table.groupby("recording", sort=False):
            standard = ((store.read(recording)[0] - mean) / deviation).astype(np.float32)
            active = recording_activity(by_recording[recording], labels.events, len(standard), hop)
            _place(clips, standard, features)
            _place(clips, active, targets)
    return Clips(
        table=table,
        features=features,
        lengths=table.frames.to_numpy(copy=True),
        targets=targets,
        scenes=np.array([labels.scenes.index(scene) for scene in table.scene]),
        sources=store.sources,
    )


def _place(clips: pd.DataFrame, whole: np.ndarray, into: np.ndarray) -> None:
    """Copy a recording's frames into its clips' rows, leaving the padding unchanged."""
    for clip in clips.itertuples():
        into[clip.Index, : clip.frames] = whole[clip.start : clip.start + clip.frames]


def join_clips(table: pd.DataFrame, values: np.ndarray) -> dict[str, np.ndarray]:
    """Join clips into recordings, without padding.

    Parameters
    ----------
    table
        The clips' ``recording`` and ``frames``, in time order for each recording.
    values
        Clips x frames x classes.

    Returns
    -------
    dict
        Recording -> frames x classes.
    """
    parts: dict[str, list[np.ndarray]] = {}
    for clip in table.reset_index(drop=True).itertuples():
        parts.setdefault(clip.recording, []).append(values[clip.Index, : clip.frames])
    return {recording: np.concatenate(each) for recording, each in parts.items()}
