"""Recordings: what is accepted, what is refused, and that all faults are told at once."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from softscene.errors import AudioError
from softscene.extraction import extract_features, log_mel, read_mono
from softscene.features import FeatureStore
from softscene.files import write_table
from threadpoolctl import threadpool_limits

from tests.conftest import FEATURES

RATE = 44100
rng = np.random.default_rng(0)


def wav(folder, name, samples, rate=RATE, subtype="PCM_24"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def noise(seconds=1.0, channels=2):
    return rng.uniform(-0.5, 0.5, (int(seconds * RATE), channels))


def test_stereo_becomes_the_mean_of_its_channels_and_mono_is_accepted(tmp_path):
    stereo = noise()
    both = read_mono(wav(tmp_path, "stereo.wav", stereo), RATE)
    mono = read_mono(wav(tmp_path, "mono.wav", stereo.mean(axis=1)), RATE)
    np.testing.assert_allclose(both, stereo.mean(axis=1), atol=2**-22)
    np.testing.assert_allclose(both, mono, atol=2**-22)


@pytest.fixture
def study(tmp_path):
    """A good recording, and one with each fault."""
    audio = tmp_path / "audio"
    wav(audio, "good.wav", noise())
    wav(audio, "rate.wav", noise(), rate=22050)
    bad = noise()
    bad[500, 1] = np.nan
    wav(audio, "nan.wav", bad, subtype="FLOAT")
    whole = wav(audio, "cut.wav", noise())
    whole.write_bytes(whole.read_bytes()[:100_000])
    (audio / "text.wav").write_text("no sound")
    return audio


def extract(study, names, workers=1, frames=RATE):
    table, events, target = (study.parent / name for name in ("a.tsv", "events.tsv", "f.h5"))
    write_table(pd.DataFrame({"recording": names, "frames": frames}), table)
    rows = [(name, "home", 0.0, 0.5, "fan") for name in names]
    columns = ["recording", "scene", "onset", "offset", "event"]
    write_table(pd.DataFrame(rows, columns=columns), events)
    extract_features({table: study}, events, target, FEATURES, workers)
    return target


def test_every_bad_recording_is_named_with_what_was_expected(study):
    names = ["good.wav", "rate.wav", "nan.wav", "cut.wav", "text.wav", "gone.wav"]
    with pytest.raises(AudioError) as caught:
        extract(study, names, workers=2)
    message = str(caught.value)
    assert "rate.wav: has 22050 Hz, 44100 Hz expected" in message
    assert "nan.wav: sample 500 is not a finite number" in message
    assert "cut.wav: has 16" in message
    assert "44100 expected; truncated?" in message
    assert "text.wav: cannot be read as audio" in message
    assert "gone.wav: the recording is missing" in message
    assert "good.wav" not in message
    assert not (study.parent / "f.h5").exists(), "a half-made file must not look made"


def test_recordings_that_were_not_downloaded_are_named(study):
    extract(study, ["good.wav"])
    table = study.parent / "a.tsv"
    write_table(pd.DataFrame({"recording": ["other.wav"], "frames": RATE}), table)
    with pytest.raises(AudioError, match=r"not downloaded:\n  good\.wav"):
        extract_features({table: study}, study.parent / "events.tsv", study / "x.h5", FEATURES)


def test_the_feature_file_says_what_it_was_made_with(study):
    with FeatureStore(extract(study, ["good.wav"]), FEATURES, {}) as store:
        features, scene = store.read("good.wav")
    assert scene == "home"
    assert features.shape == (50, 64)


def test_the_feature_file_does_not_depend_on_workers_to_its_last_bit(study):
    seconds = {f"{i}.wav": 0.1 + 0.7 * (i % 5) for i in range(40)}  # more than wait at a time
    sounds = {name: noise(length) for name, length in seconds.items()}
    for name, sound in sounds.items():
        wav(study, name, sound)
    frames = [len(sound) for sound in sounds.values()]
    one = extract(study, list(sounds), frames=frames).read_bytes()
    assert extract(study, list(sounds), workers=2, frames=frames).read_bytes() == one
    with FeatureStore(study.parent / "f.h5", FEATURES, {}) as store:
        for name, sound in sounds.items():
            with threadpool_limits(1):  # which the last bits depend on
                expected = log_mel(read_mono(study / name, RATE, len(sound)), FEATURES)
            assert np.array_equal(store.read(name)[0], expected), name
