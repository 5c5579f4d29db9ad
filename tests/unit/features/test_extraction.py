"""Recordings: what is accepted, what is refused, and that all faults are told at once."""

import dataclasses
import os
import signal
import tracemalloc

import h5py
import numpy as np
import pandas as pd
import pytest
import soundfile
from softscene.core.errors import AudioError, FeatureError, ProcessError
from softscene.core.tsv import write_table
from softscene.features import extraction
from softscene.features.extraction import KnownFeatures, extract_features, log_mel, read_mono
from softscene.features.store import FeatureStore, sources_of
from threadpoolctl import threadpool_limits

from tests.conftest import FEATURES, datasets

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


def extract(study, names, workers=1, frames=RATE, parameters=FEATURES):
    table, events, target = (study.parent / name for name in ("a.tsv", "events.tsv", "f.h5"))
    write_table(pd.DataFrame({"recording": names, "frames": frames}), table)
    rows = [(name, "home", 0.0, 0.5, "fan") for name in names]
    columns = ["recording", "scene", "onset", "offset", "event"]
    write_table(pd.DataFrame(rows, columns=columns), events)
    extract_features({table: study}, events, target, parameters, workers)
    return target


def test_every_bad_recording_is_named_with_what_was_expected(study):
    names = ["good.wav", "rate.wav", "nan.wav", "cut.wav", "text.wav", "gone.wav"]
    with pytest.raises(AudioError) as caught:
        extract(study, names, workers=2)
    message = str(caught.value)
    assert "rate.wav: has 22050 Hz, 44100 Hz (features.sample_rate) expected" in message
    assert "nan.wav: sample 500 (0.011 s) is not a finite number" in message
    assert "cut.wav: is cut: its header promises 264600 bytes, 99" in message
    assert "text.wav: cannot be read as audio" in message
    assert "gone.wav: there is no such file" in message
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


def test_known_features_are_copied_and_their_sound_need_not_be_there(study):
    """As if all were made at once; the known file must be of the same parameters and data."""
    wav(study, "new.wav", noise(0.5))
    frames = [RATE, RATE // 2]
    whole = datasets(extract(study, ["good.wav", "new.wav"], frames=frames))
    names = {"known": ["good.wav"], "new": ["new.wav"], "both": ["good.wav", "new.wav"]}
    files = {name: study.parent / f"{name}.tsv" for name in ("known", "new")}
    lists = {name: study.parent / f"{name}_events.tsv" for name in names}
    for name, length in zip(files, frames, strict=True):
        write_table(pd.DataFrame({"recording": names[name], "frames": length}), files[name])
    columns = ["recording", "scene", "onset", "offset", "event"]
    for name, path in lists.items():
        rows = [(each, "home", 0.0, 0.5, "fan") for each in names[name]]
        write_table(pd.DataFrame(rows, columns=columns), path)
    made = [study.parent / "known.h5", study.parent / "both.h5"]
    extract_features({files["known"]: study}, lists["known"], made[0], FEATURES)
    (study / "good.wav").unlink()

    known = KnownFeatures(made[0], lists["known"], [files["known"]])
    extract_features({files["new"]: study}, lists["both"], made[1], FEATURES, known=known)
    found = datasets(made[1])
    assert found.keys() == whole.keys()
    assert all(np.array_equal(found[name], whole[name]) for name in whole)
    sources = sources_of(lists["both"], files.values())
    with FeatureStore(made[1], FEATURES, sources) as store:
        assert store.read("good.wav")[1] == "home"
    with h5py.File(made[1]) as store:
        assert [store[name].attrs["samples"] for name in names["both"]] == frames

    write_table(pd.DataFrame({"recording": ["good.wav"], "frames": 9}), files["known"])
    with pytest.raises(FeatureError, match=r"known\.h5 was made"):
        extract_features({files["new"]: study}, lists["both"], made[1], FEATURES, known=known)


def test_the_feature_file_does_not_depend_on_workers_to_its_last_bit(study):
    seconds = {f"{i}.wav": 0.1 + 0.7 * (i % 5) for i in range(40)}  # more than wait at a time
    sounds = {name: noise(length) for name, length in seconds.items()}
    for name, sound in sounds.items():
        wav(study, name, sound)
    frames = [len(sound) for sound in sounds.values()]
    one = extract(study, list(sounds), frames=frames).read_bytes()
    assert extract(study, list(sounds), workers=2, frames=frames).read_bytes() == one
    with FeatureStore(study.parent / "f.h5", FEATURES, {}) as store:
        for name in sounds:
            with threadpool_limits(1):  # which the last bits depend on
                expected = log_mel(read_mono(study / name, RATE), FEATURES)
            assert np.array_equal(store.read(name)[0], expected), name


def left_beside(study):
    return sorted(path.name for path in study.parent.iterdir() if path.is_file())


@pytest.mark.parametrize("values", [(1e20,), (3e38, 3e38), (-np.inf,)], ids=str)
def test_a_sample_that_would_spoil_the_features_is_named(study, values):
    bad = noise(channels=len(values))
    bad[5000] = values
    wav(study, "loud.wav", bad, subtype="FLOAT")
    with pytest.raises(AudioError) as caught:
        extract(study, ["good.wav", "loud.wav"])
    assert f"{study}/loud.wav: sample 5000 (0.113 s) is not a finite number" in str(caught.value)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_features_that_are_not_finite_are_named(study):
    """The logarithm of silence without a floor."""
    wav(study, "silent.wav", np.zeros(RATE))
    with pytest.raises(AudioError) as caught:
        extract(study, ["silent.wav"], parameters=dataclasses.replace(FEATURES, floor=0.0))
    assert f"{study}/silent.wav: its features before 1.00 s are not finite" in str(caught.value)
    assert left_beside(study) == ["a.tsv", "events.tsv"]


def test_a_recording_of_another_length_than_was_noted_is_named(study):
    with pytest.raises(
        AudioError, match=r"good\.wav: has 44100 samples, 44101 expected; has it ch"
    ):
        extract(study, ["good.wav"], frames=RATE + 1)


def die(job):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_told_with_what_to_do_and_leaves_nothing(study, monkeypatch):
    monkeypatch.setattr(extraction, "_extract", die)
    with pytest.raises(ProcessError) as caught:
        extract(study, ["good.wav"], workers=8)
    for words in ["8 processes", "memory", "--set-threads extract_features=4", "mem_mb"]:
        assert words in str(caught.value)
    assert left_beside(study) == ["a.tsv", "events.tsv"]
    assert [path.name for path in study.parent.iterdir() if path.is_dir()] == ["audio"]


def test_memory_does_not_grow_with_the_recording(tmp_path):
    """Five times as long: 45 MB more of samples if they were held, and 3 MB of features."""
    peaks = []
    for seconds in (64, 320):
        sound = wav(tmp_path, f"{seconds}.wav", noise(1, 1).repeat(seconds), subtype="PCM_16")
        job = str(sound), seconds * RATE, FEATURES, tmp_path / "rows"
        tracemalloc.start()
        assert extraction._extract(job) is None
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (tmp_path / "rows").stat().st_size == seconds * 50 * 64 * 4
    assert peaks[1] < peaks[0] + 2_000_000
