"""Encode a recording's sound, spectrogram and probabilities as text for a page."""

import base64
import io
import zlib
from collections.abc import Iterable

import librosa
import matplotlib as mpl
import numpy as np
import soundfile
from PIL import Image

from softscene.features.store import FeatureParameters

SOUND_RATE = 24000  # Hz, one of the five that Opus has
SOUND_COMPRESSION = 0.9  # of 0 to 1; about 30 kbit/s
LOUDEST = 0.7  # peak to which each recording is scaled
WIDEST = 8192  # pixels of a spectrogram; some browsers draw no image above 16,384
SHADES = 64  # of a spectrogram; with more, its noise makes large files
DARK, BRIGHT = 5, 99.8  # percentiles of a recording's energies
FREQUENCIES = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)  # Hz, labelled


def sound(samples: np.ndarray, sample_rate: int) -> str:
    """A mono signal as a data URI, Ogg Opus: it does not shift time as MP3 does."""
    resampled = librosa.resample(samples, orig_sr=sample_rate, target_sr=SOUND_RATE)
    return sound_of_blocks([resampled], float(np.abs(resampled).max(initial=0.0)))


def sound_of_blocks(blocks: Iterable[np.ndarray], peak: float) -> str:
    """The same for a signal that comes in blocks of any size, at ``SOUND_RATE``.

    Parameters
    ----------
    blocks
        Mono signal.
    peak
        Its largest magnitude, which becomes ``LOUDEST``.
    """
    gain, file = LOUDEST / peak if peak > 0 else 1.0, io.BytesIO()
    with soundfile.SoundFile(
        file, "w", SOUND_RATE, 1, "OPUS", format="OGG", compression_level=SOUND_COMPRESSION
    ) as opus:
        for block in blocks:
            opus.write(block * gain)
    return _data_uri("audio/ogg", file.getvalue())


def spectrogram(features: np.ndarray) -> tuple[str, int]:
    """Log-mel energies as an image, low frequencies at the bottom.

    Parameters
    ----------
    features
        Frames x bands.

    Returns
    -------
    tuple
        PNG as a data URI, and frames to a pixel: 1, or more where the image would get too wide.
        The last pixel of a row may extend beyond the last frame.
    """
    step = -(-len(features) // WIDEST)
    padded = np.pad(features, ((0, -len(features) % step), (0, 0)), mode="edge")
    pixels = padded.reshape(-1, step, features.shape[1]).mean(axis=1)
    low, high = np.percentile(pixels, (DARK, BRIGHT))
    shades = np.clip((pixels - low) / max(high - low, 1e-6), 0, 1) * (SHADES - 1)
    image = Image.fromarray(shades.round().astype(np.uint8).T[::-1].copy(), mode="P")
    colours = mpl.colormaps["magma"](np.linspace(0, 1, SHADES), bytes=True)[:, :3]
    image.putpalette(colours.tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return _data_uri("image/png", file.getvalue()), step


def frequency_marks(parameters: FeatureParameters) -> list[tuple[int, float]]:
    """Frequencies (Hz) to label, and where: 0 is the spectrogram's bottom, 1 its top."""
    lowest, highest = librosa.hz_to_mel((parameters.fmin, parameters.fmax))
    # The filters' peaks are the inner ones of bands + 2 points; a pixel lies around its peak.
    points = (librosa.hz_to_mel(FREQUENCIES) - lowest) / (highest - lowest) * (parameters.bands + 1)
    places = (points - 0.5) / parameters.bands
    marks = zip(FREQUENCIES, places.tolist(), strict=True)
    return [(hertz, place) for hertz, place in marks if 0 <= place <= 1]


def levels_of(thresholds: Iterable[float]) -> np.ndarray:
    """0, 0.01 .. 1 and all given thresholds, ascending: what probabilities are compared with."""
    return np.unique([*np.round(np.arange(101) / 100, 10), *thresholds])


def codes(probabilities: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """How many levels each probability reaches, so that ``codes > k`` is a detection.

    It is exactly what :func:`softscene.evaluation.thresholds.reached` gives at ``levels[k]``.

    Frames x events -> events x frames, little-endian, of 8 bits where 255 levels are enough.
    """
    levels = levels.astype(np.float32)
    found = np.searchsorted(levels, probabilities.T.astype(np.float32), side="right")
    return found.astype("u1" if len(levels) < 256 else "<u2")


def packed(array: np.ndarray) -> str:
    """An array's bytes, deflated, in base 64."""
    return base64.b64encode(zlib.compress(array.tobytes(), 9)).decode()


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
