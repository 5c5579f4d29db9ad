"""The picture of a recording: its log-mel spectrogram, and a lane for each event found."""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import librosa
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.image import AxesImage

from softscene.core.errors import printable
from softscene.core.files import replacing
from softscene.detect.detector import About
from softscene.features.store import FeatureParameters
from softscene.report.style import STYLE

COLUMNS = 1000  # a long recording has from so many to twice as many
WIDTH, HEIGHT, LANE = 7.2, 2.4, 0.19  # inches: of the picture without lanes, and of a lane
LONGEST = 70  # characters of a name that fit
HERTZ = (125, 500, 1000, 2000, 4000, 8000, 16000)
TICKS = 8  # most intervals between times
DAY = 86_400  # s
STEPS = (
    *(k / scale for scale in (1000, 100, 10, 1) for k in (1, 2, 5)),
    10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
)  # fmt: skip
DARKEST, BRIGHTEST = 1, 99.9  # percentiles of the energies that the colours span, and
LEAST_SPAN = np.log(10)  # at least 10 dB: nearly constant sound has one colour


class Overview:
    """A recording's log-mel and active posteriors in at most 2 x ``COLUMNS`` columns.

    A column is the maximum of its frames, so that short events stay visible. Columns are joined in
    pairs when there are too many: memory does not grow with the recording.

    Attributes
    ----------
    frames
        Frames of a column.
    """

    def __init__(self) -> None:
        self.frames, self._count = 1, 0
        self._columns: np.ndarray | None = None
        self._bands = 0

    def push(self, log_mel: np.ndarray, active: np.ndarray) -> None:
        """Take further frames x bands, and frames x events (0 where an event is not active)."""
        rows, self._bands = np.hstack([log_mel, active]).astype(np.float32), log_mel.shape[1]
        held = self._count % self.frames  # frames in the last column, if it is not full
        starts = np.arange(-held, len(rows), self.frames).clip(min=0)
        parts = np.maximum.reduceat(rows, starts, axis=0)
        if self._columns is None:
            self._columns = parts
        else:
            if held:
                parts[0] = np.maximum(parts[0], self._columns[-1])
                self._columns = self._columns[:-1]
            self._columns = np.vstack([self._columns, parts])
        self._count += len(rows)
        while len(self._columns) > 2 * COLUMNS:
            pairs = np.arange(0, len(self._columns), 2)
            self._columns = np.maximum.reduceat(self._columns, pairs, axis=0)
            self.frames *= 2

    def keep_only(self, events: pd.DataFrame, names: Sequence[str], hop: float) -> None:
        """Show these events alone, and each without gaps.

        Parameters
        ----------
        events
            ``onset``, ``offset`` (s), ``event`` and ``confidence``, which fills gaps.
        names
            Of the classes.
        hop
            Seconds of a frame.
        """
        shown = np.zeros_like(self.active)
        index = {name: number for number, name in enumerate(names)}
        firsts = (events.onset / hop).round().astype(int) // self.frames
        stops = -(-(events.offset / hop).round().astype(int) // self.frames)
        for first, stop, event, confidence in zip(
            firsts, stops, events.event, events.confidence, strict=True
        ):
            part = np.s_[first:stop, index[event]]
            shown[part] = np.where(self.active[part] > 0, self.active[part], confidence)
        self._columns[:, self._bands :] = shown

    @property
    def log_mel(self) -> np.ndarray:
        """Columns x bands."""
        return self._columns[:, : self._bands]

    @property
    def active(self) -> np.ndarray:
        """Columns x events."""
        return self._columns[:, self._bands :]


def draw(
    name: str,
    seconds: float,
    rate: int,
    overview: Overview,
    scenes: np.ndarray,
    about: About,
    target: str | Path,
) -> None:
    """Draw a recording's picture as PNG.

    Parameters
    ----------
    name
        Of the recording.
    seconds
        Its length.
    rate
        Its own sample rate, Hz: it holds nothing above half of it.
    overview
        Its columns.
    scenes
        Posterior of each scene; NaN if no student has a scene branch.
    about
        The detector's names, and what it was trained on.
    target
        The file.
    """
    lanes = np.flatnonzero((overview.active > 0).any(axis=0))
    rows = max(1, len(lanes))
    with plt.style.context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # of a name in another script
        figure, (upper, lower) = plt.subplots(
            2, sharex=True, figsize=(WIDTH, HEIGHT + LANE * rows), layout="constrained",
            height_ratios=[1.3, LANE * rows],
        )  # fmt: skip
        hop = about.features.hop_length / about.features.sample_rate
        end = len(overview.log_mel) * overview.frames * hop
        posteriors = _draw_lanes(lower, overview.active[:, lanes], end)
        energies = _draw_spectrogram(upper, overview.log_mel, end, rate, about.features)
        for image, label in ((energies, "Log energy"), (posteriors, "Posterior")):
            figure.colorbar(image, ax=(upper, lower), label=label, pad=0.01, aspect=30)
        lower.set_yticks(range(rows), [about.events[lane] for lane in lanes] or ["no event found"])
        lower.set_xlim(0, seconds)
        lower.set_xlabel("Time [min:s]" if seconds < 3600 else "Time [h:min:s]")
        lower.set_xticks(*time_ticks(seconds))
        figure.suptitle(_title(name, scenes, about), fontsize=7.5)
        with replacing(target) as partial:
            figure.savefig(partial)
        plt.close(figure)


def _draw_spectrogram(
    axes: Axes, log_mel: np.ndarray, end: float, rate: int, parameters: FeatureParameters
) -> AxesImage:
    bands = parameters.bands
    edges = librosa.mel_frequencies(bands + 2, fmin=parameters.fmin, fmax=parameters.fmax)
    lowest, highest = _energy_range(log_mel[:, edges[2:] < rate / 2 + 1])  # rounding is below 1 Hz
    image = axes.imshow(
        log_mel.T, extent=(0, end, -0.5, bands - 0.5), origin="lower", aspect="auto",
        cmap="cividis", interpolation="nearest", vmin=lowest, vmax=highest,
    )  # fmt: skip
    ticks = [hertz for hertz in HERTZ if edges[1] <= hertz <= edges[-2]]
    places = np.interp(ticks, edges[1:-1], np.arange(bands))
    axes.set_yticks(places, [f"{hertz:g}" for hertz in ticks])
    axes.set_ylabel("Mel band [Hz]")
    axes.grid(False)
    return image


def _energy_range(log_mel: np.ndarray) -> tuple[float, float]:
    """Energies that the colours span, in the recording's bands, which may be none."""
    if log_mel.size == 0:
        return 0.0, LEAST_SPAN
    lowest, highest = np.percentile(log_mel, [DARKEST, BRIGHTEST])
    return lowest, max(highest, lowest + LEAST_SPAN)


def _draw_lanes(axes: Axes, active: np.ndarray, end: float) -> AxesImage:
    rows = max(1, active.shape[1])
    shown = np.ma.masked_less_equal(active.T, 0)
    image = axes.imshow(
        shown if active.shape[1] else np.ma.masked_all((1, 1)), extent=(0, end, rows - 0.5, -0.5),
        aspect="auto", cmap=_colours(), vmin=0, vmax=1, interpolation="nearest",
    )  # fmt: skip
    axes.set_ylim(rows - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_yticks(np.arange(rows - 1) + 0.5, minor=True)
    axes.tick_params(axis="y", which="minor", length=0)
    axes.grid(False)
    axes.grid(axis="y", which="minor")
    return image


def _colours() -> Colormap:
    """Blues, none as pale as the background."""
    blues = mpl.colormaps["Blues"](np.linspace(0.25, 1, 256))
    return LinearSegmentedColormap.from_list("posterior", list(blues))


def time_ticks(seconds: float) -> tuple[list[float], list[str]]:
    """Ticks (s) of an axis of so many seconds, and their exact labels."""
    step = next((step for step in STEPS if seconds / step <= TICKS), 0)
    step = step or DAY * math.ceil(seconds / DAY / TICKS)
    decimals = max(0, math.ceil(-math.log10(step)))
    places = [round(k * step, decimals) for k in range(math.floor(seconds / step + 1e-9) + 1)]
    return places, [clock(place, seconds, decimals) for place in places]


def clock(value: float, longest: float, decimals: int = 0) -> str:
    """A time (s) as min:s, or h:min:s where an axis is an hour long."""
    scale = 10**decimals
    whole, part = divmod(round(value * scale), scale)
    minutes, seconds = divmod(whole, 60)
    text = f"{seconds:02d}.{part:0{decimals}d}" if decimals else f"{seconds:02d}"
    if longest < 3600:
        return f"{minutes}:{text}"
    return f"{minutes // 60}:{minutes % 60:02d}:{text}"


def _title(name: str, scenes: Sequence[float], about: About) -> str:
    plain = printable(name)
    short = plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"
    ranked = sorted(zip(scenes, about.scenes, strict=True), reverse=True)
    posteriors = ", ".join(f"{scene} {posterior:.2f}" for posterior, scene in ranked)
    known = "no scene branch" if np.isnan(scenes).any() else f"scene: {posteriors}"
    return f"{short}\n{known}\n{about.method}, run {about.run}, trained on {about.trained_on}"
