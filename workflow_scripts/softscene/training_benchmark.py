"""Estimate the time of a training, before any has finished, from steps on random numbers."""

import math
import time
from collections.abc import Collection, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from softscene.config.labels import read_labels
from softscene.core.tsv import read_table
from softscene.corpus.sample_annotations import FOLDS
from softscene.costs import Group, epochs_of
from softscene.features.clips import Clips
from softscene.models.networks import NetworkParameters
from softscene.training import loop
from softscene.training.parameters import SceneObjective, TrainingParameters
from softscene.training.runtime import prepare


def measure(groups: Collection[Group], config: Mapping, files: Any, start: float) -> dict:
    """Seconds of a training of each group, in a list of one, with the ``start`` of its process.

    ``files`` has ``scenes`` (the paper's recordings and minutes), ``own`` (the user's recordings)
    and ``labels``. The soft loss is timed as the hard one, an inner teacher as a teacher, and what
    methods override counts by its epochs alone.
    """
    clips = clips_of_an_epoch(config, files) if groups else 0
    classes = read_labels(files.labels).classes
    seconds_a_clip, found = cache(partial(_seconds_a_clip, config, classes)), {}
    epochs = epochs_of(config)
    for rule, name in groups:
        role = rule.rpartition("_")[2]
        is_student = role == "student"
        loss = config["methods"][name]["scene_loss"].replace("soft", "hard") if is_student else ""
        found[rule, name] = [start + epochs[rule, name] * clips * seconds_a_clip(role, loss)]
    return found


def clips_of_an_epoch(config: Mapping, files: Any) -> int:
    """Approximate number of clips that a fold trains on."""
    features, synthetic = config["features"], config["synthetic"]
    clip = config["clips"]["frames"] * features["hop_length"] / features["sample_rate"]
    if files.own:
        sizes = [(1, soundfile.info(path).duration) for path in files.own]
    elif synthetic and not synthetic["annotations"]:
        sizes = [(n, synthetic["seconds"][scene]) for scene, n in synthetic["recordings"].items()]
    else:  # a scene's recordings are assumed to be equally long
        given = read_table(files.scenes)
        sizes = zip(given.recordings, 60 * given.minutes / given.recordings, strict=True)
    folds = len(config["folds"] if files.own else FOLDS)
    return round((1 - 1 / folds) * sum(n * math.ceil(seconds / clip) for n, seconds in sizes))


def _seconds_a_clip(config: Mapping, classes: tuple[int, int], role: str, loss: str) -> float:
    """Seconds per clip and epoch; a single CPU thread is timed by its own processor time."""
    device = prepare(config["compute"]["threads"], config["compute"]["device"])
    given, cpu = config[role], device.type == "cpu"
    clock = time.process_time if cpu and config["compute"]["threads"] == 1 else time.monotonic
    shape = config["clips"]["frames"], config["features"]["bands"]
    network = {**config["network"], "precision": config["compute"]["precision"]}
    size = NetworkParameters.configured(network, shape, classes)
    n = min(given["batch_size"], 16 if cpu else math.inf)  # on a CPU, larger batches are no faster
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, *shape)).astype(np.float32)
    events, scenes = rng.random((n, shape[0], classes[0])) < 0.1, rng.integers(classes[1], size=n)
    noise = Clips(pd.DataFrame(), features, np.full(n, shape[0]), events, scenes)

    def seconds(epochs: int) -> float:
        few = TrainingParameters(epochs, n, given["learning_rate"])
        begin, more = clock(), (None, SceneObjective(loss, 1.0)) if loss else ()
        getattr(loop, f"train_{role}")(noise, *more, size, few, 0, device, "measured")
        return clock() - begin

    further = 2 if cpu else 20
    seconds(1)  # the first one also prepares
    return (seconds(1 + further) - seconds(1)) / further / n
