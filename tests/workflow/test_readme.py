"""README.md: the graph of the main rules is the workflow's, and its links lead somewhere."""

import re
import subprocess
import sys
import tomllib
from itertools import pairwise

import pytest
import yaml

from tests.checkout import copy_checkout
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def drawn_edges():
    """Pairs of rules in the README's graph."""
    (graph,) = re.findall(r"```mermaid\n(.*?)```", README, re.DOTALL)
    chains = [line.split(" --> ") for line in graph.splitlines() if "-->" in line]
    return {pair for chain in chains for pair in pairwise(map(str.strip, chain))}


def reachable(edges):
    """All (rule, rule that needs it, if through others)."""
    found = set(edges)
    while more := {(a, d) for a, b in found for c, d in edges if b == c} - found:
        found |= more
    return found


@pytest.fixture(scope="module")
def rule_graph(tmp_path_factory):
    """Pairs of rules, as Snakemake draws them."""
    with copy_checkout(tmp_path_factory.mktemp("readme")) as checkout:
        drawn = subprocess.run(
            [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js"],
            cwd=checkout.folder, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    names = dict(re.findall(r"^\s*(id\d+)\[(\w+)\]", drawn, re.MULTILINE))
    pairs = re.findall(r"^\s*(id\d+) --> (id\d+)", drawn, re.MULTILINE)
    return {(names[one], names[other]) for one, other in pairs}


def test_the_graph_of_the_readme_is_that_of_the_rules(rule_graph):
    drawn = drawn_edges()
    assert drawn <= rule_graph
    rules = {rule for edge in drawn for rule in edge}
    among = {edge for edge in reachable(rule_graph) if set(edge) <= rules}
    assert reachable(drawn) == among


def test_the_readme_says_what_was_run_and_how_far_the_data_are_the_papers():
    text = " ".join(README.split())
    for words in (
        "Not yet run on TUT's recordings", "166 minutes, the paper says 192",
        "(keyboard typing, mouse clicking, mouse wheeling, children, object rustling and squeaking,"
        " breathing)", "standardisation, T = 2 and 5, the teacher's training)",
        "`adaptive` thresholds are chosen on the development part (the recordings trained on)",
        "compare `oracle` ones with the paper", "is inferred from Table 4",
    ):  # fmt: skip
        assert words in text


def test_the_readme_is_short():
    assert len(README.split()) <= 900


def anchors(page):
    """What a link may name after #, as GitHub makes it of a page's headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_a_file_and_a_heading(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)\s]+)\)", text) + re.findall(r'src="(.*?)"', text)
    for link in links:
        path, _, anchor = link.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\((\w[\w-]*\.md)\)", index))
    assert linked == {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}


def test_code_that_method_md_names_is_there_and_linked():
    """Linked relative to the page, and so from one root."""
    text = (ROOT / "docs/method.md").read_text(encoding="utf-8")
    linked = re.findall(r"\[([\w/]+\.py)\]\((\S+?)\)", text)
    assert len(linked) >= 5
    for name, link in linked:
        assert link.endswith(name)
    bare = re.sub(r"\[[^\]]*\]\(\S+?\)", "", text)
    assert re.findall(r"[\w/]+\.py\b|softscene/\w+", bare) == []


def test_one_version_is_named_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (.*)$", changes, re.MULTILINE)[1]
    assert newest == f"{project['version']} ({citation['date-released']})"
    assert str(citation["version"]) == project["version"]
