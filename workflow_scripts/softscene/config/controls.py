"""Controls: methods that learn other soft labels than the teacher's; what each is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Control:
    """What the soft loss learns in place of the teacher's labels.

    :mod:`softscene.training.controls` makes them.

    Attributes
    ----------
    name
        Of its method, in tables.
    at_temperature
        Whether its labels are other ones at each T.
    held_out
        Whether they are made of what teachers say of clips that they did not see, and not of what
        the one teacher says of its own.
    """

    name: str
    at_temperature: bool = False
    held_out: bool = False


CONTROLS = {
    "smoothed": Control("MTL with smoothed labels", at_temperature=True),
    "shuffled": Control("MTL with shuffled soft labels"),
    "cross_fitted": Control("MTL with cross-fitted soft labels", held_out=True),
    "scene_mean": Control("MTL with scene-mean soft labels", at_temperature=True),
}


def need_inner_teachers(methods: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether any method learns labels of teachers that did not see a clip."""
    labels = {method.get("labels") for method in methods.values()}
    return any(control.held_out for key, control in CONTROLS.items() if key in labels)
