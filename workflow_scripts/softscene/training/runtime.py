"""Set up device, threads, memory and random numbers, so that results are reproducible."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from softscene.core.errors import TrainingError

# glibc's mallopt: keep freed blocks of up to 2 GiB instead of giving them back to the kernel. Each
# step would otherwise fault in the same pages again, which costs more than its arithmetic.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _KEEP = -1, -3, 2**31 - 1


def prepare(threads: int, device: str, option: str = "compute.device") -> torch.device:
    """Set up this process for reproducible computing, and say where it will compute.

    Parameters
    ----------
    threads
        Threads of each operation. The last bits of sums depend on it, so it is configured and never
        taken from the machine.
    device
        ``cpu``, ``cuda``, or ``auto``: CUDA if there is a device.
    option
        Name of the setting, for the error.

    Raises
    ------
    TrainingError
        ``cuda`` is asked for and there is none.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError(
            f"{option} is 'cuda', but PyTorch sees no CUDA device here; "
            f"set {option} to 'auto' or 'cpu'"
        )
    torch.set_num_threads(threads)
    _allow_tf32(False)
    if device == "cuda":
        # The CPU's operations are deterministic anyway, and asking for it takes a second to load.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling new memory only exposes reads before writes, and takes a third of a step.
        torch.utils.deterministic.fill_uninitialized_memory = False
    _keep_freed_memory()
    return torch.device(device)


@contextmanager
def tf32(wanted: bool) -> Iterator[None]:
    """Let CUDA round the operands of products to TF32 (10 bits), if wanted, until the end."""
    _allow_tf32(wanted)
    try:
        yield
    finally:
        _allow_tf32(False)


def _allow_tf32(allowed: bool) -> None:
    torch.backends.cudnn.allow_tf32 = allowed  # PyTorch's default is True
    torch.backends.cuda.matmul.allow_tf32 = allowed


def _keep_freed_memory() -> None:
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not glibc: slower, with the same results
        return
    mallopt(_M_MMAP_THRESHOLD, _KEEP)
    mallopt(_M_TRIM_THRESHOLD, _KEEP)


def seed_everything(seed: int, *place: int) -> None:
    """Set PyTorch's generator from ``seed`` and a place such as (epoch, batch).

    Every step has its own random numbers. So a run can resume at any step, and the numbers that one
    part of a network draws do not change what another part draws in the next step.
    """
    torch.manual_seed(int(np.random.SeedSequence([seed, *place]).generate_state(1, np.uint64)[0]))


def permutation(seed: int, epoch: int, size: int) -> np.ndarray:
    """The order of ``size`` clips in an epoch."""
    return np.random.default_rng([seed, epoch, size]).permutation(size)
