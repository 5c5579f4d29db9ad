"""Annotation lists: reading, checking, merging, and an audit of every change.

A list is a table with the columns ``recording`` (its path in the data set), ``scene``, ``onset``,
``offset`` (seconds) and ``event``, and with ``file`` and ``line`` for messages. A row whose onset,
offset and event are all NaN says that its recording has no events; it is then the recording's only
row.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from softscene.config.labels import Labels
from softscene.core.errors import AnnotationError
from softscene.core.files import other_than_file
from softscene.core.tsv import other_separator

logger = logging.getLogger(__name__)

# Paths in the authors' repository, and their spelling.
MAIN_LIST, SECOND_LIST = "meta/meta_development.txt", "meta/meta_evaluation.txt"
FOLD_LIST = "crossvaridation/meta_fold0{fold}_{part}.txt"
EVENT_COLUMNS = ["recording", "scene", "onset", "offset", "event"]
LOST = "all rows of the recording were dropped"
EMPTY = {"onset": np.nan, "offset": np.nan, "event": np.nan}  # in a row without an event
AUDIT_COLUMNS = ["action", "file", "line", "recording", "onset", "offset", "event", "reason"]
PUBLISHED_COLUMNS = {
    "path": "recording",
    "scene_label": "scene",
    "event_start_time": "onset",
    "event_end_time": "offset",
    "event_label": "event",
}


def read_published(source: str | Path, name: str | None = None) -> pd.DataFrame:
    """Read a list in the authors' format, with file and line of each row.

    Parameters
    ----------
    source
        Tab-separated, header ``path scene_label event_start_time event_end_time event_label``.
    name
        The file's name in messages; its path by default.

    Raises
    ------
    AnnotationError
        It cannot be read, columns are missing or given twice, or a row has too many.
    """
    name = name or str(source)
    if other := other_than_file(source):
        raise AnnotationError(f"{name} {other}")
    try:
        raw = pd.read_csv(
            source,
            sep="\t",
            header=None,  # pandas would rename duplicate columns, and truncate a long second line
            dtype=str,
            keep_default_na=False,
            quoting=3,
            skip_blank_lines=False,
        )
    except FileNotFoundError as error:
        raise AnnotationError(f"there is no file {name}") from error
    except OSError as error:
        raise AnnotationError(f"{name} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # pandas' and Unicode's errors are ValueErrors
        raise AnnotationError(f"{name} is not a tab-separated list: {error}") from error
    header = list(raw.iloc[0])
    if len(header) == 1 and (other := other_separator(str(header[0]), PUBLISHED_COLUMNS)):
        raise AnnotationError(f"{name}, line 1: {other}")
    missing = [column for column in PUBLISHED_COLUMNS if column not in header]
    doubled = [column for column in PUBLISHED_COLUMNS if header.count(column) > 1]
    for fault, columns in {"missing": missing, "doubled": doubled}.items():
        if columns:
            raise AnnotationError(
                f"{name}, line 1: {fault} columns {', '.join(columns)}; found {', '.join(header)}"
            )
    rows = raw.iloc[1:].set_axis(header, axis="columns")
    table = rows[list(PUBLISHED_COLUMNS)].rename(columns=PUBLISHED_COLUMNS)
    table = table.assign(file=name, line=np.arange(2, len(table) + 2))
    table.loc[(table[list(EMPTY)] == "").all(axis=1), "event"] = np.nan
    return with_times(table[(rows != "").any(axis=1)].reset_index(drop=True))


def with_times(table: pd.DataFrame) -> pd.DataFrame:
    """Turn onset and offset into seconds, and strip blanks from the labels.

    Other text becomes NaN, see ``clean``. TUT writes ``water tap running`` with a trailing blank.
    """
    numbers = {
        column: pd.to_numeric(table[column], errors="coerce").astype(float)
        for column in ("onset", "offset")
    }
    words = {column: table[column].str.strip() for column in ("scene", "event")}
    return table.assign(**numbers, **words)


def _rows(table: pd.DataFrame) -> Iterable:
    return table.itertuples(index=False)


def _describe(row: tuple, fault: str) -> str:
    event = "no event" if pd.isna(row.event) else repr(row.event)
    return f"{row.file}, line {row.line}: {row.recording}, {event}: {fault}"


def happenings(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a checked list that are events."""
    return table[table.onset.notna()]


def map_labels(table: pd.DataFrame, labels: Labels) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rename a data set's own labels; returns the list, and an audit row for each change."""
    event = table.event.map(lambda name: labels.event_of.get(name, name))
    scene = table.scene.map(lambda name: labels.scene_of.get(name, name))
    renamed = table[event != table.event]
    audit = _audit(
        "changed",
        renamed,
        [f"label renamed to {labels.event_of[name]!r}" for name in renamed.event],
    )
    return table.assign(event=event, scene=scene), audit


def clean(
    table: pd.DataFrame,
    labels: Labels,
    durations: Mapping[str, float] | None = None,
    overrun: float = 0.0,
    strict: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check every row, drop those of zero length and cut small overruns.

    A recording that loses all its rows is kept, with a row without an event, unless the recording
    or its scene is unknown.

    Parameters
    ----------
    table
        A list, labels mapped.
    labels
        The allowed scenes and events.
    durations
        Seconds of each recording; with ``None``, times are not checked against them.
    overrun
        Seconds that an offset may lie after the recording's end; it is then cut to the end.
    strict
        Whether a bad row is an error; if not, it is dropped and the audit gives the reason.

    Returns
    -------
    tuple
        The usable list, and an audit row for each row dropped or changed, and for each recording
        that lost all its rows.

    Raises
    ------
    AnnotationError
        Lists every row without a recording, with times that are not numbers, an unknown label or
        scene, an offset before its onset, a time before 0, or a time too far after the
        recording's end, and every row without an event whose recording has other rows.
    """
    empty = (table.onset == table.offset) & np.isfinite(table.onset)

    def known(row: tuple) -> bool:
        return not any(_recording_faults(row, labels, durations))

    table, audit = _drop(table, empty, "zero length", known)
    several = set(table.recording[table.recording.duplicated()])
    faults = [list(_faults(row, labels, durations, overrun, several)) for row in _rows(table)]
    problems = [
        _describe(row, f) for row, each in zip(_rows(table), faults, strict=True) for f in each
    ]
    problems += _recordings_of_two_scenes(table)
    if problems and strict:
        raise AnnotationError.of("the annotations cannot be used:", problems)
    bad = np.array([bool(each) for each in faults], dtype=bool)
    table, more = _drop(table, bad, ["; ".join(each) for each in faults if each], known)
    audits = [audit, more]
    if durations is not None:
        ends = table.recording.map(durations)
        over, ends = table.offset > ends, ends.astype(float).round(6)
        cut = [f"offset cut to the recording's end, {end} s" for end in ends[over]]
        audits.append(_audit("changed", table[over], cut))
        table = table.assign(offset=table.offset.where(~over, ends))
    return table.reset_index(drop=True), pd.concat(audits, ignore_index=True)


def _drop(
    table: pd.DataFrame,
    dropped: np.ndarray | pd.Series,
    reason: str | Sequence[str],
    known: Callable[[tuple], bool],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drop rows, and audit them.

    If a recording loses all its rows, the first becomes a row without an event. If the recording
    or its scene is not ``known``, the recording is dropped, and the audit and the log say so.
    """
    lost = dropped & ~table.recording.isin(set(table.recording[~dropped]))
    first = lost & ~table.recording.duplicated() & (table.recording != "")
    stays = first & np.array([known(row) for row in _rows(table)], bool)
    leaves = table[first & ~stays]
    for row in _rows(leaves):
        logger.warning("%s", _describe(row, f"{LOST}: it is removed from the list"))
    audits = [
        _audit("dropped", table[dropped], reason),
        _audit("changed", table[stays].assign(**EMPTY), f"{LOST}: it is kept without events"),
        _audit("dropped", leaves.assign(**EMPTY), f"{LOST}: it is removed from the list"),
    ]
    table = table.assign(**{name: table[name].mask(stays) for name in EMPTY})
    return table[~dropped | stays], pd.concat(audits)


def _faults(
    row: tuple,
    labels: Labels,
    durations: Mapping[str, float] | None,
    overrun: float,
    several: Collection[str],
) -> Iterable[str]:
    """What is wrong with a row; ``several`` are the recordings with more than one row."""
    yield from _recording_faults(row, labels, durations)
    if pd.notna(row.event):
        yield from _event_faults(row, labels, durations, overrun)
    elif row.recording in several:
        yield "says that the recording has no events, but it has other rows"


def _recording_faults(
    row: tuple, labels: Labels, durations: Mapping[str, float] | None
) -> Iterable[str]:
    if not row.recording:
        yield "no recording is given"
    if row.scene not in labels.scenes:
        yield f"unknown scene {row.scene!r}; known: {', '.join(labels.scenes)}"
    if durations is not None and row.recording not in durations:
        yield "there is no such recording"


def _event_faults(
    row: tuple, labels: Labels, durations: Mapping[str, float] | None, overrun: float
) -> Iterable[str]:
    if row.event not in labels.events:
        yield "unknown event label"
    if not np.isfinite([row.onset, row.offset]).all():
        yield "onset or offset is not a number"
    if row.onset < 0:
        yield f"onset {row.onset} s lies before the recording"
    if row.offset < row.onset:
        yield f"offset {row.offset} s lies before onset {row.onset} s"
    end = np.inf if durations is None else durations.get(row.recording, np.inf)
    if row.offset > end + overrun or row.onset >= end:
        yield (
            f"{row.onset} to {row.offset} s lies beyond the recording's end, {round(end, 6)} s "
            f"(annotations.overrun allows {overrun} s)"
        )


def _recordings_of_two_scenes(table: pd.DataFrame) -> list[str]:
    scenes = table.groupby("recording").scene.unique()
    return [
        f"{recording}: is annotated with two scenes, {' and '.join(names)}"
        for recording, names in scenes.items()
        if len(names) > 1
    ]


def compare(merged: pd.DataFrame, published: pd.DataFrame, tolerance: float) -> pd.DataFrame:
    """Audit rows for events that are in only one of two lists.

    Rows match if recording and event are the same, and onset and offset differ by at most
    ``tolerance`` seconds; each row matches at most one other.
    """
    ours, theirs = _unmatched(happenings(merged), happenings(published), tolerance)
    return pd.concat(
        [
            _audit("contradicted", ours, "not in the published list"),
            _audit("contradicted", theirs, "not in TUT's own list"),
        ],
        ignore_index=True,
    )


def _unmatched(
    first: pd.DataFrame, second: pd.DataFrame, tolerance: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    free: dict[tuple[str, str], list] = {}
    for index, row in zip(second.index, _rows(second), strict=True):
        free.setdefault((row.recording, row.event), []).append((index, row))
    alone = []
    for index, row in zip(first.index, _rows(first), strict=True):
        candidates = free.get((row.recording, row.event), [])
        gaps = [max(abs(o.onset - row.onset), abs(o.offset - row.offset)) for _, o in candidates]
        if gaps and min(gaps) <= tolerance:
            candidates.pop(int(np.argmin(gaps)))
        else:
            alone.append(index)
    left = [index for candidates in free.values() for index, _ in candidates]
    return first.loc[alone], second.loc[sorted(left)]


def _audit(action: str, rows: pd.DataFrame, reason: str | Sequence[str]) -> pd.DataFrame:
    return rows.assign(action=action, reason=reason)[AUDIT_COLUMNS]


def merge(
    published: pd.DataFrame,
    tut: Mapping[str, pd.DataFrame],
    office: str,
    labels: Labels,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Merge TUT's own lists with the authors' rows of the scene that they annotated themselves.

    Parameters
    ----------
    published
        The authors' list.
    tut
        Data set -> TUT's list, with TUT's labels.
    office
        The scene whose rows come from the published list.
    labels
        Holds the label map.

    Returns
    -------
    tuple
        The merged list, with recordings in the published list's order, and its audit. A recording
        for which TUT lists no event gets a row without an event.
    """
    parts, audits = [published[published.scene == office]], [_audit("changed", published[:0], "")]
    for table in tut.values():
        mapped, audit = map_labels(table, labels)
        parts.append(mapped)
        audits.append(audit)
    order = {recording: i for i, recording in enumerate(published.recording.unique())}
    merged = pd.concat(parts, ignore_index=True)
    silent = published.drop_duplicates("recording").assign(**EMPTY)
    silent = silent[~silent.recording.isin(merged.recording)]
    audits.append(_audit("changed", silent, "TUT lists no events for the recording: it is kept"))
    merged = pd.concat([merged, silent], ignore_index=True)
    place = merged.recording.map(order)
    merged = merged.iloc[np.lexsort((merged.onset, place))].reset_index(drop=True)
    return merged, pd.concat(audits, ignore_index=True)


def count_events(events: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Table 1: how often and how long each event occurs in each scene.

    Returns
    -------
    DataFrame
        ``event``, ``scene``, ``count`` and ``duration`` (seconds), a row for each pair.
    """
    grouped = events.assign(duration=events.offset - events.onset).groupby(["event", "scene"])
    sums = grouped.duration.agg(["size", "sum"])
    pairs = pd.MultiIndex.from_product([labels.events, labels.scenes], names=["event", "scene"])
    sums = sums.reindex(pairs, fill_value=0).reset_index()
    return sums.rename(columns={"size": "count", "sum": "duration"}).round({"duration": 6})
