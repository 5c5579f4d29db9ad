"""Files that are either whole or not there."""

import csv
import glob
import io
import os
import shutil
import socket
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import psutil

from softscene.errors import ResultError, how_to_remake
from softscene.storage import naming_full_disk, sync

if TYPE_CHECKING:
    import h5py

# The columns that hold text, in all tables: a scene may be called 1, None or NA, and must come back
# so. Others hold numbers, or (threshold, of scores and event lists) one of the three modes.
TEXT = frozenset({
    "action", "against_method", "archive", "claim", "comparison", "control", "convention", "corpus",
    "crc32", "event", "event_label", "file", "labels", "list", "method", "origin", "part", "path",
    "reason", "recording", "scene", "scene_label", "score", "sentence", "subtype", "text",
    "texture", "trained_on", "unit", "verdict",
})  # fmt: skip
MODES = "threshold"


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


def write_table(table: pd.DataFrame, target: str | Path) -> None:
    """Write a table as TSV, without quotes; :func:`read_table` gives it back equal.

    Text is in the columns of :data:`TEXT` alone, and has neither tabs nor line feeds.

    Raises
    ------
    ValueError
        Another column has text, which could come back as something else.
    """
    unknown = [
        name
        for name in table.columns
        if name not in TEXT and name != MODES and table[name].map(type).eq(str).any()
    ]
    if unknown:
        raise ValueError(f"{target}: columns with text that files.TEXT lacks: {unknown}")
    with replacing(target) as partial:
        table.to_csv(partial, sep="\t", index=False, quoting=csv.QUOTE_NONE)


def read_table(source: str | Path) -> pd.DataFrame:
    """Read a TSV that :func:`write_table` wrote, or a CSV of ``resources``.

    In a column of numbers an empty cell is NaN; in one of text, an empty text.

    Raises
    ------
    ResultError
        It is missing, or no table.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # of rows that are too long
            table = pd.read_csv(
                source,
                sep="," if Path(source).suffix == ".csv" else "\t",
                quoting=csv.QUOTE_NONE,
                index_col=False,
                dtype=dict.fromkeys(TEXT, str),
                keep_default_na=False,
                na_values=[""],
            )
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        raise ResultError(
            f"{source} cannot be read as a table ({error}); {how_to_remake(source)}"
        ) from error
    return table.fillna({name: "" for name in table if name in TEXT})


def read_numbers(source: str | Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table of which these columns must be there and hold finite numbers.

    Raises
    ------
    ResultError
        It is missing or no table, lacks a column, or a cell is no finite number; names its line.
    """
    table = read_table(source)
    if missing := [column for column in columns if column not in table.columns]:
        raise ResultError(
            f"{source} lacks the columns {', '.join(missing)}; {how_to_remake(source)}"
        )
    numbers = table[list(columns)].apply(pd.to_numeric, errors="coerce")
    bad = ~np.isfinite(numbers.to_numpy(float))
    if bad.any():
        row, column = (int(place[0]) for place in np.nonzero(bad))
        raise ResultError(
            f"{source}, line {row + 2}: {columns[column]} is {table[columns[column]][row]}, a "
            f"finite number expected; {how_to_remake(source)}"
        )
    return table.assign(**numbers)
