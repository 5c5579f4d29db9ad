"""What a training costs here, before any was finished: some steps on random numbers."""

import math
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch

from softscene.core.tsv import read_table
from softscene.corpus.sample_annotations import FOLDS
from softscene.data.audio import Recording
from softscene.data.splits import DEVELOPMENT
from softscene.features.clips import Clips
from softscene.features.folds import cut_clips, fewest_trained, read_clips
from softscene.models.networks import NetworkParameters
from softscene.plan import LIKE, TRAININGS, Group
from softscene.training import loop
from softscene.training.checkpoints import History
from softscene.training.parameters import SceneObjective, TrainingParameters
from softscene.training.runtime import prepare

LARGEST = 16
"""Clips of a probed step on a processor, where a clip costs the same in a larger step."""


class Stopwatch:
    """Stands where a training's checkpoints stand, and notes when each epoch ends.

    Parameters
    ----------
    clock
        Tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.times = clock, []

    def restore(self, *_: object) -> History:
        """Begin, with nothing to go on from."""
        self.times = [self.clock()]
        return []

    def reached(self, *_: object) -> None:
        """Note the end of an epoch."""
        self.times.append(self.clock())

    @property
    def fastest(self) -> float:
        """Seconds of the fastest epoch but the first, which also prepares."""
        return float(np.diff(self.times)[1:].min())


def seconds_since_start() -> float:
    """How long this process took until now: what each job takes before it does anything."""
    return time.time() - psutil.Process().create_time()


def development_clips(
    config: Mapping[str, Any],
    scene_statistics: str | Path,
    folds: Collection[Path],
    own: Collection[str | Path] = (),
) -> int:
    """Clips that a fold trains on: mean of ``folds``, or as many as there will be.

    Parameters
    ----------
    config
        The checked configuration.
    scene_statistics
        Recordings and minutes of each scene of the paper's data.
    folds
        ``clips.tsv`` of the folds that are made already.
    own
        The recordings of data of one's own, in folds of the same size.
    """
    if folds:
        return round(np.mean([len(read_clips(path, DEVELOPMENT, training=True)) for path in folds]))
    features, synthetic = config["features"], config["synthetic"]
    hop = features["hop_length"] / features["sample_rate"]
    clip = config["clips"]["frames"]
    fewest = fewest_trained(config["clips"]["shortest_trained"], hop)
    number = len(FOLDS)
    if own:
        sizes, number = [(1, _seconds(path)) for path in own], len(config["folds"])
    elif synthetic and not synthetic["annotations"]:
        sizes = [(n, synthetic["seconds"][scene]) for scene, n in synthetic["recordings"].items()]
    else:  # a scene's recordings are taken to be equally long
        table = read_table(scene_statistics)
        sizes = zip(table.recordings, 60 * table.minutes / table.recordings, strict=True)
    clips = 0
    for n, seconds in sizes:
        frames = max(1, math.floor(round(seconds / hop, 6)))
        clips += n * sum(own >= fewest for _, own in cut_clips(frames, clip))
    return round(clips * (number - 1) / number)


def _seconds(path: str | Path) -> float:
    with Recording(path) as recording:
        return recording.seconds


def probe(
    groups: Collection[Group],
    config: Mapping[str, Any],
    clips: int,
    classes: tuple[int, int],
    start: float,
) -> tuple[dict[Group, float], str]:
    """Train each kind for some steps on random numbers, as the configuration says.

    A single thread on a processor is timed by what it computes, whatever else runs there.

    Parameters
    ----------
    groups
        Of trainings.
    config
        The checked configuration.
    clips
        Of an epoch.
    classes
        Number of events and of scenes.
    start
        Seconds until a job trains.

    Returns
    -------
    tuple
        Group -> seconds of a whole training; and the kind of device that computed.
    """
    threads, device = config["compute"]["threads"], config["compute"]["device"]
    device = prepare(threads, device)
    cpu = device.type == "cpu"
    watch = Stopwatch(time.process_time if cpu and threads == 1 else time.monotonic)
    clip = config["clips"]["frames"], config["features"]["bands"]
    network = NetworkParameters.configured(config["network"], clip, classes)
    found, each = {}, {}
    for rule, loss in sorted(groups, reverse=True):  # teachers before inner ones
        given = config[TRAININGS[rule]]
        size = min(given["batch_size"], LARGEST) if cpu else given["batch_size"]
        few = TrainingParameters(3 if cpu else 12, size, given["learning_rate"])
        like = LIKE.get((rule, loss))
        if like not in each:
            data = _noise(size, clip, classes)
            _train(rule, loss, data, network, few, device, watch)
        each[rule, loss] = each[like] if like in each else watch.fastest / size
        found[rule, loss] = (
            start + given["epochs"] * clips * _share(rule, config) * each[rule, loss]
        )
    return found, device.type


def _share(rule: str, config: Mapping[str, Any]) -> float:
    """Of the clips: an inner teacher leaves out one of so many parts."""
    return 1 - 1 / config["control_settings"]["parts"] if rule == "train_inner_teacher" else 1


def _train(
    rule: str,
    loss: str,
    data: Clips,
    network: NetworkParameters,
    few: TrainingParameters,
    device: torch.device,
    watch: Stopwatch,
) -> None:
    if "teacher" in rule:
        loop.train_teacher(data, network, few, 0, device, "probe", watch)
    else:  # the hard loss stands for the soft one: the same network
        objective = SceneObjective("none" if loss == "none" else "hard", 1.0)
        loop.train_student(data, None, objective, network, few, 0, device, "probe", watch)


def _noise(number: int, clip: tuple[int, int], classes: tuple[int, int]) -> Clips:
    rng, frames = np.random.default_rng(0), clip[0]
    return Clips(
        table=pd.DataFrame(),
        features=rng.normal(size=(number, *clip)).astype(np.float32),
        lengths=np.full(number, frames),
        targets=rng.random((number, frames, classes[0])) < 0.1,
        scenes=rng.integers(classes[1], size=number),
    )
