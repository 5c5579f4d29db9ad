"""Planning: a dry run, and the second run of a finished workflow; the paper, and ten times it.

    python -m tests.benchmark.planning [TIMES ...]

The finished workflow is a pretended one: its files are empty, and Snakemake has noted parameters,
inputs and code of every job by ``--touch``, so that the second run compares them all.
"""

import sys
import tempfile
from pathlib import Path

import yaml

from tests.benchmark.report import ROOT, Figure, publish, run
from tests.checkout import copy_checkout

SEEDS = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["seeds"]
BARS = {1: 10, 10: 60}  # times the students -> seconds
TOUCH = """
import snakemake.executors.touch as touch
from snakemake.cli import main
touch.Executor.SLEEPING_TIME = 0  # is 0.1 s a job
main()
"""


def snakemake(folder, *args, start=("-m", "snakemake")):
    """Run snakemake; gives what it took and what it printed."""
    printed = folder / "printed.txt"
    with printed.open("w") as file:
        took = run(
            [*start, *args, "--configfile", "size.yaml"], cwd=folder, stdout=file, stderr=file
        )
    return took, printed.read_text()


def pretend(folder):
    """Make all files of the workflow, empty, and have Snakemake take them for its own."""
    _, summary = snakemake(folder, "--summary")
    for line in summary.partition("output_file\t")[2].splitlines()[1:]:
        path = folder / line.split("\t")[0]
        if path.suffix:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        else:
            path.mkdir(parents=True, exist_ok=True)
    snakemake(folder, "--touch", "--cores", "2", "--scheduler", "greedy", start=("-c", TOUCH))


def measure(folder, times):
    """Figures of a DAG with so many times the paper's students."""
    seeds = list(range(times * len(SEEDS)))
    (folder / "size.yaml").write_text(yaml.safe_dump({"seeds": seeds}))
    name = "the paper" if times == 1 else f"{times} times as many students"
    dry, plan = snakemake(folder, "-n")
    jobs = int(plan.split()[-1])
    pretend(folder)
    second, printed = snakemake(folder, "--cores", "2")
    assert "Nothing to be done" in printed, printed
    other, _ = snakemake(folder, "-n", "--config", "student={epochs: 299}")
    again = (folder / "printed.txt").read_text().rpartition("train_student")[2].split()[0]
    assert int(again) == 84 * len(seeds), "one changed parameter trains all students again"
    return [
        Figure(f"{name}: jobs", jobs, ""),
        Figure(f"{name}: dry run", dry.wall, "s", at_most=BARS[times]),
        Figure(f"{name}: memory", dry.memory, "MiB"),
        Figure(f"{name}: run of what is finished", second.wall, "s", at_most=BARS[times]),
        Figure(f"{name}: dry run after a change of all trainings", other.wall, "s"),
    ]


def main():
    figures = []
    for times in map(int, sys.argv[1:] or BARS):
        with tempfile.TemporaryDirectory() as folder:
            copy_checkout(Path(folder))
            figures += measure(Path(folder), times)
    publish("planning", figures)


if __name__ == "__main__":
    main()
