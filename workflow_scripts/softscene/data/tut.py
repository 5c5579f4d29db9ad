"""Reads TUT's own annotation files, from its meta archives."""

import csv
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pandas as pd

from softscene.core.errors import AnnotationError
from softscene.data.annotations import AUDIT_COLUMNS, EVENT_COLUMNS, with_times

if TYPE_CHECKING:
    from dcase_util.containers import MetaDataContainer, MetaDataItem


def read_tut(
    folder: str | Path, dataset: str, recordings: Sequence[str], strict: bool = True
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read TUT's own event lists (``meta/<scene>/<recording>.ann``), with TUT's labels.

    Parameters
    ----------
    folder
        Where the data set's meta archive was extracted.
    dataset
        Its name, the first part of every path.
    recordings
        Those to read, e.g. ``TUT-sound-events-2016-development/audio/home/a030.wav``.
    strict
        Whether unusable files and rows are errors; if not, they are left out and audited.

    Returns
    -------
    tuple
        The list, and an audit row for each unusable file and row.

    Raises
    ------
    AnnotationError
        A recording has no list, or a row has no times or label, or is about another recording.
    """
    parts, odd = [], []
    for recording in recordings:
        name = _tut_list_of(recording, dataset)
        if name is None:
            reason = f"{dataset}/audio/SCENE/NAME.wav expected"
            odd.append({"file": "", "recording": recording, "reason": reason})
            continue
        try:
            rows = _read_lines(Path(folder), name)
        except AnnotationError as error:
            reason = f"{error}; it is the list of {recording}"
            odd.append({"file": name, "recording": recording, "reason": reason})
            continue
        for line, item in rows:
            if fault := _fault(item, PurePosixPath(recording)):
                facts = {"file": name, "line": line, "recording": recording, "reason": fault}
                times = {} if item is None else {"onset": item.onset, "offset": item.offset}
                label = {} if item is None else {"event": item.event_label}
                odd.append(facts | times | label)
                continue
            scene = PurePosixPath(recording).parent.name
            parts.append((recording, scene, item.onset, item.offset, item.event_label, name, line))
    audit = _audit_of(odd, f"the event lists of {dataset} cannot be used:", strict)
    return with_times(pd.DataFrame(parts, columns=[*EVENT_COLUMNS, "file", "line"])), audit


def _audit_of(odd: Sequence[Mapping[str, object]], heading: str, strict: bool) -> pd.DataFrame:
    """Audit rows of unusable files and rows; if ``strict``, an error that lists them."""
    if odd and strict:
        raise AnnotationError.of(heading, [_describe(**facts) for facts in odd])
    audit = pd.DataFrame(odd, columns=AUDIT_COLUMNS).assign(action="dropped")
    return audit.astype({"line": "Int64", "onset": float, "offset": float})


def _describe(
    file: str, reason: str, recording: str = "", line: int | None = None, **_: object
) -> str:
    if line is not None:
        return f"{file}, line {line}: {reason}"
    return reason if file else f"{recording}: {reason}"


def _fault(item: "MetaDataItem | None", recording: PurePosixPath) -> str | None:
    """Say why a row of a recording's list cannot be used."""
    if item is None or item.onset is None or item.offset is None or not item.event_label:
        return "onset, offset and event label expected"
    own, scene = str(PurePosixPath(*recording.parts[1:])), recording.parent.name
    if item.get("filename", own) != own or item.get("scene_label", scene) != scene:
        return f"expected {own} of {scene!r}, found {item.filename} of {item.scene_label!r}"
    return None


def _read_lines(folder: Path, name: str) -> "list[tuple[int, MetaDataItem | None]]":
    """Line and content of each row of a list; ``None`` for a row with an unknown layout."""
    path = folder / name
    try:
        texts = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise AnnotationError(f"{name} cannot be read: {error}") from error
    lines = [line for line, text in enumerate(texts, 1) if text.strip()]
    items = _load(path)
    if len(items) != len(lines):
        with tempfile.TemporaryDirectory() as single:  # the loader does not say which row is bad
            items = [_load_line(texts[line - 1], Path(single, "line.ann")) for line in lines]
    return [
        # A quotation mark could hide a tab or the end of a line.
        (line, None if '"' in texts[line - 1] else item)
        for line, item in zip(lines, items, strict=True)
    ]


def _load_line(text: str, path: Path) -> "MetaDataItem | None":
    path.write_text(f"{text}\n", encoding="utf-8")
    return next(iter(_load(path)), None)


def _load(path: Path) -> "MetaDataContainer | list":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses pkg_resources, which the pinned setuptools has
        from dcase_util.containers import MetaDataContainer  # noqa: PLC0415 - loads librosa, SciPy
    try:
        return MetaDataContainer(filename=str(path)).load(delimiter="\t")
    except (OSError, ValueError, csv.Error):  # raised for a row with an unknown layout
        return []


def _tut_list_of(recording: str, dataset: str) -> str | None:
    """Path of TUT's list: the recording's path with ``meta`` instead of ``audio``."""
    parts = PurePosixPath(recording).parts
    if len(parts) != 4 or parts[:2] != (dataset, "audio") or ".." in parts:
        return None
    return str(PurePosixPath(dataset, "meta", *parts[2:]).with_suffix(".ann"))


def check_tut_scenes(
    folder: str | Path,
    dataset: str,
    recordings: Sequence[str],
    scene: str,
    strict: bool = True,
) -> pd.DataFrame:
    """Check that a TUT ``meta.txt`` says that recordings are of a scene.

    Parameters
    ----------
    folder, dataset, recordings
        As for :func:`read_tut`.
    scene
        TUT's name of the scene.
    strict
        Whether a contradiction is an error; if not, it is audited.

    Returns
    -------
    DataFrame
        Audit rows of an unusable file, unusable rows, and recordings of another scene.

    Raises
    ------
    AnnotationError
        Lists the same, if ``strict``.
    """
    name = f"{dataset}/meta.txt"
    scenes, odd = read_scenes(folder, dataset)
    if scenes or not odd:
        odd += [
            {
                "file": name,
                "recording": recording,
                "reason": f"{recording}: {name} says {scenes.get(recording)!r}, {scene!r} expected",
            }
            for recording in recordings
            if scenes.get(recording) != scene
        ]
    return _audit_of(odd, f"the scenes of {dataset} cannot be used:", strict)


def read_scenes(folder: str | Path, dataset: str) -> tuple[dict[str, str], list[dict]]:
    """Read a TUT ``meta.txt``: recording -> scene, by TUT's name; and the problems found."""
    name = f"{dataset}/meta.txt"
    try:
        rows = _read_lines(Path(folder), name)
    except AnnotationError as error:
        reason = f"{error}; the data set's meta archive should hold it"
        return {}, [{"file": name, "reason": reason}]
    scenes: dict[str, str] = {}
    odd: list[dict] = []
    for line, item in rows:
        if item is None or not item.filename or not item.scene_label:
            odd.append({"file": name, "line": line, "reason": "recording and scene expected"})
            continue
        recording = f"{dataset}/{item.filename}"
        known = scenes.setdefault(recording, item.scene_label)
        if known != item.scene_label:
            reason = f"{item.filename} is {known!r} further up"
            odd.append({"file": name, "line": line, "recording": recording, "reason": reason})
    return scenes, odd
