"""Finds which files are pieces of one recording, and splits recordings into parts."""

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from softscene.core.errors import AnnotationError

logger = logging.getLogger(__name__)

_NUMBERED = re.compile(r"(.*)_([0-9]{1,18})_([0-9]{1,18})(\.[^./]+)", re.DOTALL)
DEVELOPMENT, EVALUATION = "development", "evaluation"


def split_recordings(
    recordings: pd.DataFrame, parts: int, among: Iterable[str] | None = None
) -> dict[str, int]:
    """Split recordings into parts that have about the same length of each scene.

    Pieces of one recording stay together, see :func:`whole_recordings`; the log names them. The
    split is deterministic: each scene's recordings, longest first, go to the part that has the
    least of the scene; ties go to the part that has the least in all.

    Parameters
    ----------
    recordings
        ``recording``, ``scene``, ``frames``.
    parts
        Number of parts.
    among
        All existing files, whose names show which are pieces; these recordings by default.

    Returns
    -------
    dict
        Recording -> its part, from 1.

    Raises
    ------
    AnnotationError
        Lists scenes that would be in only one part, and says if a part would be empty.
    """
    names = recordings.recording if among is None else among
    whole = recordings.assign(whole=recordings.recording.map(whole_recordings(names)))
    for _, pieces in whole.groupby("whole").recording:
        if len(pieces) > 1:
            logger.info("taken for pieces of one recording: %s", ", ".join(sorted(pieces)))
    sizes = whole.groupby(["scene", "whole"]).frames.sum().reset_index()
    part_of: dict[str, int] = {}
    total = dict.fromkeys(range(1, parts + 1), 0)
    for _, own in sizes.sort_values(["frames", "whole"], ascending=[False, True]).groupby("scene"):
        of_scene = dict.fromkeys(total, 0)
        for row in own.itertuples():
            part = min(total, key=lambda part: (of_scene[part], total[part]))
            part_of[row.whole] = part
            of_scene[part] += row.frames
            total[part] += row.frames
    _check_split(whole, total)
    return {row.recording: part_of[row.whole] for row in whole.itertuples()}


def _check_split(recordings: pd.DataFrame, total: dict[int, int]) -> None:
    problems = []
    for scene, own in recordings.groupby("scene"):
        if own.whole.nunique() < 2:
            pieces = f" (its {len(own)} files are taken for pieces of it)" if len(own) > 1 else ""
            problems.append(f"scene {scene!r} has one recording{pieces}; two or more expected")
    if not all(total.values()):
        number = recordings.whole.nunique()
        problems.append(f"{number} recordings cannot fill {len(total)} parts")
    if problems:
        raise AnnotationError.of("the recordings cannot be split into parts:", problems)


def whole_recordings(names: Iterable[str]) -> dict[str, str]:
    """The recording that each file is a piece of: the file itself if it is whole.

    TUT's acoustic scenes are cut: ``audio/a099_0_30.wav`` is the first 30 s of ``audio/a099``. Two
    numbers at the end of a name are taken as start and end only if that is possible for all files
    of the recording: integers as TUT writes them (no ``05``), the start before the end, and no two
    pieces overlap. Dates and times, or a day and a take, hardly ever pass.

    Parameters
    ----------
    names
        Paths of all files; some pieces of a recording may be missing.

    Returns
    -------
    dict
        File -> the recording, e.g. ``audio/a099.wav``; or the file itself.
    """
    spans: dict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
    impossible = set()
    names = list(names)
    for name in names:
        if numbered := _NUMBERED.fullmatch(name):
            stem, begin, end, suffix = numbered.groups()
            spans[stem, suffix][name] = int(begin), int(end)
            if [str(int(begin)), str(int(end))] != [begin, end]:
                impossible.add((stem, suffix))
    whole = {name: name for name in names}
    for (stem, suffix), pieces in spans.items():
        times = [time for span in sorted(pieces.values()) for time in span]
        if (stem, suffix) not in impossible and _follow(times):
            whole |= dict.fromkeys(pieces, f"{stem}{suffix}")
    return whole


def _follow(times: Sequence[int]) -> bool:
    """Whether start, end, start, end .. of pieces, sorted by start, neither reverse nor overlap."""
    steps = np.diff(times)
    return bool((steps[::2] > 0).all() and (steps[1::2] >= 0).all())
