"""What a training process is set up with."""

import os
import re
import subprocess
import sys

import pytest
import torch
from softscene.training.runtime import prepare, tf32


def spin_count(statement, **variables):
    """How often a waiting thread looks before it sleeps, as GNU OpenMP says when it is loaded."""
    done = subprocess.run(
        [sys.executable, "-c", statement], capture_output=True, text=True, check=True,
        env=os.environ | {"OMP_DISPLAY_ENV": "verbose"} | variables,
    )  # fmt: skip
    if not (found := re.search(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr)):
        pytest.skip("this build of PyTorch has another OpenMP")
    return int(found[1])


def test_waiting_threads_sleep_unless_the_user_wants_them_to_spin(monkeypatch):
    """Beside other work, threads that spin take the processor from those that they wait for."""
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    training = "import softscene.training.runtime"
    assert spin_count("import torch") > 0, "the default of OpenMP"
    assert spin_count(training) == 0
    assert spin_count(training, OMP_WAIT_POLICY="active") > 0


def test_products_are_rounded_to_tf32_only_in_a_training_that_wants_it():
    def allowed():
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    prepare(1, "cpu")
    assert allowed() == (False, False)
    with pytest.raises(KeyError), tf32(True):
        assert allowed() == (True, True)
        raise KeyError
    assert allowed() == (False, False)
