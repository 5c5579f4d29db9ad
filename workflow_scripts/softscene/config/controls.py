"""Controls: methods that learn soft labels other than the teacher's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Control:
    """The soft labels that a control learns in place of the teacher's.

    :mod:`softscene.training.controls` makes them.

    Attributes
    ----------
    name
        Its method's name in tables.
    at_temperature
        Whether its labels depend on T.
    held_out
        Whether its labels come from inner teachers that were not trained on the clip, rather than
        from the fold's one teacher, which was.
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


def configured_controls(config: Mapping[str, Any]) -> list[str]:
    """Names of the controls that a configuration trains."""
    return list(CONTROLS) if config["controls"] == "all" else config["controls"]
