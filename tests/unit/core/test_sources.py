"""Which library files a script runs: what its imports tell, against what Python loads."""

import re
import subprocess
import sys

import pytest
from softscene.core.sources import library_files

from tests.conftest import ROOT

SCRIPTS = ROOT / "workflow_scripts"
RULES = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
QUICK = sorted(set(re.findall(r'library_files\("(\w+)"\)', RULES)))
LOADED = """
import sys
sys.path.insert(0, sys.argv[1])
__import__(sys.argv[2])
found = (getattr(each, "__file__", None) for each in list(sys.modules.values()))
print(*filter(None, found), sep="\\n")
"""


@pytest.mark.parametrize("script", QUICK)
def test_all_that_a_script_loads_of_the_library_is_found(script):
    done = subprocess.run(
        [sys.executable, "-c", LOADED, SCRIPTS, script], capture_output=True, text=True, check=True
    )
    library = str(SCRIPTS / "softscene")
    loaded = {path for path in done.stdout.splitlines() if path.startswith(library)}
    loaded = {path for path in loaded if not path.endswith("__init__.py")}
    assert loaded, "or this looks in the wrong place"
    assert loaded <= set(library_files(SCRIPTS / f"{script}.py"))


def test_imports_in_functions_and_of_many_lines_are_found_and_others_not(tmp_path):
    for name in ("a", "b", "c", "d"):
        (tmp_path / "pkg").mkdir(exist_ok=True)
        (tmp_path / "pkg" / f"{name}.py").write_text("")
    (tmp_path / "pkg" / "a.py").write_text("def f():\n    from pkg import c  # late\n")
    (tmp_path / "script.py").write_text(
        "import os\nfrom pkg.a import (\n    f,\n)\nfrom pkg import b\n"
    )
    found = library_files(tmp_path / "script.py")
    assert found == [str(tmp_path / "pkg" / f"{name}.py") for name in ("a", "b", "c")]
