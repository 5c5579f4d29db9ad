"""Snakemake as it is installed, without this project's logger plugin."""

import os
import re
import subprocess
import sys

from tests.checkout import SMALL

# This project's logger plugin is found by its folder; without it, Snakemake has only its own.
STOCK = """
import sys
sys.path[:] = [each for each in sys.path if not each.endswith("workflow_scripts")]
from snakemake.cli import main
main()
"""


def stock(folder, *args):
    return subprocess.run(
        [sys.executable, "-c", STOCK, *args, "--configfile", SMALL, "--cores", "1"],
        cwd=folder, env={**os.environ, "PYTHONPATH": ""}, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def test_stock_snakemake_plans_and_runs(fresh):
    refused = stock(fresh.folder, "-n", "--logger", "softscene")
    assert "argument --logger: invalid choice: 'softscene'" in refused.stdout, (
        "or this tests nothing"
    )
    done = stock(fresh.folder, "results/small/corpus/archives.yaml")
    assert done.returncode == 0, done.stdout
    assert "rule make_corpus:" in done.stdout, "its own words"
    assert fresh.path("corpus/archives.yaml").is_file()
    planned = stock(fresh.folder, "-n")
    assert planned.returncode == 0, planned.stdout
    assert re.search(r"^train_student +3$", planned.stdout, re.MULTILINE), planned.stdout
