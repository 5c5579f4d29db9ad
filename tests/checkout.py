"""Real runs of the real workflow, in copies of the checkout."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from filelock import FileLock

from tests.benchmark.probed import add_probe

ROOT = Path(__file__).parents[1]

# Rules that only name files, and a plan's sum.
TARGETS = ("all", "tables", "figures", "explorer", "predict", "sensitivity", "total")
SMALL = "tests/workflow/config.small.yaml"
STUDENT = "soft/alpha-none_beta-1.0_T-2.0/fold-1_seed-0"
WEIGHTS = f"results/small/students/{STUDENT}/weights.safetensors"


OWN_RUNS = {"scratch", "fresh", "longer", "undisturbed", "on_one_core"}
"""Fixtures for tests that run the workflow themselves, in half a minute or more each."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if not OWN_RUNS.isdisjoint(item.fixturenames):
            item.add_marker("slow")


@dataclass
class Checkout:
    """A copy of the checkout, and what is typed in it."""

    folder: Path
    started: list[subprocess.Popen] = field(default_factory=list)

    def start(self, *args, config=SMALL, cores=2, cwd=None, terminal=True, **environ):
        """Start snakemake as make does; what it prints goes to ``printed.txt``."""
        files = [config] if isinstance(config, str) else config
        chosen = ["--configfile", *files] if files else []
        cores = ["--cores", str(cores)] if cores else []
        chosen += ["--logger", "softscene"] if terminal else []
        with (self.folder / "printed.txt").open("w") as printed:
            process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *args, *cores, *chosen],
                cwd=cwd or self.folder,
                env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
                | environ,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
        self.started.append(process)
        return process

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Leave nothing running, whatever became of the test."""
        for process in self.started:
            process.kill()

    def snakemake(self, *args, **options):
        """Run snakemake to its end; gives the exit code and all that it printed.

        Test processes share the finished checkout: one runs at a time, or each would read what
        another one printed.
        """
        with FileLock(self.folder.with_suffix(".in_use")):
            returncode = self.start(*args, **options).wait(1800)
            printed = (self.folder / "printed.txt").read_text()
        return SimpleNamespace(returncode=returncode, stdout=printed)

    def planned(self, *args, config=SMALL):
        """What a dry run would run: rule -> jobs."""
        done = self.snakemake("-n", *args, config=config)
        assert done.returncode == 0, done.stdout
        counts = dict(re.findall(r"^([a-z_0-9]+) +(\d+)$", done.stdout, re.MULTILINE))
        return {rule: int(jobs) for rule, jobs in counts.items() if rule not in TARGETS}

    def path(self, *parts):
        return self.folder.joinpath("results", "small", *parts)


def wait_for(what, seconds=600):
    """Look until ``what()`` gives something, and give that."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


def jobs_below(process):
    """The scripts of rules that run below a snakemake, and all that they started."""
    below = process.children(recursive=True)
    return [each for each in below if "/.snakemake/scripts/" in " ".join(command(each))]


def command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def result_hashes(checkout):
    """Every result to its last bit: all but logs, benchmarks, the page that has their hours, and
    the mark of who made it."""
    left_out = ("logs", "benchmarks", "report.html")
    return {
        path.relative_to(checkout.path()).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(checkout.path().rglob("*"))
        if path.is_file()
        and path.relative_to(checkout.path()).parts[0] not in left_out
        and path.name not in {".running", ".snakemake_timestamp"}
    }


def only_weights(hashes):
    """Of hashes, that of the student ``STUDENT``."""
    return hashes[f"students/{STUDENT}/weights.safetensors"]


def copy_checkout(folder):
    """Copy what git tracks and what it would: never results or environments."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return Checkout(folder)


@pytest.fixture(scope="session")
def shared_once(tmp_path_factory):
    """``once(name, make)``: the folder that ``make(folder)`` fills, once for all test processes."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def once(name, make):
        folder, done = base / name, base / f"{name}.done"
        with FileLock(base / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed to make it
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return once


@pytest.fixture(scope="session")
def finished(shared_once):
    """A checkout in which the small workflow has run, on two cores; tests only look at it."""

    def make(folder):
        with copy_checkout(folder) as checkout:
            done = checkout.snakemake()
        assert done.returncode == 0, done.stdout
        (folder / "first_run.txt").write_text(done.stdout)

    with Checkout(shared_once("finished", make)) as checkout:
        checkout.printed = (checkout.folder / "first_run.txt").read_text()
        yield checkout


@pytest.fixture(scope="session")
def on_one_core(shared_once):
    """A checkout in which the same has run, one job at a time; its jobs left notes of themselves
    (``tests/benchmark/probe.py``)."""

    def make(folder):
        with copy_checkout(folder) as checkout:
            add_probe(checkout)
            done = checkout.snakemake(cores=1)
        assert done.returncode == 0, done.stdout

    return Checkout(shared_once("on_one_core", make))


@contextmanager
def copy_of(finished, folder, *targets):
    """A copy of a finished checkout below a folder, in which these targets have run as well."""
    shutil.copytree(finished.folder, folder / "copy", symlinks=True)
    with Checkout(folder / "copy") as checkout:
        if targets:
            done = checkout.snakemake(*targets)
            assert done.returncode == 0, done.stdout
        yield checkout


@pytest.fixture
def scratch(finished, tmp_path):
    """A copy of the finished checkout that a test may change."""
    with copy_of(finished, tmp_path) as checkout:
        yield checkout


@pytest.fixture
def fresh(tmp_path):
    """A checkout in which nothing has run."""
    with copy_checkout(tmp_path) as checkout:
        yield checkout


def with_longer_students(checkout):
    """Students of 40 epochs with a checkpoint after each, all else finished."""
    config = checkout.folder / SMALL
    text = config.read_text().replace("student: {epochs: 2", "student: {epochs: 40")
    config.write_text(f"{text}\ncompute: {{checkpoint_seconds: 0}}\n")
    return checkout


@pytest.fixture
def longer(scratch):
    """A finished checkout but for its students, which take longer to train."""
    return with_longer_students(scratch)


@pytest.fixture(scope="session")
def undisturbed(finished, shared_once):
    """Hashes of all results of a run with the longer students, without any fault."""

    def make(folder):
        shutil.copytree(finished.folder, folder, symlinks=True, dirs_exist_ok=True)
        with with_longer_students(Checkout(folder)) as checkout:
            done = checkout.snakemake()
        assert done.returncode == 0, done.stdout
        left = [path for path in checkout.path("checkpoints").rglob("*") if path.is_file()]
        assert left == [], "a finished training leaves none"

    return result_hashes(Checkout(shared_once("undisturbed", make)))
