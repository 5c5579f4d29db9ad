"""The annotation stage: from downloaded lists to ``events.tsv`` and ``audit.tsv``."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from softscene import annotations as lists
from softscene import tut as tut_lists
from softscene.errors import AnnotationError
from softscene.files import read_table, write_table
from softscene.labels import Labels, read_labels

logger = logging.getLogger(__name__)

OFFICE = "office"  # TUT has no event lists for it: the paper's authors annotated it
ACOUSTIC_SCENES = "TUT-acoustic-scenes"


def merge_lists(
    annotations: str | Path,
    meta: Mapping[str, str | Path],
    recordings: Sequence[str | Path],
    labels: str | Path,
    results: Mapping[str, str | Path],
    source: str,
    overrun: float,
    tolerance: float,
) -> None:
    """Read all lists, build the published and the merged one, choose one, audit both.

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
        Paths for ``events``, ``published``, ``merged`` and ``audit``.
    source
        ``published`` or ``merged``: which of the two becomes ``events``.
    overrun, tolerance
        Seconds, see :func:`softscene.annotations.clean` and ``compare``.

    Raises
    ------
    AnnotationError
        Lists every row that cannot be used.
    """
    vocabulary = read_labels(labels)
    audio = pd.concat([read_table(table) for table in recordings])
    durations = dict(zip(audio.recording, audio.frames / audio.sample_rate, strict=True))
    raw = lists.read_published(annotations, name=Path(annotations).name)
    published, audit = lists.clean(raw, vocabulary, durations, overrun)
    audit = audit.assign(list="published")

    tut = _read_tut_lists(raw, meta)
    merged, renamed = lists.merge(raw, tut, OFFICE, vocabulary)
    merged, cleaned = lists.clean(merged, vocabulary, durations, overrun)
    differences = lists.compare(merged, published, tolerance)
    audits = [audit, *(part.assign(list="merged") for part in (renamed, cleaned, differences))]
    audit = pd.concat(audits, ignore_index=True)[["list", *lists.AUDIT_COLUMNS]]

    chosen = {"published": published, "merged": merged}
    for name, table in {**chosen, "events": chosen[source]}.items():
        write_table(table[lists.EVENT_COLUMNS], results[name])
    write_table(audit, results["audit"])
    _summarise(chosen[source], source, audit, vocabulary)


def _read_tut_lists(
    published: pd.DataFrame, meta: Mapping[str, str | Path]
) -> dict[str, pd.DataFrame]:
    """TUT's event lists of the published list's recordings; office clips are checked only."""
    recordings = published.drop_duplicates("recording").recording
    dataset_of = recordings.str.split("/").str[0]
    unknown = sorted(set(dataset_of) - set(meta))
    if unknown:
        raise AnnotationError.of("recordings of unknown data sets are annotated:", unknown)
    tables = {}
    for dataset, folder in meta.items():
        wanted = list(recordings[dataset_of == dataset])
        if dataset.startswith(ACOUSTIC_SCENES):
            _check_scenes(folder, dataset, wanted)
        elif wanted:
            tables[dataset] = tut_lists.read_tut(folder, dataset, wanted)
    return tables


def _check_scenes(folder: str | Path, dataset: str, recordings: Sequence[str]) -> None:
    scenes = tut_lists.read_tut_scenes(folder, dataset)
    problems = [
        f"{recording}: TUT's meta.txt says {scenes.get(recording)!r}, {OFFICE!r} expected"
        for recording in recordings
        if scenes.get(recording) != OFFICE
    ]
    if problems:
        raise AnnotationError.of("clips that are annotated as office are not:", problems)


def _summarise(events: pd.DataFrame, source: str, audit: pd.DataFrame, labels: Labels) -> None:
    logger.info(
        "%s list: %d rows, %d recordings, %d of %d events",
        source,
        len(events),
        events.recording.nunique(),
        events.event.nunique(),
        len(labels.events),
    )
    for (name, action), rows in audit.groupby(["list", "action"]):
        logger.info("%s list: %d rows %s", name, len(rows), action)
