"""One's own recordings: which files they are, and what their results are called."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from softscene.errors import AudioError, ConfigurationError

# Endings of what soundfile reads, in small letters; not RAW, which does not say what it holds.
SUFFIXES = (
    ".aif", ".aifc", ".aiff", ".au", ".avr", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus",
    ".rf64", ".snd", ".voc", ".w64", ".wav", ".wave",
)  # fmt: skip
# What is written of a recording, and what is put behind its name.
RESULTS = {
    "events": ".events.tsv",
    "audacity": ".audacity.txt",
    "scenes": ".scenes.tsv",
    "picture": ".png",
}


def find_recordings(given: Sequence[str | Path]) -> dict[str, Path]:
    """The recordings that are meant, and a name for each that is no other's.

    Parameters
    ----------
    given
        Files of any ending, whether they are there or not; and folders, which stand for all files
        below them that have one of ``SUFFIXES`` and are not hidden.

    Returns
    -------
    dict
        Name -> file. A file's name is its own; a folder's file is called FOLDER/WAY/TO/FILE. Where
        two would have the same, all are called by their way from the folder that has them all.

    Raises
    ------
    AudioError
        A folder has no recordings, or cannot be looked through.
    """
    named: list[tuple[str, Path]] = []
    problems = []
    for each in map(Path, given):
        if not each.is_dir():
            named.append((each.name, each))
            continue
        own = Path(os.path.abspath(each))  # noqa: PTH100 - resolve() would follow links
        try:
            below = sorted(_below(each))
        except OSError as error:
            problems.append(f"{each}: cannot be looked through: {error}")
            continue
        if not below:
            endings = " ".join(SUFFIXES)
            problems.append(f"{each}: has no recordings; endings that are known: {endings}")
        named += [(Path(own.name, path.relative_to(each)).as_posix(), path) for path in below]
    if problems:
        raise AudioError.of("folders cannot be used:", problems)
    return _unique(named)


def recordings_of(given: str | None) -> dict[str, Path]:
    """:func:`find_recordings` for the configuration's ``input``; nothing where it is null.

    Raises
    ------
    ConfigurationError
        It is not there, or a name has braces, which Snakemake takes for wildcards.
    AudioError
        As :func:`find_recordings` does.
    """
    if given is None:
        return {}
    place = Path(given).expanduser()
    if not place.exists():
        raise ConfigurationError(f"input: there is no folder or file {given}")
    found = find_recordings([place])
    if unusable := [name for name in found if set("{}") & set(name)]:
        heading = "names with { or }: rename these, or give them to workflow_scripts/detect.py"
        raise ConfigurationError.of(heading, unusable)
    return found


def _below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                yield Path(place, name)


def _unique(named: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    absolute = {os.path.abspath(path): (name, path) for name, path in named}  # noqa: PTH100
    names = [name for name, _ in absolute.values()]
    if len(set(names)) == len(names):
        return dict(absolute.values())
    common = os.path.commonpath([Path(path).parent for path in absolute])
    return {
        Path(path).relative_to(common).as_posix(): given for path, (_, given) in absolute.items()
    }
