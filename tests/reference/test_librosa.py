"""Log-mel features against a plain transform and librosa, on real sound and on clicks."""

import dataclasses
import warnings

import librosa
import numpy as np
import pytest
import scipy.signal
from softscene.features.extraction import frame_count, log_mel, read_mono
from softscene.features.folds import cut_clips

from tests.conftest import FEATURES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import dcase_util


@pytest.fixture(scope="module")
def parameters():
    return FEATURES


@pytest.fixture(scope="module")
def example():
    """A street recording that dcase_util ships."""
    return dcase_util.utils.Example.audio_filename()


def plain_log_mel(samples, p):
    """Each frame by itself, its window placed by hand, in float64; frames x bands."""
    window = scipy.signal.get_window(p.window, p.frame_length)  # its middle is sample length / 2
    bank = librosa.filters.mel(
        sr=p.sample_rate, n_fft=p.n_fft, n_mels=p.bands, fmin=p.fmin, fmax=p.fmax
    )
    around = p.n_fft + p.hop_length
    padded = np.pad(samples.astype(float), around)
    frames = []
    for i in range(max(1, len(samples) // p.hop_length)):
        middle = (i + 0.5) * p.hop_length
        start = int(np.floor(middle - p.frame_length / 2)) + around
        part = padded[start : start + p.frame_length] * window
        power = np.abs(np.fft.rfft(part, p.n_fft)) ** 2
        frames.append(np.log(np.maximum(bank @ power, p.floor)))
    return np.array(frames)


def test_log_mel_equals_a_plain_transform_with_each_window_in_the_middle(example, parameters):
    samples = read_mono(example, 44100)
    found = log_mel(samples, parameters)
    assert len(samples) == 441_001
    assert found.shape == (500, 64)
    assert found.dtype == np.float32
    # of sums of 1,764 float32 products, and of a logarithm; all energies are far above the floor
    np.testing.assert_allclose(found, plain_log_mel(samples, parameters), atol=1e-3)
    assert found.std() > 1, "a real recording, not silence"


@pytest.mark.parametrize(
    "changed",
    [{}, {"n_fft": 1765, "hop_length": 3000}, {"n_fft": 4096, "hop_length": 100},
     {"frame_length": 640, "hop_length": 320, "n_fft": 1024},
     {"frame_length": 800, "hop_length": 800, "n_fft": 800}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("length", [1, 99, 881, 883, 2999, 3001, 100_000])
def test_other_lengths_windows_and_hops_too(parameters, changed, length):
    parameters = dataclasses.replace(parameters, **changed)
    samples = np.random.default_rng(length).normal(0, 0.1, length).astype(np.float32)
    expected = plain_log_mel(samples, parameters)
    found = log_mel(samples, parameters)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_log_mel_equals_librosas_centred_frames_moved_by_half_a_hop(example, parameters):
    samples = read_mono(example, 44100)
    spectrum = np.abs(
        librosa.stft(samples[441:], n_fft=2048, hop_length=882, win_length=1764, window="hann")
    )
    bank = librosa.filters.mel(sr=44100, n_fft=2048, n_mels=64, fmin=0.0, fmax=22050.0)
    expected = np.log(np.maximum(bank @ spectrum**2, 1e-10)).T
    found = log_mel(samples, parameters)
    # librosa sees zeros where the first two windows see the 441 samples before
    np.testing.assert_allclose(found[2:], expected[2 : len(found)], rtol=1e-4, atol=1e-4)


def test_log_mel_of_silence_is_the_floor(parameters):
    found = log_mel(np.zeros(8820, np.float32), parameters)
    np.testing.assert_allclose(found, np.log(1e-10), rtol=1e-6)
    assert found.shape == (10, 64)


def energies(click, parameters):
    """Energy of each frame of a second in which one sample is 1."""
    samples = np.zeros(44100, np.float32)
    samples[click] = 1.0
    energy = np.exp(log_mel(samples, parameters))
    return np.where(energy > 1.001 * parameters.floor, energy, 0).sum(axis=1)


def test_frame_i_stands_for_the_time_from_i_to_i_plus_1_hops(parameters):
    """A window of two hops is 0 at its ends, so a click in a frame's middle is in no other."""
    middle = energies(25 * 882 + 441, parameters)
    assert set(np.flatnonzero(middle)) == {25}
    between = energies(25 * 882, parameters)
    assert set(np.flatnonzero(between)) == {24, 25}
    assert between[24] == pytest.approx(between[25], rel=1e-5)
    assert between[25] / middle[25] == pytest.approx(0.5**2, rel=1e-5), "Hann, half a hop away"


def test_a_bursts_energy_is_where_it_is_heard(parameters):
    """Energy over the middles of frames: a noise burst of 100 ms, at any place in a hop."""
    for start in (20_000, 20_123, 20_400, 20_800):
        samples = np.zeros(44100, np.float32)
        burst = np.random.default_rng(1).normal(0, 0.1, 4410) * np.hanning(4410)
        samples[start : start + 4410] = burst
        energy = np.exp(log_mel(samples, parameters)).sum(axis=1)
        middles = (np.arange(len(energy)) + 0.5) * 882
        heard = (energy * middles).sum() / energy.sum()
        played = (burst**2 * (start + np.arange(4410))).sum() / (burst**2).sum()
        assert heard == pytest.approx(played, abs=44), "1 ms; bands weigh frequencies differently"


@pytest.mark.parametrize(
    ("samples", "frames"),
    [(1, 1), (881, 1), (882, 1), (1763, 1), (1764, 2), (441_001, 500), (1_323_000, 1500),
     (1_323_001, 1500), (1_323_882, 1501), (8_030_935, 9105)],
)  # fmt: skip
def test_frames_of_a_recording(parameters, samples, frames):
    assert frame_count(samples, parameters) == frames
    assert len(log_mel(np.zeros(samples, np.float32), parameters)) == frames


def test_tuts_office_clips_are_exactly_three_clips(parameters):
    """They have a sample more than 30 s."""
    assert cut_clips(frame_count(30 * 44100 + 1, parameters), 500) == [
        (0, 500), (500, 500), (1000, 500),
    ]  # fmt: skip
