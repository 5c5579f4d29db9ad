"""Seconds and memory of a training step: softscene, a plain trainer, and convolutions alone.

    make bench ARGS="--threads 2 --batch 64 --repeat 4 --kinds mtl,soft"

Each measurement is a process of its own, and they take turns. Results go to
results/benchmark/step.tsv as well. Ends with 1 if the plain trainer (reference.py) and softscene do
not have the same losses, see :mod:`tests.benchmark.comparison`.
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

import pandas as pd
import torch

from tests.benchmark import comparison
from tests.benchmark.report import RESULTS, child
from tests.benchmark.trainers import KINDS, TRAINERS, clips

FOLD = 763  # clips of a fold's development part, on the average
WARM_UP = 2  # steps that do not count: memory is asked for, and kept


def work(trainer, kind, options):
    """In a process of its own: prints seconds of each step, and bytes at most."""
    device = torch.device(options.device)
    data = clips((WARM_UP + options.steps) * options.batch)
    this = TRAINERS[trainer](kind, options.threads, data, device)
    seconds, batches = [], this.batches(options.batch)
    for _ in range(WARM_UP + options.steps):
        start = time.perf_counter(), time.process_time()
        this.step(next(batches))
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated()
    wall, processor = zip(*seconds[WARM_UP:], strict=True)
    print(json.dumps({"seconds": wall, "processor_seconds": processor, "peak": peak}))


def measured(trainer, kind, options):
    """The same from outside: a table with a row a step."""
    names = ("threads", "batch", "steps", "device")
    given = [f"--{name}={getattr(options, name)}" for name in names]
    found = child("bench", "--worker", trainer, kind, *given)
    return pd.DataFrame(found).assign(kind=kind, trainer=trainer)


def summary(steps, options):
    """A row for each kind and trainer: median and quartiles of its steps."""
    groups = steps.groupby(["kind", "trainer"], sort=False)
    table = groups["seconds"].quantile([0.25, 0.5, 0.75]).unstack()
    table.columns = ["lower_quartile", "seconds", "upper_quartile"]
    table["processor_seconds"] = groups["processor_seconds"].median()
    table["epoch_seconds"] = table["seconds"] * FOLD / options.batch
    table["peak_bytes"] = groups["peak"].median().astype(int)
    table["steps"] = groups.size()
    table = table.reset_index()
    for name in ("batch", "threads", "device"):
        table[name] = getattr(options, name)
    return table


def readable(table):
    """The same for people, with ratios to the plain trainer."""
    plain = table[table.trainer == "reference"].set_index("kind").loc[table.kind].reset_index()
    quartiles = zip(table.lower_quartile, table.upper_quartile, strict=True)
    columns = {
        "s a step": table.seconds.map("{:.2f}".format),
        "quartiles": [f"{low:.2f} - {high:.2f}" for low, high in quartiles],
        "s an epoch": table.epoch_seconds.map("{:.1f}".format),
        "CPU s a step": table.processor_seconds.map("{:.2f}".format),
        "peak GB": (table.peak_bytes / 1e9).map("{:.2f}".format),
        "times faster": (plain.seconds / table.seconds).map("{:.2f}".format),
        "memory": (table.peak_bytes / plain.peak_bytes).map("{:.2f}".format),
    }
    return table[["kind", "trainer"]].assign(**columns)


def parsed(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=3, help="that count, of each process")
    parser.add_argument("--repeat", type=int, default=4, help="processes of each kind and trainer")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--compared", type=int, default=comparison.STEPS, help="steps")
    parser.add_argument("--target", type=Path, default=RESULTS / "step.tsv")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.kinds = options.kinds.split(",")
    if not set(options.kinds) <= set(KINDS):
        parser.error(f"--kinds {','.join(options.kinds)}: they are {', '.join(KINDS)}")
    return options


def main(arguments=None):
    options = parsed(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("skipped: PyTorch sees no CUDA device here")
        return 0
    if options.worker:
        work(*options.worker, options)
        return 0
    rounds = [(kind, trainer) for kind in options.kinds for trainer in TRAINERS]
    runs = [
        measured(trainer, kind, options) for _ in range(options.repeat) for kind, trainer in rounds
    ]
    if runs:
        table = summary(pd.concat(runs), options)
        print(
            f"a step of {options.batch} clips, {options.threads} threads, {options.device}; "
            f"an epoch is {FOLD} clips, {-(-FOLD // options.batch)} steps\n"
        )
        print(readable(table).to_markdown(index=False, disable_numparse=True))
        options.target.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(options.target, sep="\t", index=False)
    return int(not comparison.passed(options.kinds, options.threads, options.compared))


if __name__ == "__main__":
    sys.exit(main())
