"""Sound that only FFmpeg reads: with a program in its place, with none, and with the real one."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from softscene.core.errors import AudioError
from softscene.data.audio import Recording

rng = np.random.default_rng(0)
REAL = shutil.which("ffmpeg")
# Takes FFmpeg's arguments, and decodes whatever soundfile knows by its content.
STAND_IN = f"""#!{sys.executable}
import sys, soundfile
words = sys.argv[1:]
assert words[words.index("-map") + 1] == "0:a:0" and "-nostdin" in words, words
source, target = words[words.index("-i") + 1], words[-1]
try:
    samples, rate = soundfile.read(source, dtype="float32", always_2d=True)
except soundfile.SoundFileError:
    sys.exit("moov atom not found\\n" + source + ": Invalid data found")
soundfile.write(target, samples, rate, subtype="FLOAT", format="WAV")
for sign, message in ((b"glitch", "Error submitting packet"), (b"cut", "partial file")):
    if open(source, "rb").read().endswith(sign):
        print(message, file=sys.stderr)
"""


@pytest.fixture
def no_ffmpeg(monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def ffmpeg(no_ffmpeg, tmp_path, monkeypatch):
    """A program of this name; and a folder for temporary files, to look into."""
    program = tmp_path / "bin" / "ffmpeg"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def m4a(path, glitch=""):
    """FLAC under another name, with two channels and a rate of its own."""
    samples = rng.uniform(-0.5, 0.5, (16_000, 2))
    soundfile.write(path, samples, 12_345, format="FLAC", subtype="PCM_24")
    with Path(path).open("ab") as file:
        file.write(glitch.encode())
    return samples


def left(folder):
    return list(folder.iterdir())


def test_sound_is_decoded_with_its_own_rate_and_all_channels(ffmpeg, tmp_path):
    samples = m4a(tmp_path / "-a ü.M4A")
    with Recording(tmp_path / "-a ü.M4A", ffmpeg=True) as recording:
        assert (recording.rate, recording.channels, recording.frames) == (12_345, 2, 16_000)
        heard = np.concatenate(list(recording.mono()))
        assert len(left(ffmpeg)) == 1
    np.testing.assert_allclose(heard, samples.mean(axis=1), atol=1e-6)
    assert left(ffmpeg) == [], "nothing stays behind"


def test_what_ffmpeg_cannot_decode_is_named_with_its_words(ffmpeg, tmp_path):
    (tmp_path / "cut.m4a").write_bytes(bytes(100))
    words = r"cut\.m4a: FFmpeg cannot decode its sound: moov atom not found; .*: Invalid data"
    with pytest.raises(AudioError, match=words):
        Recording(tmp_path / "cut.m4a", ffmpeg=True)
    assert left(ffmpeg) == []


def test_what_ffmpeg_says_of_sound_that_it_decodes_is_a_warning(ffmpeg, tmp_path, caplog):
    m4a(tmp_path / "a.m4a", "glitch")
    with Recording(tmp_path / "a.m4a", ffmpeg=True) as recording:
        assert recording.frames == 16_000
    assert "a.m4a: FFmpeg decoded it, but said: Error submitting packet" in caplog.text


def test_a_cut_file_is_refused_as_everywhere(ffmpeg, tmp_path):
    m4a(tmp_path / "a.m4a", "cut")
    with pytest.raises(AudioError, match=r"a\.m4a: is cut; copy it again, .*: partial file"):
        Recording(tmp_path / "a.m4a", ffmpeg=True)
    assert left(ffmpeg) == []


def test_decoded_sound_passes_the_same_checks(ffmpeg, tmp_path):
    soundfile.write(tmp_path / "a.m4a", np.zeros(0), 8000, format="WAV")
    with pytest.raises(AudioError, match=r"a\.m4a: holds no sound"):
        Recording(tmp_path / "a.m4a", ffmpeg=True)
    assert left(ffmpeg) == []


def test_without_ffmpeg_it_is_said_how_to_convert(no_ffmpeg, tmp_path):
    m4a(tmp_path / "a.m4a")
    words = r"a\.m4a: soundfile does not read \.m4a; install FFmpeg, or .* ffmpeg -i FILE FILE\.wav"
    with pytest.raises(AudioError, match=words):
        Recording(tmp_path / "a.m4a", ffmpeg=True)


def test_the_workflows_own_data_is_never_decoded(ffmpeg, tmp_path):
    """Its numbers would depend on the version of FFmpeg."""
    (tmp_path / "a.m4a").write_bytes(bytes(100))
    with pytest.raises(AudioError, match="cannot be read as audio"):
        Recording(tmp_path / "a.m4a")


@pytest.mark.skipif(REAL is None, reason="FFmpeg is not installed")
def test_the_real_ffmpeg_decodes_what_it_encoded(tmp_path):
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(3 * 44100) / 44100)
    soundfile.write(tmp_path / "a.wav", np.column_stack([tone, tone / 2]), 44100)
    options = ["-loglevel", "error", "-i", tmp_path / "a.wav", "-b:a", "128k"]
    subprocess.run(  # the index at the beginning, so that what is left of a cut file can be read
        [REAL, *options, "-movflags", "+faststart", tmp_path / "a.m4a"],
        check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    with Recording(tmp_path / "a.m4a", ffmpeg=True) as recording:
        assert (recording.rate, recording.channels) == (44100, 2)
        assert recording.seconds == pytest.approx(3, abs=0.1)
        heard = np.concatenate(list(recording.mono()))
    middle = heard[44100:88200]
    assert middle.std() == pytest.approx(0.75 * 0.3 / np.sqrt(2), rel=0.02)
    assert np.abs(np.fft.rfft(middle)).argmax() == 440
    content = (tmp_path / "a.m4a").read_bytes()
    (tmp_path / "half.m4a").write_bytes(content[: len(content) // 2])
    (tmp_path / "none.m4a").write_bytes(b"no sound at all")
    for name, words in (("half", "is cut; copy it again"), ("none", "FFmpeg cannot decode its")):
        with pytest.raises(AudioError, match=words):
            Recording(tmp_path / f"{name}.m4a", ffmpeg=True)
