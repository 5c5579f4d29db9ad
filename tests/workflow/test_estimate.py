"""`snakemake estimate`, before anything ran, in the middle and behind; and the line at the start."""

import itertools
import re
import shutil
import statistics
import time
from collections import Counter

import pytest
from softscene.annotations import read_published  # noqa: F401
from softscene.config import typed
from softscene.costs import planned_jobs, still_to_do
from softscene.files import read_table

from tests.checkout import SMALL, wait_for
from tests.conftest import PAPER, ROOT, read_schema

TRAINED = ("students", "predictions", "evaluation", "tables")
DATASETS = [
    "TUT-sound-events-2016-development",
    "TUT-sound-events-2017-development",
    "TUT-acoustic-scenes-2016-development",
]


def estimate(checkout, *args, config=SMALL):
    """Its table of rules: name -> its cells; and all that was printed."""
    done = checkout.snakemake("estimate", *args, config=config)
    assert done.returncode == 0, done.stdout
    lines = (re.split(r"  +", line.strip()) for line in done.stdout.splitlines())
    return {cells[0]: cells[1:] for cells in lines if len(cells) > 2}, done.stdout


def files(checkout):
    return {path for path in (checkout.folder / "results").rglob("*") if path.is_file()}
