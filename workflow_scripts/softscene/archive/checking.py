"""Check an archive's numbers, apart from the code that made them and with Python alone.

It imports nothing but the standard library, so that whoever gets an archive can run it at once.
"""

import csv
import hashlib
import io
import json
import math
import re
import statistics
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from softscene.core.errors import ResultError, printable

METADATA = "ro-crate-metadata.json"
STUDENTS = re.compile(r"(results/[^/]+)/students\.tsv")
VARIANT = ("method", "alpha", "beta", "temperature")
SETTING = ("convention", "threshold")
COUNTS = ("true_positives", "false_positives", "false_negatives")
ERRORS = ("substitutions", "deletions", "insertions")
TOLERANCE = 1e-9
"""Relative; means of a few hundred float64, written with all digits, differ by less than 1e-12."""
Row = dict[str, str]
Key = tuple[str, ...]


def check_archive(archive: str | Path) -> tuple[list[str], list[str]]:
    """Verify each file's checksum, and compute Tables 3 and 4 again from the students' counts.

    Parameters
    ----------
    archive
        The zip that ``make archive`` wrote.

    Returns
    -------
    tuple
        What agrees, in words; and what does not: empty if all is well.

    Raises
    ------
    ResultError
        It is no archive of a run.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            number, problems = _check_files(packed)
            agreed = [f"checksums: {number} files"]
            if not problems:
                agreed += _check_tables(packed, problems)
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ResultError(
            f"{archive}: the archive of a run expected, as `make archive` writes it; this is none, "
            f"or is damaged ({type(error).__name__}: {printable(str(error))})"
        ) from error
    return agreed, problems


def _check_files(packed: zipfile.ZipFile) -> tuple[int, list[str]]:
    described = dict(_described(json.loads(packed.read(METADATA))))
    present = set(packed.namelist()) - {METADATA}
    problems = [f"{name}: missing" for name in sorted(described.keys() - present)]
    problems += [f"{name}: not described" for name in sorted(present - described.keys())]
    for name in sorted(present & described.keys()):
        with packed.open(name) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        if found != described[name]:
            problems.append(f"{name}: SHA-256 {found}, {described[name]} expected")
    return len(present & described.keys()), problems


def _described(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and SHA-256 of each file that the description says is in the archive."""
    for entity in metadata["@graph"]:
        kinds, name = entity["@type"], entity["@id"]
        if "File" in ([kinds] if isinstance(kinds, str) else kinds) and "://" not in name:
            yield unquote(name), entity.get("sha256", "")


def _check_tables(packed: zipfile.ZipFile, problems: list[str]) -> list[str]:
    """Compare the tables with the counts; adds to the problems and says what was compared."""
    (folder,) = (found[1] for each in packed.namelist() if (found := STUDENTS.fullmatch(each)))
    students = _read(packed, f"{folder}/students.tsv")
    overall: dict[Key, list[Row]] = defaultdict(list)
    by_event: dict[Key, list[Row]] = defaultdict(list)
    for student in students:
        path = student["path"]
        sums = _read(packed, path)
        events = _read(packed, path.replace("overall.tsv", "class_wise.tsv"))
        problems += [f"{path}: {fault}" for fault in _count_faults(sums, events)]
        references = {_key(row, SETTING): _reference(row) for row in sums}
        for row in sums:
            scores = _scores(row, sum(int(row[name]) for name in ERRORS), _reference(row))
            overall[_key(student, VARIANT) + _key(row, SETTING)].append(scores)
        for row in events:
            errors = int(row["false_positives"]) + int(row["false_negatives"])
            scores = _scores(row, errors, references[_key(row, SETTING)])
            if not _reference(row):
                scores["f_score"] = 0.0  # as the paper's Table 4 counts an absent event
            by_event[_key(student, VARIANT) + _key(row, (*SETTING, "event"))].append(scores)
    compared = []
    for table, keys, found in [
        ("table3", SETTING, overall),
        ("table4", (*SETTING, "event"), by_event),
    ]:
        name = f"{folder}/tables/{table}.tsv"
        rows = {_key(row, (*VARIANT, *keys)): row for row in _read(packed, name)}
        problems += [f"{name}: {fault}" for fault in _table_faults(rows, found)]
        compared.append(f"{name}: {len(rows)} rows from {len(students)} students' counts")
    return compared


def _read(packed: zipfile.ZipFile, name: str) -> list[Row]:
    text = io.StringIO(packed.read(name).decode("utf-8"), newline="")
    return list(csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE))


def _key(row: Row, columns: Sequence[str]) -> Key:
    """What identifies a row; weights as numbers, so that 1 and 1.0 are the same."""
    return tuple(
        repr(float(row[name])) if name in VARIANT[1:] and row[name] else row[name]
        for name in columns
    )


def _reference(row: Row) -> int:
    return int(row["true_positives"]) + int(row["false_negatives"])


def _scores(row: Row, errors: int, reference: int) -> dict[str, float]:
    hits, extras, misses = (int(row[name]) for name in COUNTS)
    total = 2 * hits + extras + misses
    return {
        "f_score": 2 * hits / total if total else math.nan,
        "error_rate": errors / reference if reference else math.nan,
    }


def _count_faults(sums: Sequence[Row], events: Sequence[Row]) -> Iterator[str]:
    """Counts of all events that are not the sums of those of each event."""
    for row in sums:
        where = _title(_key(row, SETTING))
        same = [each for each in events if _key(each, SETTING) == _key(row, SETTING)]
        for name in COUNTS:
            total = sum(int(each[name]) for each in same)
            if total != int(row[name]):
                yield f"{where}: {name} is {row[name]}, the events' sum is {total}"
        for name, parts in [("false_negatives", ERRORS[:2]), ("false_positives", ERRORS[::2])]:
            total = sum(int(row[part]) for part in parts)
            if total != int(row[name]):
                yield f"{where}: {name} is {row[name]}, {' + '.join(parts)} is {total}"


def _table_faults(rows: Mapping[Key, Row], found: Mapping[Key, Sequence[Any]]) -> Iterator[str]:
    for key in sorted(rows.keys() ^ found.keys()):
        where = "in the table alone" if key in rows else "not in the table"
        yield f"{_title(key)}: {where}"
    for key, row in rows.items():
        for name, value in _summary(found.get(key, [])).items():
            written = float(row[name]) if row[name] else math.nan
            same = math.isclose(written, value, rel_tol=TOLERANCE, abs_tol=1e-12)
            if not (same or (math.isnan(written) and math.isnan(value))):
                yield f"{_title(key)}: {name} is {row[name] or 'empty'}, the counts give {value!r}"


def _title(key: Key) -> str:
    return ", ".join(filter(None, key))


def _summary(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean and sample standard deviation of those students that have the score."""
    found: dict[str, float] = {}
    for name in ("f_score", "error_rate") if scores else ():
        values = [each[name] for each in scores if not math.isnan(each[name])]
        found[f"{name}_mean"] = statistics.fmean(values) if values else math.nan
        found[f"{name}_std"] = statistics.stdev(values) if len(values) > 1 else math.nan
    return found
