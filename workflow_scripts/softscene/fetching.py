"""Fetching what the registry names: over HTTP, whole or only the members needed, or a folder."""

import json
import logging
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pandas as pd
import pooch
import requests
import soundfile
import tenacity
import urllib3
from remotezip import PartialBuffer, RangeNotSupported, RemoteFetcher, RemoteZip

from softscene.archives import (
    CHUNK,
    LARGEST_MEMBER,
    Archive,
    DamagedError,
    DataSet,
    Member,
    Registry,
    extract_member,
    list_members,
    refuse_unsafe,
)
from softscene.errors import AudioError, DownloadError
from softscene.files import replacing, write_text
from softscene.progress import Progress

logger = logging.getLogger(__name__)

USER_AGENT = "softscene/0.1 (paper reproduction)"
LONGEST_PAUSE = 60.0
COLUMNS = ["recording", "archive", "bytes", "crc32", "frames", "sample_rate", "channels", "subtype"]
MIRROR_HINT = (
    "if this machine has no internet, put the archives in a folder and set download.mirror to it"
)
FAULTS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    zipfile.BadZipFile,
    EOFError,
    DamagedError,
)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Source:
    """Where from and how patiently.

    Parameters
    ----------
    mirror
        ``None`` for the published places, a base URL (http, https), or a folder (also ``file://``).
    mode
        Over HTTP, fetch only the members needed where the server allows, or whole archives.
    attempts
        How many times each request is tried.
    pause
        Seconds before the second try; doubles with every other, up to 60.
    timeout
        Seconds without an answer, or without data, before a try is given up.
    """

    mirror: str | None = None
    mode: Literal["selective", "full"] = "selective"
    attempts: int = 5
    pause: float = 1.0
    timeout: float = 30.0

    @property
    def folder(self) -> Path | None:
        """The mirror, if it is a folder."""
        if self.mirror is None or urlsplit(self.mirror).scheme in ("http", "https"):
            return None
        if self.mirror.startswith("file://"):
            return Path(url2pathname(urlsplit(self.mirror).path))
        return Path(self.mirror).expanduser()

    def url(self, published: str, name: str) -> str:
        """Where ``name`` is fetched from: the mirror, or where it was ``published``."""
        return published if self.mirror is None else f"{self.mirror.rstrip('/')}/{name}"

    def require_mirrored(self, names: Sequence[str]) -> None:
        """Raise an error that lists all ``names`` that a mirror's folder lacks."""
        if self.folder is None:
            return
        missing = [name for name in names if not (self.folder / name).is_file()]
        if missing:
            heading = f"the folder {self.folder} (download.mirror) lacks {len(missing)} file(s):"
            raise DownloadError.of(heading, missing)


class _Client:
    """HTTP with patience, and the proofs of what came."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})

    def close(self) -> None:
        self._session.close()

    def get(self, url: str, **headers: str) -> requests.Response:
        """Ask for ``url``; the answer's status is the caller's to judge, its body unread."""
        return self._session.get(url, headers=headers, stream=True, timeout=self.source.timeout)

    def persist(self, url: str, work: Callable[[], Result]) -> Result:
        """Do ``work`` again after faults that may pass; the last one becomes a DownloadError."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.source.attempts),
            wait=partial(_pause, self.source.pause),
            retry=tenacity.retry_if_exception(_may_pass),
            before_sleep=partial(_announce, url),
            reraise=True,
        )
        try:
            return retrying(work)
        except FAULTS as error:
            tries = retrying.statistics["attempt_number"]
            raise DownloadError(
                f"{url}: {_cause(error)}; gave up after {tries} {'try' if tries == 1 else 'tries'}"
            ) from error

    def retrieve(self, url: str, target: Path, known_hash: str, size: int | None = None) -> None:
        """Fetch a file whole to ``target``, proved by ``known_hash`` (``"md5:..."``)."""

        def attempt() -> None:
            try:
                pooch.retrieve(
                    url,
                    known_hash,
                    target.name,
                    target.parent,
                    downloader=partial(self._save, size),
                )
            except requests.RequestException:
                raise
            except ValueError as error:  # pooch's word for a wrong checksum; it gives both
                raise DamagedError(str(error)) from error

        self.persist(url, attempt)

    def _save(self, size: int | None, url: str, target: str, _: object) -> None:
        """Stream ``url`` to a file, as pooch's downloader; ``size`` is in bytes."""
        with self.get(url) as response:
            response.raise_for_status()
            announced = int(response.headers.get("Content-Length") or size or 0)
            if size is not None and announced != size:
                raise DownloadError(f"{url} has {announced} bytes; the registry says {size}")
            limit = size or LARGEST_MEMBER
            progress = Progress(f"fetching {url}", announced, "B")
            Path(target).unlink(missing_ok=True)  # pooch's is closed to all others on the machine
            with Path(target).open("wb") as sink:
                for chunk in response.iter_content(CHUNK):
                    if progress.done + len(chunk) > limit:
                        raise DamagedError(f"more than {limit} bytes came")
                    sink.write(chunk)
                    progress.advance(len(chunk))


def _pause(first: float, state: tenacity.RetryCallState) -> float:
    """Seconds before the next try: what the server asks for, or growing; 60 at most."""
    response = getattr(state.outcome.exception(), "response", None)
    asked = None
    if response is not None and response.status_code in (429, 503):
        asked = response.headers.get("Retry-After")  # Zenodo sends it with every other answer too
    if asked:
        with suppress(urllib3.exceptions.InvalidHeader):
            return min(LONGEST_PAUSE, urllib3.Retry().parse_retry_after(asked))
    return tenacity.wait_exponential(multiplier=first, max=LONGEST_PAUSE)(state)


def _announce(url: str, state: tenacity.RetryCallState) -> None:
    cause, pause = _cause(state.outcome.exception()), state.next_action.sleep
    logger.warning("%s: %s; try %d failed, next in %.3g s", url, cause, state.attempt_number, pause)


def _may_pass(error: BaseException) -> bool:
    """Whether another try may succeed: not after 4xx other than 429, nor for a malformed URL."""
    response = getattr(error, "response", None)
    if response is not None and 400 <= response.status_code < 500:
        return response.status_code == 429
    return isinstance(error, FAULTS) and not isinstance(error, ValueError)


def _cause(error: BaseException) -> str:
    """Say in one line what went wrong."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code} {response.reason}".rstrip()
    if isinstance(error, requests.ConnectionError) and error.args:
        reason = getattr(error.args[0], "reason", None)
        if reason is not None:  # no connection came about at all
            return f"the server cannot be reached ({reason}); {MIRROR_HINT}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class _Ranges(RemoteFetcher):
    """Parts of one archive for :class:`RemoteZip`, each answer proved by its Content-Range."""

    def __init__(self, client: _Client, size: int, url: str, *_: object, **__: object) -> None:
        super().__init__(url)
        self._client, self._size = client, size

    def fetch(self, data_range: tuple[int, int | None], stream: bool = False) -> PartialBuffer:
        """Fetch bytes ``first..last``; a negative ``first`` counts from the end."""
        first, last = data_range
        first = max(0, self._size + first) if first < 0 else first
        last = self._size - 1 if last is None else last
        # Here, as zipfile hides what goes wrong while it looks for the directory.
        return self._client.persist(self._url, partial(self._part, first, last, stream))

    def _part(self, first: int, last: int, stream: bool) -> PartialBuffer:
        response = self._client.get(self._url, Range=f"bytes={first}-{last}")
        with ExitStack() as closing_on_error:
            closing_on_error.callback(response.close)
            self._prove(response, first, last)
            part = PartialBuffer(response.raw, first, last - first + 1, stream)
            closing_on_error.pop_all()
        return part

    def _prove(self, response: requests.Response, first: int, last: int) -> None:
        header = response.headers.get("Content-Range", "")
        given = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", header)
        if given and int(given[3]) != self._size:
            raise DownloadError(f"{self._url} has {given[3]} bytes; the registry says {self._size}")
        response.raise_for_status()
        if not given or response.status_code != requests.codes.partial_content:
            raise RangeNotSupported(self._url)
        if given.group(1, 2) != (str(first), str(last)):
            raise DamagedError(f"asked for bytes {first}-{last}, got {given[1]}-{given[2]}")


class _Shelf:
    """The cache of one data set: proved members, and what the archives' directories say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        return self.folder / "members" / name

    def holds(self, member: Member) -> bool:
        """Whether a member lies here with the right size and CRC-32."""
        path = self.path(member.name)
        if not path.is_file() or path.stat().st_size != member.bytes:
            return False
        crc = 0
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                crc = zlib.crc32(chunk, crc)
        return crc == member.crc32

    def listing(self, archive: Archive, opened: "_Opened") -> dict[str, Member]:
        """Give the archive's members by name; a proved archive's are noted, to outlive it."""
        note = self.folder / f"{archive.name}.{archive.md5}.json"
        if note.is_file():
            members = [Member(*facts) for facts in json.loads(note.read_text(encoding="utf-8"))]
        else:
            members = list_members(archive.name, opened.zip())
            if not opened.ranged:
                write_text(note, json.dumps(members))
        return {member.name: member for member in members}


class _Opened:
    """One archive, opened when first needed: by ranges, or whole from the mirror or the cache."""

    def __init__(self, client: _Client, archive: Archive, folder: Path) -> None:
        self._client, self._archive = client, archive
        self._folder = folder / f"{archive.name}.whole"
        self.url = client.source.url(archive.url, archive.name)
        self._zip: zipfile.ZipFile | None = None

    def zip(self) -> zipfile.ZipFile:
        self._zip = self._zip or self._open()
        return self._zip

    @property
    def ranged(self) -> bool:
        """Whether it is read by ranges, so that its MD5 was not proved."""
        return isinstance(self.zip(), RemoteZip)

    def _open(self) -> zipfile.ZipFile:
        source = self._client.source
        if source.folder is None and source.mode == "selective":
            ranges = partial(_Ranges, self._client, self._archive.bytes)
            try:
                return _open_zip(self.url, partial(RemoteZip, fetcher=ranges))
            except RangeNotSupported:
                logger.info("%s: the server gives no parts; fetching it whole", self.url)
        return _open_zip(self.whole())

    def whole(self) -> Path:
        """Give the whole archive's path, fetched if need be, proved by size and MD5."""
        folder, archive = self._client.source.folder, self._archive
        if folder is not None:
            path = folder / archive.name
            _prove_file(path, f"md5:{archive.md5}", archive.bytes)
            return path
        path = self._folder / archive.name
        for leftover in self._folder.glob("tmp*"):  # of a killed run
            leftover.unlink()
        self._client.retrieve(self.url, path, f"md5:{archive.md5}", archive.bytes)
        return path

    def take(self, members: Sequence[Member], shelf: _Shelf) -> None:
        """Put members on the shelf."""
        total = sum(member.bytes for member in members)
        progress = Progress(f"fetching from {self._archive.name}", total, "B")
        for member in members:
            self._client.persist(self.url, partial(self._attempt, member, shelf, progress))

    def _attempt(self, member: Member, shelf: _Shelf, progress: Progress) -> None:
        before = progress.done
        try:
            with replacing(shelf.path(member.name)) as target:
                extract_member(self.zip(), member, target, progress.advance)
        except BaseException:
            progress.advance(before - progress.done)
            self.close()  # a broken stream is not read on
            raise

    def close(self) -> None:
        """Close the archive, to be opened anew."""
        if self._zip is not None:
            self._zip.close()
        self._zip = None

    def discard(self) -> None:
        """Close the archive and delete it where it was fetched whole."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _prove_file(path: Path, known_hash: str, size: int | None = None) -> None:
    algorithm, _, expected = known_hash.partition(":")
    found, found_size = pooch.file_hash(str(path), alg=algorithm), path.stat().st_size
    if found != expected or size not in (None, found_size):
        of_size = "" if size is None else f"{size} bytes with "
        raise DownloadError(
            f"{path} is not what was published: expected {of_size}{algorithm.upper()} {expected}, "
            f"found {found_size} bytes with {found}"
        )


def _open_zip(
    place: str | Path, opener: Callable[[str | Path], zipfile.ZipFile] = zipfile.ZipFile
) -> zipfile.ZipFile:
    try:
        return opener(place)
    except zipfile.BadZipFile as error:
        raise DownloadError(f"{place} is no ZIP archive: {error}") from error


@contextmanager
def _building(destination: Path) -> Iterator[Path]:
    """Give a folder beside ``destination`` to fill; it becomes it when the block succeeds."""
    beside = destination.with_name(f".{destination.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
        if destination.exists():
            shutil.rmtree(destination)
        beside.rename(destination)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def fetch_annotations(registry: Registry, source: Source, destination: Path) -> None:
    """Fetch the authors' annotation lists to ``destination / path``, each proved by SHA-256.

    Raises
    ------
    DownloadError
        If one cannot be fetched or has another SHA-256.
    """
    lists = registry.annotations
    source.require_mirrored([f"{lists.name}/{path}" for path in lists.files])
    with closing(_Client(source)) as client, _building(Path(destination)) as folder:
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
    with closing(_Client(source)) as client, _building(Path(destination)) as folder:
        archive = _Opened(client, dataset.meta, Path(cache) / dataset.name / "meta")
        with _open_zip(archive.whole()) as opened:
            members = list_members(dataset.meta.name, opened)
            refuse_unsafe(members)
            for member in members:
                extract_member(opened, member, folder / member.name)
        archive.discard()


def fetch_recordings(
    dataset: DataSet, wanted: Sequence[str], source: Source, cache: Path, destination: Path
) -> pd.DataFrame:
    """Fetch recordings out of a data set's audio archives to ``destination / recording``.

    Parameters
    ----------
    dataset
        Whose archives are searched, in the registry's order.
    wanted
        Names of members, e.g. ``TUT-sound-events-2016-development/audio/home/a030.wav``.
    source
        Where from.
    cache
        Folder where recordings wait until all are there; what a killed run has fetched is kept.
    destination
        Folder that appears whole, with nothing but the recordings.

    Returns
    -------
    pandas.DataFrame
        A row for each recording, in the order of ``wanted``: ``recording``, ``archive``, ``bytes``,
        ``crc32`` (8 hex digits), ``frames``, ``sample_rate`` (Hz), ``channels``, ``subtype``.

    Raises
    ------
    DownloadError
        If an archive cannot be fetched, is not what was published, or none holds a recording.
    AudioError
        If a recording cannot be read as audio.
    """
    names = list(dict.fromkeys(wanted))
    source.require_mirrored([archive.name for archive in dataset.audio])
    shelf = _Shelf(Path(cache) / dataset.name / "audio")
    with closing(_Client(source)) as client:
        found = _collect(dataset, names, client, shelf)
    table = _describe([found[name] for name in names], shelf)
    with _building(Path(destination)) as folder:
        for name in names:
            _place(shelf.path(name), folder / name)
    shutil.rmtree(shelf.folder, ignore_errors=True)
    return table


def _collect(
    dataset: DataSet, names: Sequence[str], client: _Client, shelf: _Shelf
) -> Mapping[str, Member]:
    """Put all recordings on the shelf; members of archives read by ranges once all are located."""
    found: dict[str, Member] = {}
    waiting: list[tuple[_Opened, list[Member]]] = []
    for archive in dataset.audio:
        remaining = [name for name in names if name not in found]
        if not remaining:
            break
        opened = _Opened(client, archive, shelf.folder)
        listing = shelf.listing(archive, opened)
        here = {name: listing[name] for name in remaining if name in listing}
        refuse_unsafe(here.values())
        found |= here
        lacking = [member for member in here.values() if not shelf.holds(member)]
        if lacking and opened.ranged:
            waiting.append((opened, lacking))
            continue
        opened.take(lacking, shelf)
        opened.discard()  # at once: ten archives of 1 GB need not lie there together
    missing = [name for name in names if name not in found]
    if missing:
        heading = f"{len(missing)} recording(s) are in no audio archive of {dataset.name}:"
        raise DownloadError.of(heading, missing)
    for opened, members in waiting:
        opened.take(members, shelf)
        opened.discard()
    return found


def _describe(members: Sequence[Member], shelf: _Shelf) -> pd.DataFrame:
    """Tabulate the recordings on the shelf and what their headers say."""
    rows, faults = [], []
    for member in members:
        try:
            header = soundfile.info(str(shelf.path(member.name)))
        except soundfile.SoundFileError as error:
            faults.append(f"{member.name}: {error}")
            continue
        form = (header.frames, header.samplerate, header.channels, header.subtype)
        rows.append((member.name, member.archive, member.bytes, f"{member.crc32:08x}", *form))
    if faults:
        raise AudioError.of("recordings that were fetched cannot be read as audio:", faults)
    return pd.DataFrame(rows, columns=COLUMNS)


def _place(source: Path, target: Path) -> None:
    """Give a file a second place, without a copy where the file system allows."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
