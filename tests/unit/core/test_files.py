"""Files that are whole or not there, and what killed processes leave beside them."""

import os
import subprocess
import sys

import pytest
from softscene.core.files import partial_beside, replacing, write_text

LONGEST = "n" * 248 + ".tsv"  # as long as a name may be, but for three bytes


@pytest.fixture(scope="module")
def dead():
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def left_by(process, target):
    """The path that another process of this machine would write to."""
    mine = partial_beside(target)
    return mine.with_name(mine.name.replace(f"-{os.getpid()}", f"-{process}"))


@pytest.mark.parametrize("name", ["a.tsv", "a [1].tsv", "corpus", "{x}.tsv", LONGEST])
def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path, dead, name):
    target = tmp_path / name
    other = target.with_stem(f"b{target.stem}"[:200])
    kept = [
        left_by(dead, other),  # another's half
        left_by(os.getppid(), target),  # of a process that lives
        left_by(f"{dead}-mine", target),
        tmp_path / f".{target.stem[:200]}.{dead}.partial{target.suffix}",
    ]
    for path in kept:
        path.write_text("kept")
    left = left_by(dead, target)
    left.write_text("half")
    write_text(target, "whole")
    assert {path.name for path in tmp_path.iterdir()} == {
        target.name,
        *(each.name for each in kept),
    }
    (left / "within").mkdir(parents=True)
    write_text(target, "whole again")
    assert not left.exists()
    assert target.read_text() == "whole again"


def test_another_machine_s_processes_are_not_known_here(tmp_path, dead, monkeypatch):
    """Where both see the folder; the process may live there."""
    with monkeypatch.context() as there:
        there.setattr("socket.gethostname", lambda: "another")
        half = left_by(dead, tmp_path / "a.tsv")
        half.write_text("half")
    write_text(tmp_path / "a.tsv", "whole")
    assert half.read_text() == "half"


def test_a_path_for_what_is_not_whole_is_a_short_hidden_neighbour(tmp_path):
    beside = partial_beside(tmp_path / "features.h5")
    assert beside.parent == tmp_path
    assert beside.name.startswith(".partial-")
    assert beside.suffix == ".h5"
    assert beside != partial_beside(tmp_path / "other.h5")
    assert len(beside.name) < 40


def test_a_block_that_fails_leaves_all_as_it_was(tmp_path):
    write_text(tmp_path / "a.tsv", "before")
    with pytest.raises(KeyError), replacing(tmp_path / "a.tsv") as partial:
        partial.write_text("half")
        raise KeyError
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]
