"""What the scripts of all rules share: the garbage collector, which is off while they import."""

import os
import subprocess
import sys

from tests.conftest import ROOT

SCRIPT = """
import gc, sys
from types import SimpleNamespace
from job import run_job

assert not gc.isenabled()
import pandas


def main(snakemake):
    assert gc.isenabled()
    assert gc.get_freeze_count() > 10_000, "what was imported is looked through no more"
    assert not any(each is pandas.__dict__ for each in gc.get_objects())


run_job(main, SimpleNamespace(log=[sys.argv[1]], output=[sys.argv[1]]))
"""


def test_the_collector_is_off_while_a_script_imports_and_on_while_it_works(tmp_path):
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, log],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, log.read_text()
