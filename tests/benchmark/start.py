"""From process start to first batch: python -m tests.benchmark.start [--times N].

Starts real jobs of the small workflow again and again, each until its network is called first, or,
without a network, until it has imported what it needs; writes ``results/benchmark/start.tsv``.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from tests.benchmark.probed import add_probe, read_notes
from tests.benchmark.report import Figure, publish
from tests.checkout import copy_checkout

BAR = 2.5  # s
PLACES = {"batch": "its first batch", "main": "its work begins"}
UNTIL = {
    "train_teacher": "batch",
    "train_student": "batch",
    "dump_soft_labels": "batch",
    "predict_student": "batch",
    "evaluate_student": "main",
    "make_table3": "main",
}


def scripts(checkout):
    """One script of each rule, as Snakemake made it."""
    found = (checkout.folder / ".snakemake" / "scripts").glob("*.py")
    return {re.search(r"\.(\w+)\.py$", path.name)[1]: path for path in found}


def start(checkout, script, until):
    """Start a job's process as Snakemake does, and read what it noted."""
    environ = {
        **os.environ,
        "PYTHONPATH": str(checkout.folder / "workflow_scripts"),
        "OMP_NUM_THREADS": "1",
        "PROBE_UNTIL": until,
    }
    subprocess.run([sys.executable, script], cwd=checkout.folder, env=environ, check=True)
    (note,) = read_notes(checkout)
    return {
        "rule": note.rule,
        "wall": note.wall(until),
        "imports_cpu": note.imports(until),
    }


def measure(times):
    with tempfile.TemporaryDirectory() as folder, copy_checkout(Path(folder)) as checkout:
        done = checkout.snakemake("--skip-script-cleanup")
        assert done.returncode == 0, done.stdout
        add_probe(checkout)
        made = scripts(checkout)
        rows = [  # one of each by turns, so that a disturbance meets all alike
            start(checkout, made[rule], until)
            for _ in range(times)
            for rule, until in UNTIL.items()
        ]
    table = pd.DataFrame(rows).groupby("rule", sort=False).median()
    return [
        figure
        for rule, row in table.iterrows()
        for figure in (
            Figure(f"{rule}: until {PLACES[UNTIL[rule]]}", row.wall, "s", at_most=BAR),
            Figure("of these, loading modules", row.imports_cpu, "s"),
        )
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=9)
    publish("start", measure(parser.parse_args().times))


if __name__ == "__main__":
    main()
