"""Checkpoints: a killed training resumes from its last one, with bit-identical results."""

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
from softscene.core.progress import RESUMING
from softscene.training.watching import EventFiles, LiveHistory
from softscene.training.weights import digest, load_tensors, save_tensors

logger = logging.getLogger(__name__)

History = list[dict[str, float]]


def identity(
    parameters: Mapping[str, object],
    data: Mapping[str, Tensor],
    device: torch.device,
    modules: Sequence[ModuleType],
) -> dict[str, str]:
    """What identifies a training: it resumes from a checkpoint only if all of this is the same.

    Parameters
    ----------
    parameters
        All parameters of the training, as JSON can hold them.
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
    """Save the progress of a training, show it, and resume from it.

    If two jobs run the same training, the one that started later owns it, and the other stops. So a
    job that outlives its Snakemake does no harm, on any machine.

    Parameters
    ----------
    path
        The file; beside it, ``.owner`` names the job that owns it, ``.history.tsv`` has the epochs
        so far, and ``.tensorboard`` is the folder of TensorBoard's event files.
    identity
        See :func:`identity`.
    every
        Seconds between two checkpoints; they are made at the end of an epoch.
    tensorboard
        Whether to write event files.

    Raises
    ------
    TrainingError
        Event files are asked for, and TensorBoard is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        identity: Mapping[str, str],
        every: float,
        tensorboard: bool = False,
    ) -> None:
        self.path, self.identity, self.every = Path(path), dict(identity), every
        self._owner = self.path.with_suffix(".owner")
        self._token = uuid.uuid4().hex
        self._last = time.monotonic()
        self._shown: list[LiveHistory | EventFiles] = [
            LiveHistory(self.path.with_suffix(".history.tsv"))
        ]
        if tensorboard:
            self._shown.append(EventFiles(self.path.with_suffix(".tensorboard")))

    def restore(self, network: nn.Module, optimiser: Optimizer) -> History:
        """Take over the training, and load its last state into network and optimiser.

        Returns
        -------
        list
            The history so far; empty if there is nothing to resume.
        """
        write_text(self._owner, self._token)
        history = self._restored(network, optimiser)
        for each in self._shown:
            each.begin(history)
        return history

    def _restored(self, network: nn.Module, optimiser: Optimizer) -> History:
        if not self.path.exists():
            return []
        try:
            tensors, facts = load_tensors(self.path)
        except TrainingError as error:
            logger.warning("%s; the training starts from the beginning", error)
            return []
        other = [name for name, value in self.identity.items() if facts.get(name) != value]
        if other:
            logger.warning(
                "%s is of another training (%s); this one starts from the beginning",
                self.path,
                ", ".join(other),
            )
            return []
        network.load_state_dict(_under("network.", tensors))
        _restore_optimiser(optimiser, _under("optimiser.", tensors))
        history = json.loads(facts["history"])
        logger.info("%s %d, from %s", RESUMING, len(history), self.path)
        return history

    def reached(self, network: nn.Module, optimiser: Optimizer, history: History) -> None:
        """At the end of an epoch, show it, and save a checkpoint if the last one is old enough.

        Raises
        ------
        TrainingError
            Another job has taken over the training.
        """
        self.require_ownership()
        for each in self._shown:
            each.add(history[-1])
        if time.monotonic() - self._last < self.every:
            return
        tensors = {f"network.{key}": value for key, value in network.state_dict().items()}
        for number, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{key}": value for key, value in state.items()}
        save_tensors(tensors, self.path, history=json.dumps(history), **self.identity)
        self._last = time.monotonic()

    def require_ownership(self) -> None:
        """Raise a TrainingError if another job has taken over the training."""
        try:
            owner = self._owner.read_text(encoding="utf-8")
        except FileNotFoundError:
            owner = "none: it was finished, or the mark was deleted"
        if owner != self._token:
            raise TrainingError(
                "another job has taken over this training, so this one stops "
                f"(owner in {self._owner}: {owner})"
            )

    def clear(self) -> None:
        """Delete a checkpoint after the results are written, unless another job owns it."""
        self.require_ownership()
        for each in self._shown:
            each.end()
        self.path.unlink(missing_ok=True)
        self._owner.unlink(missing_ok=True)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }


def _restore_optimiser(optimiser: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore each parameter's moments in its memory layout, which decides the order of sums."""
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
