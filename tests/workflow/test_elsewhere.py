"""The workflow from another folder, and as a module of another workflow with a prefix."""

import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml
from softscene.config.reading import read_yaml

from tests.checkout import SMALL, Checkout, result_hashes
from tests.conftest import ROOT
from tests.workflow.test_extending import FILES

RULES = r"^ *(?:local)?rule (\w+):$"


@pytest.fixture
def elsewhere(tmp_path):
    """A folder that has only a configuration, and what is typed there."""
    shutil.copy(ROOT / SMALL, tmp_path / "small.yaml")
    return Checkout(tmp_path)


@pytest.fixture
def module(tmp_path):
    """The other workflow of docs/extending.md, with the small configuration."""
    text = FILES["Snakefile"].replace("../softscene/Snakefile", str(ROOT / "Snakefile"))
    (tmp_path / "Snakefile").write_text(text)
    return configured(Checkout(tmp_path))


def configured(checkout, **changes):
    """The module's configuration: the small one, and these sections."""
    study = {"softscene": read_yaml(ROOT / SMALL, "configuration") | changes}
    (checkout.folder / "study.yaml").write_text(yaml.safe_dump(study))
    return checkout


def snakemake(checkout, *args):
    """In a folder without a profile; stock Snakemake, which prints all paths."""
    done = checkout.snakemake(*args, config=None, terminal=False)
    paths = re.findall(r"^ +(input|output|log|benchmark): (.*)$", done.stdout, re.MULTILINE)
    found = {kind: set() for kind, _ in paths}
    for kind, names in paths:
        found[kind] |= set(names.split(", "))
    return SimpleNamespace(**vars(done), **found)


def from_here(elsewhere, *args):
    return snakemake(
        elsewhere, *args, "--snakefile", str(ROOT / "Snakefile"), "--directory",
        str(elsewhere.folder), "--configfile", str(elsewhere.folder / "small.yaml"),
    )  # fmt: skip


def made_elsewhere(planned):
    return {path for path in planned.output | planned.log | planned.benchmark}


def test_another_folder_is_planned_with_the_workflows_own_files(elsewhere):
    planned = from_here(elsewhere, "-n", "--printshellcmds")
    assert planned.returncode == 0, planned.stdout
    assert all(path.startswith("results/small/") for path in made_elsewhere(planned))
    read = planned.input - planned.output
    assert str(ROOT / "resources" / "labels.yaml") in read
    assert all(path.startswith(f"{ROOT}/") for path in read), sorted(read)


def test_a_module_has_its_prefix_before_all_that_it_makes(module, elsewhere):
    planned = snakemake(module, "-n")
    assert planned.returncode == 0, planned.stdout
    alone = from_here(elsewhere, "-n", "--printshellcmds")
    assert made_elsewhere(planned) == {f"scenes/{path}" for path in made_elsewhere(alone)}
    assert planned.input - planned.output == alone.input - alone.output
    names = re.findall(RULES, alone.stdout, re.MULTILINE)
    expected = sorted(f"softscene_{name}" for name in names if name != "all")
    found = re.findall(RULES, planned.stdout, re.MULTILINE)
    assert sorted(name for name in found if name != "all") == expected


def test_what_a_modules_configuration_names_lies_where_the_run_is(module):
    shutil.copy(ROOT / "resources" / "labels.yaml", module.folder / "names.yaml")
    (module.folder / "method.py").write_text(
        "def hard_scene_loss(logits, scenes, lengths):\n    return 0\n"
    )
    (module.folder / "heard").mkdir()
    (module.folder / "heard" / "a.wav").touch()
    data = {"labels": "names.yaml", "folder": "shared"}
    methods = {"mtl": {"alpha": [0.01], "code": "method.py"}, "soft": None}
    configured(module, data=data, methods=methods, input="heard")
    planned = snakemake(module, "-n", "softscene_predict")
    assert planned.returncode == 0, planned.stdout
    place = module.folder
    assert {str(place / "names.yaml"), str(place / "heard" / "a.wav")} <= planned.input
    shared = {path for path in planned.output if not path.startswith("scenes/results/small/")}
    assert shared
    assert all(path.startswith(f"{place}/shared/") for path in shared), sorted(shared)
    planned = snakemake(module, "-n", "softscene_tables")
    assert str(place / "method.py") in planned.input


def test_a_module_is_refused_what_the_workflow_refuses(module):
    configured(module, seeds=[])
    refused = snakemake(module, "-n")
    assert refused.returncode != 0
    assert "seeds" in refused.stdout
    configured(module, synthetic=None)
    refused = snakemake(module, "-n")
    assert refused.returncode != 0
    assert "Nothing was fetched: these terms were not accepted" in refused.stdout
    configured(module, synthetic=None, download={"accept_licence": True})
    planned = snakemake(module, "-n")
    assert planned.returncode == 0, planned.stdout


def test_an_installed_library_is_never_used_for_the_one_beside_the_snakefile(elsewhere):
    """Not even where it is loaded before, as Snakemake does with an installed logger plugin."""
    other = elsewhere.folder / "installed"
    for package in ("softscene", "snakemake_logger_plugin_softscene"):
        shutil.copytree(ROOT / "workflow_scripts" / package, other / package)
    (other / "softscene" / "config" / "checks.py").write_text("raise SystemExit('the wrong one')")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--snakefile", ROOT / "Snakefile",
         "--configfile", "small.yaml"],
        cwd=elsewhere.folder, env={**os.environ, "PYTHONPATH": str(other)}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the wrong one" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "module"])
def test_results_are_those_of_the_checkout(kind, finished, module, elsewhere):
    """To their last bit, and nothing is written beside them."""
    done = from_here(elsewhere) if kind == "folder" else snakemake(module)
    assert done.returncode == 0, done.stdout
    place = elsewhere.folder / ("scenes" if kind == "module" else "")
    assert result_hashes(Checkout(place)) == result_hashes(finished)
    beside = {path.name for path in elsewhere.folder.iterdir()}
    beside -= {"Snakefile", "study.yaml", "small.yaml", "printed.txt", ".snakemake"}
    assert beside == {"results" if kind == "folder" else "scenes"}
