"""A full disk: telling it from other faults, saying what to do, and a log that outlives it."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOBase
from pathlib import Path

from softscene.errors import StorageError

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
