"""The download folder: which data it holds, and which of its files may be deleted.

Snakemake deletes a job's outputs before it runs the job, so a run checks before its first job.
"""

import csv
import hashlib
import json
import os
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from softscene.core.errors import DownloadError
from softscene.core.files import write_text
from softscene.data.archives import CHUNK, Registry

MARK = ".made_for.json"
"""File in the data folder that says which data it holds."""
LISTING = ".made.json"
"""File in each of its folders that lists the files that this program wrote there."""
TIMESTAMP = ".snakemake_timestamp"
COLUMNS = ["recording", "archive", "bytes", "crc32", "frames", "sample_rate", "channels", "subtype"]
"""Columns of ``recordings.tsv``."""
ONLY_PUBLISHED = {"evaluation_setup", "meta_full", "non_verified"}
"""Folders beside TUT's own annotations that a synthetic corpus does not have."""
ADVICE = (
    "nothing was deleted. Move it away, or choose another data.folder; to use archives that you "
    "already have, see download.mirror"
)
Files = dict[str, tuple[int, int]]
"""Path in a folder -> size in bytes and CRC-32 of the file."""


@dataclass(frozen=True)
class Data:
    """Which data a run needs: in words, and as a SHA-256 of everything that defines them."""

    words: str
    identity: str

    @classmethod
    def published(cls, registry: Registry) -> "Data":
        """The data that a registry names, wherever they are fetched from."""
        facts = {
            name: {each.name: each.md5 for each in (*dataset.audio, dataset.meta)}
            for name, dataset in registry.datasets.items()
        }
        return cls._of("the published recordings", [facts, registry.annotations.files])

    @classmethod
    def synthetic(cls, parameters: Mapping[str, Any], inputs: Sequence[str | Path]) -> "Data":
        """A corpus with these ``parameters`` (including ``seed``), made from these input files."""
        contents = [hashlib.sha256(Path(each).read_bytes()).hexdigest() for each in inputs]
        facts = {key: value for key, value in parameters.items() if key != "annotations"}
        return cls._of(f"a synthetic corpus with seed {facts['seed']}", [facts, contents])

    @classmethod
    def _of(cls, words: str, facts: Any) -> "Data":
        text = json.dumps(facts, sort_keys=True)
        return cls(words, hashlib.sha256(text.encode()).hexdigest())

    def __str__(self) -> str:
        return f"{self.words} ({self.identity[:8]})"


def prepare_data_folder(
    folder: str | Path,
    data: Data,
    registry: Registry,
    remade: Collection[str | Path],
    *,
    synthetic: bool,
    chosen: bool,
) -> None:
    """Refuse a folder with other data, or one where a run would delete files that are not its own.

    Downloads of an earlier version are accepted if their contents can be verified. Recordings that
    will be remade are first linked into the cache, where the job finds them.

    Parameters
    ----------
    folder
        The data folder; need not exist.
    data
        What the run needs.
    registry
        The published one, which names the data sets; a synthetic corpus uses the same names.
    remade
        Files and folders that the run makes again; Snakemake deletes them first.
    synthetic
        Whether ``data`` are synthetic.
    chosen
        Whether the user named the folder; other runs may then use it too.

    Raises
    ------
    DownloadError
        Names everything that is in the way, and says what to do.
    """
    folder, remade = Path(folder), {Path(path) for path in remade}
    there = [path for path in _made_folders(folder, registry) if os.path.lexists(path)]
    listings = {path: _read_listing(path) for path in there}
    mark, problems = _read_mark(folder), []
    proving = mark is None and bool(there) and not synthetic
    if proving:
        listings = {path: _prove(path, folder, registry, problems) for path in there}
    elif mark is None and there and chosen:
        problems.append(f"{folder} does not say which data it holds; this run needs {data}")
    elif mark and there and mark.identity != data.identity and (chosen or not remade):
        problems.append(f"{folder} holds {mark}; this run needs {data}")
    problems = problems or _strangers(folder, registry, listings, remade)
    if problems:
        raise DownloadError.of(f"the data folder cannot be used, and {ADVICE}:", problems)
    known = proving or (mark is not None and mark.identity == data.identity)
    if known:
        _keep_recordings(folder, listings, remade)
    with suppress(OSError):  # the folder may be read-only
        if proving:
            for path, files in listings.items():
                write_listing(path, files or {})
        if proving or (remade and not known and remade.issuperset(there)):
            write_text(folder / MARK, json.dumps(asdict(data)) + "\n")
        elif remade and not known:  # a mixture of these data and others
            (folder / MARK).unlink(missing_ok=True)


def require_data(folder: str | Path, data: Data) -> None:
    """Refuse results that were made with other data, which Snakemake may not notice.

    Raises
    ------
    DownloadError
        The folder says that it holds other data; names both.
    """
    mark = _read_mark(Path(folder))
    if mark and mark.identity != data.identity:
        raise DownloadError(
            f"results are of another configuration: they were made with {mark}, which is in "
            f"{folder}; this one needs {data}. Use that one again, or set another 'run' name"
        )


def _made_folders(folder: Path, registry: Registry) -> Iterator[Path]:
    yield folder / "annotations"
    for dataset in registry.datasets:
        yield folder / dataset / "audio"
        yield folder / dataset / "meta"


def _read_mark(folder: Path) -> Data | None:
    try:
        content = json.loads((folder / MARK).read_text(encoding="utf-8"))
        return Data(str(content["words"]), str(content["identity"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise DownloadError(
            f"{folder / MARK}, which says what data that folder holds, cannot be read ({error}); "
            "move the folder away, or choose another data.folder"
        ) from error


def write_listing(folder: Path, files: Files) -> None:
    """Record in a folder which of its files this program wrote."""
    write_text(folder / LISTING, json.dumps(files, sort_keys=True) + "\n")


def _read_listing(folder: Path) -> Files | None:
    try:
        content = json.loads((folder / LISTING).read_text(encoding="utf-8"))
        return {name: (int(size), int(crc)) for name, (size, crc) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def list_files(folder: Path) -> Files:
    """Sizes and CRC-32s of all files below a folder, except the listing and the timestamp."""
    return {
        path.relative_to(folder).as_posix(): measure(path)
        for path in _walk(folder)
        if path.name not in {LISTING, TIMESTAMP}
    }


def _walk(folder: Path) -> Iterator[Path]:
    """Yield everything below a folder except folders; links are not followed."""
    for where, folders, names in os.walk(folder):
        links = [name for name in folders if Path(where, name).is_symlink()]
        yield from (Path(where, name) for name in sorted([*names, *links]))


def measure(path: Path) -> tuple[int, int]:
    """Size in bytes and CRC-32 of a file; (-1, 0) for anything else."""
    if path.is_symlink() or not path.is_file():
        return -1, 0
    size, crc = 0, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            size, crc = size + len(chunk), zlib.crc32(chunk, crc)
    return size, crc


def _strangers(
    folder: Path,
    registry: Registry,
    listings: Mapping[Path, Files | None],
    remade: Collection[Path],
) -> list[str]:
    """Files that this program did not write, in the folders that it made or will make."""
    problems = []
    for path, files in listings.items():
        if files is None and not (path / TIMESTAMP).is_file():
            problems.append(f"{path} was not made by this workflow")
        elif files is not None and path in remade:
            found = list_files(path)
            others = sorted(name for name in found if found[name] != files.get(name))
            problems += [f"{path / name} was not written by this workflow" for name in others]
    for dataset in registry.datasets:
        table = folder / dataset / "recordings.tsv"
        if table in remade and os.path.lexists(table) and _read_recordings(table) is None:
            problems.append(f"{table} was not written by this workflow")
    return problems


def _prove(path: Path, folder: Path, registry: Registry, problems: list[str]) -> Files | None:
    """Verify downloads of an earlier version; adds the reason to ``problems`` if that fails."""
    if path == folder / "annotations":
        known, fault = _proved_lists(path, registry)
    elif path.name == "audio":
        known, fault = _proved_recordings(path, registry)
    else:
        published = {part for each in _walk(path) for part in each.relative_to(path).parts[:-1]}
        tut = (path / TIMESTAMP).is_file() and bool(published & ONLY_PUBLISHED)
        fault = "" if tut else "is not known to be TUT's"
        known = {} if fault else list_files(path)
    if fault:
        problems.append(f"{path} was not made by this workflow, or with other data: it {fault}")
    return None if fault else known


def _proved_lists(path: Path, registry: Registry) -> tuple[Files, str]:
    known = {}
    for name, sha256 in registry.annotations.files.items():
        if not (path / name).is_file():
            return {}, f"has no {name}"
        if hashlib.sha256((path / name).read_bytes()).hexdigest() != sha256:
            return {}, f"has another {name} than was published"
        known[name] = measure(path / name)
    return known, ""


def _proved_recordings(path: Path, registry: Registry) -> tuple[Files, str]:
    archives = registry.datasets[path.parent.name].archives
    table = _read_recordings(path.parent / "recordings.tsv")
    if not table:
        return {}, "has no recordings.tsv beside it"
    known = {row["recording"]: (row["bytes"], row["crc32"]) for row in table}
    for row in table:
        size, crc = measure(path / row["recording"])
        if row["archive"] not in archives or (str(size), f"{crc:08x}") != known[row["recording"]]:
            return {}, f"has another {row['recording']} than recordings.tsv says"
    return {name: (int(size), int(crc, 16)) for name, (size, crc) in known.items()}, ""


def _read_recordings(path: Path) -> list[dict[str, str]] | None:
    """Rows of a ``recordings.tsv``; ``None`` for any other file."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            table = list(rows)
    except (OSError, ValueError, csv.Error):
        return None
    whole = all(None not in row and None not in row.values() for row in table)
    return table if rows.fieldnames == COLUMNS and whole else None


def kept_recording(cache: Path, dataset: str, name: str) -> Path:
    """A recording's path in the cache, where it is kept until its data set is complete."""
    return cache / dataset / "audio" / "members" / name


def _keep_recordings(
    folder: Path, listings: Mapping[Path, Files | None], remade: Collection[Path]
) -> None:
    """Keep recordings that are remade, as a newer registry or program is enough to trigger it."""
    for audio, files in listings.items():
        for name in (files or {}) if audio.name == "audio" and audio in remade else ():
            kept = kept_recording(folder / "cache", audio.parent.name, name)
            with suppress(OSError):  # a file system without links: they are fetched again
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.hardlink_to(audio / name)
