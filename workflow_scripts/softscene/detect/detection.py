"""Detect events and the scene of the user's recordings while reading them."""

import hashlib
import itertools
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from softscene.core.errors import AudioError
from softscene.core.files import partial_beside
from softscene.core.tsv import write_table
from softscene.data.audio import Recording
from softscene.detect.detector import Detector
from softscene.detect.events import CrossFade, EventTracker, Options
from softscene.detect.facts import Found, state_of, write_facts
from softscene.detect.formats import WRITERS
from softscene.detect.pictures import Overview, draw
from softscene.detect.start_times import start_of, time_at
from softscene.features.streaming import log_mel_clips

BATCH = 4  # clips at a time; bounds memory
logger = logging.getLogger(__name__)


class Page(Protocol):
    """Makes a recording's page of what is found in it; its target is called ``page``."""

    def push(self, log_mel: np.ndarray, posteriors: np.ndarray) -> None:
        """Take further frames x bands, and frames x events."""

    def write(self, source: Path, found: Found, target: Path) -> None:
        """Write the page, after all of the recording was pushed."""


def detect(
    source: str | Path,
    detector: Detector,
    results: Mapping[str, str | Path] | None = None,
    options: Options | None = None,
    advance: Callable[[float, float], object] = lambda seconds, total: None,
    page: Page | None = None,
) -> Found:
    """Find the events and the scene of a recording; memory does not grow with its length.

    Parameters
    ----------
    source
        A file that ``soundfile`` or FFmpeg reads, of any rate, length and number of channels.
    detector
        The students.
    results
        Target of each result to write, by the keys of ``recordings.endings``, and of ``page`` if
        one is made, in one folder; ``None`` writes nothing. Existing files are deleted first;
        after a failure of any kind, none is left.
    options
        How events are made of posteriors; ``None`` is as in the paper.
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
    ConfigurationError
        Clips cannot overlap by so much.
    """
    source, options = Path(source), options or Options()
    targets = {key: Path(target) for key, target in (results or {}).items()}
    _remove(targets)
    prediction = _Prediction(source, detector, options, page, draws="picture" in targets)
    found = prediction.found(advance)
    for fault in found.level.faults():
        if fault != found.level.scaling:  # of which its reader has warned
            logger.warning("%s: %s", source, fault)
    if targets:
        with _all_or_none(targets) as partial:
            prediction.write(found, partial)
    return found


class _Prediction:
    """A recording while it is read, and the writing of its results."""

    def __init__(
        self, source: Path, detector: Detector, options: Options, page: Page | None, draws: bool
    ) -> None:
        self.source, self.detector, self.options, self.page = source, detector, options, page
        self.overview = Overview() if draws else None
        self.features = detector.about.features
        self.hop = self.features.hop_length, self.features.sample_rate
        self.overlap = options.overlap_frames(detector.about.clip_frames, self.hop[0] / self.hop[1])
        self.tracker = EventTracker(options.limits(detector.thresholds))

    def found(self, advance: Callable[[float, float], object]) -> Found:
        """Read the recording, and return what is in it."""
        about, hop = self.detector.about, self.hop[0] / self.hop[1]
        joined, scenes, frames = CrossFade(self.overlap), np.zeros(len(about.scenes)), 0
        with Recording(self.source, ffmpeg=True) as recording:
            self.state = state_of(self.source, self.detector, self.options)
            clips = log_mel_clips(
                recording.resampled(self.hop[1]), about.clip_frames, self.features, self.overlap
            )
            while batch := list(itertools.islice(clips, BATCH)):
                before = self.tracker.frames
                posteriors, of_scenes = self.detector.predict(batch)
                scenes += [len(clip) for clip in batch] @ of_scenes
                frames += sum(map(len, batch))
                for clip, each in zip(batch, posteriors, strict=True):
                    self._push(*joined.push(clip, each))
                advance((self.tracker.frames - before) * hop, recording.seconds)
            if rest := joined.rest():
                self._push(*rest)
                advance(len(rest[0]) * hop, recording.seconds)
        if frames == 0:
            raise AudioError(f"{self.source}: is shorter than a sample of {self.hop[1]} Hz")
        start = start_of(self.source)
        events = self.tracker.events(about.events, self.hop, self.options)
        if recording.level.silent:
            events = events[:0]
        return Found(
            seconds=self.tracker.frames * self.hop[0] / self.hop[1],
            rate=recording.rate,
            channels=recording.channels,
            recorded=time_at(start, 0),
            level=recording.level,
            events=events.assign(
                recorded=[time_at(start, onset) for onset in events.onset],
                trained_on=about.trained_on,
            ),
            scenes=scenes / frames,
        )

    def _push(self, log_mel: np.ndarray, posteriors: np.ndarray) -> None:
        """Take final frames."""
        if len(log_mel) == 0:
            return
        active = self.tracker.push(posteriors)
        if self.overview:
            self.overview.push(log_mel, np.where(active, posteriors, 0))
        if self.page:
            self.page.push(log_mel, posteriors)

    def write(self, found: Found, targets: Mapping[str, Path]) -> None:
        """Write each result to its target."""
        about, name = self.detector.about, self.source.name
        top = min(found.rate / 2, self.features.fmax)
        for key in targets.keys() & WRITERS.keys():
            WRITERS[key](found.events, name, top, targets[key])
        if "scenes" in targets:
            table = pd.DataFrame({"scene": about.scenes, "posterior": found.scenes.round(4)})
            write_table(table.assign(trained_on=about.trained_on), targets["scenes"])
        if "facts" in targets:
            write_facts(found, name, self.detector, self.state, targets["facts"])
        if self.overview:
            if self.options.changes_events or found.level.silent:
                self.overview.keep_only(found.events, about.events, self.hop[0] / self.hop[1])
            draw(
                name, found.seconds, found.rate, self.overview, found.scenes, about,
                targets["picture"],
            )  # fmt: skip
        if self.page:
            self.page.write(self.source, found, targets["page"])


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
