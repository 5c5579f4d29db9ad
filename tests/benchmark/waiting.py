"""What threads that wait cost beside other work: python -m tests.benchmark.waiting [--rounds N].

A step of MTL with one thread and with two, alone and beside a busy loop. Threads that wait sleep
(``OMP_WAIT_POLICY=passive``, which the workflow sets) or spin (``active``).
"""

import argparse
import os
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from itertools import product
from unittest import mock

import pandas as pd

from tests.benchmark.step import Case, Effort, measured

WAYS = ((1, "passive"), (2, "passive"), (2, "active"))


@contextmanager
def busy_loop():
    """Another process that computes all the time."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        other.kill()
        other.wait()


def measure(threads, waiting, beside, batch, steps):
    """Steps of one process."""
    case = Case("softscene", "mtl", "float32", threads, batch, "cpu")
    effort = Effort(warm_up=1, steps=steps, seconds=60, clips=2 * batch)
    other = busy_loop() if beside else nullcontext()
    with mock.patch.dict(os.environ, OMP_WAIT_POLICY=waiting), other:
        found = measured([case], effort)
    return found.assign(waiting=waiting, beside="a busy loop" if beside else "nothing")


def summary(steps):
    """Medians of each way."""
    names = {"seconds": "s a step", "processor_seconds": "CPU s a step"}
    table = steps.groupby(["beside", "threads", "waiting"], sort=False)[list(names)].median()
    return table.rename(columns=names).round(2).reset_index()


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="of each process")
    parser.add_argument("--batch", type=int, default=32)
    given = parser.parse_args(arguments)
    found = [
        measure(threads, waiting, beside, given.batch, given.steps)
        for _, beside, (threads, waiting) in product(range(given.rounds), (True, False), WAYS)
    ]
    print(summary(pd.concat(found)).to_markdown(index=False))


if __name__ == "__main__":
    main()
