"""What `pip install .` brings: the library with its data, a command, and what they need."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from zipfile import ZipFile

import numpy as np
import pytest
import soundfile
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.unit.detect.tiny_detector import make_detector

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(path):
    """Those of a file of envs, by name."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    found = [Requirement(line.partition("#")[0]) for line in lines if line[:1].isalpha()]
    return {canonicalize_name(each.name): each for each in found}


def test_the_dependencies_are_those_that_are_pinned_in_ranges_that_hold_the_pins():
    given = map(Requirement, PROJECT["dependencies"])
    needed = {canonicalize_name(each.name): each for each in given}
    assert needed.keys() == requirements("envs/requirements.in").keys()
    pins = requirements("envs/requirements.txt")
    for name, each in needed.items():
        assert re.search("<", str(each.specifier)), f"{name} has no end"
        (pin,) = pins[name].specifier
        assert each.specifier.contains(pin.version), (str(each), str(pins[name]))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel of this checkout, unpacked where no checkout is."""
    place = tmp_path_factory.mktemp("wheel")
    shutil.copy(ROOT / "pyproject.toml", place)
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "workflow_scripts", place / "workflow_scripts", ignore=left_out)
    subprocess.run(
        [sys.executable, "-c", "import setuptools.build_meta as b; b.build_wheel('.')"],
        cwd=place, check=True, capture_output=True, text=True,
    )  # fmt: skip
    (wheel,) = place.glob("*.whl")
    with ZipFile(wheel) as packed:
        packed.extractall(place / "installed")
    return place / "installed"


def test_the_wheel_has_all_files_of_the_library(installed):
    def files(folder):
        found = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder) for path in found if "__pycache__" not in path.parts}

    for package in ("softscene", "snakemake_logger_plugin_softscene"):
        assert files(installed / package) == files(ROOT / "workflow_scripts" / package)


def run(program, folder, sources):
    return subprocess.run(
        [sys.executable, *map(str, program)], cwd=folder, capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": str(sources)},
    )  # fmt: skip


def test_the_installed_command_detects_without_a_checkout(installed, tmp_path, labels):
    """It writes what the checkout's program writes, with the newest detector of the folder."""
    place = make_detector(tmp_path / "results" / "tiny", labels)
    noise = 0.1 * np.random.default_rng(0).normal(size=3 * 44100)
    soundfile.write(tmp_path / "a.wav", noise, 44100)
    found = run(["-c", "import softscene; print(softscene.__file__)"], tmp_path, installed)
    assert found.stdout.strip() == str(installed / "softscene" / "__init__.py")
    done = run(["-m", "softscene.cli", "detect", "a.wav"], tmp_path, installed)
    assert done.returncode == 0, done.stderr
    assert "results/tiny/detector.safetensors: the average of 2 students" in done.stdout
    program = [ROOT / "workflow_scripts" / "detect.py", "a.wav", "--detector", place]
    same = run([*program, "--output", "same"], tmp_path, ROOT / "workflow_scripts")
    assert same.returncode == 0, same.stderr
    names = sorted(path.name for path in (tmp_path / "detections").iterdir())
    assert names == [
        "a.wav.audacity.txt", "a.wav.events.tsv", "a.wav.facts.json", "a.wav.png",
        "a.wav.scenes.tsv", "recordings.tsv", "summary.tsv",
    ]  # fmt: skip
    for name in names:
        assert (tmp_path / "detections" / name).read_bytes() == (
            tmp_path / "same" / name
        ).read_bytes()


def test_the_installed_command_says_what_it_lacks(installed, tmp_path):
    (tmp_path / "a.wav").touch()
    done = run(["-m", "softscene.cli", "detect", "a.wav"], tmp_path, installed)
    assert done.returncode == 1
    assert "there is no detector in results/*/: finish a run" in done.stderr
