"""Where the demo's time goes: python -m tests.benchmark.demo [--config FILE] [--cores N].

Runs it in a copy of the checkout whose processes note what they do (``probe.py``), and writes
``results/benchmark/demo.tsv``: a row for each rule and for what lies around its jobs, in CPU
seconds, which other work on the machine disturbs least.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil

from tests.benchmark.probed import add_probe, read_notes
from tests.benchmark.report import Figure, publish
from tests.checkout import copy_checkout

BAR = 4 * 60  # s
COLUMNS = ["jobs", "interpreter", "imports", "computing"]


def watched(process):
    """Wait for snakemake's end: CPU seconds of its own, and of all that it started."""
    watched, times = psutil.Process(process.pid), None
    while process.poll() is None:
        times = watched.cpu_times()
        time.sleep(0.1)
    return times.user + times.system, times.children_user + times.children_system


def by_rule(notes):
    """CPU seconds of all jobs of each rule, divided."""
    table = pd.DataFrame(
        {
            "rule": note.rule,
            "jobs": 1,
            "interpreter": note.cpu("begin"),
            "imports": note.imports("end"),
            "computing": note.cpu("end") - note.imports("end") - note.cpu("begin"),
        }
        for note in notes
    )
    table = table.groupby("rule", sort=False)[COLUMNS].sum()
    return table.assign(cpu=table[COLUMNS[1:]].sum(axis=1))


def idle(notes, cores, begin, end):
    """Core seconds in which fewer jobs than cores were there, and what of it is at the ends."""
    changes = sorted(
        [(note.started, 1) for note in notes] + [(note.marks["end"][0], -1) for note in notes]
    )
    at, running, free = begin, 0, 0.0
    for moment, change in [*changes, (end, 0)]:
        free += (moment - at) * max(0, cores - running)
        at, running = moment, running + change
    return free, cores * (changes[0][0] - begin), cores * (end - changes[-1][0])


def measure(config, cores):
    """Figures of one run."""
    with tempfile.TemporaryDirectory() as folder, copy_checkout(Path(folder)) as checkout:
        add_probe(checkout)
        begin, load = time.time(), os.getloadavg()[0]
        process = checkout.start(config=config, cores=cores)
        own, started = watched(process)
        end = time.time()
        assert process.returncode == 0, (checkout.folder / "printed.txt").read_text()
        notes = read_notes(checkout)
    table = by_rule(notes)
    free, before, after = idle(notes, cores, begin, end)
    other = {"Snakemake itself": own, "shells, ends of jobs, solver": started - table.cpu.sum()}
    whole = own + started
    shares = {
        "interpreters and modules loaded": table.interpreter.sum() + table.imports.sum(),
        "computing of jobs": table.computing.sum(),
        **other,
    }
    print(table.round(2).to_string())
    print(f"load of the machine before: {load:.1f}")
    return [
        Figure(f"wall time on {cores} cores", end - begin, "s", at_most=BAR),
        Figure("processor time", whole, "s"),
        *(Figure(f"of it, {name}", 100 * cpu / whole, "%") for name, cpu in shares.items()),
        *(
            Figure(f"of it, {rule}, {row.jobs:.0f} jobs", 100 * row.cpu / whole, "%")
            for rule, row in table.iterrows()
            if row.cpu / whole > 0.02
        ),
        Figure("core seconds without a job", free, "s"),
        Figure("of them before the first job", before, "s"),
        Figure("of them after the last", after, "s"),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/demo.yaml")
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    publish("demo", measure(given.config, given.cores))


if __name__ == "__main__":
    main()
