"""Seconds and memory of training steps: what a process of the benchmark measures.

A process gets its cases and its effort as JSON, see :func:`measured`.
"""

import gc
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import torch

from tests.benchmark.report import child
from tests.benchmark.trainers import TRAINERS, EpochClock, clips


@dataclass(frozen=True)
class Case:
    """What is measured."""

    trainer: str
    kind: str
    precision: str
    threads: int
    batch: int
    device: str


@dataclass(frozen=True)
class Effort:
    """How much of it: steps that do not count, and at most so many steps that do, or seconds.

    At least one step counts. ``epochs`` of a whole training of so many ``clips`` follow.
    """

    warm_up: int
    steps: int
    seconds: float
    clips: int
    epochs: int = 0


def measured(cases, effort):
    """Measure cases in a process of its own, in turn: a table with a row a step."""
    found = child("step", json.dumps([[asdict(case) for case in cases], asdict(effort)]))
    pairs = zip(cases, found, strict=True)
    return pd.concat(pd.DataFrame(asdict(case) | each) for case, each in pairs)


def measure(case, effort):
    """Seconds of each step, bytes at most, and seconds of an epoch of a whole training."""
    device = torch.device(case.device)
    torch.set_num_threads(case.threads)
    _forget(device)
    trainer = TRAINERS[case.trainer](
        case.kind, case.threads, clips(effort.clips), device, precision=case.precision
    )
    wall, processor = _steps(trainer, case.batch, effort, device)
    found = {"seconds": wall, "processor_seconds": processor, "peak_bytes": _peak(device)}
    if effort.epochs and hasattr(trainer, "train"):
        found["epoch_seconds"] = _epoch(trainer, case.batch, effort.epochs)
    return found


def _steps(trainer, batch, effort, device):
    """Seconds, and processor seconds, of each step that counts."""
    taken, begin = [], None
    for number, given in enumerate(_endless(trainer, batch)):
        if number == effort.warm_up:
            begin = time.perf_counter()
        start = time.perf_counter(), time.process_time()
        trainer.step(given)
        if device.type == "cuda":
            torch.cuda.synchronize()
        end = time.perf_counter()
        taken.append((end - start[0], time.process_time() - start[1]))
        counted = number + 1 - effort.warm_up
        if counted >= 1 and (counted == effort.steps or end - begin >= effort.seconds):
            break
    return tuple(zip(*taken[effort.warm_up :], strict=True))


def _endless(trainer, batch):
    while True:
        yield from trainer.batches(batch)


def _epoch(trainer, batch, epochs):
    """Median of all epochs but the first."""
    clock = EpochClock(1 + epochs)
    trainer.train(batch, clock)
    return pd.Series(clock.ends).diff().median()


def _forget(device):
    """Free what the case before has left on a GPU."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.init()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak(device):
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    # Not ru_maxrss, which begins with what the parent process had.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    given_cases, given_effort = json.loads(sys.argv[1])
    print(json.dumps([measure(Case(**case), Effort(**given_effort)) for case in given_cases]))
