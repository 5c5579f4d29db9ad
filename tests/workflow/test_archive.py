"""The archive of a finished run: valid, silent, complete, and its numbers can be checked."""

import re
import shutil
import subprocess
import sys

import pytest
from softscene.archive.checking import check_archive

from tests.checkout import Checkout, copy_of
from tests.unit.archive.made_up import contents, write
from tests.validator import validate

pytestmark = pytest.mark.slow
ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".webm")
SOUND = [b"RIFF", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"FORM"]
ALONE = ["results/small/archive.zip", "--force", "--allowed-rules", "make_archive"]


@pytest.fixture(scope="module")
def made(finished, tmp_path_factory):
    """A copy of the finished checkout, with its archive."""
    with copy_of(finished, tmp_path_factory.mktemp("archived"), "archive") as checkout:
        yield checkout


@pytest.fixture(scope="module")
def archive(made):
    return made.path("archive.zip")


def test_it_is_a_workflow_run_crate(archive, tmp_path):
    assert validate(archive, tmp_path) == ""


def test_it_is_small_and_has_all_results_and_no_sound(made, archive):
    files = contents(archive)
    assert archive.stat().st_size < 5e6
    for folder in ("tables", "figures", "evaluation"):
        for path in made.path(folder).rglob("*"):
            if path.is_file() and path.name != "parameters.json":
                assert files[path.relative_to(made.folder).as_posix()] == path.read_bytes()
    for name, content in files.items():
        assert not name.lower().endswith(ENDINGS)
        assert not content.startswith(tuple(SOUND)), name
        if not name.startswith(("workflow_scripts/", "docs/")):
            assert b"data:audio" not in content, name
    assert "results/small/explorer.html" not in files
    here = str(made.folder).encode()
    assert [name for name, content in files.items() if here in content] == []


def test_no_row_of_the_annotations_is_in_it(made, archive):
    texts = [content for name, content in contents(archive).items() if name.endswith(".tsv")]
    rows = made.path("annotations/events.tsv").read_bytes().splitlines()[1:]
    assert len(rows) > 50
    assert not any(row in text for row in rows for text in texts)


def test_its_numbers_agree_until_one_is_changed(archive, tmp_path):
    agreed, problems = check_archive(archive)
    assert problems == []
    assert agreed[1] == "results/small/tables/table3.tsv: 18 rows from 3 students' counts"
    files = contents(archive)
    name = "results/small/tables/table3.tsv"
    files[name] = re.sub(rb"0\.1\d+", b"0.2", files[name], count=1)
    problems = check_archive(write(tmp_path / "changed.zip", files))[1]
    assert [each.split(": ")[0] for each in problems] == [name]


def test_unpacked_it_checks_itself_and_can_be_run_again(archive, tmp_path):
    shutil.unpack_archive(archive, tmp_path)
    done = subprocess.run(
        [sys.executable, "-S", "-E", "workflow_scripts/check_archive.py", archive],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.endswith("all agree\n"), done.stderr
    with Checkout(tmp_path) as again:
        planned = again.snakemake(
            "-n", "--config", "run=again", config="results/small/configuration.yaml"
        )
    assert re.search(r"^train_student +3$", planned.stdout, re.MULTILINE), planned.stdout


def test_the_same_run_gives_the_same_bytes(made, archive):
    before = archive.read_bytes()
    assert made.snakemake(*ALONE).returncode == 0
    assert archive.read_bytes() == before


def test_results_of_another_configuration_are_refused(made):
    """Also where Snakemake may run nothing else, as `make archive` starts it."""
    done = made.snakemake(*ALONE, "--config", "student={epochs: 7}")
    assert done.returncode != 0
    assert "student: training.epochs is 2, the configuration says 7" in done.stdout
