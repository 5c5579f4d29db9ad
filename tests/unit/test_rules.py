"""The rules: what they use is there before them, and adding to the study touches few of them."""

import re

import pytest
from softscene.config.controls import CONTROLS

from tests.conftest import ROOT

SNAKEFILE = (ROOT / "Snakefile").read_text(encoding="utf-8")


def read(path):
    """A rule file's text, with those that it includes in their places."""
    text = (ROOT / path).read_text(encoding="utf-8")
    folder = (ROOT / path).parent.relative_to(ROOT)
    return re.sub(
        r'^include: "(.*?)".*$',
        lambda found: read(folder / found[1]),
        text,
        flags=re.MULTILINE,
    )


def code_of(text):
    """A rule file without comments and texts, but with the names in formatted ones."""
    text = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
    text = re.sub(r'f?"[^"]*"', lambda found: " ".join(re.findall(r"(?<!{){(\w+)", found[0])), text)
    return re.sub("#.*", "", text)


def test_no_rule_file_uses_a_name_that_a_later_one_defines():
    files = re.findall(r'^include: "(.*?)"', SNAKEFILE, re.MULTILINE)
    assert files[0] == "rules/common.smk"
    texts = [read(path) for path in files]
    for index, text in enumerate(texts):
        names = re.findall(r"^([A-Z][A-Z0-9_]+)(?:, [A-Z0-9_]+)* = |^def (\w+)", text, re.MULTILINE)
        for name in {constant or function for constant, function in names}:
            early = [
                path
                for path, other in zip(files[:index], texts[:index], strict=True)
                if re.search(rf"\b{name}\b(?! ?[=:])", code_of(other))
            ]
            assert early == [], f"{name}, which {files[index]} defines"


@pytest.mark.parametrize("control", CONTROLS)
def test_controls_are_named_in_the_library_alone(control):
    """Adding one touches config/controls.py and training/controls.py."""
    for path in [ROOT / "Snakefile", *(ROOT / "rules").rglob("*.*")]:
        if path.suffix in (".smk", ".yaml", ""):
            assert not re.search(rf"\b{control}\b", path.read_text(encoding="utf-8")), path
