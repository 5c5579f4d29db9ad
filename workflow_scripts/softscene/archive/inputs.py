"""The inputs of a run by name, size and checksum, for those who have the same data."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from softscene.core.errors import printable
from softscene.core.origins import digest_of
from softscene.core.tsv import read_table
from softscene.data.archives import Registry

COLUMNS = ["path", "origin", "bytes", "checksum"]
CONFIGURED = "named in the configuration"
Row = tuple[str, str, float, str]


def table_of_inputs(
    registry: Registry | None,
    datasets: Sequence[str],
    recordings: Sequence[str | Path],
    given: Sequence[str | Path],
    audio: Sequence[str | Path],
    events: Sequence[str | Path],
) -> pd.DataFrame:
    """List all that a run was made from, without its content.

    Parameters
    ----------
    registry, datasets
        What was downloaded; None and nothing if it was not.
    recordings
        ``recordings.tsv`` of each data set.
    given
        The user's own files: annotations, folds.
    audio
        The user's own recordings.
    events
        The lists of annotations in use, which the workflow made.

    Returns
    -------
    DataFrame
        ``path``, ``origin`` (where it comes from), ``bytes`` (missing if not known), ``checksum``
        (``md5:``, ``sha256:`` or ``crc32:`` and the digits).
    """
    rows = [*_downloaded(registry, datasets)] if registry else []
    for path in recordings:
        table = read_table(path)
        if "crc32" in table:
            names = zip(table.recording, table.archive, table.bytes, table.crc32, strict=True)
            rows += [(name, of, size, f"crc32:{crc}") for name, of, size, crc in names]
    rows += [_digested(path, Path(path).parent, CONFIGURED) for path in given]
    common = os.path.commonpath([Path(path).parent for path in audio]) if audio else ""
    rows += [_digested(path, common, CONFIGURED) for path in audio]
    made = "made by the workflow, in use"
    rows += [_digested(path, Path(path).parent.parent, made) for path in events]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"bytes": "Int64"})


def _downloaded(registry: Registry, datasets: Sequence[str]) -> list[Row]:
    archives = [each for name in datasets for each in registry.datasets[name].archives.values()]
    rows = [(each.name, each.dataset, float(each.bytes), f"md5:{each.md5}") for each in archives]
    lists = registry.annotations
    origin = f"{lists.name} at {lists.commit}"
    return rows + [
        (path, origin, float("nan"), f"sha256:{sha256}") for path, sha256 in lists.files.items()
    ]


def _digested(path: str | Path, folder: str | Path, origin: str) -> Row:
    """A file by its path in a folder: where that lies on this machine is nobody's business."""
    name = printable(Path(path).relative_to(folder).as_posix())
    return (name, origin, float(Path(path).stat().st_size), digest_of(path))
