"""docs/reliability.md: a row for each test that causes a fault, written by the tests themselves.

A test is marked ``@pytest.mark.fault(FAULT, how)``, with one of ``FAULTS`` and how it is caused,
and tells its ``seen`` fixture in words what it saw. ``make reliability`` writes the page; every
other run checks the rows of the tests that it ran, and that no row is of a test that is gone.
"""

import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
FAULTS = [
    "a training is killed",
    "Snakemake is killed",
    "a Slurm job or node is lost",
    "memory runs out",
    "an archive is damaged",
    "the server misbehaves",
    "the disk is full",
    "an archive is hostile",
    "a file holds a hostile pickle",
    "an HDF5 file is damaged or of other parameters",
    "a result is damaged",
    "two workflows in one folder",
    "bad input",
]
HEAD = """# Reliability

What can go wrong on the way, caused on purpose. The tests write this page (`make reliability`), and
fail where it says anything else than what they saw; "cases" counts a test's variants. `make test`
runs all of them but those under `tests/cluster/`, which `make test-cluster` runs on a real Slurm.

| fault | how it is caused | what was seen | test |
| --- | --- | --- | --- |
"""


class Rows:
    """What the tests of this run saw: (fault, how, test) -> sightings, in order."""

    def __init__(self):
        self.sightings = defaultdict(list)
        self.cases = defaultdict(int)
        self.failed = set()

    def lines(self):
        """Row by test, ready for the page."""
        found = {}
        for key, sightings in self.sightings.items():
            fault, how, test = key
            cases = f", {self.cases[key]} cases" if self.cases[key] > 1 else ""
            seen = "; ".join(dict.fromkeys(sightings)).replace("|", "\\|")
            found[test] = f"| {fault} | {how}{cases} | {seen} | `{test}` |"
        return found


def on_page():
    """The page's rows by test."""
    if not PAGE.is_file():
        return {}
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if "::" in line]
    return {re.search(r"`([^`]+::[^`]+)` \|$", row)[1]: row for row in rows}


def exists(test):
    path, name = test.split("::")
    file = ROOT / path
    return file.is_file() and f"def {name}(" in file.read_text(encoding="utf-8")


def ordered(rows):
    """By fault, then by test."""
    place = {fault: number for number, fault in enumerate(FAULTS)}
    return sorted(rows.items(), key=lambda row: (place[row[1].split(" | ")[0][2:]], row[0]))


def write(rows):
    kept = {test: row for test, row in on_page().items() if exists(test)} | rows
    PAGE.write_text(HEAD + "".join(f"{row}\n" for _, row in ordered(kept)), encoding="utf-8")


def pytest_addoption(parser):
    parser.addoption("--write-reliability", action="store_true", help="write docs/reliability.md")


def pytest_configure(config):
    config.stash[ROWS] = Rows()


ROWS = pytest.StashKey()


@pytest.fixture
def seen(request):
    """Tell the page what was seen: a clause without a full stop, the same in every run."""
    fault, how = request.node.get_closest_marker("fault").args
    assert fault in FAULTS, f"{fault!r} is none of tests/reliability.py's faults"
    test = request.node.nodeid.split("[")[0]
    rows = request.config.stash[ROWS]
    rows.cases[fault, how, test] += 1
    return rows.sightings[fault, how, test].append


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed or report.skipped:
        item.config.stash[ROWS].failed.add(item.nodeid.split("[")[0])


def pytest_sessionfinish(session):
    """Write the page, or fail where it says something else."""
    rows = session.config.stash[ROWS]
    complete = not session.config.option.keyword and "::" not in "".join(session.config.args)
    lines = {test: row for test, row in rows.lines().items() if test not in rows.failed}
    if session.config.option.write_reliability:
        write(lines)
    elif complete and session.exitstatus == pytest.ExitCode.OK:
        page = on_page()
        stale = [test for test, row in lines.items() if page.get(test) != row]
        session.config.stash[STALE] = stale + [test for test in page if not exists(test)]
        if session.config.stash[STALE]:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


STALE = pytest.StashKey()


def pytest_terminal_summary(terminalreporter, config):
    for test in config.stash.get(STALE, []):
        terminalreporter.write_line(
            f"FAILED docs/reliability.md says something else than {test}: `make reliability`",
            red=True,
        )
