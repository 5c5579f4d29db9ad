"""Recordings of any length, rate and number of channels as log-mel clips, block by block."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr

from softscene.errors import AudioError
from softscene.extraction import frame_count, log_mel_frames
from softscene.features import FeatureParameters

BLOCK = 2**18  # samples that are read at a time, of all channels together
RATES = (1000, 1_000_000)  # Hz; far outside, the resampler fails
LOUDEST = 1e12  # of a sample; the energy of much larger ones overflows
SLACK = 0.1  # s that a file may hold less than it announces: some MP3 encoders count so
# libsndfile reads what is left of a file that was cut; only its notes tell what the header says.
_PROMISES = (
    ("bytes", re.compile(r"^ *(?:data|Data Size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)),
    ("samples", re.compile(r"Frame count .* chunk \((\d+)\) not equal to .*\n.* chunk \((\d+)\)")),
    (
        "samples",
        re.compile(r"(?=.* chunk of (\d+)\.)\*\*\* Calculated frame count (\d+) does not match"),
    ),
)
_UNKNOWN = 2**31 - 2**16  # a size from here on stands for "written to a pipe, size not known"


class Recording:
    """An audio file that is read from its beginning, once (a context manager).

    Parameters
    ----------
    path
        Any file that ``soundfile`` reads.

    Attributes
    ----------
    rate
        Its samples a second.
    seconds
        Its length, as it announces it.

    Raises
    ------
    AudioError
        The file is missing, unreadable, empty, cut, or of a rate outside ``RATES``.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        with _naming(path):
            if not Path(path).is_file():
                raise AudioError(f"{path}: there is no such file")
            with Path(path).open("rb") as file:  # says why it may not be read; soundfile does not
                file.peek(1)
            self._file = soundfile.SoundFile(os.fsencode(path))  # names need not be UTF-8
        try:
            self._check()
        except AudioError:
            self._file.close()
            raise
        self.rate = self._file.samplerate
        self.seconds = self._file.frames / self.rate

    def _check(self) -> None:
        lowest, highest = RATES
        if not lowest <= self._file.samplerate <= highest:
            raise AudioError(
                f"{self.path}: has {self._file.samplerate} Hz, {lowest} to {highest} Hz expected"
            )
        if self._file.frames == 0:
            raise AudioError(f"{self.path}: holds no sound")
        for unit, promise in _PROMISES:
            for promised, there in promise.findall(self._file.extra_info):
                if int(there) < int(promised) < _UNKNOWN:
                    raise AudioError(
                        f"{self.path}: is cut: its header promises {promised} {unit}, "
                        f"{there} are there; copy it again, or save what is left as a new file"
                    )

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def mono(self) -> Iterator[np.ndarray]:
        """Blocks of the mean of the channels, float32, at the file's own rate.

        Raises
        ------
        AudioError
            The file breaks off, or a sample is NaN, infinite or beyond ``LOUDEST``; says where.
        """
        count, done = max(1, BLOCK // self._file.channels), 0
        while True:
            with _naming(self.path, f" after {done / self._file.samplerate:.2f} s"):
                block = self._file.read(count, dtype="float32", always_2d=True)
            if len(block) == 0:
                break
            usable = (np.abs(block) < LOUDEST).all(axis=1)  # and not NaN
            if not usable.all():
                where = done + int(np.argmin(usable))
                raise AudioError(
                    f"{self.path}: sample {where} ({where / self._file.samplerate:.3f} s) is not "
                    "a finite number, or is far outside -1 .. 1"
                )
            done += len(block)
            yield block.mean(axis=1)
        if done < self._file.frames - SLACK * self._file.samplerate:
            raise AudioError(
                f"{self.path}: breaks off after {done / self._file.samplerate:.2f} of "
                f"{self.seconds:.2f} s; is it cut?"
            )

    def resampled(self, sample_rate: int) -> Iterator[np.ndarray]:
        """:meth:`mono` at another rate (Hz), as if all were resampled at once."""
        if sample_rate == self._file.samplerate:
            yield from self.mono()
            return
        stream = soxr.ResampleStream(self._file.samplerate, sample_rate, 1, dtype="float32")
        for block in self.mono():
            yield stream.resample_chunk(block)
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


@contextmanager
def _naming(path: str | Path, where: str = "") -> Iterator[None]:
    """Make an AudioError that names the file of what reading it raises."""
    try:
        yield
    except (OSError, soundfile.SoundFileError, TypeError, ValueError) as error:
        raise AudioError(f"{path}: cannot be read as audio{where}: {error}") from error


def log_mel_clips(
    blocks: Iterable[np.ndarray], clip_frames: int, parameters: FeatureParameters
) -> Iterator[np.ndarray]:
    """:func:`softscene.extraction.log_mel` of a signal that comes in blocks, clip by clip.

    A clip's numbers do not depend on how the signal is cut into blocks.

    Parameters
    ----------
    blocks
        Mono signal, float32, in pieces of any size.
    clip_frames
        Frames of a clip.
    parameters
        How.

    Yields
    ------
    ndarray
        Frames x bands, float32; only the last clip may have fewer frames.
    """
    margin, hop = parameters.n_fft // 2, parameters.hop_length
    whole = (clip_frames - 1) * hop + parameters.n_fft  # samples under the windows of a clip
    waiting, size = [np.zeros(margin, np.float32)], margin
    samples = done = 0
    for block in blocks:
        waiting.append(block)
        samples, size = samples + len(block), size + len(block)
        while size >= max(whole, clip_frames * hop):
            joined = np.concatenate(waiting)
            yield log_mel_frames(joined[:whole], clip_frames, parameters)
            waiting, done = [joined[clip_frames * hop :]], done + clip_frames
            size = len(waiting[0])
    joined = np.concatenate([*waiting, np.zeros(margin, np.float32)])
    left = frame_count(samples, parameters) - done
    for start in range(0, left, clip_frames):
        frames = min(clip_frames, left - start)
        own = joined[start * hop :][: (frames - 1) * hop + parameters.n_fft]
        yield log_mel_frames(own, frames, parameters)
