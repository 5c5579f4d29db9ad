"""TUT's own annotation files, as its meta archives hold them."""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from softscene.annotations import EVENT_COLUMNS, with_times
from softscene.errors import AnnotationError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses pkg_resources, which the pinned setuptools has
    from dcase_util.containers import MetaDataContainer, MetaDataItem


def read_tut(folder: str | Path, dataset: str, recordings: Sequence[str]) -> pd.DataFrame:
    """Read TUT's own event lists (``meta/<scene>/<recording>.ann``), labels as they stand there.

    Parameters
    ----------
    folder
        Where the data set's meta archive was extracted.
    dataset
        Its name, the first part of every path.
    recordings
        Those to read, e.g. ``TUT-sound-events-2016-development/audio/home/a030.wav``.

    Raises
    ------
    AnnotationError
        A recording has no list, or a row has no times or label.
    """
    parts, problems = [], []
    for recording in recordings:
        name = _tut_list_of(recording)
        path = Path(folder) / name
        if not path.is_file():
            problems.append(f"{name}: there is no such list for {recording}")
            continue
        scene = PurePosixPath(recording).parent.name
        for line, item in _read_lines(path):
            if item is None or item.onset is None or item.offset is None or not item.event_label:
                problems.append(f"{name}, line {line}: onset, offset and event label expected")
                continue
            parts.append((recording, scene, item.onset, item.offset, item.event_label, name, line))
    if problems:
        raise AnnotationError.of(f"the event lists of {dataset} cannot be used:", problems)
    return with_times(pd.DataFrame(parts, columns=[*EVENT_COLUMNS, "file", "line"]))


def _read_lines(path: Path) -> list[tuple[int, MetaDataItem | None]]:
    """Line and content of each row of a list; ``None`` for a row that TUT's layouts do not have."""
    texts = path.read_text(encoding="utf-8").splitlines()
    lines = [line for line, text in enumerate(texts, 1) if text.strip()]
    items = _load(path)
    if len(items) == len(lines):
        return list(zip(lines, items, strict=True))
    with tempfile.TemporaryDirectory() as folder:  # the loader does not say which line it refuses
        single = Path(folder, "line.ann")
        rows = []
        for line in lines:
            single.write_text(texts[line - 1] + "\n", encoding="utf-8")
            rows.append((line, next(iter(_load(single)), None)))
        return rows


def _load(path: Path) -> MetaDataContainer | list:
    try:
        return MetaDataContainer(filename=str(path)).load()
    except OSError:  # its word for a row of unknown layout
        return []


def _tut_list_of(recording: str) -> str:
    """Path of TUT's list: the recording's, under ``meta`` instead of ``audio``."""
    dataset, _, *rest = PurePosixPath(recording).parts
    return str(PurePosixPath(dataset, "meta", *rest).with_suffix(".ann"))


def read_tut_scenes(folder: str | Path, dataset: str) -> dict[str, str]:
    """Read a TUT ``meta.txt``: recording -> scene, in TUT's words."""
    path = Path(folder) / dataset / "meta.txt"
    if not path.is_file():
        raise AnnotationError(f"{path} is missing; the data set's meta archive should hold it")
    items = MetaDataContainer(filename=str(path)).load()
    return {f"{dataset}/{item.filename}": item.scene_label for item in items}
