"""Levels of recordings: silence, clipping and wrong scaling."""

from collections import deque

import numpy as np
import pytest
import soundfile
from softscene.data.audio import Recording

rng = np.random.default_rng(0)
NOISE = rng.uniform(-0.5, 0.5, 30_000)


def level(path, samples, **options):
    soundfile.write(path, samples, 8000, **options)
    with Recording(path) as recording:
        assert recording.level is None
        deque(recording.mono(), maxlen=0)
        return recording.level


def test_a_usual_recording_has_no_faults(tmp_path):
    found = level(tmp_path / "a.wav", np.column_stack([NOISE, NOISE / 2]), subtype="PCM_24")
    assert found.peaks == pytest.approx([np.abs(NOISE).max(), np.abs(NOISE).max() / 2], abs=1e-6)
    assert found.decibels == pytest.approx(20 * np.log10(np.abs(NOISE).max()), abs=1e-4)
    assert (found.clipped, found.silent, list(found.faults())) == (0, False, [])


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_samples_at_full_scale_are_counted_in_each_encoding(tmp_path, subtype):
    samples = NOISE.copy()
    samples[:300], samples[300:450] = 1, -1
    found = level(tmp_path / "a.wav", np.column_stack([samples, NOISE]), subtype=subtype)
    assert found.clipped == 450 / 60_000
    assert list(found.faults()) == ["is clipped: 0.75 % of its samples are at full scale"]


def test_one_sample_at_full_scale_is_a_normalised_recording(tmp_path):
    samples = NOISE.copy()
    samples[7] = 1
    assert list(level(tmp_path / "a.wav", samples).faults()) == []


@pytest.mark.parametrize(
    ("samples", "silent", "words"),
    [
        (0 * NOISE, True, "is silent: all of its samples are 0"),
        # 16-bit numbers in a file of 32 bits, or divided by 32768 twice
        (NOISE / 32768, False, "is almost silent: its loudest sample is at -96 dB of full scale;"),
        (np.column_stack([NOISE, 0 * NOISE]), False, "channel 2 of 2 is silent, which lowers"),
        (NOISE * 32768, False, "samples reach 16384, -1 .. 1 expected; they are used unchanged"),
    ],
)
def test_silence_and_wrong_scaling(tmp_path, samples, silent, words):
    found = level(tmp_path / "a.wav", samples, subtype="FLOAT")
    (fault,) = found.faults()
    assert fault.startswith(words)
    assert found.silent == silent
