"""The explorer's page of the user's own recording: detections without a reference."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from softscene.core.errors import printable
from softscene.core.files import write_text
from softscene.data.audio import Recording
from softscene.detect.detection import detect
from softscene.detect.detector import About, Detector
from softscene.detect.events import Options
from softscene.detect.facts import Found, rate_fault
from softscene.explorer.encode import (
    SOUND_RATE,
    codes,
    frequency_marks,
    levels_of,
    packed,
    sound_of_blocks,
    spectrogram,
)
from softscene.explorer.page import COLOURS, Json, fill_page

LONGEST = 3600  # s of a recording that its page shows, so that memory and page stay bounded
SYNTHETIC_NOTE = (
    "Trained on synthetic sound: these students have never heard a real recording, and what they "
    "say about one means nothing."
)


def detect_with_page(
    source: str | Path,
    detector: Detector,
    results: Mapping[str, str | Path],
    options: Options | None = None,
    advance: Callable[[float, float], object] = lambda seconds, total: None,
) -> Found:
    """:func:`.detection.detect`, which also writes the recording's page to ``results["page"]``."""
    page = OwnPage(detector, options or Options())
    return detect(source, detector, results, options, advance, page)


class OwnPage:
    """A recording's page, made while the recording is read; see :class:`.detection.Page`.

    Parameters
    ----------
    detector
        Whose posteriors it shows.
    options
        Of which it uses the threshold.
    """

    def __init__(self, detector: Detector, options: Options) -> None:
        self.about, self.limits = detector.about, options.limits(detector.thresholds)
        self.options = options
        self.mode = "adaptive" if options.threshold is None else "given"
        self.levels = levels_of(self.limits.tolist())
        features = self.about.features
        self.hop = features.hop_length / features.sample_rate
        self._room = round(LONGEST / self.hop)  # frames that still fit on the page
        self._log_mel: list[np.ndarray] = []
        self._codes: list[np.ndarray] = []  # events x frames each

    def push(self, log_mel: np.ndarray, posteriors: np.ndarray) -> None:
        """Take further frames x bands, and frames x events."""
        log_mel, posteriors = log_mel[: self._room], posteriors[: self._room]
        if len(log_mel) == 0:
            return
        self._room -= len(log_mel)
        self._log_mel.append(log_mel)
        self._codes.append(codes(posteriors, self.levels))

    def write(self, source: Path, found: Found, target: Path) -> None:
        """Write the page; reads the recording again, for its sound."""
        image, step = spectrogram(np.concatenate(self._log_mel))
        content = {
            "sound": _sound(source),
            "image": image,
            "frames_a_pixel": step,
            "codes": [packed(np.hstack(self._codes))],
        }
        write_text(target, fill_page(self._overview(source.name, found), [content]))

    def _overview(self, name: str, found: Found) -> Json:
        about = self.about
        limits = np.searchsorted(self.levels, self.limits).tolist()
        return {
            "title": f"Events in {printable(name)}",
            "reference": False,
            "note": " ".join(_notes(about, found, self.options)) or None,
            "terms": None,
            "hop": self.hop,
            "events": about.events,
            "modes": [self.mode],
            "levels": self.levels.tolist(),
            "frequencies": frequency_marks(about.features),
            "students": [{"name": f"{about.method}, run {about.run}", "colour": COLOURS[0]}],
            "parts": [{"students": [{"thresholds": {self.mode: limits}}]}],
            "recordings": [
                {"part": 0, "name": printable(name), "scene": _scenes(about, found.scenes),
                 "frames": sum(map(len, self._log_mel)), "occurrences": len(found.events)}
            ],
        }  # fmt: skip


def _notes(about: About, found: Found, options: Options) -> Iterator[str]:
    if about.synthetic:
        yield SYNTHETIC_NOTE
    if fault := rate_fault(found.rate, about.features):
        yield f"The recording {fault}."
    if found.seconds > LONGEST:
        hours = found.seconds / 3600
        yield f"Only the first of {hours:.2f} hours is shown; the tables have all."
    if found.level.silent:
        yield "All samples are 0: the tables have no events, whatever the students say here."
    elif options.changes_events:
        yield "The tables' events were merged, or short ones left out; here are all of them."


def _scenes(about: About, posteriors: np.ndarray) -> str:
    """Scenes and their posteriors, the likeliest first; empty if no student has a scene branch."""
    if np.isnan(posteriors).any():
        return ""
    ranked = sorted(zip(posteriors.tolist(), about.scenes, strict=True), reverse=True)
    return ", ".join(f"{scene} {posterior:.2f}" for posterior, scene in ranked)


def _sound(source: Path) -> str:
    """Sound of the recording's first hour; read twice, so that memory stays bounded."""
    peak = max(float(np.abs(block).max(initial=0)) for block in _blocks(source))
    return sound_of_blocks(_blocks(source), peak)


def _blocks(source: Path) -> Iterator[np.ndarray]:
    left = LONGEST * SOUND_RATE
    with Recording(source, ffmpeg=True) as recording:
        for block in recording.resampled(SOUND_RATE):
            yield block[:left]
            left -= len(block)
            if left <= 0:
                return
