"""Convert events exactly between lists of times and frames."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def activity(
    onsets: np.ndarray,
    offsets: np.ndarray,
    classes: np.ndarray,
    shape: tuple[int, int],
    resolution: float,
) -> np.ndarray:
    """Which events are active in which segments of a recording.

    A segment counts as active if the event is active in any part of it: from floor(onset /
    resolution) to ceil(offset / resolution), in floating point as ``sed_eval`` does it.

    Parameters
    ----------
    onsets, offsets
        Seconds, one of each for an event.
    classes
        Index of each event's class.
    shape
        Segments, and classes.
    resolution
        Seconds of a segment.

    Returns
    -------
    ndarray
        Boolean, segments x classes. Anything after the last segment is cut off.
    """
    active = np.zeros(shape, dtype=bool)
    first = np.floor(onsets / resolution).astype(int)
    after = np.ceil(offsets / resolution).astype(int)
    for start, stop, event in zip(first, after, classes, strict=True):
        active[start:stop, event] = True
    return active


def recording_activity(
    events: pd.DataFrame, names: Sequence[str], segments: int, resolution: float
) -> np.ndarray:
    """:func:`activity` of one recording's rows of ``events.tsv``; segments x ``names``.

    A row without times means that there are no events.
    """
    events = events[events.onset.notna()]
    index = {name: i for i, name in enumerate(names)}
    return activity(
        events.onset.to_numpy(float),
        events.offset.to_numpy(float),
        events.event.map(index).to_numpy(int),
        (segments, len(names)),
        resolution,
    )


def to_segments(frames: np.ndarray, size: int) -> np.ndarray:
    """Segments of ``size`` frames, active where any of their frames is; the last may be shorter.

    Boolean, frames x classes -> ceil(frames / size) x classes.
    """
    if size == 1 or len(frames) == 0:
        return frames
    return np.logical_or.reduceat(frames, np.arange(0, len(frames), size), axis=0)


def frame_times(frames: int, hop_length: int, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds at which frame 0 .. ``frames`` starts, as onsets and as offsets."""
    return times_of(np.arange(frames + 1), hop_length, sample_rate)


def times_of(index: np.ndarray, hop_length: int, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds at which the frames of these numbers start, as onsets and as offsets.

    They are whole microseconds, so that a table shows them in a few digits. Also floor(onset / hop)
    and ceil(offset / hop), computed in floating point, give the frame again. If the exact time does
    not (0.58 / 0.02 is 28.999999999999996) or is not a whole number of microseconds, an onset is
    the next microsecond (0.580001) and an offset the previous one. Otherwise an evaluation of the
    list would count other frames than were detected.
    """
    hop = hop_length / sample_rate
    index = np.asarray(index, dtype=np.int64)
    before, rest = np.divmod(index * hop_length * 1_000_000, sample_rate)
    onsets, offsets = before + (rest > 0), before
    onsets = onsets + (np.floor(onsets / 1e6 / hop) < index)
    offsets = offsets - (np.ceil(offsets / 1e6 / hop) > index)
    return onsets / 1e6, offsets / 1e6


def to_events(
    frames: np.ndarray, names: Sequence[str], hop_length: int, sample_rate: int
) -> pd.DataFrame:
    """List the events of a boolean array, frames x classes.

    Returns
    -------
    DataFrame
        ``onset``, ``offset`` (seconds) and ``event``, by class and then by time.
    """
    onsets, offsets = frame_times(len(frames), hop_length, sample_rate)
    padded = np.pad(frames.astype(np.int8), ((1, 1), (0, 0)))
    steps = np.diff(padded, axis=0)
    classes, starts = np.nonzero(steps.T == 1)
    _, stops = np.nonzero(steps.T == -1)
    return pd.DataFrame(
        {
            "onset": onsets[starts],
            "offset": offsets[stops],
            "event": [names[event] for event in classes],
        }
    )
