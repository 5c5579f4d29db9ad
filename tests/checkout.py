"""Real runs of the real workflow, in copies of the checkout."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

TARGETS = ("all", "tables", "figures", "total")
SMALL = "tests/workflow/config.small.yaml"


@dataclass
class Checkout:
    """A copy of the checkout, and what is typed in it."""

    folder: Path

    def snakemake(self, *args, config=SMALL, cores=2, **environ):
        """Run snakemake as a user does; gives the finished process with all that it printed."""
        chosen = ["--configfile", config] if config else []
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *args, "--cores", str(cores), *chosen],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
            | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1800,
            check=False,
        )

    def planned(self, *args, config=SMALL):
        """What a dry run would run: rule -> jobs."""
        done = self.snakemake("-n", *args, config=config)
        assert done.returncode == 0, done.stdout
        counts = dict(re.findall(r"^([a-z_0-9]+) +(\d+)$", done.stdout, re.MULTILINE))
        return {rule: int(jobs) for rule, jobs in counts.items() if rule not in TARGETS}

    def path(self, *parts):
        return self.folder.joinpath("results", "small", *parts)


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
def finished(tmp_path_factory):
    """A checkout in which the small workflow has run, on two cores; tests only look at it."""
    checkout = copy_checkout(tmp_path_factory.mktemp("finished"))
    done = checkout.snakemake()
    assert done.returncode == 0, done.stdout
    checkout.printed = done.stdout
    return checkout


@pytest.fixture
def scratch(finished, tmp_path):
    """A copy of the finished checkout that a test may change."""
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    return Checkout(tmp_path / "copy")


@pytest.fixture
def fresh(tmp_path):
    """A checkout in which nothing has run."""
    return copy_checkout(tmp_path)
