"""The environment's files say the same, and the scripts stay thin."""

import ast
import re

import pytest

from envs.make_environment import environment
from tests.conftest import ROOT

SCRIPTS = sorted((ROOT / "workflow_scripts").glob("*.py"))
RULES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))


def test_the_conda_file_is_made_from_the_pip_lock():
    lock = (ROOT / "envs" / "requirements.txt").read_text(encoding="utf-8")
    found = (ROOT / "envs" / "environment.yaml").read_text(encoding="utf-8")
    assert found == environment(lock), "run `make lock`"
    assert "torch==2.13.0\n" in lock


def test_every_direct_dependency_is_pinned_and_explained():
    def names(path):
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
        return {re.split(r"[<>=; ]", line)[0].lower() for line in lines if line[:1].isalpha()}

    def plain(found):
        return {name.replace("_", "-") for name in found}

    wanted, pinned = set(), set()
    for name in ("requirements", "dev"):  # the latter is made in addition to the former
        direct = plain(names(f"envs/{name}.in"))
        pinned |= plain(names(f"envs/{name}.txt"))
        assert direct <= pinned
        wanted |= direct
    explained = (
        (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower().replace("_", "-")
    )
    assert [name for name in sorted(wanted) if f"`{name}`" not in explained] == []


def test_each_rule_has_log_benchmark_threads_resources_and_environment():
    rules = re.split(r"^ *rule ", RULES, flags=re.MULTILINE)[1:]
    working = [rule for rule in rules if "script:" in rule]
    scripts = {
        path.stem
        for path in SCRIPTS
        if "run_job(main, snakemake)" in path.read_text(encoding="utf-8")
    }
    assert {rule.split(":")[0] for rule in working} == scripts
    for rule in working:
        name = rule.split(":")[0]
        benchmark = [] if name == "estimate" else ["benchmark"]  # with any file it would run once
        for directive in ("log", "threads", "resources", "conda", *benchmark):
            assert re.search(rf"^ *{directive}:", rule, re.MULTILINE), (name, directive)
        for word in ("mem_mb", "runtime", f"<logs>/{name}", f"/{name}.py"):
            assert word in rule, (name, word)
        assert not benchmark or f"<benchmarks>/{name}" in rule


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_short_and_can_be_imported(path):
    text = path.read_text(encoding="utf-8")
    if "run_job(main, snakemake)" in text:  # the script of a rule
        assert len(text.splitlines()) < 40
    tree = ast.parse(text)
    loose = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Expr)]
    wanted = ["gc.disable()"] if path.name == "job.py" else []  # for the imports that follow it
    assert loose[1:] == wanted, "a docstring, and nothing else that runs on import"
