"""The check of an archive finds what was changed, with Python alone."""

import hashlib
import json
import shutil
import subprocess
import sys

import pytest
from softscene.archive.checking import check_archive
from softscene.core.errors import ResultError

from tests.conftest import ROOT
from tests.unit.archive.made_up import contents, make, write

METADATA = "ro-crate-metadata.json"
OVERALL = "results/tiny/evaluation/crnn/alpha-none_beta-none_T-none/fold-1_seed-0/overall.tsv"
TABLE3, TABLE4 = "results/tiny/tables/table3.tsv", "results/tiny/tables/table4.tsv"


@pytest.fixture(scope="module")
def archive(tmp_path_factory, labels):
    return make(tmp_path_factory.mktemp("archived"), labels)


@pytest.fixture
def changed(archive, tmp_path):
    """What is found when a cell of a table was changed, and its checksum with it."""

    def check(name, line, column, change):
        files = contents(archive)
        rows = [row.split("\t") for row in files[name].decode().splitlines()]
        place = rows[0].index(column)
        rows[line][place] = change(rows[line][place])
        files[name] = ("\n".join(map("\t".join, rows)) + "\n").encode()
        metadata = json.loads(files[METADATA])
        (entity,) = (each for each in metadata["@graph"] if each["@id"] == name)
        entity["sha256"] = hashlib.sha256(files[name]).hexdigest()
        files[METADATA] = json.dumps(metadata)
        return check_archive(write(tmp_path / "changed.zip", files))[1]

    return check


def test_an_archive_as_it_was_made_agrees(archive):
    agreed, problems = check_archive(archive)
    assert problems == []
    assert agreed[1:] == [
        f"{TABLE3}: 12 rows from 8 students' counts",
        f"{TABLE4}: 300 rows from 8 students' counts",
    ]


@pytest.mark.parametrize("column", ["f_score_mean", "f_score_std", "error_rate_mean"])
@pytest.mark.parametrize("table", [TABLE3, TABLE4])
def test_a_changed_number_of_a_table_is_found(changed, table, column):
    (problem,) = changed(table, 2, column, lambda cell: repr(float(cell) * (1 + 1e-6)))
    assert problem.startswith(f"{table}: ")
    assert f": {column} is 0." in problem or f": {column} is 1." in problem
    assert "the counts give" in problem


def test_an_emptied_cell_and_another_row_are_found(changed):
    (problem,) = changed(TABLE3, 1, "f_score_mean", lambda _: "")
    assert "f_score_mean is empty" in problem
    problems = changed(TABLE3, 1, "method", lambda _: "Mine")
    assert any("Mine, frame, adaptive: in the table alone" in each for each in problems)
    assert any("CNN-BiGRU, frame, adaptive: not in the table" in each for each in problems)


def test_a_changed_count_is_found(changed):
    problems = changed(OVERALL, 1, "true_positives", lambda cell: str(int(cell) + 1))
    assert any(f"{OVERALL}: frame, adaptive: true_positives is" in each for each in problems)
    assert any(each.startswith(f"{TABLE3}: CNN-BiGRU, frame, adaptive") for each in problems)
    problems = changed(OVERALL, 1, "insertions", lambda cell: str(int(cell) + 1))
    assert any("substitutions + insertions is" in each for each in problems)


def test_files_that_differ_from_their_checksums_are_found(archive, tmp_path):
    files = contents(archive)
    files["LICENSE"] += b"\n"
    del files["README.md"]
    files["docs/new \x1b[31m.md"] = b""
    problems = check_archive(write(tmp_path / "changed.zip", files))[1]
    assert problems[:2] == ["README.md: missing", "docs/new \x1b[31m.md: not described"]
    assert problems[2].startswith("LICENSE: SHA-256 ")
    done = run(ROOT / "workflow_scripts", tmp_path / "changed.zip")
    assert done.returncode == 1
    assert "README.md: missing" in done.stderr
    assert "\x1b" not in done.stderr


def run(scripts, archive):
    """The program as someone without this project's packages starts it."""
    return subprocess.run(
        [sys.executable, "-S", "-E", scripts / "check_archive.py", archive],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_unpacked_archive_checks_itself_without_any_package(archive, tmp_path):
    shutil.unpack_archive(archive, tmp_path)
    done = run(tmp_path / "workflow_scripts", archive)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("300 rows from 8 students' counts\nall agree\n")


@pytest.mark.parametrize("content", [b"", b"no zip", "other"])
def test_what_is_no_archive_is_told(tmp_path, content):
    path = tmp_path / "a.zip"
    if content == "other":
        write(path, {"a.txt": b"a"})
    else:
        path.write_bytes(content)
    with pytest.raises(ResultError, match="as `make archive` writes it; this is none"):
        check_archive(path)
    with pytest.raises(ResultError, match="FileNotFoundError"):
        check_archive(tmp_path / "missing.zip")
