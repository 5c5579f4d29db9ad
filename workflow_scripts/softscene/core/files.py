"""Files that are written completely or not at all, even on a full disk; and the logs of jobs."""

import errno
import glob
import io
import os
import re
import shutil
import socket
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOBase
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from softscene.core.errors import StorageError

FULL = {errno.ENOSPC, errno.EDQUOT}
WORDS = re.compile(r"\b(errno =|os error) (28|122)\b|No space left on device|Disk quota exceeded")
"""How HDF5 and safetensors report a full disk, in errors without an errno."""
SPEAKERS = {"OSError", "RuntimeError", "SafetensorError"}
"""The types of those errors; a download's error may quote a server whose disk is full."""


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or one of its causes, says that a disk or a quota is full."""
    met = []
    while error is not None and error not in met:
        if getattr(error, "errno", None) in FULL:
            return True
        if type(error).__name__ in SPEAKERS and WORDS.search(str(error)):
            return True
        met.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False


@contextmanager
def naming_full_disk(path: str | Path) -> Iterator[None]:
    """Turn every error that the block raises because the disk of ``path`` is full into one type.

    Raises
    ------
    StorageError
        Names ``path`` and the free space there.
    """
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        if not is_full(error):
            raise
        folder = _existing(Path(path).absolute().parent)
        raise StorageError(
            f"the disk is full, or a quota on it: {path} could not be written. Without the "
            f"partial file, {_readable(shutil.disk_usage(folder).free)} are free in {folder}. "
            "Free some space, then rerun the same command to resume"
        ) from error


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _readable(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


class Log(TextIOBase):
    """A text file for writing; on a full disk it loses text but raises nothing.

    Attributes
    ----------
    complete
        Whether everything written is in the file; may be set.
    """

    _file = io.BytesIO()  # Python calls close() even if __init__ could not open the file

    def __init__(self, path: str | Path) -> None:
        self._file = Path(path).open("wb", buffering=0)  # noqa: SIM115 - closed in close()
        self.complete = True

    def write(self, text: str) -> int:
        """Write ``text`` as UTF-8 without buffering; what does not fit is lost."""
        content = text.encode("utf-8", "backslashreplace")
        try:
            written = self._file.write(content)
        except OSError:
            written = 0
        self.complete &= written == len(content)
        return len(text)

    def fileno(self) -> int:
        """The file descriptor."""
        return self._file.fileno()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()
        super().close()


def sync(path: Path) -> None:
    """Flush a file's content to the disk, so that it survives a power failure."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


if TYPE_CHECKING:
    import h5py


def partial_beside(target: Path) -> Path:
    """A path beside ``target`` for a partial file; deletes those that killed processes left.

    Its name is short, because the target's may be as long as the file system allows. It differs
    between machines, because only its own machine knows whether its process is alive.
    """
    owner = zlib.crc32(os.fsencode(f"{target.name}/{socket.gethostname()}"))
    before = f".partial-{owner:08x}-"
    for left in target.parent.glob(f"{before}[0-9]*{glob.escape(target.suffix)}"):
        process = left.name.removeprefix(before).removesuffix(target.suffix)
        if not process.isdecimal() or psutil.pid_exists(int(process)):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    return target.with_name(f"{before}{os.getpid()}{target.suffix}")


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """Give a path beside ``target`` to write to; it becomes ``target`` when the block succeeds.

    If the block fails, ``target`` is unchanged and nothing is left beside it.

    Raises
    ------
    StorageError
        The disk is full.
    """
    target = Path(target)
    partial = partial_beside(target)
    try:
        with naming_full_disk(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            if partial.is_file():
                sync(partial)  # or a power failure could leave an empty file under the final name
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


class _Unfailing(io.FileIO):
    """A file that hides a full disk from HDF5, which would crash.

    Attributes
    ----------
    error
        What the first failed write raised; later writes are skipped.
    """

    error: OSError | None = None

    def write(self, content: memoryview) -> int:
        """Write all of ``content``, or keep the error."""
        rest = memoryview(content)
        try:
            while rest and self.error is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        """Resize the file, or keep the error."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return self.tell() if size is None else size


@contextmanager
def replacing_hdf5(target: str | Path) -> Iterator["h5py.File"]:
    """Give an HDF5 file to fill; it becomes ``target`` when the block succeeds.

    Raises
    ------
    StorageError
        The disk is full; raised at the end.
    """
    import h5py  # noqa: PLC0415 - most jobs write only tables

    with replacing(target) as partial, _Unfailing(partial, "w+") as content:
        try:
            with h5py.File(content, "w") as store:
                yield store
        finally:
            if content.error:
                raise content.error


def write_text(target: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, completely or not at all."""
    with replacing(target) as partial:
        partial.write_text(text, encoding="utf-8")


_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def other_than_file(path: str | Path) -> str | None:
    """Say what ``path`` is if it can be opened like a file but is not a regular file.

    ``None`` if it is a file, or opening it fails anyway (missing, a folder, no permission).
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return None
    kind = _KINDS.get(stat.S_IFMT(mode))
    return kind and f"is {kind}, not a file"
