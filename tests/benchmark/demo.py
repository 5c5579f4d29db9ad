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
from softscene.files import write_table

from tests.benchmark.probed import add_probe, read_notes
from tests.checkout import ROOT, copy_checkout

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
    """The table of one run, and its wall time."""
    with tempfile.TemporaryDirectory() as folder, copy_checkout(Path(folder)) as checkout:
        add_probe(checkout)
        begin, load = time.time(), os.getloadavg()[0]
        process = checkout.start(config=config, cores=cores)
        own, started = watched(process)
        end = time.time()
        assert process.returncode == 0, (checkout.folder / "printed.txt").read_text()
        notes = read_notes(checkout)
    table = by_rule(notes)
    free, before, behind = idle(notes, cores, begin, end)
    around = {
        "snakemake itself": own,
        "jobs: shell and end, solver": started - table.cpu.sum(),
    }
    total = pd.DataFrame({"cpu": around}).rename_axis("rule")
    table = pd.concat([table, total])
    table["share"] = table.cpu / table.cpu.sum()
    print(table.round(2).to_string(na_rep=""))
    for name in COLUMNS[1:]:
        print(
            f"{name}: {table[name].sum():.0f} s of CPU, {table[name].sum() / table.cpu.sum():.0%}"
        )
    print(f"wall {end - begin:.0f} s on {cores} cores; load of the machine before: {load:.1f}")
    print(
        f"core seconds without a job: {free:.0f}, of them {before:.0f} before the first job and "
        f"{behind:.0f} behind the last"
    )
    return table.reset_index().assign(wall=end - begin, idle=free)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="config.demo.yaml")
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    write_table(measure(given.config, given.cores), ROOT / "results" / "benchmark" / "demo.tsv")


if __name__ == "__main__":
    main()
