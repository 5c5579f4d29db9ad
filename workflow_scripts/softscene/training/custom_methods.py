"""Networks and losses: the library's, or custom ones."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor, nn

from softscene.config.custom_code import REPLACEABLE, naming_code
from softscene.core.errors import MethodError
from softscene.models.losses import event_loss, hard_scene_loss, soft_scene_loss
from softscene.models.networks import NetworkParameters, Student, Teacher
from softscene.training.batches import Batches
from softscene.training.parameters import SceneObjective

PARTS = {name: name.lower() for name in REPLACEABLE}  # in a file -> attribute of Method


@dataclass(frozen=True)
class Method:
    """A method's networks and losses: each the library's, or a custom one.

    Attributes
    ----------
    student, teacher
        Called as those of :mod:`softscene.models.networks`.
    event_loss, hard_scene_loss, soft_scene_loss
        Called as those of :mod:`softscene.models.losses`.
    code
        The file that defines the custom ones.
    """

    student: Callable[..., nn.Module] = Student
    teacher: Callable[..., nn.Module] = Teacher
    event_loss: Callable[[Tensor, Tensor, Tensor], Tensor] = event_loss
    hard_scene_loss: Callable[[Tensor, Tensor], Tensor] = hard_scene_loss
    soft_scene_loss: Callable[[Tensor, Tensor, float], Tensor] = soft_scene_loss
    code: str | None = None

    @classmethod
    def of(cls, code: ModuleType | None) -> "Method":
        """The library's method, with the parts that a module defines replaced."""
        found = {key: getattr(code, name) for name, key in PARTS.items() if hasattr(code, name)}
        return cls(**found, code=getattr(code, "__file__", None))


PAPER = Method()
LIBRARY = tuple(getattr(PAPER, key) for key in PARTS.values())


def naming_custom(
    method: Method, part: Callable[..., object], name: str
) -> AbstractContextManager[None]:
    """:func:`softscene.config.custom_code.naming_code` for a part that is not the library's."""
    return naming_code(method.code, name) if part not in LIBRARY else nullcontext()


def make_student(
    method: Method,
    data: Batches,
    size: NetworkParameters,
    device: torch.device,
    scene_branch: bool,
) -> nn.Module:
    """Make a method's student, and try a custom one on a clip before hours are spent on it.

    Raises
    ------
    MethodError
        A custom network fails, or its outputs have other shapes than the library's.
    """
    with naming_custom(method, method.student, "Student(size, scene_branch)"):
        network = method.student(size, scene_branch=scene_branch)
        network = network.to(device, memory_format=torch.channels_last)
    if method.student is not Student:
        with naming_custom(method, method.student, "Student.forward(features, lengths)"):
            shapes = [_shape(each) for each in _try(network, data)]
        expected = [(1, size.frames, size.events), (1, size.scenes) if scene_branch else None]
        if shapes != expected:
            raise MethodError(
                f"{method.code}: the network gives outputs of the shapes {shapes} for one clip; "
                f"{expected} expected: event logits, and scene logits or None"
            )
    return network


def make_teacher(
    method: Method, data: Batches, size: NetworkParameters, device: torch.device
) -> nn.Module:
    """Make a method's teacher; as :func:`make_student`."""
    with naming_custom(method, method.teacher, "Teacher(size)"):
        network = method.teacher(size).to(device, memory_format=torch.channels_last)
    if method.teacher is not Teacher:
        with naming_custom(method, method.teacher, "Teacher.forward(features, lengths)"):
            shape = _shape(_try(network, data))
        expected = (1, size.scenes)
        if shape != expected:
            raise MethodError(
                f"{method.code}: the teacher gives an output of the shape {shape} for one clip; "
                f"{expected} expected: scene logits"
            )
    return network


def _try(network: nn.Module, data: Batches) -> Tensor | tuple[Tensor | None, ...]:
    """A network's outputs for one clip."""
    with torch.inference_mode():
        return network.eval()(data.features[:1], data.lengths[:1])


def _shape(output: object) -> tuple[int, ...] | str | None:
    """An output's shape; what it is if it has none."""
    if isinstance(output, Tensor):
        return tuple(output.shape)
    return None if output is None else type(output).__name__


def check_losses(
    method: Method, objective: SceneObjective, data: Batches, size: NetworkParameters
) -> None:
    """Try custom losses on two clips, before hours are spent; each must return one number.

    Raises
    ------
    MethodError
        One fails, returns something else, or its number does not depend on the network's outputs.
    """
    both, device = [0, 0], data.scenes.device
    y = torch.zeros(2, size.frames, size.events, device=device, requires_grad=True)
    w = torch.zeros(2, size.scenes, device=device, requires_grad=True)
    given = (y, data.targets[both].float(), data.lengths[both])
    _check_loss(method, method.event_loss, "event_loss(y, targets, lengths)", given)
    if objective.loss == "hard":
        given = (w, data.scenes[both])
        _check_loss(method, method.hard_scene_loss, "hard_scene_loss(w, scenes)", given)
    elif objective.loss == "soft":
        given = (w, data.soft[both], objective.temperature)
        _check_loss(method, method.soft_scene_loss, "soft_scene_loss(w, v, temperature)", given)


def _check_loss(
    method: Method, loss: Callable[..., Tensor], name: str, given: tuple[object, ...]
) -> None:
    if loss in LIBRARY:
        return
    with naming_custom(method, loss, name):
        value = loss(*given)
    if value is None:
        what = "nothing (is `return` missing?)"
    elif not isinstance(value, Tensor):
        what = f"{type(value).__name__} {value!r}"
    elif value.numel() != 1:
        what = f"a tensor of the shape {tuple(value.shape)}"
    elif not value.requires_grad:
        what = f"a tensor without a gradient, {value.item()}"
    else:
        return
    raise MethodError(
        f"{method.code}: {name} returns {what} for two clips; it must return a tensor of one "
        f"number, their mean, computed by PyTorch from {name.split('(')[1][0]}"
    )
