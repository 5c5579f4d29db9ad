"""Detect events and the scene of the user's recordings while reading them."""

import hashlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from softscene.core.errors import AudioError
from softscene.core.files import partial_beside, write_text
from softscene.core.tsv import write_table
from softscene.data.audio import Recording
from softscene.detect.detector import Detector
from softscene.detect.pictures import Overview, draw
from softscene.detect.recordings import CONVERT, FOREIGN
from softscene.evaluation.thresholds import reached
from softscene.features.activity import times_of
from softscene.features.streaming import log_mel_clips

BATCH = 4  # clips at a time; bounds memory


class Page(Protocol):
    """Makes a recording's page of what is found in it; its target is called ``page``."""

    def push(self, log_mel: np.ndarray, posteriors: np.ndarray) -> None:
        """Take further frames x bands, and frames x events."""

    def write(self, source: Path, found: "Found", target: Path) -> None:
        """Write the page, after all of the recording was pushed."""


@dataclass(frozen=True)
class Found:
    """What was found in a recording: its length (s), its events, the scenes' mean posteriors."""

    seconds: float
    events: pd.DataFrame
    scenes: np.ndarray


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

    def events(self, names: tuple[str, ...], hop: tuple[int, int]) -> pd.DataFrame:
        """``onset``, ``offset``, ``event`` and ``confidence`` of all, by onset.

        Parameters
        ----------
        names
            Of the classes.
        hop
            Samples from frame to frame, and samples per second.
        """
        for event in np.flatnonzero(self._open):
            first, stop = self._first[[event]], np.array([self.frames])
            self._note(event, first, stop, self._sum[[event]])
        self._open[:] = False
        found = np.concatenate(self._found) if self._found else np.zeros((0, 4))
        found = found[np.lexsort((found[:, 0], found[:, 1]))]
        classes, firsts, stops = found[:, :3].T.astype(int)
        return pd.DataFrame(
            {
                "onset": times_of(firsts, *hop)[0],
                "offset": times_of(stops, *hop)[1],
                "event": [names[event] for event in classes],
                "confidence": found[:, 3].round(4),
            }
        )


def detect(
    source: str | Path,
    detector: Detector,
    results: Mapping[str, str | Path],
    threshold: float | None = None,
    advance: Callable[[float, float], object] = lambda seconds, total: None,
    page: Page | None = None,
) -> Found:
    """Find the events and the scene of a recording; memory does not grow with its length.

    Parameters
    ----------
    source
        A file that ``soundfile`` reads, of any rate, length and number of channels.
    detector
        The students.
    results
        Target of each of ``recordings.RESULTS``, and of ``page`` if one is made, in one folder.
        Existing files are deleted first; after a failure of any kind, none is left.
    threshold
        For all events; ``None`` takes the students' adaptive ones.
    advance
        Called after each step with its seconds and those of the whole recording.
    page
        Makes its page.

    Returns
    -------
    Found
        What was written.

    Raises
    ------
    AudioError
        The recording cannot be used; says why, and where in it.
    """
    targets = {key: Path(target) for key, target in results.items()}
    _remove(targets)
    overview = Overview()
    try:
        found, rate = _hear(source, detector, threshold, overview, advance, page)
    except AudioError as error:
        if Path(source).suffix.lower() in FOREIGN and Path(source).is_file():
            raise AudioError(f"{error}; {CONVERT}") from error
        raise
    with _all_or_none(targets) as partial:
        _write(found, Path(source).name, rate, detector, partial, overview)
        if page:
            page.write(Path(source), found, partial["page"])
    return found


def _hear(
    source: str | Path,
    detector: Detector,
    threshold: float | None,
    overview: Overview,
    advance: Callable[[float, float], object],
    page: Page | None,
) -> tuple[Found, int]:
    """What is in a recording, and its rate (Hz); fills ``overview``."""
    about = detector.about
    hop = about.features.hop_length, about.features.sample_rate
    limits = detector.thresholds
    if threshold is not None:
        limits = np.full_like(limits, threshold)
    tracker, scenes = EventTracker(limits), np.zeros(len(about.scenes))
    with Recording(source) as recording:
        clips = log_mel_clips(recording.resampled(hop[1]), about.clip_frames, about.features)
        while batch := list(itertools.islice(clips, BATCH)):
            posteriors, of_scenes = detector.predict(batch)
            scenes += [len(clip) for clip in batch] @ of_scenes
            for clip, each in zip(batch, posteriors, strict=True):
                overview.push(clip, np.where(tracker.push(each), each, 0))
                if page:
                    page.push(clip, each)
            advance(sum(map(len, batch)) * hop[0] / hop[1], recording.seconds)
    if tracker.frames == 0:
        raise AudioError(f"{source}: is shorter than a sample of {hop[1]} Hz")
    found = Found(
        seconds=tracker.frames * hop[0] / hop[1],
        events=tracker.events(about.events, hop),
        scenes=scenes / tracker.frames,
    )
    return found, recording.rate


@contextmanager
def _all_or_none(targets: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Yield paths to write to, which are renamed to ``targets`` when all are written."""
    first = next(iter(targets.values()))
    first.parent.mkdir(parents=True, exist_ok=True)
    # Short, and unique to this recording even if a process elsewhere has the same ID.
    name = hashlib.sha256(os.fsencode(first.name)).hexdigest()[:16]
    folder = partial_beside(first.with_name(name))
    partial = {key: folder / f"{key}{target.suffix}" for key, target in targets.items()}
    try:
        yield partial
        for key, target in targets.items():
            partial[key].replace(target)
    except BaseException:
        _remove(targets)  # some may be renamed already
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove(targets: Mapping[str, Path]) -> None:
    for target in targets.values():
        target.unlink(missing_ok=True)


def _write(
    found: Found,
    name: str,
    rate: int,
    detector: Detector,
    results: Mapping[str, Path],
    overview: Overview,
) -> None:
    about, events = detector.about, found.events
    write_table(events.assign(trained_on=about.trained_on), results["events"])
    lines = zip(events.onset, events.offset, events.event, strict=True)
    text = "".join(f"{onset:.6f}\t{offset:.6f}\t{event}\n" for onset, offset, event in lines)
    write_text(results["audacity"], text)
    posteriors = pd.DataFrame({"scene": about.scenes, "posterior": found.scenes.round(4)})
    write_table(posteriors.assign(trained_on=about.trained_on), results["scenes"])
    draw(name, found.seconds, rate, overview, found.scenes, about, results["picture"])
