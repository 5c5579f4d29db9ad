"""The Makefile: which run a configuration's commands are about."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")


@pytest.fixture
def report(tmp_path):
    """The run whose report ``make report`` would make, of a configuration's text."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name, there in [(".venv", sys.prefix), ("workflow_scripts", ROOT / "workflow_scripts")]:
        (tmp_path / name).symlink_to(there)

    def make(text):
        (tmp_path / "mine.yaml").write_bytes(text.encode())
        done = subprocess.run(
            ["make", "-n", "-o", ".venv/installed", "report", "CONFIG=mine.yaml"],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return re.search(r"-- results/(.*)/report\.html", done.stdout)[1]

    return make


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("run: small\n", "small"),
        ('run: "small"\n', "small"),
        ("seeds: [0]\r\nrun: 'a-b_1' # mine\r\n", "a-b_1"),
        ("{seeds: [0], run: small}\n", "small"),
        ("seeds: [0]\ndata:\n  run: small\n", "paper"),
        ("run: 'a; touch b'\n", "atouchb"),
    ],
)
def test_the_run_is_the_one_that_snakemake_reads(report, text, run):
    assert report(text) == run


def test_without_an_environment_make_says_what_it_would_do(tmp_path):
    """Nothing that needs one is asked before it is made."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "config.yaml").write_text("run: small\n")
    for name in ("envs/requirements.txt", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    done = subprocess.run(
        ["make", "-n", "paper"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "snakemake --logger softscene --cores all" in done.stdout
    assert done.stderr == ""
