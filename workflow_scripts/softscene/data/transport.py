"""HTTP downloads: sources and mirrors, retries, whole files and ranges."""

import logging
import re
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pooch
import requests
import tenacity
import urllib3
from remotezip import PartialBuffer, RangeNotSupported, RemoteFetcher

from softscene.core.errors import DownloadError
from softscene.core.files import naming_full_disk
from softscene.core.progress import Progress
from softscene.data.archives import CHUNK, DamagedError

logger = logging.getLogger(__name__)

USER_AGENT = "softscene/0.1 (+https://arxiv.org/abs/2002.05848)"
"""Zenodo refuses the default names of HTTP libraries, but accepts a name with a URL."""
LONGEST_PAUSE = 60.0
LARGEST_LIST = 2**24
"""Bytes of a file whose size is not in the registry; the longest such list has a tenth of this."""
LARGEST_DIRECTORY = 2**24
"""Bytes, held in memory; the longest directory of a published archive has a hundredth of this."""
MIRROR_HINT = (
    "if this machine has no internet, put the archives in a folder and set download.mirror to it"
)
REFUSED_HINT = (
    "the server refuses this program or this network; try again later or from another network, "
    "or fetch the archives with a browser, put them in a folder and set download.mirror to it"
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
    """Where to download from, and how often to retry.

    Parameters
    ----------
    mirror
        ``None`` for the published URLs, a base URL (http, https), or a folder (also ``file://``).
    mode
        ``selective`` fetches only the members needed, if the server allows, and checks each against
        the archive's directory; ``full`` fetches whole archives and checks the registry's MD5. A
        mirror's archives are always fetched whole, because its directory could be wrong too.
    attempts
        Tries per request.
    pause
        Seconds before the second try; doubles with each further one, up to 60.
    timeout
        Seconds without an answer, or without data, before a try fails.
    """

    mirror: str | None = None
    mode: Literal["selective", "full"] = "selective"
    attempts: int = 5
    pause: float = 1.0
    timeout: float = 30.0

    @property
    def gives_parts(self) -> bool:
        """Whether members may be fetched one by one: only from the publisher's archives."""
        return self.mirror is None and self.mode == "selective"

    @property
    def folder(self) -> Path | None:
        """The mirror, if it is a folder."""
        if self.mirror is None or urlsplit(self.mirror).scheme in ("http", "https"):
            return None
        if self.mirror.startswith("file://"):
            return Path(url2pathname(urlsplit(self.mirror).path))
        return Path(self.mirror).expanduser()

    def url(self, published: str, name: str) -> str:
        """The URL of ``name`` on the mirror, or else its ``published`` URL."""
        return published if self.mirror is None else f"{self.mirror.rstrip('/')}/{name}"

    def require_mirrored(self, names: Sequence[str]) -> None:
        """Raise an error that lists all ``names`` that a mirror's folder lacks."""
        scheme = urlsplit(self.mirror or "").scheme
        if scheme not in ("", "http", "https", "file"):
            raise DownloadError(
                f"{self.mirror} (download.mirror) is neither a folder nor an http(s) address"
            )
        if self.folder is None:
            return
        try:
            if not self.folder.is_dir():
                raise DownloadError(f"there is no folder {self.folder} (download.mirror)")
            missing = [name for name in names if not (self.folder / name).is_file()]
        except OSError as error:
            raise DownloadError(
                f"the folder {self.folder} (download.mirror) cannot be read: {error.strerror}"
            ) from error
        if missing:
            heading = f"the folder {self.folder} (download.mirror) lacks {len(missing)} file(s):"
            raise DownloadError.of(heading, missing)


def difference(path: Path, known_hash: str, size: int | None = None) -> str | None:
    """How a file differs from the published one: both sizes and checksums; ``None`` if equal."""
    algorithm, _, expected = known_hash.partition(":")
    found, found_size = pooch.file_hash(str(path), alg=algorithm), path.stat().st_size
    if found == expected and size in (None, found_size):
        return None
    of_size = "" if size is None else f"{size} bytes with "
    return (
        f"expected {of_size}{algorithm.upper()} {expected}, found {found_size} bytes with {found}"
    )


class _Session(requests.Session):
    """A session that does not read the body of a redirect."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return the target, if any; requests would read even an endless body."""
        target = super().get_redirect_target(resp)
        if target is not None:
            resp.raw.close()
        return target


class Client:
    """An HTTP client that retries, and verifies what it received."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._session = _Session()
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(self, url: str, **headers: str) -> requests.Response:
        """Request ``url``; the caller checks the response's status and reads its body.

        Raises
        ------
        DownloadError
            This machine cannot send the request, e.g. without certificates; retries would not help.
        """
        try:
            response = self._session.get(
                url, headers=headers, stream=True, timeout=self.source.timeout
            )
        except FAULTS:
            raise
        except (OSError, ValueError) as error:
            raise DownloadError(f"{url}: {error}; gave up after 1 try") from error
        encoding = response.headers.get("Content-Encoding", "identity")
        if response.ok and encoding.lower() != "identity":  # it could expand to gigabytes
            response.close()
            raise DamagedError(f"it came encoded ({encoding[:40]}), which was not asked for")
        return response

    def persist(self, url: str, work: Callable[[], Result]) -> Result:
        """Retry ``work`` after temporary faults; the last one becomes a DownloadError."""
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
        """Fetch a whole file to ``target``, and check its ``known_hash`` (``"md5:..."``)."""

        def attempt() -> None:
            try:
                pooch.retrieve(
                    url,
                    known_hash,
                    target.name,
                    target.parent,
                    downloader=partial(self._save, known_hash, size),
                )
            except requests.RequestException:
                raise
            except ValueError as error:  # pooch raises it for a wrong checksum
                raise DamagedError(str(error)) from error

        with naming_full_disk(target):
            self.persist(url, attempt)

    def _save(self, known_hash: str, size: int | None, url: str, target: str, _: object) -> None:
        """Pooch's downloader: stream ``url`` to a file and verify it; ``size`` is in bytes."""
        with self.get(url) as response:
            response.raise_for_status()
            announced = _number(response.headers.get("Content-Length")) or size or 0
            if size is not None and announced > size:
                raise DamagedError(f"it has {announced} bytes; the registry says {size}")
            limit = LARGEST_LIST if size is None else size
            progress = Progress(f"fetching {url}", announced, "B")
            Path(target).unlink(missing_ok=True)  # pooch's file is readable by its owner only
            with Path(target).open("wb") as sink:
                for chunk in response.iter_content(CHUNK):
                    if progress.done + len(chunk) > limit:
                        raise DamagedError(f"more than {limit} bytes came")
                    sink.write(chunk)
                    progress.advance(len(chunk))
        if fault := difference(Path(target), known_hash, size):
            raise DamagedError(fault)


def _pause(first: float, state: tenacity.RetryCallState) -> float:
    """Seconds before the next try: what the server asks for, or exponential; 60 at most."""
    response = getattr(state.outcome.exception(), "response", None)
    asked = None
    if response is not None and response.status_code in (429, 503):
        asked = response.headers.get("Retry-After")  # Zenodo sends it with every other answer too
    if asked:
        # Ignore a header that is not a time: too many digits, an impossible year, etc.
        with suppress(urllib3.exceptions.InvalidHeader, ValueError, ArithmeticError, LookupError):
            return min(LONGEST_PAUSE, urllib3.Retry().parse_retry_after(asked))
    return tenacity.wait_exponential(multiplier=first, max=LONGEST_PAUSE)(state)


def _number(text: str | None) -> int | None:
    """Parse a server's number of bytes; ``None`` if it is not a number, or absurd."""
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


def _announce(url: str, state: tenacity.RetryCallState) -> None:
    cause, pause = _cause(state.outcome.exception()), state.next_action.sleep
    logger.warning("%s: %s; try %d failed, next in %.3g s", url, cause, state.attempt_number, pause)


def _may_pass(error: BaseException) -> bool:
    """Whether a retry may succeed: not after 4xx other than 429, nor for a malformed URL."""
    response = getattr(error, "response", None)
    if response is not None and 400 <= response.status_code < 500:
        return response.status_code == 429
    return isinstance(error, FAULTS) and not isinstance(error, ValueError)


def _cause(error: BaseException) -> str:
    """Say in one line what went wrong."""
    response = getattr(error, "response", None)
    if response is not None:
        status = f"HTTP {response.status_code} {response.reason}".rstrip()
        return f"{status}: {REFUSED_HINT}" if response.status_code == 403 else status
    if isinstance(error, requests.ConnectionError) and error.args:
        reason = getattr(error.args[0], "reason", None)
        if reason is not None:  # there was no connection at all
            return f"the server cannot be reached ({reason}); {MIRROR_HINT}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class Ranges(RemoteFetcher):
    """Ranges of one archive for :class:`RemoteZip`; checks the Content-Range of each response."""

    def __init__(self, client: Client, size: int, url: str, *_: object, **__: object) -> None:
        super().__init__(url)
        self._client, self._size = client, size

    def fetch(self, data_range: tuple[int, int | None], stream: bool = False) -> PartialBuffer:
        """Fetch bytes ``first..last``; if ``last`` is None, the last ``-first`` bytes."""
        first, last = data_range
        if last is None:
            first, last = max(0, self._size + first), self._size - 1
        if not 0 <= first <= last < self._size:
            raise DamagedError(f"its directory points to bytes {first}-{last} of {self._size}")
        if not stream and last - first >= LARGEST_DIRECTORY:
            raise DamagedError(f"its directory has more than {LARGEST_DIRECTORY} bytes")
        # Retry here, because zipfile hides errors while it looks for the directory.
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
        given = re.fullmatch(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18})", header)
        if given and int(given[3]) != self._size:
            raise DamagedError(f"it has {given[3]} bytes; the registry says {self._size}")
        response.raise_for_status()
        if not given or response.status_code != requests.codes.partial_content:
            raise RangeNotSupported(self._url)
        if given.group(1, 2) != (str(first), str(last)):
            raise DamagedError(
                f"HTTP 206, but bytes {given[1]}-{given[2]} instead of {first}-{last}"
            )
