"""Which library files a script uses, judging by its imports."""

import re
from collections.abc import Iterator
from pathlib import Path

_IMPORT = re.compile(r"^[ \t]*from (\w[\w.]*) import (\([^)]*\)|[^\n]+)", re.MULTILINE)


def library_files(script: str | Path) -> list[str]:
    """The library modules that a script imports, directly or through others.

    Parameters
    ----------
    script
        A file beside the library's folder.

    Returns
    -------
    list
        Their paths in alphabetical order, without the script's own.
    """
    script = Path(script)
    found, unread = set(), [script]
    while unread:
        for path in _imported(unread.pop(), script.parent):
            if path not in found:
                found.add(path)
                unread.append(path)
    return sorted(map(str, found))


def _imported(source: Path, folder: Path) -> Iterator[Path]:
    """The files that ``from A.B import c`` names: A/B.py, or A/B/c.py for each c."""
    for module, names in _IMPORT.findall(source.read_text(encoding="utf-8")):
        place = folder.joinpath(*module.split("."))
        words = re.sub(r"#.*", "", names).strip("()").split(",")
        modules = [place, *(place / word.split()[0] for word in words if word.split())]
        yield from filter(Path.is_file, (each.with_suffix(".py") for each in modules))
