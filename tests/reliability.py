"""docs/reliability.md: a row for each test that causes a fault, written by the tests themselves.

A test is marked ``@pytest.mark.fault(FAULT, how)``, with one of ``FAULTS`` and how it is caused,
and tells its ``seen`` fixture in words what it saw. ``make reliability`` writes the page; every
other run checks the rows of the tests that it ran, and that no row belongs to a deleted test.
"""

import re
from collections import Counter, defaultdict
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

Faults that the tests cause on purpose (*in italics*), and what happened. The tests write this page
(`make reliability`) and fail if it differs from what they see. "Cases" are variants of a test.
Those under `tests/cluster/` need `make test-cluster`, a real Slurm.

Not covered: a disk so full that Snakemake cannot write its own `.snakemake/` (it ends with a
traceback; with room, the same command resumes); a server that sends a byte now and then without
end. Faults on GPUs are imitated; memory that runs out was also seen on a real one.
"""


class Rows:
    """What the tests of this run saw, also in other processes: (fault, how, test) -> sightings."""

    def __init__(self):
        self.reports = []
        self.failed, self.marked, self.files, self.order = set(), set(), set(), {}

    def collected(self, items):
        """Note tests as (nodeid, is marked), in their order."""
        for nodeid, marked in items:
            self.files.add(nodeid.split("::")[0])
            if marked:
                self.marked.add(nodeid.split("[")[0])
                self.order.setdefault(nodeid, len(self.order))

    def add(self, report):
        """Note what a test's report carries."""
        if report.failed or report.skipped:
            self.failed.add(report.nodeid.split("[")[0])
        if report.when == "call":
            self.reports.append(report)

    def lines(self):
        """Row by test, ready for the page."""
        found, seen_by, cases_of = {}, defaultdict(list), Counter()
        for report in sorted(self.reports, key=lambda each: self.order.get(each.nodeid, 0)):
            told = [value for name, value in report.user_properties if name == SEEN]
            for fault, how, words in told:
                key = fault, how, report.nodeid.split("[")[0]
                cases_of[key] += words is None
                seen_by[key] += [words] * (words is not None)
        for (fault, how, test), sightings in seen_by.items():
            number = cases_of[fault, how, test]
            cases = f", {number} cases" if number > 1 else ""
            seen = "; ".join(dict.fromkeys(sightings))
            found[test] = fault, f"- *{how}{cases}*: {seen} (`{test}`)"
        return found


def on_page():
    """The page's rows by test, as (fault, line)."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    headings = {heading_of(fault): fault for fault in FAULTS}
    found, fault = {}, None
    for line in text.splitlines():
        fault = headings.get(line[3:]) if line.startswith("## ") else fault
        if test := re.search(r"\(`([^`]+::[^`]+)`\)$", line):
            found[test[1]] = fault, line
    return found


def heading_of(fault):
    return fault[0].upper() + fault[1:]


def page(rows):
    """The page with these rows, by fault and then by test."""
    text = HEAD
    for fault in FAULTS:
        lines = [line for _, (of, line) in sorted(rows.items()) if of == fault]
        text += f"\n## {heading_of(fault)}\n\n" + "".join(f"{line}\n" for line in lines)
    return text


def pytest_addoption(parser):
    parser.addoption("--write-reliability", action="store_true", help="write docs/reliability.md")


def pytest_configure(config):
    config.stash[ROWS] = Rows()
    config.pluginmanager.register(Collector(config.stash[ROWS]))


ROWS = pytest.StashKey()
SEEN = "seen"
COLLECTED = "softscene_collected"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Note which tests there are and which are marked, before any are left out."""
    noted = []
    for item in items:
        marked = item.get_closest_marker("fault") is not None
        if marked:
            assert SEEN in item.fixturenames, f"{item.nodeid} causes a fault and tells nothing"
        noted.append((item.nodeid, marked))
    config.stash[ROWS].collected(noted)
    if hasattr(config, "workeroutput"):  # one of several processes of pytest-xdist
        config.workeroutput[COLLECTED] = noted


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take over what another process has collected."""
    node.config.stash[ROWS].collected(getattr(node, "workeroutput", {}).get(COLLECTED, []))


@pytest.fixture
def seen(request):
    """Tell the page what was seen: a clause without a full stop, the same in every run."""
    fault, how = request.node.get_closest_marker("fault").args
    assert fault in FAULTS, f"{fault!r} is none of tests/reliability.py's faults"
    properties = request.node.user_properties  # a report takes them along, to another process too
    properties.append((SEEN, (fault, how, None)))
    return lambda words: properties.append((SEEN, (fault, how, words)))


class Collector:
    """Hears the reports of all tests, in whichever process they ran."""

    def __init__(self, rows):
        self.rows = rows

    def pytest_runtest_logreport(self, report):
        self.rows.add(report)


def pytest_sessionfinish(session):
    """Write the page, or fail where it says something else."""
    if hasattr(session.config, "workerinput"):
        return
    rows, old = session.config.stash[ROWS], on_page()
    whole = not session.config.option.keyword and "::" not in "".join(session.config.args)
    told = {test: row for test, row in rows.lines().items() if test not in rows.failed}
    # A row stays whose test was not there to run: of a file that was not collected, or left out.
    kept = {
        test: row
        for test, row in old.items()
        if test in rows.marked or (test.split("::")[0] not in rows.files and exists(test))
    }
    if session.config.option.write_reliability:
        PAGE.write_text(page(kept | told), encoding="utf-8")
    elif whole and session.exitstatus == pytest.ExitCode.OK:
        found = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
        if found != page(kept | told):
            session.config.stash[STALE] = [
                *(test for test, row in told.items() if old.get(test) != row),
                *(test for test in old if test not in kept),
            ] or ["its head and order"]
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def exists(test):
    return (ROOT / test.split("::")[0]).is_file()


STALE = pytest.StashKey()


def pytest_terminal_summary(terminalreporter, config):
    for what in config.stash.get(STALE, []):
        terminalreporter.write_line(
            f"FAILED docs/reliability.md says something else than {what}: `make reliability`",
            red=True,
        )
