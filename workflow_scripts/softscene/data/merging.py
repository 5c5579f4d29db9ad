"""The annotation stage: from the downloaded lists to the one in use, and the audit."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from softscene.config.labels import Labels, read_labels
from softscene.config.study import HELDOUT
from softscene.core.errors import AnnotationError
from softscene.core.tsv import read_table, write_table
from softscene.data import annotations as lists
from softscene.data import tut as tut_lists

logger = logging.getLogger(__name__)

OFFICE = "office"  # TUT has no event lists for it: the paper's authors annotated it
ACOUSTIC_SCENES = "TUT-acoustic-scenes"
LISTED_COLUMNS = [*lists.EVENT_COLUMNS, "file", "line"]
AUDIT_COLUMNS = ["list", *lists.AUDIT_COLUMNS]


def merge_lists(
    annotations: str | Path,
    meta: Mapping[str, str | Path],
    recordings: Sequence[str | Path],
    labels: str | Path,
    results: Mapping[str, str | Path],
    source: str,
    overrun: float,
) -> None:
    """Read all lists, build the published and the merged one, and choose one.

    A bad row of the list that is not chosen is dropped and audited; it is not an error. If the
    published list is chosen, the same holds for TUT files that are missing, unreadable, or about
    another recording or scene.

    Parameters
    ----------
    annotations
        The authors' list.
    meta
        Data set -> folder of its extracted meta archive.
    recordings
        Tables of the downloaded recordings, with ``recording``, ``frames``, ``sample_rate``.
    labels
        The label file.
    results
        Paths for ``events``, and, with file and line of each row, ``published``, ``merged`` and
        their ``changes``.
    source
        ``published`` or ``merged``: which of the two becomes ``events``.
    overrun
        Seconds, see :func:`softscene.data.annotations.clean`.

    Raises
    ------
    AnnotationError
        Lists every row of the chosen list that cannot be used.
    """
    vocabulary = read_labels(labels)
    durations = durations_of(recordings)
    raw = lists.read_published(annotations, name=Path(annotations).name)
    tables, odd = _read_tut_lists(raw, meta, strict=source == "merged")
    merged, renamed = lists.merge(raw, tables, OFFICE, vocabulary)
    audits = [odd.assign(list="merged"), renamed.assign(list="merged")]
    chosen = {}
    for name, table in {"published": raw, "merged": merged}.items():
        chosen[name], audit = lists.clean(
            table, vocabulary, durations, overrun, strict=name == source
        )
        audits.append(audit.assign(list=name))
        write_table(chosen[name][LISTED_COLUMNS], results[name])
    write_table(chosen[source][lists.EVENT_COLUMNS], results["events"])
    write_table(pd.concat(audits, ignore_index=True)[AUDIT_COLUMNS], results["changes"])
    _summarise(chosen[source], source, vocabulary)


def audit_lists(
    changes: str | Path,
    published: str | Path,
    merged: str | Path,
    target: str | Path,
    tolerance: float,
) -> None:
    """Write the audit: what was changed or dropped, and where the two lists disagree.

    Parameters
    ----------
    changes, published, merged
        As :func:`merge_lists` wrote them.
    target
        The audit.
    tolerance
        Seconds, see :func:`softscene.data.annotations.compare`.
    """
    differences = lists.compare(read_table(merged), read_table(published), tolerance)
    audit = pd.concat([read_table(changes), differences.assign(list="both")], ignore_index=True)
    audit = audit.astype({"line": "Int64"})  # empty for files that cannot be read
    write_table(audit[AUDIT_COLUMNS], target)
    for (name, action), rows in audit.groupby(["list", "action"]):
        logger.info("%s: %d rows %s", name, len(rows), action)


def add_heldout_list(
    events: str | Path,
    annotations: str | Path,
    recordings: Sequence[str | Path],
    labels: str | Path,
    results: Mapping[str, str | Path],
    overrun: float,
) -> None:
    """Check the authors' second list, and add its rows to the list in use.

    Its rows are the authors' whatever ``annotations.source`` is: TUT has event lists of only a few
    of these recordings.

    Parameters
    ----------
    events
        The list in use, of the development recordings.
    annotations
        The authors' second list.
    recordings
        Tables of its downloaded recordings.
    labels
        The label file.
    results
        Paths for ``events`` (both lists) and ``audit`` (of the second).
    overrun
        Seconds, see :func:`softscene.data.annotations.clean`.

    Raises
    ------
    AnnotationError
        Lists every row that cannot be used, or every recording that is also in the list in use.
    """
    vocabulary, known = read_labels(labels), read_table(events)
    raw = lists.read_published(annotations, name=Path(annotations).name)
    table, audit = lists.clean(raw, vocabulary, durations_of(recordings), overrun)
    if both := sorted(set(table.recording) & set(known.recording)):
        heading = f"recordings of {annotations} are also in the list that is trained on:"
        raise AnnotationError.of(heading, both)
    every = pd.concat([known, table[lists.EVENT_COLUMNS]], ignore_index=True)
    write_table(every, results["events"])
    write_table(audit.assign(list=HELDOUT)[AUDIT_COLUMNS], results["audit"])
    _summarise(table, HELDOUT, vocabulary)


def durations_of(tables: Sequence[str | Path]) -> dict[str, float]:
    """Seconds of each recording in tables of downloaded ones."""
    audio = pd.concat([read_table(table) for table in tables])
    return dict(zip(audio.recording, audio.frames / audio.sample_rate, strict=True))


def _read_tut_lists(
    published: pd.DataFrame, meta: Mapping[str, str | Path], strict: bool
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """TUT's event lists of the published list's recordings, and their audit.

    TUT has no event lists of office clips: only their scene is checked.
    """
    first = published.drop_duplicates("recording")
    recordings, dataset_of = first.recording, first.recording.str.split("/").str[0]
    unknown = first[~dataset_of.isin(meta)]
    if len(unknown):
        places = [f"{row.file}, line {row.line}: {row.recording!r}" for row in unknown.itertuples()]
        raise AnnotationError.of("recordings of unknown data sets are annotated:", places)
    tables, audits = {}, [published[:0].reindex(columns=lists.AUDIT_COLUMNS)]
    for dataset, folder in meta.items():
        wanted = list(recordings[dataset_of == dataset])
        if dataset.startswith(ACOUSTIC_SCENES):
            audits.append(
                tut_lists.check_tut_scenes(folder, dataset, wanted, OFFICE, strict=strict)
            )
        elif wanted:
            tables[dataset], audit = tut_lists.read_tut(folder, dataset, wanted, strict=strict)
            audits.append(audit)
    return tables, pd.concat(audits, ignore_index=True)


def _summarise(events: pd.DataFrame, source: str, labels: Labels) -> None:
    logger.info(
        "%s list: %d rows, %d recordings (%d without events), %d of %d events",
        source,
        len(lists.happenings(events)),
        events.recording.nunique(),
        events.onset.isna().sum(),
        lists.happenings(events).event.nunique(),
        len(labels.events),
    )
