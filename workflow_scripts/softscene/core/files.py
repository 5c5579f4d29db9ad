"""Files: whole or not there, on disks that may be full; and the logs of jobs."""

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
"""How HDF5 and safetensors tell it, in errors without a number."""
SPEAKERS = {"OSError", "RuntimeError", "SafetensorError"}
"""What those errors are; a server's words in an error of a download are no such sign."""


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from, says that a disk or a quota is full."""
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
    """Make one kind of error of all that a block raises because the disk of ``path`` is full.

    Raises
    ------
    StorageError
        Names ``path`` and what is free there.
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
            f"the disk is full, or a quota on it: {path} could not be written; without what was "
            f"half made, {_readable(shutil.disk_usage(folder).free)} are free in {folder}. Make "
            "room, then give the same command again: what was finished is kept"
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
    """A text file for writing that a full disk makes incomplete, and nothing worse.

    Attributes
    ----------
    complete
        Whether all that was written is there; may be set.
    """

    _file = io.BytesIO()  # where there is none, as Python closes what could not be made, too

    def __init__(self, path: str | Path) -> None:
        self._file = Path(path).open("wb", buffering=0)  # noqa: SIM115 - closed in close()
        self.complete = True

    def write(self, text: str) -> int:
        """Write ``text`` at once, as UTF-8; what does not fit is lost."""
        content = text.encode("utf-8", "backslashreplace")
        try:
            written = self._file.write(content)
        except OSError:
            written = 0
        self.complete &= written == len(content)
        return len(text)

    def fileno(self) -> int:
        """The number that the operating system knows the file by."""
        return self._file.fileno()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()
        super().close()


def sync(path: Path) -> None:
    """Have a file's content on the disk, so that no power failure takes it away any more."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


if TYPE_CHECKING:
    import h5py


def partial_beside(target: Path) -> Path:
    """A path beside ``target`` for what is not whole yet; what killed processes left is removed.

    Its name is short, as the target's may be as long as the file system allows, and its own on
    each machine, as only there is known whether its process lives.
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

    A block that fails leaves ``target`` as it was, and nothing beside it.

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
                sync(partial)  # or a power failure may leave an empty file under the final name
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


class _Unfailing(io.FileIO):
    """A file that hides from HDF5 when its disk is full, of which that library would crash.

    Attributes
    ----------
    error
        What the first write raised that failed; none is tried after it.
    """

    error: OSError | None = None

    def write(self, content: memoryview) -> int:
        """Write all of ``content``, or note why not."""
        rest = memoryview(content)
        try:
            while rest and self.error is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        """Give the file a size, or note why not."""
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
        The disk is full; told at the end.
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
    """Write ``text`` as UTF-8, whole or not at all."""
    with replacing(target) as partial:
        partial.write_text(text, encoding="utf-8")


_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def other_than_file(path: str | Path) -> str | None:
    """Say what stands at ``path`` that can be opened like a file and is none.

    ``None`` if it is a file, or opening it fails anyway (nothing there, a folder, no permission).
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return None
    kind = _KINDS.get(stat.S_IFMT(mode))
    return kind and f"is no file, but {kind}"
