"""Training of teachers and students."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

import pandas as pd
import torch
from torch import Tensor, nn

from softscene.adam import Adam
from softscene.checkpoints import Checkpoints
from softscene.dataset import Clips
from softscene.errors import MethodError, TrainingError
from softscene.files import write_text
from softscene.losses import event_loss, hard_scene_loss, soft_scene_loss
from softscene.methods import naming_code
from softscene.networks import NetworkParameters, Student, Teacher
from softscene.progress import Progress
from softscene.runtime import permutation, seed_everything

logger = logging.getLogger(__name__)

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class TrainingParameters:
    """How long and how fast to train (Adam).

    Attributes
    ----------
    epochs
        Passes over the development part; there is no early stopping.
    batch_size
        Clips of a step; the last of an epoch may be smaller.
    learning_rate
        Adam's.
    """

    epochs: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class SceneObjective:
    """What a student's scene branch learns, and how much it counts.

    Attributes
    ----------
    loss
        ``none`` (no scene branch), ``hard`` (eq. 2) or ``soft`` (eq. 6).
    weight
        alpha or beta.
    temperature
        T of the soft loss.
    """

    loss: str = "none"
    weight: float = 0.0
    temperature: float = 1.0


@dataclass(frozen=True)
class Method:
    """What students are made of: the library's network and losses, or some of one's own.

    Attributes
    ----------
    student
        Called as :class:`softscene.networks.Student`.
    hard_scene_loss, soft_scene_loss
        Called as those of :mod:`softscene.losses`.
    code
        The file that has what is not the library's.
    """

    student: Callable[..., nn.Module] = Student
    hard_scene_loss: Callable[[Tensor, Tensor], Tensor] = hard_scene_loss
    soft_scene_loss: Callable[[Tensor, Tensor, float], Tensor] = soft_scene_loss
    code: str | None = None

    @classmethod
    def of(cls, code: ModuleType | None) -> "Method":
        """The library's method with what a module defines in its place."""
        names = {"Student": "student"} | {
            name: name for name in ("hard_scene_loss", "soft_scene_loss")
        }
        found = {key: getattr(code, name) for name, key in names.items() if hasattr(code, name)}
        return cls(**found, code=getattr(code, "__file__", None))


PAPER = Method()


class Batches:
    """A part's clips on the device, handed out in an order that (seed, epoch) decides."""

    def __init__(self, clips: Clips, device: torch.device, soft: Tensor | None = None) -> None:
        self.features = torch.from_numpy(clips.features).to(device)
        self.lengths = torch.from_numpy(clips.lengths).to(device)
        self.targets = torch.from_numpy(clips.targets).to(device)
        self.scenes = torch.from_numpy(clips.scenes).to(device)
        self.soft = None if soft is None else soft.to(device)

    def __len__(self) -> int:
        return len(self.lengths)

    def epoch(self, seed: int, epoch: int, batch_size: int) -> Iterator[Tensor]:
        """Indices of the clips of each step."""
        order = torch.from_numpy(permutation(seed, epoch, len(self)))
        yield from order.to(self.lengths.device).split(batch_size)


def teacher_losses(network: Teacher, data: Batches, chosen: Tensor) -> Losses:
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
    events = event_loss(y, data.targets[chosen].float(), lengths)
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
        What messages call the training, e.g. ``fold 1, seed 0``.
    checkpoints
        Where it goes on from, and notes how far it is.
    code
        The file of a method of one's own, where losses that are not finite may come from.

    Returns
    -------
    DataFrame
        A row an epoch: ``epoch`` and the mean of each loss over its clips.

    Raises
    ------
    TrainingError
        A loss is not finite (says in which epoch and batch), or another job took the training over.
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
    """The last step's weights, which no further loss has seen."""
    for key, value in network.named_parameters():
        if not torch.isfinite(value).all():
            raise TrainingError(
                f"{key} is not finite in {name}, after the last batch of epoch {epoch}; "
                f"a smaller learning_rate may help{_or_code(code)}"
            )


def _or_code(code: str | None) -> str:
    return f"; or {code}, the method's code, gives them" if code else ""


def train_teacher(
    clips: Clips,
    size: NetworkParameters,
    parameters: TrainingParameters,
    seed: int,
    device: torch.device,
    name: str,
    checkpoints: Checkpoints | None = None,
) -> tuple[Teacher, pd.DataFrame]:
    """Train a scene classifier; gives it and its history."""
    seed_everything(seed)
    network = Teacher(size).to(device, memory_format=torch.channels_last)
    data = Batches(clips, device)
    losses = lambda chosen: teacher_losses(network, data, chosen)  # noqa: E731
    return network, train(network, losses, data, parameters, seed, name, checkpoints)


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
    """Train an event detector of any kind; gives it and its history.

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
        A network or loss of one's own fails, or gives something else than the library's.
    """
    scene_branch = objective.loss != "none"
    seed_everything(seed)
    with _naming_own(method, method.student, "Student(size, scene_branch)"):
        network = method.student(size, scene_branch=scene_branch)
        network = network.to(device, memory_format=torch.channels_last)
    data = Batches(clips, device, soft)
    if method.student is not Student:
        with _naming_own(method, method.student, "Student.forward(features, lengths)"):
            _check_outputs(network, data, size, scene_branch, method.code)
    _check_scene_loss(method, objective, data, size)
    losses = lambda chosen: student_losses(network, data, chosen, objective, method)  # noqa: E731
    table = train(network, losses, data, parameters, seed, name, checkpoints, method.code)
    return network, table


def _naming_own(
    method: Method, part: Callable[..., object], name: str
) -> AbstractContextManager[None]:
    """:func:`softscene.methods.naming_code` for a part that is not the library's."""
    own = method.code and part not in (Student, hard_scene_loss, soft_scene_loss)
    return naming_code(method.code, name) if own else nullcontext()


def _check_outputs(
    network: nn.Module,
    data: Batches,
    size: NetworkParameters,
    scene_branch: bool,
    code: str | None,
) -> None:
    """Try a network of one's own on a clip, before hours are spent on it."""
    with torch.inference_mode():
        given = network.eval()(data.features[:1], data.lengths[:1])
    shapes = [None if each is None else tuple(each.shape) for each in given]
    expected = [(1, size.frames, size.events), (1, size.scenes) if scene_branch else None]
    if shapes != expected:
        raise MethodError(
            f"{code}: the network gives outputs of the shapes {shapes} for one clip; {expected} "
            "expected: event logits, and scene logits or None"
        )


def _check_scene_loss(
    method: Method, objective: SceneObjective, data: Batches, size: NetworkParameters
) -> None:
    """Try a loss of one's own on two clips, of which it must make one number."""
    if objective.loss == "none":
        return
    w = torch.zeros(2, size.scenes, device=data.scenes.device, requires_grad=True)
    if objective.loss == "hard":
        loss, name = method.hard_scene_loss, "hard_scene_loss(w, scenes)"
        given = (w, data.scenes[[0, 0]])
    else:
        loss, name = method.soft_scene_loss, "soft_scene_loss(w, v, temperature)"
        given = (w, data.soft[[0, 0]], objective.temperature)
    if loss in (hard_scene_loss, soft_scene_loss):
        return
    with _naming_own(method, loss, name):
        value = loss(*given)
    if isinstance(value, Tensor) and value.numel() == 1:
        return
    what = (
        f"a tensor of the shape {tuple(value.shape)}"
        if isinstance(value, Tensor)
        else f"{type(value).__name__} {value!r}"
    )
    raise MethodError(
        f"{method.code}: {name} gives {what} for two clips; a tensor of one number, their mean, "
        "expected"
    )


def plain(parameters: Mapping[str, object]) -> dict[str, object]:
    """Parameters as JSON holds them."""
    return {
        key: asdict(value) if hasattr(value, "__dataclass_fields__") else value
        for key, value in parameters.items()
    }


def save_parameters(parameters: Mapping[str, object], target: str | Path) -> None:
    """Write the parameters of a training, as resolved, beside its result."""
    write_text(target, json.dumps(plain(parameters), indent=2) + "\n")
