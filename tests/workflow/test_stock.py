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


def stock(folder, *args, config=("--configfile", SMALL)):
    return subprocess.run(
        [sys.executable, "-c", STOCK, *args, *config, "--cores", "1"],
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


def test_a_dry_run_of_the_paper_fits_a_screen_or_two(fresh):
    planned = stock(fresh.folder, "-n", config=())
    assert planned.returncode == 0, planned.stdout
    lines = planned.stdout.splitlines()
    assert len(lines) <= 60
    assert sum(bool(re.match(r"train_student +252$", line)) for line in lines) == 1
    assert "To list each of the 804 jobs: snakemake -n --printshellcmds" in lines
    assert "Reasons:" in lines
    listed = stock(fresh.folder, "-n", "--printshellcmds", config=())
    assert listed.stdout.count("rule train_student:") == 252
    assert listed.stdout.count("reason: Missing output files:") > 252


def test_a_dry_run_of_few_jobs_lists_them_with_their_reasons(fresh):
    planned = stock(fresh.folder, "-n", "results/small/corpus/archives.yaml")
    assert planned.stdout.count("rule make_corpus:") == 1, planned.stdout
    assert "reason: Missing output files: results/small/corpus/archives.yaml" in planned.stdout
    wrong = stock(fresh.folder, "-n", "--config", "folds=[7]")
    assert wrong.returncode != 0
    assert "folds" in wrong.stdout
    assert "7" in wrong.stdout, "errors are not left out"
