"""Checkpoints: a training that was killed goes on from its last one, to the same last bit."""

import hashlib
import inspect
import json
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from softscene.core.errors import TrainingError
from softscene.core.files import write_text
from softscene.training.weights import digest, load_tensors, save_tensors

logger = logging.getLogger(__name__)

History = list[dict[str, float]]


def identity(
    parameters: Mapping[str, object],
    data: Mapping[str, Tensor],
    device: torch.device,
    modules: Sequence[ModuleType],
) -> dict[str, str]:
    """What makes two trainings one and the same: where any of it differs, none goes on for another.

    Parameters
    ----------
    parameters
        All that the training is given, as text that JSON can hold.
    data
        The tensors that it learns from.
    device
        Where it computes; another kind of device rounds differently.
    modules
        The code that trains.
    """
    code = "".join(inspect.getsource(module) for module in modules)
    return {
        "parameters": json.dumps(parameters, sort_keys=True),
        "data": digest(data),
        "code": hashlib.sha256(code.encode()).hexdigest(),
        "torch": torch.__version__,
        "device": device.type,
    }


class Checkpoints:
    """Where a training notes how far it is, and what the next job of it goes on from.

    Of two jobs of one training, the one that started later owns it: the other stops. So a job that
    outlived its Snakemake does no harm, on whatever machine it runs.

    Parameters
    ----------
    path
        The file; beside it lies the mark of its owner.
    identity
        See :func:`identity`.
    every
        Seconds between two checkpoints; they are made at the end of an epoch.
    """

    def __init__(self, path: str | Path, identity: Mapping[str, str], every: float) -> None:
        self.path, self.identity, self.every = Path(path), dict(identity), every
        self._owner = self.path.with_suffix(".owner")
        self._token = uuid.uuid4().hex
        self._last = time.monotonic()

    def restore(self, network: nn.Module, optimiser: Optimizer) -> History:
        """Take the training over, and put its last state into network and optimiser.

        Returns
        -------
        list
            The history up to there; empty where there is nothing to go on from.
        """
        write_text(self._owner, self._token)
        if not self.path.exists():
            return []
        try:
            tensors, facts = load_tensors(self.path)
        except TrainingError as error:
            logger.warning("%s; the training starts anew", error)
            return []
        other = [name for name, value in self.identity.items() if facts.get(name) != value]
        if other:
            logger.warning(
                "%s is of another training (%s); this one starts anew", self.path, ", ".join(other)
            )
            return []
        network.load_state_dict(_under("network.", tensors))
        _restore_optimiser(optimiser, _under("optimiser.", tensors))
        history = json.loads(facts["history"])
        logger.info("going on after epoch %d, from %s", len(history), self.path)
        return history

    def reached(self, network: nn.Module, optimiser: Optimizer, history: History) -> None:
        """Note the end of an epoch: a checkpoint, where the last one is old enough.

        Raises
        ------
        TrainingError
            Another job has taken the training over.
        """
        self.require_ownership()
        if time.monotonic() - self._last < self.every:
            return
        tensors = {f"network.{key}": value for key, value in network.state_dict().items()}
        for number, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{key}": value for key, value in state.items()}
        save_tensors(tensors, self.path, history=json.dumps(history), **self.identity)
        self._last = time.monotonic()

    def require_ownership(self) -> None:
        """Raise a TrainingError where another job has taken the training over."""
        try:
            owner = self._owner.read_text(encoding="utf-8")
        except FileNotFoundError:
            owner = "none: it was finished, or the mark was deleted"
        if owner != self._token:
            raise TrainingError(
                "another job has taken over this training, so this one stops "
                f"(owner by {self._owner}: {owner})"
            )

    def clear(self) -> None:
        """Forget the training, whose results are written; another job's marks are left alone."""
        self.require_ownership()
        self.path.unlink(missing_ok=True)
        self._owner.unlink(missing_ok=True)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }


def _restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give each parameter its moments back, in the layout of its memory: sums go in its order."""
    parameters = [each for group in optimiser.param_groups for each in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split(".", 1)
        like = parameters[int(number)]
        if value.shape == like.shape:
            value = torch.empty_like(like, requires_grad=False).copy_(value)  # noqa: PLW2901
        state.setdefault(int(number), {})[key] = value
    optimiser.load_state_dict(
        {"state": state, "param_groups": optimiser.state_dict()["param_groups"]}
    )
