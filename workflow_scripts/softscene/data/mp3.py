"""The length of an MP3, from the headers of its frames (ISO/IEC 11172-3 and 13818-3, layer III).

libsndfile trusts the first frame: its Xing or Info header, or else a guess from its bit rate. Both
can be wrong, e.g. in files that were joined or recorded from a stream.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

_SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")  # layer III of MPEG 2.5, 2 and 1
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # Hz
_KBITS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # kbit/s, MPEG 1
_KBITS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # kbit/s, MPEG 2 and 2.5
_XING = re.compile(rb"(?:Xing|Info)...[\1\3\5\7\x09\x0b\x0d\x0f](....)", re.DOTALL)
_HEADER = (
    256  # bytes of the first frame to read; a Xing header's number of frames is in the first 60
)
_STEP = 1024  # bytes searched at a time for the next frame


class _Frame(NamedTuple):
    size: int  # bytes
    samples: int
    rate: int  # Hz


@dataclass(frozen=True)
class FrameCount:
    """The frames of an MP3.

    Attributes
    ----------
    frames, samples
        Number of complete frames of sound; and samples per frame.
    seconds
        Their total length.
    announced
        Number of frames that the Xing or Info header announces; ``None`` without one.
    """

    frames: int
    samples: int
    seconds: float
    announced: int | None


def count_frames(file: BinaryIO) -> FrameCount | None:
    """Count the frames of an open file; ``None`` if it is not an MP3."""
    file.seek(0)
    head = file.read(4)
    if not (head.startswith(b"ID3") or _frame(head)):
        return None
    frames = _frames(file)
    if (first := next(frames, None)) is None:
        return None
    place, frame = first
    file.seek(place)
    content = file.read(min(frame.size, _HEADER))
    header = b"Xing" in content or b"Info" in content  # such a frame holds no sound
    number, seconds = (0, 0.0) if header else (1, frame.samples / frame.rate)
    for _, each in frames:
        number, seconds = number + 1, seconds + each.samples / each.rate
    announced = _XING.search(content)
    return FrameCount(
        frames=number,
        samples=frame.samples,
        seconds=seconds,
        announced=int.from_bytes(announced[1], "big") if announced else None,
    )


def _frames(file: BinaryIO) -> Iterator[tuple[int, _Frame]]:
    """Position and header of each complete frame; tags and garbage are skipped."""
    end, place, lost = os.fstat(file.fileno()).st_size, 0, True
    while place + 4 <= end:
        head = _read(file, place, 10)
        if head.startswith(b"ID3"):
            place += _tag_size(head)
            continue
        frame = _frame(head)
        after = place + frame.size if frame else end + 1
        # after garbage, four bytes may look like a header by chance
        if after < end and lost and not _frame(_read(file, after, 4)):
            after = end + 1
        if after <= end:
            yield place, frame
            place, lost = after, False
        else:
            searched, lost = _read(file, place + 1, _STEP), True
            found = _SYNC.search(searched)
            place += 1 + (found.start() if found else max(len(searched) - 1, 1))


def _read(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _tag_size(head: bytes) -> int:
    """Bytes of an ID3v2 tag, from its first ten; the last four hold seven bits of the size each."""
    size = 0
    for byte in head[6:]:
        size = size << 7 | byte & 127
    return 10 + size


def _frame(head: bytes) -> _Frame | None:
    """The frame whose header these bytes are, or ``None``."""
    if not _SYNC.match(head) or len(head) < 4:
        return None
    version, bits, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if bits in (0, 15) or rate == 3:
        return None
    kbits, samples = (_KBITS_1, 1152) if version == 3 else (_KBITS_2, 576)
    hertz, padding = _RATES[version][rate], head[2] >> 1 & 1
    return _Frame(samples // 8 * kbits[bits - 1] * 1000 // hertz + padding, samples, hertz)
