"""What Snakemake's users look for: targets that say what they are, and a graph of the rules."""

import re
import subprocess
import sys

import pytest
import yaml

from tests.conftest import ROOT

GRAPH = ROOT / "docs" / "rulegraph.md"
# Attributes of Snakemake that its documentation does not promise; the next version may rename them.
INSIDE = r"\bworkflow\.(?!current_basedir\b|rst\b)\w+|\bjob\.rule\b|\bsys\.argv"

QUEUE = """
include: "{internals}"

rule all:
    input: expand("{{n}}.made", n=range(6))

rule take_a_second:
    output: "{{n}}.made"
    shell: "sleep 1; touch {{output}}"

onstart:
    {looking}
"""


def snakemake(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def rules_and_edges(mermaid):
    names = dict(re.findall(r"^\t(id\d+)\[(\w+)\]$", mermaid, re.MULTILINE))
    edges = re.findall(r"^\t(id\d+) --> (id\d+)$", mermaid, re.MULTILINE)
    return set(names.values()), {(names[one], names[other]) for one, other in edges}


def test_the_rule_graph_of_the_docs_is_the_workflows():
    drawn = rules_and_edges(GRAPH.read_text(encoding="utf-8"))
    assert {("train_teacher", "dump_soft_labels"), ("train_student", "predict_student")} <= drawn[1]
    now = rules_and_edges(snakemake("--quiet", "all", "--rulegraph", "mermaid-js"))
    assert drawn == now, "run `make rulegraph`"


def test_each_target_says_what_it_is():
    """Rules without a script are what users type; the rest of the list are jobs."""
    told = dict(re.findall(r"^(\w+) \((.+\.)\)$", snakemake("--list"), re.MULTILINE))
    assert {"all", "tables", "figures", "explorer", "predict", "estimate"} <= told.keys()


def test_snakemakes_inside_is_used_in_one_file():
    used = {
        path.name: found
        for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]
        if path.name != "internals.smk"
        and (found := re.findall(INSIDE, path.read_text(encoding="utf-8")))
    }
    assert used == {}


def test_the_catalog_is_told_what_the_workflow_can_do():
    text = (ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8")
    usage = yaml.safe_load(text)["usage"]
    assert usage["software-stack-deployment"]["conda"]
    assert usage["report"]
    rules = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
    assert rules.count("conda:") >= rules.count("script:"), "or that is not so"
    assert "report(" in rules


@pytest.mark.parametrize(
    ("given", "looking", "few"),
    [
        ((), "look_for_jobs_when_one_ends()", True),
        ((), "pass", False),  # or this tests nothing
        (("--max-jobs-per-timespan", "2/1s"), "look_for_jobs_when_one_ends()", False),
    ],
)
def test_snakemake_looks_for_jobs_when_one_ends(tmp_path, given, looking, few):
    internals = ROOT / "rules" / "internals.smk"
    (tmp_path / "Snakefile").write_text(QUEUE.format(internals=internals, looking=looking))
    command = [sys.executable, "-m", "snakemake", "--cores=1", "--verbose", *given]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    looks = len(re.findall(r"^Ready jobs: \d+$", done.stderr, re.MULTILINE))
    assert (looks <= 7) == few, f"{looks} looks for seven jobs"
