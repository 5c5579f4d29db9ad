"""Downloads and checks what the registry names: annotation lists, metadata, recordings."""

import json
import logging
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
from remotezip import OutOfBound, RangeNotSupported, RemoteZip, RemoteZipError

from softscene.core.errors import AudioError, DownloadError
from softscene.core.files import naming_full_disk, replacing, sync, write_text
from softscene.core.progress import Progress
from softscene.core.tsv import read_table
from softscene.data.archives import (
    UNREADABLE,
    Archive,
    ArchiveMember,
    DamagedError,
    DataSet,
    Registry,
    extract_member,
    list_members,
    refuse_unsafe,
)
from softscene.data.audio import Recording
from softscene.data.data_folder import COLUMNS, kept_recording, list_files, measure, write_listing
from softscene.data.transport import Client, Ranges, Source, difference

logger = logging.getLogger(__name__)


class _Shelf:
    """The cache of one data set: verified members, and the archives' directories."""

    def __init__(self, cache: Path, dataset: str) -> None:
        self.folder = cache / dataset / "audio"
        self.path = partial(kept_recording, cache, dataset)

    def holds(self, member: ArchiveMember) -> bool:
        """Whether a member is here with the right size and CRC-32."""
        return measure(self.path(member.name)) == (member.bytes, member.crc32)

    def listing(self, archive: Archive, opened: "_Opened") -> dict[str, ArchiveMember]:
        """Return the archive's members by name; a verified archive's are saved for later runs."""
        note = self.folder / f"{archive.name}.{archive.md5}.json"
        members = _noted(note)
        if members is None:
            members = opened.members()
            if not opened.ranged:
                write_text(note, json.dumps(members))
        return {member.name: member for member in members}


def _noted(note: Path) -> list[ArchiveMember] | None:
    """Members as saved in a note; ``None`` if it is missing or damaged."""
    try:
        members = [ArchiveMember(*facts) for facts in json.loads(note.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    types = tuple(ArchiveMember.__annotations__.values())
    return members if all(tuple(map(type, member)) == types for member in members) else None


class _Opened:
    """One archive, opened when first needed: by ranges, or whole from the mirror or the cache."""

    def __init__(self, client: Client, archive: Archive, folder: Path) -> None:
        self._client, self._archive = client, archive
        self._folder = folder / f"{archive.name}.whole"
        self.url = client.source.url(archive.url, archive.name)
        self._zip: zipfile.ZipFile | None = None

    def zip(self) -> zipfile.ZipFile:
        self._zip = self._zip or self._open()
        return self._zip

    def members(self) -> list[ArchiveMember]:
        """List what the directory declares, as last read."""
        return list_members(self._archive.name, self.zip())

    @property
    def ranged(self) -> bool:
        """Whether it is read by ranges, so that its MD5 was not checked."""
        return isinstance(self.zip(), RemoteZip)

    def _open(self) -> zipfile.ZipFile:
        source = self._client.source
        if source.gives_parts:
            try:
                return self._open_ranges()
            except RangeNotSupported:
                logger.info("%s: the server does not send ranges; fetching all of it", self.url)
        elif source.folder is None and source.mode == "selective":
            logger.info("%s: it is from a mirror; fetching all of it to check its MD5", self.url)
        return _open_zip(self.whole())

    def _open_ranges(self) -> RemoteZip:
        try:
            return RemoteZip(self.url, fetcher=partial(Ranges, self._client, self._archive.bytes))
        except (*UNREADABLE, OutOfBound) as error:
            raise DamagedError(f"not a readable ZIP archive: {error}") from error

    def whole(self) -> Path:
        """Return the whole archive's path; fetches it if needed, and checks size and MD5."""
        folder, archive = self._client.source.folder, self._archive
        if folder is not None:
            path = folder / archive.name
            _prove_file(path, f"md5:{archive.md5}", archive.bytes)
            return path
        path = self._folder / archive.name
        self._discard_leftovers()
        self._client.retrieve(self.url, path, f"md5:{archive.md5}", archive.bytes)
        return path

    def take(self, members: Sequence[ArchiveMember], shelf: _Shelf) -> dict[str, ArchiveMember]:
        """Put members on the shelf; returns them by name, as verified."""
        total = sum(member.bytes for member in members)
        progress = Progress(f"fetching from {self._archive.name}", total, "B")
        return {
            name: self._client.persist(self.url, partial(self._attempt, name, shelf, progress))
            for name in (member.name for member in members)
        }

    def _attempt(self, name: str, shelf: _Shelf, progress: Progress) -> ArchiveMember:
        before = progress.done
        try:
            member = self._declared(name)
            with replacing(shelf.path(name)) as target:
                self._extract(member, target, progress)
        except BaseException:
            progress.advance(before - progress.done)
            self.close()  # do not reuse a broken stream, or trust the directory
            raise
        return member

    def _extract(self, member: ArchiveMember, target: Path, progress: Progress) -> None:
        try:
            extract_member(self.zip(), member, target, progress.advance)
        except RemoteZipError as error:  # also if the server stops sending ranges
            raise DamagedError(f"{member.name}: {type(error).__name__}: {error}") from error

    def _declared(self, name: str) -> ArchiveMember:
        """Look up a member in the directory, which is read again for each retry."""
        declared = {member.name: member for member in self.members()}
        if name not in declared:
            raise DamagedError(f"{name} was in the archive's directory, but no longer is")
        refuse_unsafe(self._archive, declared.values(), [declared[name]])
        return declared[name]

    def close(self) -> None:
        """Close the archive; it is opened again when needed."""
        if self._zip is not None:
            self._zip.close()
        self._zip = None

    def discard(self) -> None:
        """Close the archive, and delete it if it was fetched whole."""
        self.close()
        self._discard_leftovers()
        (self._folder / self._archive.name).unlink(missing_ok=True)
        with suppress(OSError):  # missing or not empty
            self._folder.rmdir()

    def _discard_leftovers(self) -> None:
        for leftover in self._folder.glob("tmp*"):  # pooch's, from a killed run
            leftover.unlink()


def _prove_file(path: Path, known_hash: str, size: int | None = None) -> None:
    if fault := difference(path, known_hash, size):
        raise DownloadError(f"{path} is not what was published: {fault}")


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except UNREADABLE as error:
        raise DownloadError(f"{path} is not a readable ZIP archive: {error}") from error


@contextmanager
def _building(destination: Path) -> Iterator[Path]:
    """Yield a folder to fill; it becomes ``destination`` when the block succeeds.

    Raises
    ------
    DownloadError
        ``destination`` exists and is not empty; it is not changed.
    """
    if destination.is_dir() and any(destination.iterdir()):
        raise DownloadError(f"{destination} is there already; move it away")
    beside = destination.with_name(f".{destination.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with naming_full_disk(destination):
            beside.mkdir(parents=True)
            yield beside
            write_listing(beside, list_files(beside))
            for path in beside.rglob("*"):
                if path.is_file():
                    sync(path)
        beside.rename(destination)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def fetch_annotations(registry: Registry, source: Source, destination: Path) -> None:
    """Fetch the authors' annotation lists to ``destination / path``, and check their SHA-256.

    Raises
    ------
    DownloadError
        If one cannot be fetched or has another SHA-256.
    """
    lists = registry.annotations
    source.require_mirrored([f"{lists.name}/{path}" for path in lists.files])
    with closing(Client(source)) as client, _building(Path(destination)) as folder:
        for path, sha256 in lists.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.folder is not None:
                shutil.copyfile(source.folder / lists.name / path, target)
                _prove_file(target, f"sha256:{sha256}")
            else:
                url = source.url(lists.url.replace("{path}", path), f"{lists.name}/{path}")
                client.retrieve(url, target, f"sha256:{sha256}")


def fetch_meta(dataset: DataSet, source: Source, cache: Path, destination: Path) -> None:
    """Fetch a data set's own annotations and extract them to ``destination``.

    Raises
    ------
    DownloadError
        If the archive cannot be fetched, has another size or MD5, or holds an unsafe member.
    """
    source.require_mirrored([dataset.meta.name])
    with closing(Client(source)) as client, _building(Path(destination)) as folder:
        archive = _Opened(client, dataset.meta, Path(cache) / dataset.name / "meta")
        with _open_zip(archive.whole()) as opened:
            members = list_members(dataset.meta.name, opened)
            refuse_unsafe(dataset.meta, members, members)
            for member in members:
                extract_member(opened, member, folder / member.name)
        archive.discard()


def fetch_recordings(
    dataset: DataSet, wanted: Sequence[str], source: Source, cache: Path, destination: Path
) -> pd.DataFrame:
    """Fetch recordings from a data set's audio archives to ``destination / recording``.

    Parameters
    ----------
    dataset
        Its archives are searched, in the registry's order.
    wanted
        Names of members, e.g. ``TUT-sound-events-2016-development/audio/home/a030.wav``.
    source
        Where to fetch from.
    cache
        Folder that keeps fetched recordings until :func:`discard_cache`, so that a later run does
        not fetch them again if this one is killed.
    destination
        Folder for the recordings alone; it appears when it is complete.

    Returns
    -------
    pandas.DataFrame
        A row for each recording, in the order of ``wanted``: ``recording``, ``archive``, ``bytes``,
        ``crc32`` (8 hex digits), ``frames``, ``sample_rate`` (Hz), ``channels``, ``subtype``.

    Raises
    ------
    DownloadError
        If an archive cannot be fetched or differs from the registry, or none holds a recording.
    AudioError
        If a recording cannot be read as audio.
    """
    names = list(dict.fromkeys(wanted))
    source.require_mirrored([archive.name for archive in dataset.audio])
    shelf = _Shelf(Path(cache), dataset.name)
    with closing(Client(source)) as client:
        found = _collect(dataset, names, client, shelf)
    table = _describe([found[name] for name in names], shelf)
    with _building(Path(destination)) as folder:
        for name in names:
            _place(shelf.path(name), folder / name)
    return table


def deleted_recordings(table: str | Path, audio: str | Path) -> list[str]:
    """Recordings in ``recordings.tsv`` whose files are gone; none without that table."""
    if not Path(table).is_file():
        return []
    return [name for name in read_table(table).recording if not (Path(audio) / name).is_file()]


def gather_recordings(
    known: pd.DataFrame,
    audio: Path,
    registered: Callable[[], DataSet],
    source: Source,
    cache: Path,
    destination: Path,
) -> None:
    """Collect recordings that :func:`fetch_recordings` fetched earlier in a separate folder.

    Parameters
    ----------
    known
        Their rows of ``recordings.tsv``.
    audio
        Folder that they were fetched to; those that were deleted there are fetched again.
    registered
        Returns their data set; called only to fetch again.
    source, cache
        Where to fetch from again, as for :func:`fetch_recordings`.
    destination
        Folder for the recordings alone; it appears when it is complete.

    Raises
    ------
    DownloadError
        As :func:`fetch_recordings`, or a recording differs from its row of ``recordings.tsv``.
    """
    paths = {name: audio / name for name in known.recording}
    deleted = known[[not path.is_file() for path in paths.values()]]
    if len(deleted):
        whole = registered()
        named = set(deleted.archive)
        archives = {name: each for name, each in whole.archives.items() if name in named}
        source.require_mirrored(list(archives))
        shelf = _Shelf(cache, whole.name)
        with closing(Client(source)) as client:
            _collect(replace(whole, archives=archives), list(deleted.recording), client, shelf)
        paths |= {name: shelf.path(name) for name in deleted.recording}
    faults = []
    with _building(destination) as folder:
        for row in known.itertuples():
            _place(paths[row.recording], folder / row.recording)
            size, crc = measure(folder / row.recording)
            if (size, f"{crc:08x}") != (row.bytes, row.crc32):
                fault = f"{size} bytes, CRC-32 {crc:08x}; {row.bytes} and {row.crc32} expected"
                faults.append(f"{paths[row.recording]}: {fault}")
        if faults:
            heading = (
                "recordings differ from those in recordings.tsv; delete them, and they are fetched "
                "again:"
            )
            raise DownloadError.of(heading, faults)
    if len(deleted):
        discard_cache(whole, cache)


def discard_cache(dataset: DataSet, cache: Path) -> None:
    """Delete what :func:`fetch_recordings` cached, once all its results are written."""
    ours = {f"{each.name}.whole" for each in dataset.archives.values()} | {"members"}
    notes = {f"{each.name}.{each.md5}.json" for each in dataset.archives.values()}
    for part in ("audio", "meta"):
        folder = Path(cache) / dataset.name / part
        for name in notes:
            (folder / name).unlink(missing_ok=True)
        for name in ours:
            shutil.rmtree(folder / name, ignore_errors=True)
        for empty in (folder, folder.parent):
            with suppress(OSError):  # missing, or with other files in it
                empty.rmdir()


def _collect(
    dataset: DataSet, names: Sequence[str], client: Client, shelf: _Shelf
) -> Mapping[str, ArchiveMember]:
    """Put all recordings on the shelf; ranges are fetched once all recordings are located."""
    found: dict[str, ArchiveMember] = {}
    waiting: list[tuple[_Opened, list[ArchiveMember]]] = []
    for archive in dataset.audio:
        remaining = [name for name in names if name not in found]
        if not remaining:
            break
        opened = _Opened(client, archive, shelf.folder)
        listing = client.persist(opened.url, partial(shelf.listing, archive, opened))
        here = {name: listing[name] for name in remaining if name in listing}
        refuse_unsafe(archive, listing.values(), (found | here).values())
        found |= here
        lacking = [member for member in here.values() if not shelf.holds(member)]
        if lacking and opened.ranged:
            waiting.append((opened, lacking))
            continue
        found |= opened.take(lacking, shelf)
        opened.discard()  # now, so that ten archives of 1 GB are not on the disk together
    missing = [name for name in names if name not in found]
    if missing:
        heading = f"{len(missing)} recording(s) are in no audio archive of {dataset.name}:"
        raise DownloadError.of(heading, missing)
    for opened, members in waiting:
        found |= opened.take(members, shelf)
        opened.discard()
    return found


def _describe(members: Sequence[ArchiveMember], shelf: _Shelf) -> pd.DataFrame:
    """Tabulate the recordings on the shelf and their headers."""
    rows, faults = [], []
    for member in members:
        try:
            with Recording(shelf.path(member.name)) as header:
                form = (header.frames, header.rate, header.channels, header.subtype)
        except AudioError as error:
            faults.append(f"{member.name}: {error}")
            continue
        rows.append((member.name, member.archive, member.bytes, f"{member.crc32:08x}", *form))
    if faults:
        raise AudioError.of("recordings that were fetched cannot be read as audio:", faults)
    return pd.DataFrame(rows, columns=COLUMNS)


def _place(source: Path, target: Path) -> None:
    """Hard-link a file to ``target``, or copy it if the file system has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
