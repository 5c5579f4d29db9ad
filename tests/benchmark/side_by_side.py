"""Trainings side by side on one GPU: clips a second of all of them, and the memory of each.

Each training is a process. All are started once, and in each run the first of them train at the
same time, for a few seconds after a common start, as ``softscene.training.loop`` does.
"""

import json
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict

import pandas as pd
import torch

from tests.benchmark.report import ROOT
from tests.benchmark.step import Case
from tests.benchmark.tables import shown
from tests.benchmark.trainers import TRAINERS, EpochClock, clips

TOGETHER = (1, 2, 4, 8)
ENDLESS = 10**6  # epochs


class RunEndedError(Exception):
    """The run's time is over."""


class RunClock(EpochClock):
    """Ends a training at the first end of an epoch after its time, and looks at the GPU."""

    def __init__(self, end, device):
        super().__init__(ENDLESS)
        self.end, self.device, self.used = end, device, 0

    def reached(self, *_):
        super().reached()
        if self.device.type == "cuda":
            free, whole = torch.cuda.mem_get_info()
            self.used = max(self.used, whole - free)
        if self.ends[-1] >= self.end:
            raise RunEndedError


def work(case, number):
    """In a process of its own: a run for each line, which says when it begins and ends."""
    device = torch.device(case.device)
    torch.set_num_threads(case.threads)
    trainer = TRAINERS[case.trainer](
        case.kind, case.threads, clips(number), device, precision=case.precision
    )
    trainer.train(case.batch, EpochClock(1))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(_run(trainer, case.batch, number, *json.loads(line))), flush=True)


def _run(trainer, batch, number, start, end):
    """Clips a second, and bytes: of this process, and of all on the GPU."""
    clock = RunClock(end, trainer.device)
    time.sleep(max(0.0, start - time.monotonic()))
    with suppress(RunEndedError):
        trainer.train(batch, clock)
    found = {"clips_a_second": rate(clock.ends, number, start, end), "used_bytes": clock.used}
    if trainer.device.type == "cuda":
        found["allocated_bytes"] = torch.cuda.max_memory_allocated()
        found["reserved_bytes"] = torch.cuda.max_memory_reserved()
    return found


def rate(ends, number, start, end):
    """Clips a second of the epochs that ended in time, while all trained; of one at least."""
    within = [each for each in ends if each <= end] or ends[:1]
    return len(within) * number / (within[-1] - start)


@contextmanager
def processes(case, number, together):
    """So many of them, ready to train."""
    command = [sys.executable, "-m", "tests.benchmark.side_by_side"]
    command.append(json.dumps([asdict(case), number]))
    with ExitStack() as stack:
        started = []
        for _ in range(together):
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            process = subprocess.Popen(command, cwd=ROOT, **pipes)
            stack.callback(_end, process)
            started.append(process)
        for process in started:
            _answer(process)
        yield started


def _end(process):
    process.kill()
    process.communicate()


def _answer(process):
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"one of the trainings side by side ended with {process.wait()}")
    return json.loads(line)


def measure(case, number, seconds, together=TOGETHER):
    """A row for each number of trainings side by side."""
    rows = []
    with processes(case, number, max(together)) as started:
        for n in together:
            start = time.monotonic() + 0.5
            for process in started[:n]:
                process.stdin.write(json.dumps([start, start + seconds]) + "\n")
                process.stdin.flush()
            found = pd.DataFrame([_answer(process) for process in started[:n]])
            used = found.pop("used_bytes").max() / len(started)
            total = found.pop("clips_a_second").sum()
            rows.append({"together": n, "clips_a_second": total, **found.max(), "used_bytes": used})
    return pd.DataFrame(rows).assign(kind=case.kind, precision=case.precision, batch=case.batch)


def readable(table):
    """For people; memory is that of each training."""
    alone = table[table.together == 1].set_index("precision").clips_a_second
    gain = table.clips_a_second / table.precision.map(alone)
    columns = {
        "trainings at once": table.together,
        "clips/s in total": shown(table.clips_a_second, ",.0f"),
        "steps/s in total": shown(table.clips_a_second / table.batch, ".1f"),
        "times one alone": shown(gain, ".2f"),
        "GB allocated": shown(table.allocated_bytes / 1e9, ".2f"),
        "GB reserved": shown(table.reserved_bytes / 1e9, ".2f"),
        "GB with context": shown(table.used_bytes / 1e9, ".2f"),
    }
    return table[["kind", "precision"]].assign(**columns)


if __name__ == "__main__":
    given_case, given_number = json.loads(sys.argv[1])
    work(Case(**given_case), given_number)
