"""Audio files that say less, more or other than they hold: all of it is heard, or none."""

import io
import logging
import os
import re
import struct

import numpy as np
import pytest
import soundfile
from softscene.core.errors import AudioError
from softscene.data.audio import Recording, count_samples
from softscene.data.mp3 import count_frames

RATE = 44100
rng = np.random.default_rng(7)
CBR = {"format": "MP3", "bitrate_mode": "CONSTANT", "compression_level": 0.9}
VBR = {"format": "MP3", "bitrate_mode": "VARIABLE", "compression_level": 0.4}
CONVERT = "convert it: ffmpeg -i FILE NEW.wav"


def tone(seconds, hertz=440, level=0.3, rate=RATE):
    count = int(seconds * rate)
    wave = np.sin(2 * np.pi * hertz * np.arange(count) / rate)
    return level * wave + rng.normal(0, 0.01, count)


def encoded(sound, rate=RATE, **form):
    content = io.BytesIO()
    soundfile.write(content, sound, rate, **form)
    return content.getvalue()


def without_first_frame(mp3):
    """Without the frame that holds Xing or Info, as recorders of streams write them."""
    assert {b"Xing", b"Info"} & set(re.findall(b"Xing|Info", mp3[:200]))
    return mp3[mp3.find(mp3[:2], 4) :]


def id3(size):
    """An ID3v2 tag with a picture of so many bytes (below 128 * 128), full of half headers."""
    return b"ID3\4\0\0\0\0" + bytes([size >> 7, size & 127]) + (b"\xff\xfb\x90" * size)[:size]


@pytest.fixture
def file(tmp_path):
    def write(content, name="a.mp3"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def heard(path):
    with Recording(path) as recording:
        return np.concatenate(list(recording.mono()))


def refusal(path):
    with pytest.raises(AudioError) as caught:
        heard(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


LOUD_FIRST = np.concatenate([rng.normal(0, 0.3, RATE), tone(3, 440, 0.02)])
QUIET_FIRST = np.concatenate([np.zeros(2 * RATE), rng.normal(0, 0.3, 2 * RATE)])


def test_joined_mp3_is_refused_as_only_its_beginning_would_be_heard(file, capfd):
    path = file(encoded(tone(2), **CBR) + encoded(tone(2, 1000), **CBR))
    said = refusal(path)
    there, read = map(float, re.findall(r"(\d\.\d\d) s", said.replace("\n", " "))[:2])
    assert there == pytest.approx(4, abs=0.15)
    assert read == pytest.approx(2, abs=0.1)
    assert CONVERT in said
    assert capfd.readouterr().err == "", "mpg123 has its own words about such files"


def test_an_mp3_that_libsndfile_takes_for_shorter_is_refused(file):
    path = file(without_first_frame(encoded(LOUD_FIRST, **VBR)))
    assert soundfile.info(path).duration < 2
    said = refusal(path)
    assert "holds 4.0" in said
    assert CONVERT in said


def test_an_mp3_that_libsndfile_takes_for_longer_is_whole(file):
    path = file(without_first_frame(encoded(QUIET_FIRST, **VBR)))
    assert soundfile.info(path).duration > 5
    assert len(heard(path)) == pytest.approx(4 * RATE, abs=0.1 * RATE)
    with Recording(path) as recording:
        assert recording.seconds == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("before", [b"", id3(5000)], ids=["plain", "ID3v2"])
@pytest.mark.parametrize("behind", [b"", b"TAG" + bytes(125)], ids=["plain", "ID3v1"])
@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_ordinary_mp3_with_tags_is_heard_whole(file, rate, before, behind):
    """With a Xing header to the sample; of one bit rate without it, with what fills its frames."""
    sound = rng.normal(0, 0.1, 2 * rate)
    path = file(before + encoded(sound, rate, **VBR) + behind)
    assert len(heard(path)) == count_samples(path, rate) == len(sound)
    mp3 = encoded(sound, rate, **CBR)
    path = file(before + (without_first_frame(mp3) if b"Info" in mp3[:200] else mp3) + behind)
    assert len(heard(path)) == count_samples(path, rate)
    assert len(sound) <= count_samples(path, rate) < len(sound) + 2500


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 24000, 32000, 48000])
@pytest.mark.parametrize("mode", [CBR, VBR], ids=["CBR", "VBR"])
def test_frames_are_counted_as_the_encoder_counts_them(file, rate, mode):
    """LAME writes their number into the Xing header, unless a frame is too short to hold one."""
    path = file(encoded(tone(3.3, rate=rate), rate, **mode))
    with path.open("rb") as opened:
        counted = count_frames(opened)
    assert counted.announced == counted.frames or (mode is CBR and counted.announced is None)
    assert counted.seconds == pytest.approx(3.3, abs=0.3)
    assert counted.seconds == pytest.approx(counted.frames * counted.samples / rate)


def test_what_is_no_mp3_has_no_frames(file):
    for content in (b"", b"\xff", b"RIFF" + bytes(100), id3(300), b"\xff\xfb\x90\0" * 500):
        with file(content).open("rb") as opened:
            counted = count_frames(opened)
        assert counted is None or counted.announced is None


def test_a_damaged_xing_header_is_no_reason_to_ask_for_memory(file):
    mp3 = encoded(tone(0.5, rate=16000), 16000, **VBR)
    place = max(mp3.find(b"Xing"), mp3.find(b"Info"))
    path = file(mp3[: place + 8] + b"\xff\0\0\0" + mp3[place + 12 :])
    assert "is cut: its header promises 4278190080 frames, " in refusal(path)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_chained_ogg_is_refused_as_only_its_beginning_would_be_heard(file, subtype):
    parts = [encoded(tone(2, hertz, rate=48000), 48000, format="OGG", subtype=subtype)
             for hertz in (440, 1000)]  # fmt: skip
    for part in parts:
        assert len(heard(file(part, "a.ogg"))) == 2 * 48000
    said = refusal(file(b"".join(parts), "a.ogg"))
    assert "chained" in said
    assert CONVERT in said


def test_junk_behind_an_ogg_is_no_second_stream(file):
    content = encoded(tone(2), format="OGG", subtype="VORBIS")
    assert len(heard(file(content + bytes(1000), "a.ogg"))) == 2 * RATE


SOUND = (3000 * np.sin(np.arange(32_000) / 10)).astype("<i2").tobytes()
FORM = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
FILLER = b"FLLR" + struct.pack("<I", 4008) + bytes(4008)
DS64 = b"ds64" + struct.pack("<IQQQI", 28, 0, 0, 0, 0)


@pytest.mark.parametrize("sound", [SOUND, bytes(64_000)], ids=["tone", "silence"])
@pytest.mark.parametrize(
    "head",
    [
        b"RIFF" + struct.pack("<I", 0) + b"WAVE" + FORM + b"data" + bytes(4),
        b"RIFF" + struct.pack("<I", 36) + b"WAVE" + FORM + b"data" + bytes(4),
        b"RIFF" + struct.pack("<I", 4088) + b"WAVE" + FORM + FILLER + b"data" + bytes(4),
        b"RF64\xff\xff\xff\xffWAVE" + DS64 + FORM + b"data" + b"\xff" * 4,
        b"RF64\xff\xff\xff\xffWAVE" + DS64 + FORM + b"data" + bytes(4),
    ],
    ids=["RIFF 0", "RIFF 36", "RIFF 4088", "RF64", "RF64 0"],
)
def test_a_wav_that_was_not_finished_is_told_from_an_empty_one(file, head, sound):
    said = refusal(file(head + sound, "a.wav"))
    assert "its header announces 0 bytes of sound, 64000 follow" in said
    assert "ffmpeg -ignore_length 1 -i FILE NEW.wav" in said
    assert "holds no sound" in refusal(file(head, "a.wav"))


@pytest.mark.parametrize(("level", "warned"), [(1.5, None), (7.9, None), (23170.3, "23170")])
def test_samples_far_above_full_scale_are_used_with_one_warning(tmp_path, caplog, level, warned):
    path = tmp_path / "a.wav"
    samples = np.zeros(700_000)  # blocks of which the last is quiet
    samples[300_000] = -level
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        assert heard(path).min() == np.float32(-level)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (warned is not None)
    if warned:
        assert said[0].startswith(f"{path}: samples reach {warned}, -1 .. 1 expected")


def test_pipes_and_devices_are_no_recordings(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert "is a named pipe, not a file" in refusal(tmp_path / "a.wav")
    assert "is a device, not a file" in refusal("/dev/zero")
