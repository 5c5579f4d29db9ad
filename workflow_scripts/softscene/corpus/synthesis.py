"""Sound of a synthetic corpus: scene backgrounds, and events with distinct log-mel spectra."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import fft

from softscene.core.errors import ConfigurationError
from softscene.core.tsv import read_table

SAMPLE_RATE = 44_100
_BLOCK = 2**20  # samples after which shaped noise repeats; a transform of them fits in the cache
_STEP = 64  # samples between two values of an envelope or of a pitch
_FADE = 0.005  # seconds
_PARTIALS = (1.0, 0.4, 0.2)  # amplitudes in a tone

# Background of a scene: level in dB per Hz at these frequencies. Outdoors it is traffic, indoors
# room noise, and recordings differ by _SPREAD, so that the scenes overlap as real ones do.
_ANCHORS = np.log([50, 150, 500, 1500, 5000, 16000])
_BACKGROUNDS = {
    "city_center": (-64, -66, -75, -82, -92, -103),
    "residential_area": (-67, -71, -81, -86, -93, -102),
    "home": (-79, -80, -84, -90, -96, -103),
    "office": (-76, -77, -84, -92, -100, -106),
    "bus": (-58, -62, -76, -88, -98, -110),
}
_SPREAD = 2.5  # dB, standard deviation between recordings, of each anchor and of the overall level
_SWAY = 1.5  # dB, standard deviation of the slow modulation
_SWAY_SECONDS = 3.0


@dataclass(frozen=True)
class EventSound:
    """How an event sounds; one row of ``resources/event_sounds.tsv``.

    Attributes
    ----------
    texture
        ``noise`` (band-limited), ``pulses`` (bursts of it), ``tone``, ``harmonic`` (a voice or an
        engine) or ``chirps`` (sweeps through the band).
    centre_hz, bandwidth_hz
        The band of its energy; for a tone, the bandwidth is the vibrato's.
    pitch_hz
        Pitch of tone, harmonic and chirps.
    rate_hz, depth
        Rate and depth of the modulation; the rate is also that of strokes or sweeps.
    decay_s
        Seconds in which a stroke falls to 1/e; 0 for sounds without strokes.
    """

    texture: str
    centre_hz: float
    bandwidth_hz: float
    pitch_hz: float
    rate_hz: float
    depth: float
    decay_s: float

    def vary(self, rng: np.random.Generator) -> "EventSound":
        """Another instance of the same event, with pitch, rate and bandwidth varied a little."""
        pitch, rate, width = 2 ** rng.normal(0, [0.06, 0.2, 0.1])
        return replace(
            self,
            centre_hz=self.centre_hz * pitch,
            pitch_hz=self.pitch_hz * pitch,
            rate_hz=self.rate_hz * rate,
            bandwidth_hz=self.bandwidth_hz * width,
        )


def read_sounds(source: str | Path) -> dict[str, EventSound]:
    """Read ``resources/event_sounds.tsv``: event -> sound.

    Raises
    ------
    ConfigurationError
        Lists unknown textures and numbers that are out of range.
    """
    table = read_table(source).set_index("event_label")
    sounds = {name: EventSound(**row) for name, row in table.iterrows()}
    problems = []
    for name, sound in sounds.items():
        if sound.texture not in _CARRIERS:
            problems.append(f"{name}: texture {sound.texture!r}; known: {', '.join(_CARRIERS)}")
        if not (0 < sound.centre_hz < SAMPLE_RATE / 2 and sound.bandwidth_hz > 0):
            problems.append(f"{name}: {sound.centre_hz} Hz, {sound.bandwidth_hz} Hz wide")
        if sound.texture in ("tone", "harmonic", "chirps") and not sound.pitch_hz > 0:
            problems.append(f"{name}: a {sound.texture} needs pitch_hz")
        if not (sound.rate_hz > 0 and 0 <= sound.depth <= 1 and sound.decay_s >= 0):
            problems.append(f"{name}: rate > 0, depth 0 to 1 and decay 0 or more expected")
    if problems:
        raise ConfigurationError.of(f"{source} cannot be used:", problems)
    return sounds


def render_recording(
    events: pd.DataFrame,
    scene: str,
    seconds: float,
    rng: np.random.Generator,
    sounds: Mapping[str, EventSound],
) -> np.ndarray:
    """Make the sound of one recording.

    Parameters
    ----------
    events
        Its rows of a list (``event_start_time``, ``event_end_time``, ``event_label``).
    scene, seconds
        Its background and length.
    rng
        Source of all randomness.
    sounds
        As returned by :func:`read_sounds`.

    Returns
    -------
    ndarray
        (frames, 2), float32, between -1 and 1, at 44.1 kHz. Each event is 8 to 20 dB above the
        background in the event's own band.
    """
    frames = round(seconds * SAMPLE_RATE)
    anchors = np.array(_BACKGROUNDS[scene]) + rng.normal(0, _SPREAD, len(_ANCHORS))
    anchors += rng.normal(0, _SPREAD)
    sound = np.stack([_background(anchors, frames, rng) for _ in range(2)])
    for row in events.itertuples(index=False):
        first = round(row.event_start_time * SAMPLE_RATE)
        last = min(round(row.event_end_time * SAMPLE_RATE), frames)
        if last <= first:
            continue
        instance = sounds[row.event_label].vary(rng)
        level = _level(anchors, instance) * 10 ** (rng.uniform(8, 20) / 20)
        mono = render_event(instance, last - first, rng)
        angle = np.pi / 4 + rng.uniform(-0.5, 0.5)
        for channel, gain in enumerate((np.cos(angle), np.sin(angle))):
            sound[channel, first:last] += np.float32(level * np.sqrt(2) * gain) * mono
    return np.clip(sound, -1, 1).T


def render_event(sound: EventSound, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Render one event alone: (frames,), float32, root mean square 1, faded in and out."""
    wave = _CARRIERS[sound.texture](sound, frames, rng)
    wave *= _at_each_sample(_envelope(sound, frames, rng), frames)
    fade = min(round(_FADE * SAMPLE_RATE), frames // 4)
    if fade:
        ramp = np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
        wave[:fade] *= ramp
        wave[-fade:] *= ramp[::-1]
    return wave / np.sqrt(np.mean(np.square(wave)) + 1e-12)


def _shaped_noise(density: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise with a power density per Hz, (frames,), float32; repeats every _BLOCK samples.

    ``density`` is given at the frequencies of a real transform of ``_size(frames)`` samples.
    """
    size = _size(frames)
    parts = rng.standard_normal((size // 2 + 1, 2), dtype=np.float32)
    spectrum = parts.view(np.complex64)[:, 0] * np.sqrt(density * (SAMPLE_RATE * size / 4))
    return np.resize(fft.irfft(spectrum.astype(np.complex64, copy=False), size), frames)


def _size(frames: int) -> int:
    return fft.next_fast_len(2 * ((min(frames, _BLOCK) + 1) // 2), real=True)


@cache
def _frequencies(size: int) -> np.ndarray:
    return fft.rfftfreq(size, 1 / SAMPLE_RATE).astype(np.float32)


def _density(anchors: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Power per Hz of a background, linear in dB over log frequency."""
    return 10 ** (np.interp(np.log(np.maximum(frequencies, 1)), _ANCHORS, anchors) / 10)


def _background(anchors: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
    size = _size(frames)
    # 4096 points are enough for so smooth a curve
    coarse = np.linspace(0, SAMPLE_RATE / 2, 4096)
    density = np.interp(_frequencies(size), coarse, _density(anchors, coarse)).astype(np.float32)
    noise = _shaped_noise(density, frames, rng)
    points = int(frames / SAMPLE_RATE / _SWAY_SECONDS) + 2
    gains = 10 ** (rng.normal(0, _SWAY, points) / 20)
    return noise * _at_each_sample(gains, frames)


def _level(anchors: np.ndarray, sound: EventSound) -> float:
    """Root mean square of the background in an event's band of at least 200 Hz."""
    width = max(sound.bandwidth_hz, 200.0)
    low = max(sound.centre_hz - width / 2, 20.0)
    band = np.linspace(low, sound.centre_hz + width / 2, 32)
    return float(np.sqrt(width * np.mean(_density(anchors, band))))


def _at_each_sample(values: np.ndarray, frames: int) -> np.ndarray:
    """Stretch a curve linearly over ``frames`` samples, (frames,), float32."""
    places = np.linspace(0, len(values) - 1, frames)
    return np.interp(places, np.arange(len(values)), values).astype(np.float32)


def _band_noise(sound: EventSound, frames: int, rng: np.random.Generator) -> np.ndarray:
    distance = (_frequencies(_size(frames)) - sound.centre_hz) / (sound.bandwidth_hz / 2)
    return _shaped_noise(np.exp(-0.5 * distance**2), frames, rng)


def _tone(sound: EventSound, frames: int, rng: np.random.Generator) -> np.ndarray:
    time = _control_times(frames)
    tremble = np.sin(2 * np.pi * (sound.rate_hz * time + rng.random()))
    return _oscillate(_PARTIALS, sound.pitch_hz + sound.bandwidth_hz / 2 * tremble, frames)


def _harmonic(sound: EventSound, frames: int, rng: np.random.Generator) -> np.ndarray:
    highest = int((sound.centre_hz + 1.5 * sound.bandwidth_hz) / sound.pitch_hz)
    partials = sound.pitch_hz * np.arange(1, max(highest, 1) + 1)
    weights = np.exp(-0.5 * ((partials - sound.centre_hz) / (sound.bandwidth_hz / 2)) ** 2)
    words = rng.normal(0, 0.08, int(frames / SAMPLE_RATE * sound.rate_hz) + 2)
    pitch = np.interp(
        _control_times(frames) * sound.rate_hz, np.arange(len(words)), sound.pitch_hz * 2**words
    )
    return _oscillate(tuple(weights), pitch, frames)


def _chirps(sound: EventSound, frames: int, rng: np.random.Generator) -> np.ndarray:
    sweep = 2 * np.abs((_control_times(frames) * sound.rate_hz + rng.random()) % 1 - 0.5)
    return _oscillate((1.0,), sound.pitch_hz + sound.bandwidth_hz * (sweep - 0.5), frames)


_CARRIERS = {
    "noise": _band_noise,
    "pulses": _band_noise,
    "tone": _tone,
    "harmonic": _harmonic,
    "chirps": _chirps,
}


def _control_times(frames: int) -> np.ndarray:
    return np.linspace(0, frames / SAMPLE_RATE, frames // _STEP + 2)


def _oscillate(partials: tuple[float, ...], pitch: np.ndarray, frames: int) -> np.ndarray:
    """Play one period, made of sines with these weights, at a changing pitch in Hz."""
    size = 4096
    turns = np.outer(np.arange(1, len(partials) + 1), np.arange(size)) / size
    # Schroeder phases: partials all in phase would give a click train
    phases = np.pi * np.arange(len(partials)) ** 2 / len(partials)
    period = np.array(partials) @ np.sin(2 * np.pi * turns + phases[:, None])
    phase = np.cumsum(_at_each_sample(pitch * (size / SAMPLE_RATE), frames), dtype=np.float64)
    return period.astype(np.float32)[phase.astype(np.int64) % size]


def _envelope(sound: EventSound, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Decaying strokes, or a modulation between 1 - depth and 1; at control rate."""
    time = _control_times(frames)
    if sound.decay_s > 0:
        gaps = rng.uniform(0.7, 1.3, int(time[-1] * sound.rate_hz / 0.7) + 1) / sound.rate_hz
        strokes = np.concatenate([[0.0], np.cumsum(gaps)])
        since = time - strokes[np.searchsorted(strokes, time, side="right") - 1]
        return np.exp(-since / sound.decay_s)
    swing = np.sin(2 * np.pi * (sound.rate_hz * time + rng.random()))
    return 1 - sound.depth * (0.5 + 0.5 * swing)
