"""A training's parameters, and writing them beside its result."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from softscene.core.origins import note_parameters


@dataclass(frozen=True)
class SceneObjective:
    """What a student's scene branch learns, and how much it counts beside the events.

    Attributes
    ----------
    loss
        ``none`` (no scene branch), ``hard`` (eq. 2) or ``soft`` (eq. 6).
    weight
        alpha or beta.
    temperature
        T of the soft loss.
    events
        How E1, the loss of the events, adds up: ``mean`` or ``sum``.
    """

    loss: str = "none"
    weight: float = 0.0
    temperature: float = 1.0
    events: str = "mean"


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


def plain(parameters: Mapping[str, object]) -> dict[str, object]:
    """Parameters as JSON holds them."""
    return {
        key: asdict(value) if hasattr(value, "__dataclass_fields__") else value
        for key, value in parameters.items()
    }


def save_parameters(parameters: Mapping[str, object], target: str | Path) -> None:
    """Write the parameters of a training, as resolved, beside its result."""
    note_parameters(target, plain(parameters))
