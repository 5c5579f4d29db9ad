"""Files that are either whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """Give a path beside ``target`` to write to; it becomes ``target`` when the block succeeds.

    A block that fails leaves ``target`` as it was, and nothing beside it.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial{target.suffix}")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_text(target: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with replacing(target) as partial:
        partial.write_text(text, encoding="utf-8")


def write_table(table: pd.DataFrame, target: str | Path) -> None:
    """Write a table as TSV; floats keep every digit that they need to be read back equal."""
    with replacing(target) as partial:
        table.to_csv(partial, sep="\t", index=False)


def read_table(source: str | Path) -> pd.DataFrame:
    """Read a TSV that :func:`write_table` wrote."""
    return pd.read_csv(source, sep="\t")
