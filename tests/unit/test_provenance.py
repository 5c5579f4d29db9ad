"""What was run: counted, and read from a real repository and real benchmark files."""

import subprocess

import pandas as pd
import pytest
from softscene.files import write_table
from softscene.provenance import (
    commit,
    differences,
    flat,
    hardware,
    hours,
    in_order,
    versions,
)


def test_a_commit_is_named_with_what_was_changed_since(tmp_path):
    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *words],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "one")
    name = git("rev-parse", "HEAD").strip()
    assert commit(tmp_path) == name
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == f"{name}, and 1 file changed since"
    (tmp_path / "b").write_text("2")
    assert commit(tmp_path) == f"{name}, and 2 files changed since"


def test_a_folder_without_git_says_so(tmp_path):
    assert "no git checkout" in commit(tmp_path)


def test_hours_are_sums_of_benchmarks_by_rule(tmp_path):
    columns = ["s", "h:m:s", "max_rss", "cpu_time"]
    for name, row in {
        "train/x/1.tsv": (3600, "1:00:00", 100, 1800),
        "train/x/2.tsv": (1800, "0:30:00", 300, 900),
        "make.tsv": (36, "0:00:36", "NA", "NA"),
    }.items():
        write_table(pd.DataFrame([row], columns=columns), tmp_path / name)
    (tmp_path / "broken.tsv").write_text("")
    (tmp_path / "other.tsv").write_text("a\tb\n1\t2\n")
    write_table(pd.DataFrame([(9, "0:00:09", 1, 1)], columns=columns), tmp_path / "train/x/3.tsv")
    names = {
        "train": ["train/x/1.tsv", "train/x/2.tsv", "train/x/not_run.tsv"],  # 3 is of another study
        "make": ["make.tsv", "broken.tsv", "other.tsv"],
    }
    given = {rule: [tmp_path / name for name in paths] for rule, paths in names.items()}
    found = hours(given).set_index("rule")
    assert set(found.index) == {"train", "make"}
    assert list(found.loc["train"]) == [2, 1.5, 0.75, 300]
    assert found.loc["make", "hours"] == pytest.approx(0.01)
    assert found.loc["make", "cpu_hours"] == 0


def test_without_benchmarks_there_are_no_hours(tmp_path):
    found = hours({"train": [tmp_path / "none.tsv"]})
    assert found.empty
    assert found.hours.sum() == 0


def test_differences_are_keys_that_say_something_else():
    default = {"a": 1, "b": {"c": [1, 2], "d": None}, "methods": {"x": {"name": "X"}}, "e": {}}
    here = {"a": 2, "b": {"c": [1, 2], "d": {"f": 3}}, "methods": {"y": {"name": "Y"}}}
    assert differences(here, default) == [
        ("a", 2, 1),
        ("b.d.f", 3, None),
        ("methods.y.name", "Y", None),
        ("methods.x.name", None, "X"),
    ]
    assert differences(default, default) == []
    assert flat(default)["b.c"] == [1, 2]


def test_keys_stand_in_the_order_of_the_default():
    default = {"run": "paper", "b": {"d": 1, "c": 2}, "a": 3}
    found = in_order({"a": 1, "b": {"c": 2, "d": 3, "x": 4}, "run": "mine"}, default)
    assert list(found.items()) == [("run", "mine"), ("b.d", 3), ("b.c", 2), ("a", 1), ("b.x", 4)]


def test_versions_and_machine_are_found():
    assert versions()["torch"].startswith("2.")
    assert {"Processor", "Memory", "GPU"} <= set(hardware())
