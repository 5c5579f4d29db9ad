"""What the benchmarks share: the paper's sizes, measured processes, and figures beside bars."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "benchmark"
SCENES = pd.read_csv(ROOT / "resources" / "scene_statistics.tsv", sep="\t").set_index("scene_label")
RECORDINGS = SCENES.recordings.to_dict()
SECONDS = (60 * SCENES.minutes / SCENES.recordings).to_dict()  # of a recording of each scene


@dataclass(frozen=True)
class Figure:
    """A measured value and its bar; without a bar it is only told."""

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def bar(self):
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return f"at most {self.at_most:g}" if self.at_most is not None else ""

    @property
    def missed(self):
        low = self.at_least is not None and self.value < self.at_least
        return low or (self.at_most is not None and self.value > self.at_most)


@dataclass(frozen=True)
class Measured:
    """A process: elapsed and processor seconds, its children's included, and peak memory (MiB)."""

    wall: float
    cpu: float
    memory: float


def run(command, **options):
    """Run a command to its end, which must be a good one."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, *map(str, command)], **options)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command} ended with {process.returncode}")
    wall = time.monotonic() - start
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def child(name, *words):
    """What another process of the benchmark ``name`` prints last, as JSON."""
    command = [sys.executable, "-m", f"tests.benchmark.{name}", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def publish(name, figures):
    """Print figures and bars, write them to ``results/benchmark``; exit 1 where a bar is missed."""
    rows = [
        (
            each.what,
            f"{each.value:,.0f}" if each.value >= 1000 else f"{each.value:.3g}",
            each.unit,
            each.bar,
            "missed" if each.missed else "",
        )
        for each in figures
    ]
    table = pd.DataFrame(rows, columns=["what", "measured", "unit", "bar", "verdict"])
    RESULTS.mkdir(parents=True, exist_ok=True)
    table.to_csv(RESULTS / f"{name}.tsv", sep="\t", index=False)
    print(table.to_markdown(index=False, disable_numparse=True))
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores; load in the last minute {load:.1f}, this benchmark included")
    sys.exit(any(each.missed for each in figures))
