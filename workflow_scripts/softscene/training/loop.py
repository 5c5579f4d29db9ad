"""Training of teachers and students."""

import logging
from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor, nn

from softscene.core.errors import TrainingError
from softscene.core.progress import Progress
from softscene.features.clips import Clips
from softscene.models.losses import event_loss, hard_scene_loss
from softscene.models.networks import NetworkParameters
from softscene.models.precision import TF32
from softscene.training.adam import Adam
from softscene.training.batches import Batches
from softscene.training.checkpoints import Checkpoints
from softscene.training.custom_methods import (
    PAPER,
    Method,
    check_losses,
    make_student,
    make_teacher,
)
from softscene.training.parameters import SceneObjective, TrainingParameters
from softscene.training.runtime import seed_everything, tf32

logger = logging.getLogger(__name__)

Losses = dict[str, Tensor]


def teacher_losses(network: nn.Module, data: Batches, chosen: Tensor) -> Losses:
    """Loss of a step of the teacher: cross-entropy of the scenes."""
    logits = network(data.features[chosen], data.lengths[chosen])
    return {"loss": hard_scene_loss(logits, data.scenes[chosen])}


def student_losses(
    network: nn.Module,
    data: Batches,
    chosen: Tensor,
    objective: SceneObjective,
    method: Method = PAPER,
) -> Losses:
    """Losses of a step of a student: E1, E1 + alpha E2 (eq. 3) or E1 + beta E3 (eq. 7)."""
    lengths = data.lengths[chosen]
    y, w = network(data.features[chosen], lengths)
    reduction = (objective.events,) if method.event_loss is event_loss else ()
    events = method.event_loss(y, data.targets[chosen].float(), lengths, *reduction)
    if objective.loss == "none":
        return {"loss": events, "event_loss": events}
    if objective.loss == "hard":
        scenes = method.hard_scene_loss(w, data.scenes[chosen])
    else:
        scenes = method.soft_scene_loss(w, data.soft[chosen], objective.temperature)
    return {
        "loss": events + objective.weight * scenes,
        "event_loss": events,
        "scene_loss": scenes,
    }


def train(
    network: nn.Module,
    losses: Callable[[Tensor], Losses],
    data: Batches,
    parameters: TrainingParameters,
    seed: int,
    name: str,
    checkpoints: Checkpoints | None = None,
    code: str | None = None,
) -> pd.DataFrame:
    """Train a network in place.

    Parameters
    ----------
    network
        On the data's device.
    losses
        Indices of a step's clips -> its losses; ``loss`` is the one to minimise.
    data
        The development part.
    parameters
        How long and how fast.
    seed
        Decides the order of clips and the dropout.
    name
        Name of the training in messages, e.g. ``fold 1, seed 0``.
    checkpoints
        To resume from, and to save progress in.
    code
        The file of a custom method, which may cause losses that are not finite.

    Returns
    -------
    DataFrame
        A row per epoch: ``epoch`` and the mean of each loss over its clips.

    Raises
    ------
    TrainingError
        A loss is not finite (says in which epoch and batch), or another job took over the training.
    """
    optimiser = Adam(network.parameters(), lr=parameters.learning_rate)
    history = checkpoints.restore(network, optimiser) if checkpoints else []
    progress = Progress(f"training, {name}", parameters.epochs, "epoch", done=len(history))
    network.train()
    for epoch in range(len(history) + 1, parameters.epochs + 1):
        steps = []
        for batch, chosen in enumerate(data.epoch(seed, epoch, parameters.batch_size), 1):
            seed_everything(seed, epoch, batch)
            values = losses(chosen)
            optimiser.zero_grad(set_to_none=True)
            values["loss"].backward()
            optimiser.step()
            steps.append({key: value.detach() * len(chosen) for key, value in values.items()})
        sums = _epoch_sums(steps, name, epoch, code)
        history.append({"epoch": epoch} | {key: total / len(data) for key, total in sums.items()})
        if checkpoints:
            checkpoints.reached(network, optimiser, history)
        progress.advance(note=f"loss {history[-1]['loss']:.4f}")
    _check_weights(network, name, parameters.epochs, code)
    return pd.DataFrame(history)


def _epoch_sums(steps: list[Losses], name: str, epoch: int, code: str | None) -> dict[str, float]:
    """Sum each loss over the steps; here, once an epoch, the host waits for the device."""
    sums = {}
    for key in steps[0]:
        values = torch.stack([step[key] for step in steps]).double().cpu()
        finite = torch.isfinite(values)
        if not finite.all():
            batch = int(torch.argmin(finite.int())) + 1
            raise TrainingError(
                f"{key} is not finite ({values[batch - 1].item()}) in {name}, epoch {epoch}, "
                f"batch {batch} of {len(steps)}; a smaller learning_rate may help, and the "
                f"features may hold values that are not finite{_or_code(code)}"
            )
        sums[key] = values.sum().item()
    return sums


def _check_weights(network: nn.Module, name: str, epoch: int, code: str | None) -> None:
    """Check the last step's weights, which no later loss depends on."""
    for key, value in network.named_parameters():
        if not torch.isfinite(value).all():
            raise TrainingError(
                f"{key} is not finite in {name}, after the last batch of epoch {epoch}; "
                f"a smaller learning_rate may help{_or_code(code)}"
            )


def _or_code(code: str | None) -> str:
    return f"; or {code}, the method's code, causes this" if code else ""


def train_teacher(
    clips: Clips,
    size: NetworkParameters,
    parameters: TrainingParameters,
    seed: int,
    device: torch.device,
    name: str,
    checkpoints: Checkpoints | None = None,
    method: Method = PAPER,
) -> tuple[nn.Module, pd.DataFrame]:
    """Train a scene classifier; return it and its history.

    Raises
    ------
    MethodError
        A custom teacher fails, or its output does not have the form of the library's.
    """
    data = Batches(clips, device)
    seed_everything(seed)
    network = make_teacher(method, data, size, device)
    losses = lambda chosen: teacher_losses(network, data, chosen)  # noqa: E731
    with tf32(size.precision == TF32):
        table = train(network, losses, data, parameters, seed, name, checkpoints, method.code)
    return network, table


def train_student(
    clips: Clips,
    soft: Tensor | None,
    objective: SceneObjective,
    size: NetworkParameters,
    parameters: TrainingParameters,
    seed: int,
    device: torch.device,
    name: str,
    checkpoints: Checkpoints | None = None,
    method: Method = PAPER,
) -> tuple[nn.Module, pd.DataFrame]:
    """Train an event detector of any kind; return it and its history.

    Parameters
    ----------
    clips
        The development part.
    soft
        The teacher's logits v, clips x scenes; only the soft loss needs them.
    objective
        What the scene branch learns.
    size, parameters, seed, device, name, checkpoints
        As for :func:`train`.
    method
        Network and losses.

    Raises
    ------
    MethodError
        A custom network or loss fails, or its output does not have the form of the library's.
    """
    data = Batches(clips, device, soft)
    seed_everything(seed)
    network = make_student(method, data, size, device, scene_branch=objective.loss != "none")
    check_losses(method, objective, data, size)
    losses = lambda chosen: student_losses(network, data, chosen, objective, method)  # noqa: E731
    with tf32(size.precision == TF32):
        table = train(network, losses, data, parameters, seed, name, checkpoints, method.code)
    return network, table
