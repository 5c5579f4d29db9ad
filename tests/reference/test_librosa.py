"""Log-mel features against librosa, on real sound."""

import warnings

import librosa
import numpy as np
import pytest
import soundfile
from softscene.extraction import log_mel, read_mono

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


def test_log_mel_equals_librosa_step_by_step(example, parameters):
    rate = soundfile.info(example).samplerate
    assert rate == parameters.sample_rate
    samples, _ = librosa.load(example, sr=None, mono=True)
    spectrum = np.abs(
        librosa.stft(samples, n_fft=2048, hop_length=882, win_length=1764, window="hann")
    )
    bank = librosa.filters.mel(sr=44100, n_fft=2048, n_mels=64, fmin=0.0, fmax=22050.0)
    expected = np.log(np.maximum(bank @ spectrum**2, 1e-10)).T
    found = log_mel(read_mono(example, 44100), parameters)
    frames = -(-len(samples) // 882)
    assert found.shape == (frames, 64)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected[:frames], rtol=1e-4, atol=1e-4)
    assert found.std() > 1, "a real recording, not silence"


def test_log_mel_of_silence_is_the_floor(parameters):
    found = log_mel(np.zeros(8820, np.float32), parameters)
    np.testing.assert_allclose(found, np.log(1e-10), rtol=1e-6)
    assert found.shape == (10, 64)


def test_frame_i_stands_for_the_time_from_i_to_i_plus_1_hops(parameters):
    """A click in the middle of frame 25's 20 ms is loudest there or at the next centre."""
    samples = np.zeros(44100, np.float32)
    samples[25 * 882 + 441] = 1.0
    energy = log_mel(samples, parameters).sum(axis=1)
    assert set(np.argsort(energy)[-2:]) == {25, 26}


def test_thirty_seconds_are_exactly_three_clips(parameters):
    assert len(log_mel(np.zeros(30 * 44100, np.float32), parameters)) == 1500
