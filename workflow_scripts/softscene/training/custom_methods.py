"""A student's network and losses: the library's, or custom ones."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor, nn

from softscene.config.custom_code import naming_code
from softscene.core.errors import MethodError
from softscene.models.losses import hard_scene_loss, soft_scene_loss
from softscene.models.networks import NetworkParameters, Student
from softscene.training.batches import Batches
from softscene.training.parameters import SceneObjective


@dataclass(frozen=True)
class Method:
    """A student's network and losses: each the library's, or a custom one.

    Attributes
    ----------
    student
        Called as :class:`softscene.models.networks.Student`.
    hard_scene_loss, soft_scene_loss
        Called as those of :mod:`softscene.models.losses`.
    code
        The file that defines the custom ones.
    """

    student: Callable[..., nn.Module] = Student
    hard_scene_loss: Callable[[Tensor, Tensor], Tensor] = hard_scene_loss
    soft_scene_loss: Callable[[Tensor, Tensor, float], Tensor] = soft_scene_loss
    code: str | None = None

    @classmethod
    def of(cls, code: ModuleType | None) -> "Method":
        """The library's method, with the parts that a module defines replaced."""
        names = {"Student": "student"} | {
            name: name for name in ("hard_scene_loss", "soft_scene_loss")
        }
        found = {key: getattr(code, name) for name, key in names.items() if hasattr(code, name)}
        return cls(**found, code=getattr(code, "__file__", None))


PAPER = Method()


def naming_custom(
    method: Method, part: Callable[..., object], name: str
) -> AbstractContextManager[None]:
    """:func:`softscene.config.custom_code.naming_code` for a part that is not the library's."""
    own = method.code and part not in (Student, hard_scene_loss, soft_scene_loss)
    return naming_code(method.code, name) if own else nullcontext()


def check_outputs(
    network: nn.Module,
    data: Batches,
    size: NetworkParameters,
    scene_branch: bool,
    code: str | None,
) -> None:
    """Try a custom network on a clip, before hours are spent on it."""
    with torch.inference_mode():
        given = network.eval()(data.features[:1], data.lengths[:1])
    shapes = [None if each is None else tuple(each.shape) for each in given]
    expected = [(1, size.frames, size.events), (1, size.scenes) if scene_branch else None]
    if shapes != expected:
        raise MethodError(
            f"{code}: the network gives outputs of the shapes {shapes} for one clip; {expected} "
            "expected: event logits, and scene logits or None"
        )


def check_scene_loss(
    method: Method, objective: SceneObjective, data: Batches, size: NetworkParameters
) -> None:
    """Try a custom loss on two clips; it must return one number."""
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
    with naming_custom(method, loss, name):
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
