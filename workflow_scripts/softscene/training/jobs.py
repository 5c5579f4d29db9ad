"""The workflow's network jobs as one call each: read a fold, compute, write the results."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pandas as pd
import torch

from softscene.config.custom_code import load_code
from softscene.config.labels import Labels, read_labels
from softscene.config.variants import without_none
from softscene.core.tsv import write_table
from softscene.data.splits import DEVELOPMENT, EVALUATION
from softscene.features.clips import Clips, FoldFiles, load_clips
from softscene.models import losses, networks, padding
from softscene.models.fused import convolution_block, gru, input_block
from softscene.models.networks import NetworkParameters
from softscene.training import adam, batches, custom_methods, inference, loop, runtime
from softscene.training.checkpoints import Checkpoints, identity
from softscene.training.custom_methods import Method
from softscene.training.parameters import SceneObjective, TrainingParameters, plain, save_parameters
from softscene.training.runtime import prepare
from softscene.training.soft_labels import read_soft_labels, write_soft_labels
from softscene.training.weights import load_network, save_network

Paths = Mapping[str, str | Path]
TRAINING_CODE = (
    loop,
    batches,
    custom_methods,
    networks,
    padding,
    input_block,
    convolution_block,
    gru,
    losses,
    adam,
    runtime,
)
"""Modules that a checkpoint depends on: if one has changed, the checkpoint is not used."""


class Saving(NamedTuple):
    """Where and how often a training saves its progress.

    Attributes
    ----------
    path
        The checkpoint.
    every
        Seconds between two.
    tensorboard
        Whether to write event files for TensorBoard.
    """

    path: str | Path
    every: float
    tensorboard: bool = False


@dataclass(frozen=True)
class Fold:
    """What every network job needs to know about its data.

    Attributes
    ----------
    wildcards
        Which network, e.g. ``{"fold": "1", "seed": "0"}``: noted in its weights file.
    files
        The fold's files.
    labels
        Path of the label file.
    clip_frames
        Frames of a clip.
    network
        The part of the configuration's ``network`` that the job uses.
    code
        File of a custom method, see :mod:`softscene.config.custom_code`; for a teacher, of those
        that learn from it.
    """

    wildcards: Mapping[str, str]
    files: FoldFiles
    labels: str | Path
    clip_frames: int
    network: Mapping[str, object]
    code: str | Path | None = None

    @property
    def name(self) -> str:
        """For messages, e.g. ``fold 1, seed 0``."""
        return ", ".join(f"{key} {value}" for key, value in without_none(self.wildcards).items())

    def origin(self, clips: Clips) -> dict[str, str]:
        """What the network's files are made from: its wildcards, and the data of its clips."""
        return {**self.wildcards, **clips.sources}

    def vocabulary(self) -> Labels:
        """Read the label file."""
        return read_labels(self.labels)

    def custom_code(self) -> ModuleType | None:
        """Load the method's own code, which may use all of PyTorch, its compiler too."""
        if not self.code:
            return None
        importlib.import_module("torch._meta_registrations")  # network jobs leave it out
        return load_code(self.code)

    def clips(self, part: str, training: bool = False) -> Clips:
        """Read a part; for training, without the clips that are too short for it."""
        return load_clips(self.files, part, self.vocabulary(), self.clip_frames, training)

    def size(self, clips: Clips) -> NetworkParameters:
        """Sizes of the networks that fit these clips."""
        labels = self.vocabulary()
        size, classes = clips.features.shape[1:], labels.classes
        return NetworkParameters.configured(self.network, size, classes)


def train_teacher(
    fold: Fold,
    parameters: TrainingParameters,
    seed: int,
    compute: tuple[int, str],
    results: Paths,
    checkpoint: Saving | None = None,
) -> None:
    """Train a teacher; write its weights, and its results on the evaluation part.

    Parameters
    ----------
    fold
        Its data.
    parameters
        How long and how fast.
    seed
        Of weights, order and dropout.
    compute
        Threads and device, see :func:`softscene.training.runtime.prepare`.
    results
        Targets: ``weights``, ``history``, ``parameters``; of the evaluation part ``logits``,
        ``accuracy`` and ``confusion``.
    checkpoint
        Where to save progress and resume from.
    """
    device = prepare(*compute)
    development, evaluation = fold.clips(DEVELOPMENT, training=True), fold.clips(EVALUATION)
    size = fold.size(development)
    resolved = {"seed": seed, "training": parameters, "network": size, "threads": compute[0]}
    own = fold.custom_code()
    checkpoints = _checkpoints(checkpoint, resolved, development, None, device, own)
    network, history = loop.train_teacher(
        development, size, parameters, seed, device, fold.name, checkpoints, Method.of(own)
    )
    scenes = fold.vocabulary().scenes
    logits = inference.scene_logits(network.eval(), evaluation, device)
    write_soft_labels(evaluation.table, logits, scenes, results["logits"])
    confusion = inference.confusion(evaluation, logits, scenes)
    write_table(confusion, results["confusion"])
    write_table(_accuracy(confusion, scenes), results["accuracy"])
    origin = fold.origin(development)
    _write_training(network, origin, history, resolved, results, checkpoints)


def _checkpoints(
    checkpoint: Saving | None,
    resolved: Mapping[str, object],
    clips: Clips,
    soft: torch.Tensor | None,
    device: torch.device,
    own: ModuleType | None = None,
) -> Checkpoints | None:
    """The training's checkpoints, valid only for the same data, parameters and code."""
    if checkpoint is None:
        return None
    arrays = ("features", "lengths", "targets", "scenes")
    data = {name: torch.from_numpy(getattr(clips, name)) for name in arrays}
    if soft is not None:
        data["soft"] = soft
    path, every, tensorboard = Saving(*checkpoint)
    code = TRAINING_CODE if own is None else (*TRAINING_CODE, own)
    return Checkpoints(path, identity(plain(resolved), data, device, code), every, tensorboard)


def _write_training(
    network: torch.nn.Module,
    origin: Mapping[str, str],
    history: pd.DataFrame,
    resolved: Mapping[str, object],
    results: Paths,
    checkpoints: Checkpoints | None,
) -> None:
    """Write a training's results, the weights last; then delete its checkpoint."""
    if checkpoints:
        checkpoints.require_ownership()
    write_table(history, results["history"])
    save_parameters(resolved, results["parameters"])
    save_network(network, results["weights"], origin)
    if checkpoints:
        checkpoints.clear()


def _accuracy(confusion: pd.DataFrame, scenes: tuple[str, ...]) -> pd.DataFrame:
    """Clips, correct ones and their share on the evaluation part: for each scene and in total.

    In the last row, the total, ``scene`` is empty: any other word may be the name of a scene.
    """
    counts = confusion[[f"clips_{scene}" for scene in scenes]].to_numpy()
    table = pd.DataFrame(
        {"scene": scenes, "clips": counts.sum(axis=1), "correct": counts.diagonal()}
    )
    total = pd.DataFrame({"scene": [""], "clips": counts.sum(), "correct": counts.trace()})
    table = pd.concat([table, total], ignore_index=True)
    return table.assign(accuracy=table.correct / table.clips)


def dump_soft_labels(
    fold: Fold,
    weights: str | Path,
    compute: tuple[int, str],
    target: str | Path,
    part: str = DEVELOPMENT,
) -> None:
    """Write the teacher's logits for every clip of a part that a student may be trained on."""
    device = prepare(*compute)
    clips = fold.clips(part, training=True)
    teacher = Method.of(fold.custom_code()).teacher(fold.size(clips))
    network = load_network(teacher, weights, device, fold.origin(clips))
    logits = inference.scene_logits(network, clips, device)
    write_soft_labels(clips.table, logits, fold.vocabulary().scenes, target)


def train_student(
    fold: Fold,
    objective: SceneObjective,
    soft_labels: str | Path | None,
    parameters: TrainingParameters,
    seed: int,
    compute: tuple[int, str],
    results: Paths,
    checkpoint: Saving | None = None,
) -> None:
    """Train a student of any kind; write ``weights``, ``history`` and ``parameters``.

    Parameters
    ----------
    fold, parameters, seed, compute, results, checkpoint
        As for :func:`train_teacher`.
    objective
        What the scene branch learns.
    soft_labels
        The teacher's logits, if the objective is soft.
    """
    device = prepare(*compute)
    clips = fold.clips(DEVELOPMENT, training=True)
    size = fold.size(clips)
    soft = None
    if objective.loss == "soft":
        soft = torch.from_numpy(
            read_soft_labels(soft_labels, clips.table, fold.vocabulary().scenes)
        )
    resolved = {
        "seed": seed,
        "scene_objective": objective,
        "training": parameters,
        "network": size,
        "threads": compute[0],
    }
    own = fold.custom_code()
    checkpoints = _checkpoints(checkpoint, resolved, clips, soft, device, own)
    network, history = loop.train_student(
        clips, soft, objective, size, parameters, seed, device, fold.name, checkpoints,
        Method.of(own),
    )  # fmt: skip
    _write_training(network, fold.origin(clips), history, resolved, results, checkpoints)
