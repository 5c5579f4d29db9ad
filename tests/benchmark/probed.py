"""Copies of the checkout whose processes note where their time goes, and what they noted."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

PROBE = Path(__file__).with_name("probe.py")


def add_probe(checkout):
    """Have every process of a copy leave a note."""
    shutil.copy2(PROBE, checkout.folder / "workflow_scripts" / "sitecustomize.py")


@dataclass(frozen=True)
class Note:
    """What one job's process noted, see ``probe.py``."""

    rule: str
    started: float
    marks: dict[str, list[float]]
    modules: frozenset[str]

    def wall(self, mark):
        """Seconds from the process's start to a mark."""
        return self.marks[mark][0] - self.started

    def cpu(self, mark):
        return self.marks[mark][1]

    def imports(self, mark):
        """CPU seconds of loading modules, up to a mark."""
        return self.marks[mark][3]

    def count(self, mark):
        """Modules that are loaded at a mark."""
        return self.marks[mark][4]

    def loaded(self, *names):
        """Which of these modules or packages it loaded."""
        return {name for name in names if name in self.modules}


def read_notes(checkout):
    """What the jobs of a probed copy noted, in the order of their starts; and forget it."""
    notes = []
    for path in (checkout.folder / "probe").glob("*.json"):
        facts = json.loads(path.read_text())
        path.unlink()
        script = re.search(r"\.snakemake/scripts/\w+\.(\w+)\.py$", facts["argv"][0])
        if script:
            notes.append(
                Note(script[1], facts["started"], facts["marks"], frozenset(facts["modules"]))
            )
    return sorted(notes, key=lambda note: note.started)
