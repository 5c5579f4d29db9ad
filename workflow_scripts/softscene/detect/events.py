"""Events of a recording, from posteriors that come clip by clip."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from softscene.core.errors import ConfigurationError
from softscene.evaluation.thresholds import reached
from softscene.features.activity import times_of


@dataclass(frozen=True)
class Options:
    """How events are made of posteriors. The defaults are the paper's convention.

    Attributes
    ----------
    threshold
        For all events; ``None`` takes the detector's own.
    overlap
        Seconds by which a clip overlaps the next one, at most half a clip.
    merge_gap
        Events of one class that are at most so many seconds apart become one.
    min_duration
        Events shorter than so many seconds are left out, after merging.
    """

    threshold: float | None = None
    overlap: float = 0.0
    merge_gap: float = 0.0
    min_duration: float = 0.0

    @property
    def changes_events(self) -> bool:
        """Whether events may differ from the stretches above the threshold."""
        return self.merge_gap > 0 or self.min_duration > 0

    def limits(self, thresholds: np.ndarray) -> np.ndarray:
        """The threshold of each event, given the detector's own."""
        return thresholds if self.threshold is None else np.full_like(thresholds, self.threshold)

    def overlap_frames(self, clip_frames: int, hop: float) -> int:
        """Frames by which clips of ``clip_frames`` overlap; ``hop`` is in seconds.

        Raises
        ------
        ConfigurationError
            It is more than half a clip.
        """
        frames, most = round(self.overlap / hop), clip_frames // 2
        if not 0 <= frames <= most:
            raise ConfigurationError(
                f"overlap: {self.overlap:g} s given, 0 to {most * hop:g} s expected: half of this "
                f"detector's clips of {clip_frames * hop:g} s"
            )
        return frames


class CrossFade:
    """Join clips that overlap: posteriors fade linearly from one clip to the next.

    The weights of a clip are a triangle where clips overlap by half, so a frame counts most where
    its clip has most sound on both sides of it.

    Parameters
    ----------
    overlap
        Frames, at most half a clip. With 0 clips are only passed on.
    """

    def __init__(self, overlap: int) -> None:
        self.overlap = overlap
        self._rising = ((np.arange(overlap) + 0.5) / max(1, overlap))[:, None]
        self._held: tuple[np.ndarray, np.ndarray] | None = None

    def push(self, log_mel: np.ndarray, posteriors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take a clip, frames x bands and frames x events; return the frames that are final."""
        if self.overlap == 0:
            return log_mel, posteriors
        if self._held:
            posteriors = posteriors.copy()
            first = posteriors[: self.overlap]
            first[:] = (1 - self._rising) * self._held[1] + self._rising * first
        final = max(0, len(log_mel) - self.overlap)
        self._held = log_mel[final:], posteriors[final:]
        return log_mel[:final], posteriors[:final]

    def rest(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The last frames, after the last clip; ``None`` if all were returned."""
        return self._held


class EventTracker:
    """The events of a recording whose posteriors come block by block.

    An event is a stretch of frames whose posterior reaches the event's threshold, as in
    :func:`.activity.to_events`; its confidence is the mean posterior of its frames.

    Parameters
    ----------
    thresholds
        Of each event.
    """

    def __init__(self, thresholds: np.ndarray) -> None:
        self.thresholds, self.frames = thresholds, 0
        self._open = np.zeros(len(thresholds), bool)  # events that have not ended,
        self._first = np.zeros(len(thresholds), int)  # their first frame,
        self._sum = np.zeros(len(thresholds))  # and the sum of their posteriors so far
        self._found: list[np.ndarray] = []

    def push(self, posteriors: np.ndarray) -> np.ndarray:
        """Take further frames x events; return which are active, boolean."""
        active = reached(posteriors, self.thresholds)
        sums = np.zeros((len(active) + 1, active.shape[1]))  # of active ones before each frame
        np.cumsum(np.where(active, posteriors, 0), axis=0, out=sums[1:])
        steps = np.diff(np.vstack([self._open, active]).astype(np.int8), axis=0)
        for event in np.flatnonzero(self._open | active.any(axis=0)):
            self._follow(event, steps[:, event], sums[:, event])
        self.frames += len(active)
        return active

    def _follow(self, event: int, steps: np.ndarray, sums: np.ndarray) -> None:
        """Note an event's stretches that end in this block, and the one that continues after it."""
        begins, stops = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
        firsts, bases = begins + self.frames, sums[begins]
        if self._open[event]:
            firsts = np.append(self._first[event], firsts)
            bases = np.append(-self._sum[event], bases)
        ended = len(stops)
        self._note(event, firsts[:ended], stops + self.frames, sums[stops] - bases[:ended])
        self._open[event] = len(firsts) > ended
        if self._open[event]:
            self._first[event], self._sum[event] = firsts[-1], sums[-1] - bases[-1]

    def _note(self, event: int, firsts: np.ndarray, stops: np.ndarray, totals: np.ndarray) -> None:
        if len(firsts):
            means = totals / (stops - firsts)
            self._found.append(np.column_stack([np.full(len(firsts), event), firsts, stops, means]))

    def events(
        self, names: tuple[str, ...], hop: tuple[int, int], options: Options | None = None
    ) -> pd.DataFrame:
        """``onset``, ``offset``, ``event``, ``confidence`` and ``threshold`` of all, by onset.

        Parameters
        ----------
        names
            Of the classes.
        hop
            Samples from frame to frame, and samples per second.
        options
            Which events become one or are left out.
        """
        for event in np.flatnonzero(self._open):
            first, stop = self._first[[event]], np.array([self.frames])
            self._note(event, first, stop, self._sum[[event]])
        self._open[:] = False
        found = np.concatenate(self._found) if self._found else np.zeros((0, 4))
        if options and options.changes_events:
            found = _joined(found, options, hop[0] / hop[1])
        found = found[np.lexsort((found[:, 0], found[:, 1]))]
        classes, firsts, stops = found[:, :3].T.astype(int)
        return pd.DataFrame(
            {
                "onset": times_of(firsts, *hop)[0],
                "offset": times_of(stops, *hop)[1],
                "event": [names[event] for event in classes],
                "confidence": found[:, 3].round(4),
                "threshold": self.thresholds[classes].round(6),
            }
        )


def _joined(found: np.ndarray, options: Options, hop: float) -> np.ndarray:
    """Merge events that are close, then leave out short ones.

    The confidence of a merged event is the mean of its frames that reach the threshold.

    Parameters
    ----------
    found
        Class, first frame, frame after the last, and confidence; events x 4.
    options
        Seconds.
    hop
        Seconds of a frame.
    """
    found = found[np.lexsort((found[:, 1], found[:, 0]))]
    if len(found) and options.merge_gap > 0:
        gaps = found[1:, 1] - found[:-1, 2]  # frames; a time of whole frames is not rounded down
        same = (found[1:, 0] == found[:-1, 0]) & (gaps <= options.merge_gap / hop + 1e-6)
        firsts = np.flatnonzero(np.append(True, ~same))
        lasts = np.append(firsts[1:], len(found)) - 1
        frames = found[:, 2] - found[:, 1]
        totals = np.add.reduceat(np.column_stack([frames, frames * found[:, 3]]), firsts, axis=0)
        means = totals[:, 1] / totals[:, 0]
        found = np.column_stack([found[firsts, :2], found[lasts, 2], means])
    return found[found[:, 2] - found[:, 1] >= options.min_duration / hop - 1e-6]
