"""The user's own data: imports a folder of audio and a list of events like a download."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from softscene.config.labels import read_labels
from softscene.core.errors import (
    AnnotationError,
    AudioError,
    ConfigurationError,
    SampleRateError,
)
from softscene.core.files import other_than_file
from softscene.core.tsv import other_separator, write_table
from softscene.data.annotations import (
    EVENT_COLUMNS,
    FOLD_LIST,
    PUBLISHED_COLUMNS,
    clean,
    happenings,
    read_published,
)
from softscene.data.audio import count_samples
from softscene.data.merging import AUDIT_COLUMNS
from softscene.data.splits import DEVELOPMENT, EVALUATION, split_recordings, whole_recordings

logger = logging.getLogger(__name__)


def import_data(
    audio: str | Path,
    annotations: str | Path,
    folds: int | str | Path,
    labels: str | Path,
    results: Mapping[str, str | Path],
    sample_rate: int,
    overrun: float,
) -> None:
    """Check a data set, and write the files that a download would give.

    Parameters
    ----------
    audio
        Folder that the list's paths are relative to.
    annotations
        Tab-separated, with the header of the authors' lists, see
        :func:`softscene.data.annotations.read_published`.
    folds
        Number of folds to split into, or a file with the columns ``path`` and ``fold``.
    labels
        The label file.
    results
        ``events``, ``audit``, ``recordings``, and the folder ``annotations`` with the folds' lists.
    sample_rate
        Required rate of every recording, Hz.
    overrun
        Seconds, see :func:`softscene.data.annotations.clean`.

    Raises
    ------
    AnnotationError
        Lists everything that is wrong with rows, recordings and folds.
    """
    vocabulary, table = read_labels(labels), read_published(annotations)
    lengths, problems = _probe(audio, table, sample_rate)
    ends = {name: frames / sample_rate for name, frames in lengths.items()}
    fold_of: Mapping[str, int] = {}
    of_folds: list[str] = []
    try:
        events, audit = clean(table, vocabulary, ends, overrun)
    except AnnotationError as error:
        problems += error.problems
    if not isinstance(folds, int):
        fold_of, of_folds = _read_folds(folds, set(table.recording))
    if problems or of_folds:
        faulty = [str(annotations)] * bool(problems) + [str(folds)] * bool(of_folds)
        heading = f"{' and '.join(faulty)} cannot be used:"
        raise AnnotationError.of(heading, [*problems, *of_folds])
    recordings = events.drop_duplicates("recording")[["recording", "scene"]]
    recordings = recordings.assign(
        frames=recordings.recording.map(lengths), sample_rate=sample_rate
    )
    _note_unlisted(audio, annotations, set(lengths))
    _note_overlaps(events)
    fold_of = fold_of or split_recordings(recordings, folds)
    _write_folds(events, fold_of, Path(results["annotations"]))
    write_table(recordings, results["recordings"])
    write_table(events[EVENT_COLUMNS], results["events"])
    write_table(audit.assign(list="own")[AUDIT_COLUMNS], results["audit"])


def require_data(own: Mapping[str, Any]) -> None:
    """Check what is possible before any job: that files exist and there are enough recordings.

    Parameters
    ----------
    own
        The configuration's ``data.own``.

    Raises
    ------
    ConfigurationError
        A folder or file is missing, or the list cannot be read or has fewer recordings than folds.
    """
    problems, folds = [], own["folds"]
    if not Path(own["audio"]).is_dir():
        problems.append(f"data.own.audio: there is no folder {own['audio']}")
    try:
        names = recording_paths(own["annotations"])
    except AnnotationError as error:
        problems.append(f"data.own.annotations: {error}")
    else:
        number = len(set(whole_recordings(names).values()))
        if isinstance(folds, int) and folds > number:
            problems.append(
                f"data.own.folds: {folds} given, {own['annotations']} has {number} recordings; "
                "no more folds than recordings expected"
            )
    if isinstance(folds, str) and not Path(folds).is_file():
        other = other_than_file(folds)
        fault = f"{folds} {other}" if other else f"there is no file {folds}"
        problems.append(f"data.own.folds: {fault}")
    if problems:
        raise ConfigurationError.of("your own data cannot be used:", problems)


def recording_paths(annotations: str | Path) -> list[str]:
    """All paths that a list names."""
    return [name for name in read_published(annotations).recording.unique() if name]


def _probe(
    audio: str | Path, table: pd.DataFrame, sample_rate: int
) -> tuple[dict[str, float], list[str]]:
    """Samples of each recording (infinite for a faulty one), and what is wrong with them."""
    lengths: dict[str, float] = {}
    problems, others = [], []
    for row in table[table.recording != ""].drop_duplicates("recording").itertuples():
        lengths[row.recording] = float("inf")
        place = f"{row.file}, line {row.line}: {row.recording}"
        path = PurePosixPath(row.recording)
        if path.is_absolute() or ".." in path.parts or str(path) != row.recording:
            problems.append(f"{place}: a plain path inside {audio} expected")
            continue
        if not (Path(audio) / path).exists():
            problems.append(f"{place}: there is no such file in {audio}")
            continue
        try:
            lengths[row.recording] = count_samples(Path(audio) / path, sample_rate)
        except SampleRateError as error:
            others.append((place, str(error).removeprefix(f"{Path(audio) / path}: ")))
        except AudioError as error:
            problems.append(f"{place}: {str(error).removeprefix(f'{Path(audio) / path}: ')}")
    return lengths, [*problems, *_other_rates(others, sample_rate)]


def _other_rates(others: list[tuple[str, str]], sample_rate: int) -> Iterator[str]:
    """A line for all recordings of another rate: often it is the whole folder."""
    if others:
        (place, fault), more = others[0], len(others) - 1
        also = f", and {more} more have another rate" if more else ""
        yield f"{place}: {fault}{also}; resample: ffmpeg -i IN -ar {sample_rate} OUT"


def _note_unlisted(audio: str | Path, annotations: str | Path, listed: set[str]) -> None:
    """Name the files of the listed ones' endings that the list does not name."""
    endings = {PurePosixPath(name).suffix.lower() for name in listed}
    found = {
        path.relative_to(audio).as_posix()
        for path in Path(audio).rglob("*")
        if path.suffix.lower() in endings
    }
    if unlisted := sorted(found - listed):
        words = "%s does not list these of %s, so they are not used: %s"
        logger.info(words, annotations, audio, ", ".join(unlisted))


def _note_overlaps(events: pd.DataFrame) -> None:
    """Name rows that overlap an earlier row of the same event."""
    for _, rows in happenings(events).sort_values("onset").groupby(["recording", "event"]):
        for row in rows[rows.onset < rows.offset.cummax().shift()].itertuples():
            logger.info(
                "%s, line %d: %s, %r: overlaps another row of this event; frames count once",
                row.file, row.line, row.recording, row.event,
            )  # fmt: skip


def _read_folds(source: str | Path, known: set[str]) -> tuple[dict[str, int], list[str]]:
    """Fold of each recording, and what is wrong with the file."""
    if other := other_than_file(source):
        return {}, [f"{source} {other}"]
    try:
        table = pd.read_csv(source, sep="\t", dtype=str, keep_default_na=False, quoting=3)
    except FileNotFoundError:
        return {}, [f"there is no file {source}"]
    except OSError as error:
        return {}, [f"{source} cannot be read: {error.strerror or error}"]
    except ValueError as error:
        return {}, [f"{source} is not a tab-separated table: {error}"]
    if not {"path", "fold"} <= set(table.columns):
        other = other_separator("\t".join(table.columns), ("path", "fold"))
        found = f"columns path and fold expected; found {', '.join(table.columns)}"
        return {}, [f"{source}, line 1: {other}" if other else f"{source}: {found}"]
    problems = [
        f"{source}, line {line}: {row.path!r}, fold {row.fold!r}: {fault}"
        for line, row in enumerate(table.itertuples(), 2)
        for fault in _fold_faults(row, known)
    ]
    doubled = table.path[table.path.duplicated()].unique()
    problems += [f"{source}: {name} is listed twice" for name in doubled]
    missing = sorted(known - set(table.path) - {""})
    problems += [f"{source}: {name} has no fold" for name in missing]
    if not problems and table.fold.nunique() < 2:
        problems.append(f"{source}: two folds or more expected")
    return (
        {} if problems else dict(zip(table.path, table.fold.astype(int), strict=True))
    ), problems


def _fold_faults(row: tuple, known: set[str]) -> Iterator[str]:
    if row.path not in known:
        yield "the list has no such recording"
    if not (row.fold.isascii() and row.fold.isdecimal() and 1 <= int(row.fold) <= 99):
        yield "a number from 1 to 99 expected"


def _write_folds(events: pd.DataFrame, fold_of: Mapping[str, int], folder: Path) -> None:
    """Write each fold's two lists; warns of events that a fold evaluates without training data."""
    names = {own: published for published, own in PUBLISHED_COLUMNS.items()}
    fold = events.recording.map(fold_of)
    for number in sorted(set(fold)):
        parts = {DEVELOPMENT: events[fold != number], EVALUATION: events[fold == number]}
        heard, learnt = (set(happenings(parts[part]).event) for part in (EVALUATION, DEVELOPMENT))
        unseen = heard - learnt
        if unseen:
            logger.warning(
                "fold %d has no training data for: %s", number, ", ".join(sorted(unseen))
            )
        for part, rows in parts.items():
            listed = rows[EVENT_COLUMNS].rename(columns=names)[list(PUBLISHED_COLUMNS)]
            write_table(listed, folder / FOLD_LIST.format(fold=number, part=part))
