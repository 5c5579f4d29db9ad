"""Recordings: the only code that opens, checks and reads audio files, block by block."""

import logging
import os
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr

from softscene.core.errors import AudioError, SampleRateError
from softscene.core.files import other_than_file
from softscene.data.ffmpeg import Decoded, is_foreign
from softscene.data.levels import FULL, FULL_OF_8_BITS, Level
from softscene.data.mp3 import FrameCount, count_frames

logger = logging.getLogger(__name__)

BLOCK = 2**18  # samples read at a time, all channels together
RATES = (1000, 1_000_000)  # Hz; the resampler fails far outside this range
LOUDEST = 1e12  # largest sample; the energy of much larger ones overflows
SLACK = 0.1  # s by which a file may be shorter than announced, as some MP3 encoders miscount
COMPRESSED = {"FLAC", "MP3", "OGG"}
WAV = {"WAV", "WAVEX", "RF64"}
MP3_SLACK = 2  # frames; some encoders also count the header's frame
# libsndfile reads a truncated file without an error; only its log says what the header announces.
_PROMISES = (
    ("bytes", re.compile(r"^ *(?:data|Data Size) *: (\d+) \(should be (\d+)\)", re.MULTILINE)),
    ("samples", re.compile(r"Frame count .* chunk \((\d+)\) not equal to .*\n.* chunk \((\d+)\)")),
    (
        "samples",
        re.compile(r"(?=.* chunk of (\d+)\.)\*\*\* Calculated frame count (\d+) does not match"),
    ),
)
_UNKNOWN = 2**31 - 2**16  # sizes from here on mean "written to a pipe, size unknown"
_OGG_PAGE = re.compile(rb"OggS\0([\0-\x07])")  # RFC 3533: capture pattern, version, flags
_FIRST_PAGE = 2  # the flag of a stream's first page
_CONVERT = "convert it: ffmpeg -i FILE NEW.wav"


class Recording:
    """An audio file that is read once, from its beginning (a context manager).

    Parameters
    ----------
    path
        Any file that ``soundfile`` reads.
    sample_rate
        Required rate in Hz; ``None`` allows any in ``RATES``.
    ffmpeg
        Whether FFmpeg decodes what ``soundfile`` does not read, by the file's ending.

    Attributes
    ----------
    rate, channels, subtype
        Its sample rate in Hz, number of channels, and ``soundfile``'s name for its encoding.
    frames, seconds
        Its announced length; for an MP3 that announces none, the length of its counted frames.
    done
        Samples per channel read so far.
    compressed
        Whether only decoding can confirm this length; for other files, their size does.
    level
        Of the samples that :meth:`mono` has read; ``None`` before the end.

    Raises
    ------
    AudioError
        The file is missing, unreadable, empty, truncated, of another rate, or libsndfile would
        read only its beginning.
    """

    level: Level | None = None
    _decoded: Decoded | None = None

    def __init__(
        self, path: str | Path, sample_rate: int | None = None, ffmpeg: bool = False
    ) -> None:
        self.path = path
        with _naming(path):
            if other := other_than_file(path):
                raise AudioError(f"{path}: {other}")
            if not Path(path).is_file():
                raise AudioError(f"{path}: there is no such file")
            with Path(path).open("rb") as file:  # its error gives a reason; soundfile's does not
                counted = None if ffmpeg and is_foreign(path) else count_frames(file)
            if counted and counted.announced is not None:  # before mpg123 prints a warning
                _require_all_frames(path, counted, counted.announced)
            if ffmpeg and is_foreign(path):
                self._decoded = Decoded(path)
        try:
            self._open(sample_rate, counted)
        except BaseException:
            self._remove_decoded()
            raise

    def _open(self, sample_rate: int | None, counted: FrameCount | None) -> None:
        path = self._decoded.path if self._decoded else self.path
        with _naming(self.path):
            self._file = soundfile.SoundFile(os.fsencode(path))  # names need not be UTF-8
        self.rate, self.channels = self._file.samplerate, self._file.channels
        self.frames, self.subtype = self._file.frames, self._file.subtype
        self.compressed = self._file.format in COMPRESSED
        try:
            with _naming(self.path):
                self._check(sample_rate, counted)
        except AudioError:
            self._file.close()
            raise
        self.seconds, self.done = self.frames / self.rate, 0

    def _check(self, sample_rate: int | None, counted: FrameCount | None) -> None:
        lowest, highest = RATES
        if not lowest <= self.rate <= highest:
            raise AudioError(f"{self.path}: has {self.rate} Hz, {lowest} to {highest} Hz expected")
        if sample_rate not in (None, self.rate):
            raise SampleRateError(
                f"{self.path}: has {self.rate} Hz, {sample_rate} Hz (features.sample_rate) expected"
            )
        if self.frames == 0:
            raise AudioError(f"{self.path}: {_why_empty(self.path, self._file.format)}")
        for unit, promise in _PROMISES:
            for promised, there in promise.findall(self._file.extra_info):
                if int(there) < int(promised) < _UNKNOWN:
                    raise AudioError(_cut(self.path, promised, there, unit))
        if self._file.format == "OGG" and _is_chained(self.path):
            raise AudioError(
                f"{self.path}: is several Ogg streams, one after the other (chained), of which "
                f"only the first can be read; {_CONVERT}"
            )
        if self._file.format == "MP3" and counted and counted.announced is None:
            guessed = self.frames // counted.samples
            _require_all_frames(self.path, counted, min(guessed, counted.frames))
            self.frames = counted.frames * counted.samples

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._remove_decoded()

    def _remove_decoded(self) -> None:
        if self._decoded:
            self._decoded.remove()

    def mono(self) -> Iterator[np.ndarray]:
        """Yield blocks of the mean of the channels, float32, at the file's own rate.

        Logs a warning if samples exceed ``levels.LOUD``.

        Raises
        ------
        AudioError
            The file breaks off, or a sample is NaN, infinite or above ``LOUDEST``; says where.
        """
        count, peaks, clipped = max(1, BLOCK // self.channels), np.zeros(self.channels), 0
        full = FULL_OF_8_BITS if self.subtype in ("PCM_S8", "PCM_U8") else FULL
        while True:
            with _naming(self.path, f" after {self.done / self.rate:.2f} s"):
                block = self._file.read(count, dtype="float32", always_2d=True)
            if len(block) == 0:
                break
            sizes = np.abs(block)
            usable = (sizes < LOUDEST).all(axis=1)  # and not NaN
            if not usable.all():
                where = self.done + int(np.argmin(usable))
                raise AudioError(
                    f"{self.path}: sample {where} ({where / self.rate:.3f} s) is not "
                    "a finite number, or is far outside -1 .. 1"
                )
            peaks = np.maximum(peaks, [each.max() for each in sizes.T])
            self.done, clipped = self.done + len(block), clipped + np.count_nonzero(sizes >= full)
            yield sum(block.T) / np.float32(self.channels)  # five times as fast as their mean
        if self.done < self.frames - SLACK * self.rate:
            raise AudioError(
                f"{self.path}: breaks off after {self.done / self.rate:.2f} of "
                f"{self.seconds:.2f} s; is it cut?"
            )
        self.level = Level(tuple(peaks.tolist()), clipped / max(1, self.done * self.channels))
        if self.level.scaling:
            logger.warning("%s: %s", self.path, self.level.scaling)

    def resampled(self, sample_rate: int) -> Iterator[np.ndarray]:
        """:meth:`mono` at another rate (Hz), the same as resampling the whole file at once."""
        if sample_rate == self.rate:
            yield from self.mono()
            return
        stream = soxr.ResampleStream(self.rate, sample_rate, 1, dtype="float32")
        for block in self.mono():
            yield stream.resample_chunk(block)
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def count_samples(path: str | Path, sample_rate: int) -> int:
    """Samples of a recording: from its header if the file size confirms it, else by decoding all.

    Raises
    ------
    AudioError
        As :class:`Recording` and :meth:`Recording.mono` do.
    """
    with Recording(path, sample_rate) as recording:
        if not recording.compressed:
            return recording.frames
        deque(recording.mono(), maxlen=0)
        return recording.done


@contextmanager
def _naming(path: str | Path, where: str = "") -> Iterator[None]:
    """Turn the errors of reading a file into an AudioError that names it."""
    try:
        yield
    except (OSError, soundfile.SoundFileError, TypeError, ValueError) as error:
        reason = getattr(error, "error_string", error)  # str(error) would name the file as bytes
        raise AudioError(f"{path}: cannot be read as audio{where}: {reason}") from error


def _cut(path: str | Path, promised: object, there: object, unit: str) -> str:
    return (
        f"{path}: is cut: its header promises {promised} {unit}, {there} are there; copy it again, "
        "or save what is left as a new file"
    )


def _require_all_frames(path: str | Path, counted: FrameCount, announced: int) -> None:
    """Refuse an MP3 that has more or fewer frames than libsndfile assumes."""
    if counted.frames < announced - MP3_SLACK:
        raise AudioError(_cut(path, announced, counted.frames, "frames"))
    if counted.frames > announced + MP3_SLACK:
        heard = counted.seconds * announced / counted.frames
        raise AudioError(
            f"{path}: holds {counted.seconds:.2f} s of sound, of which only the first {heard:.2f} "
            "s would be read: it was joined from several files, or lacks a correct Xing header; "
            f"{_CONVERT}"
        )


def _is_chained(path: str | Path) -> bool:
    """Whether an Ogg file has streams that begin after others have ended (RFC 3533)."""
    began, before = False, b""
    with Path(path).open("rb") as file:
        while block := file.read(2**20):
            for page in _OGG_PAGE.finditer(before + block):
                first = bool(page[1][0] & _FIRST_PAGE)
                if began and first:
                    return True
                began |= not first  # first pages before this belong to simultaneous streams
            before = block[-5:]  # one byte shorter than the pattern
    return False


def _why_empty(path: str | Path, form: str) -> str:
    """Say in words why a file's header announces no sound."""
    left = _after_data(path) if form in WAV else 0
    if not left:
        return "holds no sound"
    return (
        f"its header announces 0 bytes of sound, {left} follow; was the recording not finished? "
        "Repair it, e.g. ffmpeg -ignore_length 1 -i FILE NEW.wav"
    )


def _after_data(path: str | Path) -> int:
    """Bytes after the header of a WAV's ``data`` chunk; 0 if it has no such chunk."""
    with Path(path).open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            if head.startswith(b"data"):
                return os.fstat(file.fileno()).st_size - file.tell()
            size = int.from_bytes(head[4:], "little")
            file.seek(size + size % 2, os.SEEK_CUR)
    return 0
