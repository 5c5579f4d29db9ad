"""The user's own recordings: how they are found, and what their results are called."""

import os
import re
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from softscene.core.errors import AudioError, ConfigurationError, printable
from softscene.data.ffmpeg import CONVERT, FOREIGN, is_installed

# Endings that soundfile reads, in lower case; not RAW, which has no header.
SUFFIXES = (
    ".aif", ".aifc", ".aiff", ".au", ".avr", ".bwf", ".caf", ".flac", ".mp2", ".mp3", ".nist",
    ".oga", ".ogg", ".opus", ".rf64", ".snd", ".sph", ".voc", ".w64", ".wav", ".wave",
)  # fmt: skip
# Forms of a recording's events, and what is appended to its name; then its other results.
FORMATS = {
    "tsv": ".events.tsv",
    "csv": ".events.csv",
    "json": ".events.json",
    "audacity": ".audacity.txt",
    "raven": ".raven.txt",
    "rttm": ".rttm",
}
OTHERS = {"scenes": ".scenes.tsv", "facts": ".facts.json", "picture": ".png"}
DEFAULT_FORMATS = ("tsv", "audacity")


def endings(
    formats: Sequence[str] = DEFAULT_FORMATS, picture: bool = True, page: bool = False
) -> dict[str, str]:
    """What is written for a recording, and what is appended to its name.

    Parameters
    ----------
    formats
        Of ``FORMATS``.
    picture, page
        Whether to draw it, and whether to make a page to see and hear it.
    """
    found = {key: FORMATS[key] for key in formats} | OTHERS
    if not picture:
        del found["picture"]
    return found | ({"page": ".html"} if page else {})


RESULTS = endings()
WITH_PAGE = endings(page=True)
LONGEST = 255 - max(
    map(len, (FORMATS | OTHERS).values())
)  # bytes of a name; file systems allow 255
# Snakemake reads {x} as a wildcard and <x> as a path variable, and refuses line feeds.
_SNAKEMAKES_OWN = re.compile(r"[{}\n]|<[a-z][a-z0-9_]*>")
_ELSEWHERE = "rename it, or give it to workflow_scripts/detect.py"


@dataclass(frozen=True)
class Given:
    """What was found in files and folders.

    Attributes
    ----------
    recordings
        Name -> file; names are unique.
    problems
        What cannot be used, and why; a line each.
    foreign
        Sound files in folders that only FFmpeg reads, which is not installed; a line each.
    """

    recordings: dict[str, Path]
    problems: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def find_recordings(given: Sequence[str | Path]) -> Given:
    """Find the recordings, and give each a unique name.

    Parameters
    ----------
    given
        Files of any ending, existing or not; and folders, which stand for all files below them
        that have one of ``SUFFIXES`` and are not hidden; with FFmpeg also one of ``FOREIGN``.

    Returns
    -------
    Given
        A file keeps its name; a file in a folder is called FOLDER/PATH/TO/FILE. If two names
        would be equal, all are called by their path from their common folder. Folders that
        cannot be read are ``problems``.

    Raises
    ------
    AudioError
        A folder has no recordings.
    """
    named: list[tuple[str, Path]] = []
    without: list[str] = []
    problems: list[str] = []
    foreign: list[str] = []
    for each in map(Path, given):
        if not os.path.isdir(each):  # noqa: PTH112 - is_dir() raises where a name is too long
            named.append((each.name, each))
            continue
        own = Path(os.path.abspath(each))  # noqa: PTH100 - resolve() would follow links
        below, others, faults = _below(each)
        problems += faults
        foreign += others
        if not below:
            endings = " ".join(SUFFIXES)
            reason = "; ".join([*faults, f"endings that are known: {endings}", *others])
            without.append(f"{printable(str(each))}: has no recordings; {reason}")
        named += [(Path(own.name, path.relative_to(each)).as_posix(), path) for path in below]
    if without:
        raise AudioError.of("folders cannot be used:", without)
    return Given(_unique(named), tuple(problems), tuple(foreign))


def recordings_of(given: str | None) -> Given:
    """:func:`find_recordings` for the configuration's ``input``; nothing where it is null.

    Files in a folder that Snakemake cannot make results for are ``problems``.

    Raises
    ------
    ConfigurationError
        It does not exist, or none of its files can be used.
    AudioError
        As :func:`find_recordings` does.
    """
    if given is None:
        return Given({})
    place = Path(given).expanduser()
    if not os.path.exists(place):  # noqa: PTH110 - Path.exists() raises where a name is too long
        raise ConfigurationError(f"input: there is no folder or file {printable(given)}")
    found = find_recordings([place])
    reasons = {name: _unusable(name, path) for name, path in found.recordings.items()}
    faults = [
        f"{printable(str(path))}: {reasons[name]}"
        for name, path in found.recordings.items()
        if reasons[name]
    ]
    usable = {name: path for name, path in found.recordings.items() if not reasons[name]}
    if not usable:
        raise ConfigurationError.of("input: no recording can be used:", faults)
    return Given(usable, (*found.problems, *faults), found.foreign)


def too_long(name: str) -> str | None:
    """Why a recording of this name can have no results, if its name is too long for them."""
    size = len(os.fsencode(Path(name).name))
    if size <= LONGEST:
        return None
    return f"its name has {size} bytes, and its results' names have room for {LONGEST}; rename it"


def is_dated_ahead(path: str | Path) -> bool:
    """Whether an existing file, or a link to it, is dated in the future.

    Snakemake blames a broken clock for results that are older than their input, and deletes them:
    such a file must not be an ``input``.
    """
    path = Path(path)
    return max(path.lstat().st_mtime, path.stat().st_mtime) > time.time()


def _unusable(name: str, path: Path) -> str | None:
    """Why Snakemake cannot make results for a file."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return f"its name is not UTF-8; {_ELSEWHERE}"
    if found := _SNAKEMAKES_OWN.search(f"{path} {name}"):
        sign = "a line feed" if found[0] == "\n" else found[0]
        return f"{sign} in its name means something else to Snakemake; {_ELSEWHERE}"
    try:
        plain = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        link = "its link leads nowhere: " if path.is_symlink() else ""
        return f"cannot be opened: {link}{error.strerror}"
    return too_long(name) if plain else "is no plain file"


def _below(folder: Path) -> tuple[list[Path], list[str], list[str]]:
    """Recordings; messages on other sound files, and on folders that cannot be read."""
    problems: list[str] = []

    def note(error: OSError) -> None:
        place = printable(str(error.filename))
        problems.append(f"{place}: cannot be looked through: {error.strerror}")

    found: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in files if not name.startswith(".")]
    found.sort()
    known = (*SUFFIXES, *FOREIGN) if is_installed() else SUFFIXES
    foreign = [
        f"{printable(str(path))}: soundfile does not read {path.suffix}; {CONVERT}"
        for path in found
        if path.suffix.lower() in FOREIGN and path.suffix.lower() not in known
    ]
    return [path for path in found if path.suffix.lower() in known], foreign, problems


def _unique(named: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    absolute = {os.path.abspath(path): (name, path) for name, path in named}  # noqa: PTH100
    names = [name for name, _ in absolute.values()]
    if len(set(names)) == len(names):
        return dict(absolute.values())
    common = os.path.commonpath([Path(path).parent for path in absolute])
    return {
        Path(path).relative_to(common).as_posix(): given for path, (_, given) in absolute.items()
    }
