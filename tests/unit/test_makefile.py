"""The Makefile: which run a configuration's commands are about."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")


@pytest.fixture(autouse=True)
def typed_by_hand(monkeypatch):
    """Not called by the make that may run the tests, whose options and level it would take over."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "ARGS", "CONFIG", "CORES"):
        monkeypatch.delenv(name, raising=False)


def test_several_configurations_are_checked_as_snakemake_merges_them(tmp_path):
    def check_config(*texts):
        paths = [tmp_path / f"{number}.yaml" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        program = [sys.executable, ROOT / "workflow_scripts" / "check_config.py"]
        return subprocess.run([*program, *paths], capture_output=True, text=True, check=False)

    assert check_config("run: a\n", "run: b\n", "seeds: [0]\n").stdout == "b\n"
    assert check_config("seeds: [0]\n").stdout == "paper\n"
    assert "1.yaml" in check_config("run: a\n", "run: [\n").stderr
    assert check_config().stderr.startswith("check_config.py FILE ...: ")
    assert check_config().returncode == 1


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


@pytest.fixture
def made(tmp_path):
    """What make says in a folder that has the Makefile, configurations and an environment."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copy(ROOT / "config.yaml", tmp_path)
    for name, there in [(".venv", sys.prefix), ("workflow_scripts", ROOT / "workflow_scripts")]:
        (tmp_path / name).symlink_to(there)

    def make(*args):
        return subprocess.run(
            ["make", f"PYTHON={sys.executable}", *args],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return make


def test_make_alone_lists_every_target_and_does_nothing(made, tmp_path):
    before = sorted(tmp_path.iterdir())
    done = made()
    assert (done.returncode, done.stderr) == (0, "")
    listed = re.findall(r"^  ([a-z-]+) +\S", done.stdout, re.MULTILINE)
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert sorted(listed) == sorted(set(phony.split()) - {"checked"})
    assert sorted(tmp_path.iterdir()) == before
    assert max(map(len, done.stdout.splitlines())) <= 120


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("dmeo", "demo"),
        ("papers", "paper"),
        ("test_slow", "test-slow"),
        ("figures", None),
        ("it's", None),
    ],
)
def test_a_mistyped_target_is_told_the_one_that_is_meant(made, typed, nearest):
    done = made(typed)
    assert done.returncode == 2
    assert f'there is no target "{typed}"' in done.stderr
    assert re.findall(r'is it "(.*)"\?', done.stderr) == ([nearest] if nearest else [])
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("config.demo.yaml", "configs/demo.yaml"),
        ("demo", "configs/demo.yaml"),
        ("configs/control.yaml", "configs/controls.yaml"),
        ("config.yml", "config.yaml"),
        ("xx", None),
    ],
)
def test_a_mistyped_configuration_is_told_the_one_that_is_meant(made, typed, nearest):
    done = made("demo", f"CONFIG={typed}")
    assert done.returncode == 2
    assert f'there is no configuration "{typed}"' in done.stderr
    assert re.findall(r'is it "(.*)"\?', done.stderr) == ([nearest] if nearest else [])


def test_make_says_where_a_configuration_is_no_yaml(made, tmp_path):
    (tmp_path / "mine.yaml").write_text("run: mine\nseeds: [0\nfolds: [1]\n")
    for target in ("demo", "paper", "report", "unlock"):
        done = made("-o", ".venv/installed", target, "CONFIG=mine.yaml")
        assert done.returncode == 2
        assert "the configuration mine.yaml cannot be read: line 3, column 6: " in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == "", f"{target} went on"


def test_make_paper_takes_the_configuration_that_is_given(made, tmp_path):
    (tmp_path / "mine.yaml").write_text("run: mine\n")
    done = made("-n", "-o", ".venv/installed", "paper", "CONFIG=mine.yaml")
    assert "snakemake --logger softscene --configfile mine.yaml --cores all" in done.stdout


def test_make_archive_is_told_of_which_run(made, tmp_path):
    """It publishes a finished run, and only that of the configuration."""
    done = made("-o", ".venv/installed", "archive", "RUN=other", "CONFIG=configs/demo.yaml")
    assert done.returncode == 2
    assert "run 'other' asked for, but configs/demo.yaml is of run 'demo'" in done.stdout
    done = made("-o", ".venv/installed", "archive", "RUN=paper")
    assert done.returncode == 2
    assert "run 'paper' of config.yaml is not finished; to finish it: snakemake" in done.stdout
    (tmp_path / "results" / "demo").mkdir(parents=True)
    (tmp_path / "results" / "demo" / "report.html").touch()
    done = made("-n", "-o", ".venv/installed", "archive", "CONFIG=configs/demo.yaml")
    assert "--allowed-rules make_archive  -- results/demo/archive.zip" in done.stdout
