"""The archive registry, the licence, and the safe extraction of archive members."""

import copy
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

from softscene.config.checks import faults
from softscene.config.reading import read_schema, read_yaml
from softscene.core.errors import ConfigurationError, DownloadError, LicenceError

LARGEST_MEMBER = 4 * 2**30
"""Bytes; the longest recording of the three data sets has less than a fiftieth of this."""
LARGEST_EXPANSION = 20
"""Largest ratio of declared to compressed size: 24-bit sound needs 3, lists of text 10."""
LONGEST_NAME = 100
"""Bytes of a file's or a folder's name; file systems allow 255, also for a partial file's name."""
LONGEST_PATH = 1000
CHUNK = 2**18
UNREADABLE = (zipfile.BadZipFile, RuntimeError, UnicodeDecodeError)
"""What zipfile raises for damaged or unsupported archives."""
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
PLAIN = {0, stat.S_IFREG, stat.S_IFLNK}
LICENCE_KEY = "download.accept_licence"
LICENCE_VARIABLE = "SOFTSCENE_ACCEPT_LICENCE"
SCHEMA = Path(__file__).with_name("archives.schema.yaml")


class DamagedError(DownloadError):
    """The received data differ from what was published; a retry may succeed."""


@dataclass(frozen=True)
class Archive:
    """One published ZIP archive: its size in bytes, its MD5, and where it was published."""

    dataset: str
    name: str
    bytes: int
    md5: str
    url: str


@dataclass(frozen=True)
class DataSet:
    """One published data set: its Zenodo record and its archives by file name."""

    name: str
    record: int
    doi: str
    archives: dict[str, Archive]

    @property
    def audio(self) -> list[Archive]:
        """The archives with recordings, in the registry's order."""
        return [archive for name, archive in self.archives.items() if ".audio" in name]

    @property
    def meta(self) -> Archive:
        """The archive with the data set's own annotations."""
        found = [archive for name, archive in self.archives.items() if name.endswith(".meta.zip")]
        if len(found) != 1:
            raise ConfigurationError(
                f"the archive registry lists {len(found)} *.meta.zip for {self.name}; expected one"
            )
        return found[0]


@dataclass(frozen=True)
class AnnotationFiles:
    """The authors' annotation lists: SHA-256 by path, and a URL with ``{path}`` in it."""

    name: str
    commit: str
    files: dict[str, str]
    url: str

    @property
    def main(self) -> str:
        """The list of all recordings; the others are those of folds."""
        found = [path for path in self.files if path.startswith("meta/")]
        if len(found) != 1:
            raise ConfigurationError(
                f"the archive registry has {len(found)} lists in meta/; expected one"
            )
        return found[0]


@dataclass(frozen=True)
class Registry:
    """Everything that is downloaded."""

    datasets: dict[str, DataSet]
    annotations: AnnotationFiles


def read_registry(path: str | Path) -> Registry:
    """Read the archive registry.

    Parameters
    ----------
    path
        A YAML file that follows ``archives.schema.yaml``.

    Raises
    ------
    ConfigurationError
        If it cannot be read or violates the schema; names every wrong key.
    """
    content = read_yaml(path, "archive registry")
    if problems := faults(content, read_schema(SCHEMA)):
        raise ConfigurationError.of(f"the archive registry {path} breaks its schema:", problems)
    pattern = content["archive_url"]
    return Registry(
        {name: _dataset(name, entry, pattern) for name, entry in content["datasets"].items()},
        _annotations(content["annotations"]),
    )


def read_registries(paths: Sequence[str | Path]) -> Registry:
    """Read several registries, such as that of the held-out test, as one."""
    first, *others = map(read_registry, paths)
    for each in others:
        files = {**first.annotations.files, **each.annotations.files}
        lists = replace(first.annotations, files=files)
        first = Registry({**first.datasets, **each.datasets}, lists)
    return first


def _dataset(name: str, entry: Mapping[str, Any], pattern: str) -> DataSet:
    archives = {
        file: Archive(name, file, url=pattern.format(record=entry["record"], name=file), **facts)
        for file, facts in entry["archives"].items()
    }
    return DataSet(name, entry["record"], entry["doi"], archives)


def _annotations(entry: Mapping[str, Any]) -> AnnotationFiles:
    repository, commit = entry["repository"], entry["commit"]
    url = entry["url"].format(repository=repository, commit=commit, path="{path}")
    return AnnotationFiles(repository.split("/")[1], commit, entry["files"], url)


def require_licence(accepted: bool, environ: Mapping[str, str], terms: str) -> None:
    """Stop unless the user has accepted the data's ``terms``.

    Raises
    ------
    LicenceError
        If neither the configuration (``accepted``) nor the environment says so; quotes the terms.
    """
    if accepted or environ.get(LICENCE_VARIABLE) == "yes":
        return
    raise LicenceError(
        f"{terms.strip()}\n\nNothing was fetched: these terms were not accepted. If you accept "
        f"them, set {LICENCE_KEY}: true in the configuration, or {LICENCE_VARIABLE}=yes in the "
        "environment."
    )


class ArchiveMember(NamedTuple):
    """A file as listed in its archive's directory: size, CRC-32 (unsigned), Unix mode (or 0)."""

    name: str
    archive: str
    bytes: int
    crc32: int
    mode: int

    @property
    def faults(self) -> list[str]:
        """Why it must not be extracted: a path outside its folder, no regular file, or too big."""
        path = PureWindowsPath(self.name)  # understands both kinds of slashes, and drives
        plain, encoded = PurePosixPath(self.name), self.name.encode()
        longest = max(map(len, encoded.split(b"/")))
        checks = {
            "its path is absolute": bool(path.anchor),
            "its path holds '..'": ".." in path.parts,
            "its path is not in its shortest form": self.name != str(plain) or not plain.name,
            f"a name in it is longer than {LONGEST_NAME} bytes": longest > LONGEST_NAME,
            f"its path is longer than {LONGEST_PATH} bytes": len(encoded) > LONGEST_PATH,
            "it is a symbolic link": stat.S_ISLNK(self.mode),
            "it is a device or the like": stat.S_IFMT(self.mode) not in PLAIN,
            f"its {self.bytes} bytes are more than {LARGEST_MEMBER}": self.bytes > LARGEST_MEMBER,
        }
        return [f"{self.archive}: {self.name!r}: {fault}" for fault in checks if checks[fault]]


def list_members(archive: str, opened: zipfile.ZipFile) -> list[ArchiveMember]:
    """List the files (not the folders) in the archive file called ``archive``."""
    return [
        ArchiveMember(info.filename, archive, info.file_size, info.CRC, info.external_attr >> 16)
        for info in opened.infolist()
        if not info.filename.endswith("/")  # is_dir() fails on an empty name
    ]


def refuse_unsafe(
    archive: Archive, declared: Collection[ArchiveMember], wanted: Iterable[ArchiveMember]
) -> None:
    """Refuse an archive whose directory is dangerous.

    Parameters
    ----------
    archive
        The registry's entry.
    declared
        All members; members that share the same data are each counted.
    wanted
        Those to extract.

    Raises
    ------
    DownloadError
        Lists all members that must not be extracted, and why.
    """
    wanted = list(wanted)
    faults = [fault for member in wanted for fault in member.faults]
    faults += _collisions(wanted)
    size, limit = sum(member.bytes for member in declared), LARGEST_EXPANSION * archive.bytes
    if size > limit:
        faults.append(
            f"{archive.name}: its members declare {size} bytes together, more than "
            f"{LARGEST_EXPANSION} times the {archive.bytes} bytes that the registry says it has"
        )
    if faults:
        raise DownloadError.of("members of archives are refused:", faults)


def _collisions(members: Sequence[ArchiveMember]) -> Iterator[str]:
    """Members that would have the same path, or lie below a file."""
    times = Counter(member.name for member in members)
    for member in members:
        where = f"{member.archive}: {member.name!r}"
        if times[member.name] > 1:
            yield f"{where}: it is there {times[member.name]} times"
        for folder in map(str, PurePosixPath(member.name).parents):
            if folder in times:
                yield f"{where}: {folder!r} is a file"


def extract_member(
    opened: zipfile.ZipFile,
    member: ArchiveMember,
    target: Path,
    count: Callable[[int], object] = lambda _: None,
) -> None:
    """Write a member to ``target``, and verify its size and CRC-32.

    ``count`` is called with the bytes of each chunk; an error leaves ``target`` half-written.

    Raises
    ------
    DamagedError
        If size or CRC-32 differ from ``member``'s; gives both. Stops at the first excess byte.
    """
    # Without a CRC and with one byte more than declared, zipfile leaves the checks to this code.
    lenient = copy.copy(opened.getinfo(member.name))
    del lenient.CRC
    lenient.file_size = member.bytes + 1
    size, crc, cause = 0, 0, ""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if lenient.compress_type not in METHODS:
            raise NotImplementedError(f"compressed by method {lenient.compress_type}")
        if lenient.header_offset < 0:
            raise zipfile.BadZipFile("its header lies before the archive")
        with opened.open(lenient) as source, target.open("wb") as sink:
            while chunk := source.read(CHUNK):
                size, crc = size + len(chunk), zlib.crc32(chunk, crc)
                sink.write(chunk)
                count(len(chunk))
    except (zlib.error, EOFError, *UNREADABLE) as error:
        cause = f" ({str(error) or type(error).__name__})"
    if cause or (size, crc) != (member.bytes, member.crc32):
        raise DamagedError(
            f"{member.name}: expected {member.bytes} bytes with CRC-32 {member.crc32:08x}, "
            f"got {size} bytes with CRC-32 {crc:08x}{cause}"
        )
