"""What a training costs: softscene, a plain trainer, and convolutions alone.

    make bench                                  # on this processor, ten minutes at most
    make bench ARGS="--device cuda"             # on a GPU: also whole trainings, and side by side
    make bench ARGS="--threads 2 --batch 64 --kinds mtl,soft --minutes 20"

Measurements are processes of their own, and take turns. Tables go to results/benchmark as well:
step.tsv, or gpu.tsv and side_by_side.tsv. Ends with 1 if the plain trainer (reference.py) and
softscene do not have the same losses, see :mod:`tests.benchmark.comparison`.
"""

import argparse
import sys
from itertools import product
from pathlib import Path

import pandas as pd
import torch
from softscene.core.processor import lacks_bfloat16
from softscene.models.precision import BFLOAT16, FLOAT32

from tests.benchmark import comparison, side_by_side, step, tables
from tests.benchmark.report import RESULTS
from tests.benchmark.rounds import Budget, in_rounds
from tests.benchmark.trainers import KINDS, PRECISIONS, TRAINERS

ORDER = "mtl,teacher,crnn,soft"  # what matters most first, should the time not do for all
DEFAULTS = {
    "cpu": {"threads": "1,2", "batch": 16, "steps": 3, "compare": "mtl", "compared": 3},
    "cuda": {
        "threads": "1", "batch": 64, "steps": 20, "compare": ORDER, "compared": 20,
    },
}  # fmt: skip
SIDE_BY_SIDE = 90  # s that it takes of each precision, at most


def precisions(options):
    """What is measured, unless the user says: all that this machine is made for."""
    if options.precision:
        return options.precision
    if options.device == "cuda":
        return list(PRECISIONS)
    if lacks_bfloat16():
        print("bfloat16 is left out: this processor has no products of it; --precision measures it")
        return [FLOAT32]
    return [FLOAT32, BFLOAT16]


def groups_of(options):
    """Cases that a process measures: on a CPU, where memory is the process's, of each network."""
    named = product(options.kinds, options.precisions, TRAINERS)
    shared = {"batch": options.batch, "device": options.device}
    groups = [
        [step.Case(trainer, kind, precision, threads, **shared) for threads in options.threads]
        for kind, precision, trainer in named
    ]
    if options.device == "cpu":
        return groups
    return [[case for g in groups for case in g if case.trainer == name] for name in TRAINERS]


def measured(group, seconds, options):
    """Steps of a group; each case has a third of its seconds, as it starts and warms up, too."""
    if options.device == "cpu":
        clips, limit = options.batch * (1 + options.steps), seconds / 3 / len(group)
        return step.measured(group, step.Effort(1, options.steps, limit, clips))
    effort = step.Effort(max(5, options.steps // 4), options.steps, seconds, options.clips, 3)
    return step.measured(group, effort)


def measure_steps(options, budget):
    """Print the table of steps, and write it."""
    most = options.rounds if options.device == "cpu" else 1
    found, left_out = in_rounds(
        groups_of(options), lambda *given: measured(*given, options), budget, most
    )
    if left_out:
        names = (f"{g[0].kind} {g[0].trainer} {g[0].precision}" for g in left_out)
        print("no time was left for: " + ", ".join(names))
    if found:
        table = tables.summary(pd.concat(found))
        name, show = {"cpu": ("step", tables.readable), "cuda": ("gpu", tables.readable_gpu)}[
            options.device
        ]
        publish(name, table, show, options)


def measure_side_by_side(options, budget):
    """Print how many clips trainings have together, and write it."""
    found = []
    for precision in options.precisions:
        if budget.left < SIDE_BY_SIDE:
            print(f"no time was left for trainings side by side in {precision}")
            continue
        case = step.Case("softscene", "mtl", precision, 1, options.batch, options.device)
        found.append(side_by_side.measure(case, options.clips, options.seconds))
    if found:
        publish("side_by_side", pd.concat(found), side_by_side.readable, options)


def publish(name, table, show, options):
    """Print a table, and write it to a file."""
    print(tables.markdown(show(table)) + "\n", flush=True)
    options.folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.folder / f"{name}.tsv", sep="\t", index=False)


def compared(options):
    """Whether softscene is the plain trainer."""
    names = ["single", "double", *([BFLOAT16] if BFLOAT16 in options.precisions else [])]
    given = options.compare, max(options.threads), options.compared, options.device
    return comparison.passed(names, *given)


def parsed(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", help="such as 1,2")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--precision", help=f"of {','.join(PRECISIONS)}")
    parser.add_argument("--kinds", default=ORDER)
    parser.add_argument("--minutes", type=float, default=8, help="after which nothing is begun")
    parser.add_argument("--rounds", type=int, default=20, help="at most")
    parser.add_argument("--steps", type=int, help="of each process and case, at most")
    parser.add_argument("--seconds", type=float, default=6, help="of trainings side by side")
    parser.add_argument("--clips", type=int, default=tables.FOLD, help="of a whole training")
    parser.add_argument("--compare", help="kinds to compare with the plain trainer")
    parser.add_argument("--compared", type=int, help="steps of that")
    parser.add_argument("--folder", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    for name, default in DEFAULTS[options.device].items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    options.threads = [int(each) for each in options.threads.split(",")]
    for name, known in (("kinds", KINDS), ("compare", KINDS), ("precision", PRECISIONS)):
        given = getattr(options, name)
        setattr(options, name, given.split(",") if given else [])
        if not set(getattr(options, name)) <= set(known):
            parser.error(f"--{name} {given}: they are {', '.join(known)}")
    return options


def main(arguments=None):
    options = parsed(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("skipped: PyTorch sees no CUDA device here")
        return 0
    budget = Budget(60 * options.minutes)
    options.precisions = precisions(options)
    if options.device == "cpu":
        print(f"an epoch is {tables.FOLD} clips; steps are of {options.batch}\n")
        good = compared(options)
        measure_steps(options, budget)
        return int(not good)
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}\n")
    measure_steps(options, budget)
    measure_side_by_side(options, budget)
    return int(not compared(options))


if __name__ == "__main__":
    sys.exit(main())
