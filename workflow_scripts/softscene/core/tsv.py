"""Tables as tab-separated text."""

import csv
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from softscene.core.errors import ResultError, how_to_remake
from softscene.core.files import replacing

# The text columns of all tables: a scene may be called 1, None or NA, and must be read back
# unchanged. Others hold numbers, or one of a few modes (threshold, in scores and event lists).
TEXT = frozenset({
    "action", "against_method", "archive", "claim", "comparison", "control", "convention", "corpus",
    "crc32", "event", "event_label", "file", "labels", "list", "method", "origin", "part", "path",
    "reason", "recorded", "recording", "run", "scene", "scene_label", "score", "sentence",
    "subtype", "text", "texture", "trained_on", "unit", "varies", "verdict", "average", "metric",
})  # fmt: skip
MODES = "threshold"


def write_table(table: pd.DataFrame, target: str | Path) -> None:
    """Write a table as TSV without quotes; :func:`read_table` returns an equal one.

    Only the columns of :data:`TEXT` hold text, without tabs and line feeds.

    Raises
    ------
    ValueError
        Another column has text, which could be read back as something else.
    """
    unknown = [
        name
        for name in table.columns
        if name not in TEXT and name != MODES and table[name].map(type).eq(str).any()
    ]
    if unknown:
        raise ValueError(f"{target}: columns with text that tsv.TEXT lacks: {unknown}")
    with replacing(target) as partial:
        table.to_csv(partial, sep="\t", index=False, quoting=csv.QUOTE_NONE)


def other_separator(header: str, columns: Collection[str]) -> str | None:
    """What separates these columns in a file's first line, if it is not tabs."""
    for sign, name in ((",", "commas"), (";", "semicolons")):
        if set(columns) <= {each.strip(' "') for each in header.split(sign)}:
            return f"has {name} and no tabs; tab-separated columns expected"
    return None


def read_table(source: str | Path) -> pd.DataFrame:
    """Read a TSV that :func:`write_table` wrote, or a CSV of ``resources``.

    An empty cell becomes NaN in a column of numbers, and an empty string in a column of text.

    Raises
    ------
    ResultError
        It is missing or not a table.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows with too many cells
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
    """Read a table in which these columns must exist and hold finite numbers.

    Raises
    ------
    ResultError
        The file is missing or not a table, lacks a column, or a cell is not finite; names its line.
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
