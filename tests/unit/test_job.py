"""What the scripts of rules share: what is off while they import, or is not imported."""

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


# PyTorch's compiler computes shapes alone, on the device "meta".
OWN = """
import torch

images, kernels = torch.empty(2, 3, 8, 8, device="meta"), torch.empty(4, 3, 3, 3, device="meta")
shape = torch.nn.functional.conv2d(images, kernels).shape
"""
NETWORK_SCRIPT = """
import sys
from network_job import Fold

left_out = "torch._meta_registrations"
assert left_out not in sys.modules
fold = Fold({}, files=None, labels="", clip_frames=1, network={})
assert fold.custom_code() is None
assert left_out not in sys.modules
fold = Fold({}, files=None, labels="", clip_frames=1, network={}, code=sys.argv[1])
assert fold.custom_code().shape == (2, 4, 6, 6)
"""


def test_network_jobs_load_what_pytorchs_compiler_needs_for_custom_code_alone(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(OWN)
    subprocess.run(
        [sys.executable, "-c", NETWORK_SCRIPT, own],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}, check=True,
    )  # fmt: skip
