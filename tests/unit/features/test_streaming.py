"""Recordings as streams: the same numbers as of whole signals, and what is refused."""

import dataclasses
import os

import librosa
import numpy as np
import pytest
import soundfile
from softscene.core.errors import AudioError
from softscene.data.audio import Recording
from softscene.features.extraction import log_mel, read_mono
from softscene.features.streaming import log_mel_clips

from tests.conftest import FEATURES

HOP = FEATURES.hop_length
rng = np.random.default_rng(0)
NOISE = rng.normal(0, 0.1, 40 * 44100).astype(np.float32)


def cut(signal, size):
    return [signal[start : start + size] for start in range(0, len(signal), size)]


def streamed(signal, size, clip_frames=500, parameters=FEATURES):
    return list(log_mel_clips(cut(signal, size), clip_frames, parameters))


LENGTHS = [
    1, 2, 881, 882, 883, 1024, 2047, 2048, 2049, 441_000 - 1025, 441_000 - 1, 441_000,
    441_000 + 1, 441_000 + 143, 441_000 + 1023, 441_000 + 1024, 441_000 + 1025, 882_000, 1_000_001,
]  # fmt: skip


@pytest.mark.parametrize("length", LENGTHS)
def test_clips_are_the_whole_signals_log_mel(length):
    signal = NOISE[:length]
    clips = streamed(signal, 70_000)
    frames = [len(clip) for clip in clips]
    assert all(each == 500 for each in frames[:-1])
    assert 0 < frames[-1] <= 500
    assert sum(frames) == max(1, length // HOP)
    assert np.array_equal(np.concatenate(clips), log_mel(signal, FEATURES)), "to the last bit"


@pytest.mark.parametrize(
    "changed",
    [{"n_fft": 2049}, {"n_fft": 1765, "hop_length": 3000}, {"n_fft": 4096, "hop_length": 100}],
    ids=str,
)
@pytest.mark.parametrize("length", [1, 2999, 100_000, 123_457])
def test_other_windows_and_hops_too(changed, length):
    parameters = dataclasses.replace(FEATURES, **changed)
    found = np.concatenate(streamed(NOISE[:length], 9_999, 20, parameters))
    assert np.array_equal(found, log_mel(NOISE[:length], parameters))


@pytest.mark.parametrize("size", [1000, 882, 44_100, 450_000, 10**7])
def test_the_numbers_do_not_depend_on_the_blocks(size):
    expected = streamed(NOISE[:1_000_001], 7_777)
    found = streamed(NOISE[:1_000_001], size)
    assert [len(clip) for clip in found] == [500, 500, 133]
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("clip_frames", [64, 250, 499, 1000])
def test_the_numbers_do_not_depend_on_the_clips(clip_frames):
    found = streamed(NOISE[:1_000_001], 70_000, clip_frames)
    assert [len(clip) for clip in found[:-1]] == [clip_frames] * (1133 // clip_frames)
    assert np.array_equal(np.concatenate(found), log_mel(NOISE[:1_000_001], FEATURES))


def test_no_samples_are_no_clips():
    assert streamed(NOISE[:0], 1000) == []
    assert list(log_mel_clips([NOISE[:0]], 500, FEATURES)) == []


def write(path, samples, rate=44100, **options):
    soundfile.write(path, samples, rate, **options)
    return path


def joined(path, rate):
    with Recording(path) as recording:
        return np.concatenate(list(recording.resampled(rate)))


def test_a_recording_of_the_right_rate_is_read_as_the_workflow_reads_it(tmp_path):
    path = write(tmp_path / "a.wav", rng.normal(0, 0.1, (300_000, 2)), subtype="PCM_24")
    assert np.array_equal(joined(path, 44100), read_mono(path, 44100))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22051, 48000, 96000, 192_000])
def test_resampling_in_blocks_is_resampling_at_once(tmp_path, rate):
    """Three seconds are several blocks of six channels; librosa resamples the whole."""
    path = write(tmp_path / "a.wav", rng.normal(0, 0.1, (3 * rate, 6)), rate, subtype="FLOAT")
    whole, _ = soundfile.read(path, dtype="float32")
    expected = librosa.resample(whole.mean(axis=1), orig_sr=rate, target_sr=44100)
    found = joined(path, 44100)
    assert abs(len(found) - 3 * 44100) <= 1
    np.testing.assert_allclose(found, expected[: len(found)], atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 16000, 22051, 48000, 96000])
def test_a_tone_is_the_same_tone_at_another_rate(tmp_path, rate):
    """Sine of 1 kHz against its closed form, without the edges."""
    path = tmp_path / "tone.wav"
    write(path, 0.5 * np.sin(2 * np.pi * 1000 * np.arange(2 * rate) / rate), rate, subtype="FLOAT")
    found = joined(path, 44100)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(len(found)) / 44100)
    np.testing.assert_allclose(found[4000:-4000], expected[4000:-4000], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "rate", "channels"),
    [("a.mp3", 8000, 1), ("a.ogg", 8000, 1), ("a.flac", 8000, 1), ("a.aiff", 22050, 2),
     ("a.wav", 96000, 6), ("a.caf", 48000, 1), ("ü b.au", 44100, 3)],
)  # fmt: skip
def test_forms_rates_and_channels(tmp_path, name, rate, channels):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)
    path = write(tmp_path / name, np.repeat(tone[:, None], channels, axis=1), rate)
    with Recording(path) as recording:
        assert recording.seconds == pytest.approx(2, abs=0.1)
    found = joined(path, 44100)
    assert len(found) == pytest.approx(2 * 44100, abs=4410)
    spectrum = np.abs(np.fft.rfft(found[:44100]))
    assert spectrum.argmax() == 440
    assert np.sqrt(np.mean(found[8000:-8000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def refuse(path, *words):
    with pytest.raises(AudioError) as caught, Recording(path) as recording:
        for _ in recording.resampled(44100):
            pass
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_what_is_no_audio_is_refused_with_its_name(tmp_path):
    for name, content in {"empty.wav": b"", "text.wav": b"no sound", "x.raw": b"1234"}.items():
        (tmp_path / name).write_bytes(content)
        refuse(tmp_path / name, "cannot be read as audio")
    refuse(tmp_path / "gone.wav", "there is no such file")
    (tmp_path / "folder.wav").mkdir()
    refuse(tmp_path / "folder.wav", "there is no such file")
    refuse(write(tmp_path / "none.wav", np.zeros((0, 2))), "holds no sound")
    refuse(
        write(tmp_path / "slow.wav", np.zeros(100), 10), "has 10 Hz, 1000 to 1000000 Hz expected"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    path = write(tmp_path / "a.wav", NOISE[:1000])
    path.chmod(0)
    refuse(path, "Permission denied")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.wav", "is cut: its header promises 400000 bytes, 199978 are there"),
        ("a.au", "is cut: its header promises 400000 bytes"),
        ("a.aiff", "is cut: its header promises 100000 samples"),
        ("a.rf64", "is cut: its header promises 100000 samples"),
        ("a.mp3", "is cut: its header promises 88 frames, 4"),
        ("a.flac", "cannot be read as audio after"),
    ],
)
def test_a_file_that_was_cut_is_refused(tmp_path, name, words):
    samples = rng.normal(0, 0.1, (100_000, 2))
    path = write(tmp_path / name, samples, subtype=None if name == "a.mp3" else "PCM_16")
    joined(path, 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refuse(path, words)


def test_a_wav_whose_size_was_not_known_when_it_was_written_is_read(tmp_path):
    """As programs write it to a pipe: 0xFFFFFFFF in the header."""
    path = write(tmp_path / "a.wav", NOISE[:50_000], subtype="PCM_16")
    content = bytearray(path.read_bytes())
    assert content[36:40] == b"data"
    content[4:8] = content[40:44] = b"\xff" * 4
    path.write_bytes(content)
    assert len(joined(path, 44100)) == 50_000


def test_a_sample_that_is_no_number_is_named(tmp_path):
    samples = np.zeros((400_000, 2))
    samples[300_000, 1] = np.nan
    refuse(
        write(tmp_path / "a.wav", samples, subtype="FLOAT"),
        "sample 300000 (6.803 s) is not a finite number",
    )
