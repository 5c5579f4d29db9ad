"""One's own recordings: events, scene and picture, against whole arrays and plain loops."""

import dataclasses
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from softscene.config.variants import Variant
from softscene.core.errors import AudioError, ConfigurationError, ResultError
from softscene.core.tsv import read_table, write_table
from softscene.detect.detection import detect
from softscene.detect.detector import best_variant, export_detector, load_detector
from softscene.detect.events import EventTracker, Options
from softscene.detect.facts import RECORDINGS, SUMMARY
from softscene.detect.pictures import COLUMNS, Overview, clock, draw, time_ticks
from softscene.detect.recordings import (
    FOREIGN,
    LONGEST,
    RESULTS,
    SUFFIXES,
    find_recordings,
    is_dated_ahead,
    recordings_of,
)
from softscene.evaluation.tables import Run, make_table3
from softscene.features.activity import to_events
from softscene.features.extraction import log_mel
from softscene.training.weights import load_tensors, save_tensors

from tests.conftest import FEATURES, ROOT
from tests.unit.detect.tiny_detector import NAMES, make_detector, make_network, student_files

CPU = torch.device("cpu")
PROGRAM = ROOT / "workflow_scripts" / "detect.py"
HOP = (882, 44100)
EVENT_COLUMNS = ["onset", "offset", "event", "confidence", "threshold", "recorded", "trained_on"]
EVENTS = ("a", "b", "c")
rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def source(tmp_path_factory, labels):
    return make_detector(tmp_path_factory.mktemp("detector"), labels)


@pytest.fixture(scope="module")
def detector(source, one_thread):
    return load_detector(source, CPU)


def wav(path, seconds=23.456, rate=44100, channels=2, **options):
    """Noise whose loudness and colour change each second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = int(seconds * rate)
    loudness = np.repeat(10 ** rng.uniform(-3, -0.5, int(seconds) + 1), rate)[:count]
    noise = np.cumsum(rng.normal(size=count)) / 50 * (np.arange(count) // rate % 2)
    samples = loudness * (rng.normal(size=count) + noise) / 3
    spread = np.repeat(samples[:, None], channels, axis=1).clip(-1, 1)
    soundfile.write(path, spread, rate, **options)
    return path


def targets(folder, name="a.wav"):
    return {key: folder / f"{name}{ending}" for key, ending in RESULTS.items()}


# --- Events


@pytest.mark.parametrize("size", [1, 3, 7, 100, 1000])
def test_events_of_blocks_are_those_of_the_whole(size):
    """Against ``to_events``, with confidences from a plain loop."""
    posteriors = np.repeat(rng.random((250, 3)), 4, axis=0) * rng.uniform(0.9, 1, (1000, 3))
    posteriors[:, 2] = 0.1
    limits = np.array([0.3, 0.7, 0.5])
    tracker = EventTracker(limits)
    active = [tracker.push(posteriors[i : i + size]) for i in range(0, 1000, size)]
    assert np.array_equal(np.concatenate(active), posteriors > limits)
    found = tracker.events(EVENTS, HOP)
    expected = to_events(posteriors > limits, EVENTS, *HOP)
    assert len(found) == len(expected) > 100
    assert list(found.onset) == sorted(found.onset)
    again = found.sort_values(["event", "onset"]).reset_index(drop=True)
    assert again[["onset", "offset", "event"]].equals(expected)
    for row in found.itertuples():
        own = posteriors[round(row.onset / 0.02) : round(row.offset / 0.02)]
        assert row.confidence == pytest.approx(own[:, EVENTS.index(row.event)].mean(), abs=5.1e-5)


def test_an_event_may_last_from_the_first_frame_to_the_last():
    tracker = EventTracker(np.array([0.5]))
    for _ in range(3):
        tracker.push(np.full((50, 1), 0.75))
    (row,) = tracker.events(("a",), HOP).itertuples()
    assert (row.onset, row.offset, row.confidence) == (0.0, 3.0, 0.75)


def test_without_events_the_table_has_its_columns():
    found = EventTracker(np.array([0.5])).events(("a",), HOP)
    assert list(found.columns) == ["onset", "offset", "event", "confidence", "threshold"]
    assert len(found) == 0


# --- The detector


def expected_posteriors(source, signal, branches=(True, True)):
    """Whole clips through networks made anew: frames x events, and clips x scenes, by student."""
    whole = log_mel(signal, FEATURES)
    found = []
    for number, (name, branch) in enumerate(zip(NAMES, branches, strict=True)):
        table = read_table(source.parent / name / "statistics.tsv")
        standard = (whole - table["mean"].to_numpy()) / table["std"].to_numpy()
        y_all, w_all = [], []
        for start in range(0, len(standard), 500):
            part = torch.zeros(1, 500, 64)
            own = torch.from_numpy(standard[start : start + 500]).float()
            part[0, : len(own)] = own
            with torch.inference_mode():
                y, w = make_network(number, branch)(part, torch.tensor([len(own)]))
            y_all.append(1 / (1 + np.exp(-y[0, : len(own)].double().numpy())))
            if branch:
                power = np.exp(w[0].double().numpy())
                w_all.append(len(own) * power / power.sum())
        found.append((np.concatenate(y_all), np.sum(w_all, axis=0) / len(standard)))
    return found


def predict(detector, signal):
    whole = log_mel(signal, FEATURES)
    return detector.predict([whole[start : start + 500] for start in range(0, len(whole), 500)])


def test_posteriors_are_means_over_students_each_standardised_its_own_way(source, detector):
    signal = rng.normal(0, 0.05, 14 * 44100).astype(np.float32)
    (first, scene_1), (second, scene_2) = expected_posteriors(source, signal)
    events, scenes = predict(detector, signal)
    assert first.std() > 0.01
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_allclose(np.concatenate(events), (first + second) / 2, atol=1e-5)
    weighted = (scenes * [[500], [200]]).sum(axis=0) / 700
    np.testing.assert_allclose(weighted, (scene_1 + scene_2) / 2, atol=1e-5)
    np.testing.assert_allclose(scenes.sum(axis=1), 1, atol=1e-6)
    limits = [read_table(source.parent / name / "thresholds.tsv").adaptive for name in NAMES]
    np.testing.assert_allclose(detector.thresholds, (limits[0] + limits[1]) / 2)


def test_the_form_of_the_networks_is_the_callers_and_not_the_files(source, detector):
    """Students that were trained in the plain form can be used in the fused one, and back."""
    facts = json.loads(load_tensors(source)[1]["detector"])
    assert not any("fused" in size for size in facts["students"].values())
    plain = load_detector(source, CPU, fused=False)
    forms = [
        {module.fused for member in each.members for module in member.network.modules()
         if hasattr(module, "fused")}
        for each in (detector, plain)
    ]  # fmt: skip
    assert forms == [{True}, {False}]
    signal = rng.normal(0, 0.05, 14 * 44100).astype(np.float32)
    (fused, scenes), (other, other_scenes) = (predict(each, signal) for each in (detector, plain))
    np.testing.assert_allclose(np.concatenate(fused), np.concatenate(other), atol=1e-5)
    np.testing.assert_allclose(scenes, other_scenes, atol=1e-5)


def test_one_student_alone_and_a_student_without_a_scene_branch(source, tmp_path, labels):
    signal = rng.normal(0, 0.05, 3 * 44100).astype(np.float32)
    expected = expected_posteriors(source, signal)
    for name, (events, _) in zip(NAMES, expected, strict=True):
        alone = load_detector(source, CPU, [name])
        assert [member.name for member in alone.members] == [name]
        np.testing.assert_allclose(predict(alone, signal)[0][0], events, atol=1e-5)
    mixed = make_detector(tmp_path, labels, (True, False))
    both, first, second = (load_detector(mixed, CPU, only) for only in ([], NAMES[:1], NAMES[1:]))
    assert both.knows_scenes
    assert not second.knows_scenes
    np.testing.assert_array_equal(predict(both, signal)[1], predict(first, signal)[1])
    assert np.isnan(predict(second, signal)[1]).all()


def test_a_file_that_is_no_detector_or_lacks_a_student_is_named(source, tmp_path):
    with pytest.raises(ResultError, match=r"no student fold-9_seed-9; it has fold-1_seed-0, fold"):
        load_detector(source, CPU, ["fold-9_seed-9"])
    with pytest.raises(ResultError, match="there is no detector"):
        load_detector(tmp_path / "gone", CPU)
    weights = source.parent / NAMES[0] / "weights.safetensors"
    with pytest.raises(ResultError, match="is no detector") as other:
        load_detector(weights, CPU)
    assert "snakemake" not in str(other.value), "no run makes it"
    ours = tmp_path / "results" / "tiny" / "detector.safetensors"
    ours.parent.mkdir(parents=True)
    ours.write_text("no tensors")
    with pytest.raises(ResultError, match=r"snakemake --force .*results/tiny/det") as broken:
        load_detector(ours, CPU)
    assert str(broken.value).count(f"{ours} ") == 2, "whose it is, and what to make again"
    damaged = bytearray(source.read_bytes())
    damaged[-100] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    with pytest.raises(ResultError, match="SHA-256"):
        load_detector(tmp_path / "damaged", CPU)


def test_weights_of_another_network_are_refused(source, tmp_path):
    tensors, facts = load_tensors(source)
    gone = next(key for key in tensors if key.startswith(f"{NAMES[1]}/network/"))
    del tensors[gone]
    save_tensors(tensors, tmp_path / "other", detector=facts["detector"])
    with pytest.raises(ResultError, match=f"the weights of {NAMES[1]} do not fit the work"):
        load_detector(tmp_path / "other", CPU)


def changed(facts, *keys, value=None):
    """Set what lies there; None takes it away."""
    inner = facts
    for key in keys[:-1]:
        inner = inner[key]
    inner.pop(keys[-1]) if value is None else inner.update({keys[-1]: value})


SIZE_OF = ("students", NAMES[0])
OTHER_FACTS = [
    (("format",), None, "format: this key is missing"),
    (("format",), 1, "it is of format 1, and this version reads format 2"),
    (("format",), "one", "format: 'one' given, integer expected"),
    (("features",), None, "features: this key is missing"),
    (("events",), None, "events: this key is missing"),
    (("run",), None, "run: this key is missing"),
    (("extra",), "zzz", "extra: no such key"),
    (("students",), None, "students: this key is missing"),
    (("students",), [], r"students: \[\] given"),
    (("students",), {}, "students: {} given"),
    (("features", "sample_rate"), 0, "features.sample_rate: 0 given, a number from 1000"),
    (("features", "hop_length"), 0, "features.hop_length: 0 given, a number from 1"),
    (("features", "hop_length"), 10**12, "a number up to 1048576 expected"),
    (("features", "n_fft"), 10**12, "a number up to 1048576 expected"),
    (("features", "n_fft"), 1024, "features.n_fft: 1024 is less than frame_length"),
    (("features", "bands"), "x", "features.bands: 'x' given, integer expected"),
    (("features", "bands"), 128, "bands: 64 given, 128 expected"),
    (("features", "fmax"), 30_000.0, "features.fmax: 30000.0 Hz is not from fmin to half of"),
    (("features", "floor"), float("nan"), "features.floor: nan given, a finite number expected"),
    (("clip_frames",), 0, "clip_frames: 0 given, a number from 64"),
    (("clip_frames",), -5, "clip_frames: -5 given, a number from 64"),
    (("clip_frames",), 10**12, "clip_frames: 1000000000000 given, a number up to 1000000"),
    (("clip_frames",), 501, "frames: 500 given, 501 expected"),
    ((*SIZE_OF, "channels"), "x", "channels: 'x' given, integer expected"),
    ((*SIZE_OF, "channels"), 10**9, "a number up to 1048576 expected"),
    ((*SIZE_OF, "channels"), 1_000_000, "the weights of fold-1_seed-0 do not fit the work"),
    ((*SIZE_OF, "scene_channels"), 5, "scene_channels: 5 given, array expected"),
    ((*SIZE_OF, "scene_branch"), False, "network/scene.* is no student's"),
    (("events",), 5, "events: 5 given"),
    (("events",), ["a\tb"], "a name without tabs and other control characters expected"),
    (("events",), ["fan"] * 25, "a list of different names expected"),
    (("events",), ["fan"], "events: 25 given, 1 expected"),
    (("scenes",), ["home", "office"], "scenes: 4 given, 2 expected"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "value", "words"), OTHER_FACTS)
def test_a_detector_that_says_other_things_is_of_another_version(
    source, tmp_path, keys, value, words
):
    tensors, written = load_tensors(source)
    facts = json.loads(written["detector"])
    changed(facts, *keys, value=value)
    refuse(tensors, json.dumps(facts), tmp_path, words)


@pytest.mark.parametrize(
    ("text", "words"),
    [("[1, 2]", "given, object expected"), ("null", "null given, object expected"),
     ("7", "7 given, object expected")],
)  # fmt: skip
def test_a_detector_says_of_itself_what_keys_can_hold(source, tmp_path, text, words):
    refuse(load_tensors(source)[0], text, tmp_path, words)


def full(size, value, dtype=torch.float64):
    return torch.full(size, value, dtype=dtype)


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("mean", None, "the array fold-2_seed-7/mean is missing"),
        ("mean", full((3,), 0), "mean is 3 float64, 64 float64 expected"),
        ("mean", full((1, 64), 0), "mean is 1 x 64 float64, 64 float64 expected"),
        ("mean", full((64,), 0, torch.float32), "mean is 64 float32, 64 float64 expected"),
        ("mean", full((64,), torch.inf), "mean has values that are not finite"),
        ("thresholds", full((25,), torch.nan), "thresholds has values that are not finite"),
        ("thresholds", full((25,), 1.1), "thresholds has values outside 0 to 1"),
        ("thresholds", full((24,), 0.5), "thresholds is 24 float64, 25 float64 expected"),
        ("deviation", full((64,), 0), "deviation has values that are not above 0"),
        ("deviation", full((64,), torch.nan), "deviation has values that are not finite"),
        ("other", full((1,), 0), "the array fold-2_seed-7/other is no student's"),
        ("network/event.output.bias", full((25,), torch.nan, torch.float32), "not finite"),
        ("network/event.output.bias", full((25,), 0, torch.int64), "25 int64, 25 float32 expected"),
        ("network/event.output.weight", None, "the weights of fold-2_seed-7 do not fit the"),
    ],
)
def test_a_detector_with_other_arrays_is_of_another_version(source, tmp_path, part, value, words):
    tensors, written = load_tensors(source)
    tensors.pop(f"{NAMES[1]}/{part}", None)
    if value is not None:
        tensors[f"{NAMES[1]}/{part}"] = value
    refuse(tensors, written["detector"], tmp_path, words)


def refuse(tensors, facts, folder, words):
    path = folder / "other.safetensors"
    save_tensors(tensors, path, detector=facts)
    expected = f"^{re.escape(str(path))} is no detector of this version: .*{words}.*of a finished"
    with pytest.raises(ResultError, match=expected):
        load_detector(path, CPU)


def test_the_best_variant_is_the_one_that_table_3_has_on_top(tmp_path):
    """The same scores through Table 3, as it is printed, and through the choice."""
    variants = [
        Variant("crnn", "CNN-BiGRU", "none"),
        Variant("mtl", "MTL", "hard", alpha="0.01"),
        Variant("mtl", "MTL", "hard", alpha="1.0"),
        Variant("soft", "Soft", "soft", beta="1.0", temperature="2.0"),
    ]
    settings = [(c, t) for c in ("frame", "segment") for t in ("adaptive", "oracle", "fixed")]
    conventions = {"frame": 0.02, "segment": 1.0}
    chosen = set()
    for trial in range(20):
        scores = []
        for variant, number in itertools.product(variants, range(3)):
            table = pd.DataFrame(settings, columns=["convention", "threshold"])
            table["f_score"] = rng.random(len(table))
            if trial % 3 == 0 and number == 1:
                table["f_score"] = np.nan  # of a fold without events
            path = tmp_path / f"{trial}_{len(scores)}.tsv"
            write_table(table.assign(error_rate=0.5), path)
            scores.append((variant, path))
        runs = [Run(*each) for each in scores]
        table3 = make_table3(runs, ROOT / "resources" / "published_table3.csv", conventions)
        table3 = table3[(table3.convention == "frame") & (table3.threshold == "adaptive")]
        row = table3.loc[table3.f_score_mean.idxmax()]
        best = best_variant(scores)
        chosen.add(best)
        (variant,) = [each for each in variants if each.folder == best]
        assert variant.name == row.method
        for weight in ("alpha", "beta", "temperature"):
            given = getattr(variant, weight)
            assert pd.isna(row[weight]) if given == "none" else row[weight] == float(given)
    assert len(chosen) == 4, "each of them once"
    tied = [(variant, scores[0][1]) for variant in variants]
    assert best_variant(tied) == variants[1].folder, "of equals, the first with a scene branch"
    assert best_variant(tied[:1]) == variants[0].folder
    path = tmp_path / "none.tsv"
    path.write_text("convention\tthreshold\tf_score\nframe\tadaptive\t\nframe\tfixed\t0.5\n")
    with pytest.raises(ResultError, match=r"none\.tsv .*no F-score to choose by"):
        best_variant([(variants[0], path)])


# --- Whole recordings


def test_results_say_what_whole_arrays_say(source, detector, tmp_path):
    path, results = wav(tmp_path / "a.wav", subtype="PCM_24"), targets(tmp_path / "out")
    steps = []
    found = detect(path, detector, results, advance=lambda *step: steps.append(step))
    signal = soundfile.read(path, dtype="float32")[0].mean(axis=1)
    (first, scene_1), (second, scene_2) = expected_posteriors(source, signal)
    posteriors = (first + second) / 2
    expected = to_events(posteriors > detector.thresholds, detector.about.events, *HOP)
    assert len(expected) > 20
    table = read_table(results["tsv"])
    assert list(table.columns) == EVENT_COLUMNS
    order = ["event", "onset"]
    pairs = [each.sort_values(order).reset_index(drop=True) for each in (table, expected)]
    assert pairs[0][["onset", "offset", "event"]].equals(pairs[1])
    assert set(table.trained_on) == {"synthetic sound"}
    for row in table.itertuples():
        own = posteriors[round(row.onset / 0.02) : round(row.offset / 0.02)]
        event = detector.about.events.index(row.event)
        assert row.confidence == pytest.approx(own[:, event].mean(), abs=1e-4)
    lines = [line.split("\t") for line in results["audacity"].read_text().splitlines()]
    assert [label for _, _, label in lines] == list(table.event)
    np.testing.assert_allclose([float(line[0]) for line in lines], table.onset, atol=1e-6)
    np.testing.assert_allclose([float(line[1]) for line in lines], table.offset, atol=1e-6)
    scenes = read_table(results["scenes"])
    assert list(scenes.scene) == list(detector.about.scenes)
    np.testing.assert_allclose(scenes.posterior, (scene_1 + scene_2) / 2, atol=1e-4)
    assert found.seconds == pytest.approx(23.44)
    assert sum(seconds for seconds, _ in steps) == pytest.approx(23.44)
    assert results["picture"].read_bytes()[:4] == b"\x89PNG"


def test_one_threshold_for_all_events(detector, tmp_path):
    path = wav(tmp_path / "a.wav", 3)
    none, every = (detect(path, detector, targets(tmp_path), Options(p)).events for p in (1.0, 0.0))
    assert len(none) == 0
    assert list(every.event) == list(detector.about.events)
    assert (every.onset == 0).all()
    assert (every.offset == 3).all()


def test_overlapping_clips_of_a_whole_recording(detector, tmp_path):
    """Against clips cut from whole arrays, and a weighted mean by a plain loop."""
    path = wav(tmp_path / "a.wav")
    steps = []
    found = detect(
        path, detector, options=Options(overlap=2.5), advance=lambda *step: steps.append(step)
    )
    whole = log_mel(soundfile.read(path, dtype="float32")[0].mean(axis=1), FEATURES)
    total, weights, scenes, frames = np.zeros((len(whole), 25)), np.zeros(len(whole)), 0, 0
    rising = (np.arange(125) + 0.5) / 125
    for start in range(0, len(whole) - 125, 375):
        clip = whole[start : start + 500]
        (posteriors,), (scene,) = detector.predict([clip])
        weight = np.ones(len(clip))
        weight[:125] *= rising if start else 1
        weight[-125:] *= rising[::-1] if start + 500 < len(whole) else 1
        total[start : start + 500] += weight[:, None] * posteriors
        weights[start : start + 500] += weight
        scenes, frames = scenes + len(clip) * scene, frames + len(clip)
    joined = total / weights[:, None]
    expected = to_events(joined > detector.thresholds, detector.about.events, *HOP)
    again = found.events.sort_values(["event", "onset"]).reset_index(drop=True)
    assert len(expected) > 20
    assert again[["onset", "offset", "event"]].equals(expected)
    np.testing.assert_allclose(found.scenes, scenes / frames, atol=1e-9)
    assert sum(seconds for seconds, _ in steps) == pytest.approx(found.seconds)
    plain = detect(path, detector).events
    assert not plain[["onset", "offset"]].equals(found.events[["onset", "offset"]])


@pytest.mark.parametrize(
    ("seconds", "rate", "channels", "frames"),
    [(1 / 44100, 44100, 1, 1), (0.001, 44100, 2, 1), (10, 44100, 1, 500), (20, 8000, 1, 1000),
     (10.02, 44100, 1, 501), (1.5, 96000, 6, 75)],
)  # fmt: skip
def test_lengths_rates_and_channels(detector, tmp_path, seconds, rate, channels, frames):
    path = wav(tmp_path / "a.wav", seconds, rate, channels)
    found = detect(path, detector, targets(tmp_path))
    assert found.seconds == pytest.approx(frames * 0.02)
    assert found.scenes.sum() == pytest.approx(1)


def test_silence_is_a_recording_too(detector, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(44100 * 12), 44100)
    anything = Options(threshold=0)
    found = detect(tmp_path / "a.wav", detector, targets(tmp_path), anything)
    assert found.seconds == pytest.approx(12)
    assert len(found.events) == 0, "whatever the students say about nothing"
    assert list(read_table(targets(tmp_path)["tsv"]).columns) == EVENT_COLUMNS
    sound = np.zeros(44100 * 12)
    sound[-1] = 1e-4
    soundfile.write(tmp_path / "a.wav", sound, 44100)
    assert len(detect(tmp_path / "a.wav", detector, options=anything).events) > 0


def test_a_bad_recording_leaves_no_results_not_even_old_ones(detector, tmp_path):
    path, results = wav(tmp_path / "a.wav", 2, subtype="FLOAT"), targets(tmp_path)
    detect(path, detector, results)
    samples = np.zeros(44100)
    samples[30_000] = np.inf
    soundfile.write(path, samples, 44100, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"a\.wav: sample 30000 \(0\.680 s\)"):
        detect(path, detector, results)
    assert list(tmp_path.iterdir()) == [path]
    soundfile.write(path, np.full(44100, 1e30), 44100, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"sample 0 .* far outside -1 \.\. 1"):
        detect(path, detector, results)
    soundfile.write(path, np.zeros(1), 96000)
    with pytest.raises(AudioError, match="shorter than a sample of 44100 Hz"):
        detect(path, detector, results)


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt])
def test_a_failure_while_results_are_written_leaves_none(detector, tmp_path, monkeypatch, error):
    """Whatever it is, and whichever results an earlier run has left."""
    path, results = wav(tmp_path / "a.wav", 1), targets(tmp_path / "out")
    detect(path, detector, results)
    assert sorted(every_file(tmp_path)) == sorted(results.values()), "and nothing beside them"

    def fail(*_):
        raise error

    monkeypatch.setattr("softscene.detect.detection.draw", fail)
    with pytest.raises(error):
        detect(path, detector, results)
    assert list((tmp_path / "out").iterdir()) == []


def test_results_get_their_names_together_or_not_at_all(detector, tmp_path, monkeypatch):
    path, results = wav(tmp_path / "a.wav", 1), targets(tmp_path / "out")
    replace, done = Path.replace, []

    def third_fails(self, target):
        if Path(target) in results.values():
            done.append(target)
            if len(done) == 3:
                raise PermissionError("no more")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", third_fails)
    with pytest.raises(PermissionError, match="no more"):
        detect(path, detector, results)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", [b"caf\xe9.wav", "süß 日本.wav".encode(), b"n" * 225 + b".wav",
                                  b"n" * (LONGEST - 4) + b".wav"])  # fmt: skip
def test_every_name_of_a_file_is_good_enough(detector, tmp_path, name):
    """Latin-1 among them, as is any that leaves 13 bytes for .audacity.txt."""
    name = os.fsdecode(name)
    path = tmp_path / name
    path.write_bytes(wav(tmp_path / "a.wav", 1).read_bytes())
    results = targets(tmp_path / "out", name)
    found = detect(path, detector, results)
    assert found.seconds == pytest.approx(1)
    assert sorted(every_file(tmp_path)) == sorted(results.values())
    assert len(read_table(results["tsv"])) == len(found.events)


def without_ffmpeg(folder, monkeypatch):
    """Hide it, where it is installed."""
    (folder / "bin").mkdir()
    monkeypatch.setenv("PATH", str(folder / "bin"))


def test_a_form_that_soundfile_does_not_read_is_said_how_to_convert(
    detector, tmp_path, monkeypatch
):
    without_ffmpeg(tmp_path, monkeypatch)
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with pytest.raises(AudioError, match=r"a\.m4a: soundfile does not.*ffmpeg -i FILE FILE\.wav$"):
        detect(tmp_path / "a.m4a", detector, targets(tmp_path / "out"))
    with pytest.raises(AudioError, match=r"gone\.m4a: there is no such file$"):
        detect(tmp_path / "gone.m4a", detector, targets(tmp_path / "out"))


MEASURED = """
import resource, sys
from pathlib import Path
from softscene.detect.detection import detect
from softscene.detect.detector import load_detector
from softscene.detect.recordings import RESULTS
from softscene.training.runtime import prepare
source, detector = sys.argv[1:]
detector = load_detector(detector, prepare(1, "cpu"))
detect(source, detector, {key: Path(source + ending) for key, ending in RESULTS.items()})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_length(source, tmp_path):
    """Most memory that a process ever had, for two minutes and for half an hour, which alone would
    be 318 MB as samples and 23 MB as log-mel."""
    most = []
    for minutes in (2, 30):
        path, minute = tmp_path / f"{minutes}.wav", rng.normal(0, 0.1, 60 * 8000)
        with soundfile.SoundFile(path, "w", 8000, 1, "PCM_U8") as file:
            for _ in range(minutes):
                file.write(minute * rng.uniform(0.1, 1))
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, path, source],
            capture_output=True, text=True, check=True, env=environment(),
        )  # fmt: skip
        most.append(int(done.stdout) / 1024)
    assert most[1] < most[0] + 20, most


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}


# --- The picture


@pytest.mark.parametrize("frames", [1, 2, 1999, 2000, 2001, 4001, 12345])
def test_an_overview_is_the_maximum_of_its_frames(frames):
    log_mel, active = rng.normal(size=(frames, 5)), rng.random((frames, 2))
    overview = Overview()
    for start in range(0, frames, 500):
        overview.push(log_mel[start : start + 500], active[start : start + 500])
    step = overview.frames
    assert len(overview.log_mel) == -(-frames // step) <= 2 * COLUMNS
    assert step == 1 or frames / step > COLUMNS
    for found, whole in ((overview.log_mel, log_mel), (overview.active, active)):
        expected = [whole[start : start + step].max(axis=0) for start in range(0, frames, step)]
        np.testing.assert_array_equal(found, np.array(expected, np.float32))


@pytest.mark.parametrize("frames", [400, 3000])
def test_an_overview_can_show_merged_events(frames):
    """Gaps have the event's confidence; what was left out as too short is gone."""
    active = np.zeros((frames, 2))
    active[100:110, 0], active[150:200, 0], active[50:52, 1] = 0.8, 0.9, 0.7
    overview = Overview()
    overview.push(rng.normal(size=(frames, 5)), active)
    events = pd.DataFrame({"onset": [2.0], "offset": [4.0], "event": ["a"], "confidence": [0.85]})
    before = overview.log_mel.copy()
    overview.keep_only(events, ("a", "b"), 0.02)
    step = overview.frames
    expected = np.zeros((-(-frames // step), 2))
    expected[100 // step : 200 // step, 0] = 0.85
    expected[100 // step : 110 // step, 0] = 0.8
    expected[150 // step : 200 // step, 0] = 0.9
    np.testing.assert_allclose(overview.active, expected, atol=1e-6)
    np.testing.assert_array_equal(overview.log_mel, before)


@pytest.mark.parametrize(
    ("value", "longest", "decimals", "text"),
    [(0, 4, 1, "0:00.0"), (1.26, 4, 1, "0:01.3"), (75, 100, 0, "1:15"), (59.6, 100, 0, "1:00"),
     (59.96, 60, 1, "1:00.0"), (0.005, 0.02, 3, "0:00.005"), (3725, 4000, 0, "1:02:05"),
     (0, 4000, 0, "0:00:00")],
)  # fmt: skip
def test_times_of_the_axis(value, longest, decimals, text):
    assert clock(value, longest, decimals) == text


@pytest.mark.parametrize(
    "seconds", [0.02, 0.06, 0.5, 1, 9, 12, 13, 23.46, 100, 3599, 3600, 40_000, 1_000_000]
)
def test_labels_of_the_time_axis_say_where_their_ticks_are(seconds):
    places, labels = time_ticks(seconds)
    values = []
    for label in labels:
        *hours, minutes, rest = map(float, label.split(":"))
        values.append(3600 * sum(hours) + 60 * minutes + rest)
    assert values == pytest.approx(places, abs=1e-9)
    assert 4 <= len(places) <= 9
    assert places[0] == 0
    distances = np.diff(values)
    np.testing.assert_allclose(distances, distances[0], atol=1e-9)
    assert seconds - distances[0] < places[-1] <= seconds, "it goes on to the end"


def test_the_picture_shows_lanes_of_what_was_found_and_says_where_it_comes_from(
    detector, tmp_path, monkeypatch
):
    kept = []
    close = plt.close
    monkeypatch.setattr("softscene.detect.pictures.plt.close", kept.append)
    overview, active = Overview(), np.zeros((100, 25))
    active[20:50, 3], active[70:, 8] = 0.6, 0.9
    overview.push(rng.normal(size=(100, 64)), active)
    scenes = np.array([0.1, 0.6, 0.25, 0.05])
    draw("a$b_{c$.wav\n", 2.0, 44100, overview, scenes, detector.about, tmp_path / "a.png")
    (figure,) = kept
    upper, lower = figure.axes[:2]
    assert [label.get_text() for label in lower.get_yticklabels()] == [
        detector.about.events[3], detector.about.events[8]
    ]  # fmt: skip
    shown = lower.images[0].get_array()
    np.testing.assert_allclose(shown.filled(0), active[:, [3, 8]].T, atol=1e-6)
    assert lower.images[0].get_extent()[:2] == [0, 2.0]
    np.testing.assert_allclose(upper.images[0].get_array(), overview.log_mel.T)
    assert lower.get_xlim() == upper.get_xlim() == (0, 2.0)
    title = figure.get_suptitle()
    assert title.startswith("a$b_{c$.wav?\nscene: home 0.60, office 0.25, ")
    assert "trained on synthetic sound" in title
    close(figure)


def test_the_picture_of_nothing_says_so(detector, tmp_path):
    overview = Overview()
    overview.push(rng.normal(size=(3, 64)), np.zeros((3, 25)))
    draw(
        "日本語.wav", 0.06, 44100, overview, np.full(4, np.nan), detector.about, tmp_path / "a.png"
    )
    assert (tmp_path / "a.png").stat().st_size > 0


@pytest.mark.parametrize("rate", [8000, 44100])
def test_colours_span_the_energies_that_a_recording_has(detector, tmp_path, monkeypatch, rate):
    """The bands above half of a recording's rate are empty, and must not take the colours."""
    kept = []
    close = plt.close
    monkeypatch.setattr("softscene.detect.pictures.plt.close", kept.append)
    highest, own = (15 + 27 * np.log(f / 1000) / np.log(6.4) for f in (22050, rate / 2))  # Slaney
    above = np.arange(2, 66) > 65 * own / highest + 1e-6
    log_mel = rng.uniform(-12, -2, (1000, 64))
    log_mel[:, above] = -23
    log_mel[:5, 0] = -23  # some frames of silence are no reason either
    overview = Overview()
    overview.push(log_mel, np.zeros((1000, 25)))
    draw("a.wav", 20.0, rate, overview, np.full(4, np.nan), detector.about, tmp_path / "a.png")
    low, high = kept[0].axes[0].images[0].get_clim()
    assert low == pytest.approx(-11.9, abs=0.1)
    assert high == pytest.approx(-2, abs=0.1)
    close(kept[0])


def test_silence_is_the_darkest_colour(detector, tmp_path, monkeypatch):
    kept = []
    close = plt.close
    monkeypatch.setattr("softscene.detect.pictures.plt.close", kept.append)
    overview = Overview()
    overview.push(np.full((50, 64), -23.0), np.zeros((50, 25)))
    draw("a.wav", 1.0, 8000, overview, np.full(4, np.nan), detector.about, tmp_path / "a.png")
    low, high = kept[0].axes[0].images[0].get_clim()
    assert low == pytest.approx(-23)
    assert high - low == pytest.approx(np.log(10))
    close(kept[0])


# --- Which files, and what their results are called


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_a_folder_stands_for_its_audio_files(tmp_path):
    make(tmp_path / "rec", "b.WAV", "a b.mp3", "x/y/é.flac", "x/._a.wav", ".h/a.wav", "notes.txt")
    found = find_recordings([tmp_path / "rec"]).recordings
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in found.items()} == {
        name: name for name in ("rec/a b.mp3", "rec/b.WAV", "rec/x/y/é.flac")
    }
    assert find_recordings([tmp_path / "rec/notes.txt", tmp_path / "gone.wav"]).recordings == {
        "notes.txt": tmp_path / "rec/notes.txt", "gone.wav": tmp_path / "gone.wav"
    }  # fmt: skip


def names_of(given):
    return set(find_recordings(given).recordings)


def test_no_two_recordings_have_one_name(tmp_path, monkeypatch):
    make(tmp_path, "x/a.wav", "y/a.wav", "y/x/a.wav", "z/b.wav", "x/a.flac")
    monkeypatch.chdir(tmp_path)
    assert names_of(["x/a.wav", "x/a.flac", "z/b.wav"]) == {
        "a.wav", "a.flac", "b.wav"
    }  # fmt: skip
    assert names_of(["x/a.wav", "y/a.wav", "z/b.wav"]) == {
        "x/a.wav", "y/a.wav", "z/b.wav"
    }  # fmt: skip
    twice = names_of(["x", "y/x"])
    assert sorted(twice) == ["x/a.flac", "x/a.wav", "y/x/a.wav"]
    assert len(names_of(["x/a.wav", "./x/a.wav", tmp_path / "x/a.wav"])) == 1
    assert names_of(["."]) == {
        f"{tmp_path.name}/{name}" for name in ("x/a.wav", "x/a.flac", "y/a.wav", "y/x/a.wav",
                                               "z/b.wav")
    }  # fmt: skip


def test_folders_without_recordings_and_bad_inputs_are_named(tmp_path, monkeypatch):
    without_ffmpeg(tmp_path, monkeypatch)
    make(tmp_path, "empty/a.txt", "phone/a.m4a", "braces/{a}.wav")
    with pytest.raises(
        AudioError, match=r"empty: has no recordings; endings that are known: \.aif"
    ):
        find_recordings([tmp_path / "empty"])
    with pytest.raises(AudioError, match=r"phone: has no recordings; .*a\.m4a: soundfile does not"):
        find_recordings([tmp_path / "phone"])
    assert recordings_of(None).recordings == {}
    for gone in ("/nowhere", "n" * 300, "a\0b"):
        with pytest.raises(ConfigurationError, match="input: there is no folder or file "):
            recordings_of(gone)
    with pytest.raises(ConfigurationError, match=r"no recording can be used:\n  .*/\{a\}\.wav: \{"):
        recordings_of(str(tmp_path / "braces"))


@pytest.mark.parametrize("name", ["a.m4a", "b.AAC", "c.wma", "d.mp4", "e.webm", "f.mkv", "g.amr"])
def test_sound_of_other_forms_is_not_left_out_without_a_word(tmp_path, name, monkeypatch):
    without_ffmpeg(tmp_path, monkeypatch)
    make(tmp_path, "in/good.wav", f"in/x/{name}", "in/notes.txt", "in/photo.jpg", f"in/.{name}")
    found = find_recordings([tmp_path / "in"])
    assert (list(found.recordings), found.problems) == (["in/good.wav"], ())
    (line,) = found.foreign
    assert line.startswith(f"{tmp_path}/in/x/{name}: soundfile does not read .{name[2:]}; install")
    assert line.endswith("ffmpeg -i FILE FILE.wav")
    (tmp_path / "bin" / "ffmpeg").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "ffmpeg").chmod(0o755)
    found = find_recordings([tmp_path / "in"])
    assert (list(found.recordings), found.foreign) == (["in/good.wav", f"in/x/{name}"], ())


def test_no_ending_is_both_read_and_foreign():
    assert not set(SUFFIXES) & set(FOREIGN)


def test_a_folder_below_that_cannot_be_looked_through_is_named(tmp_path, monkeypatch):
    make(tmp_path, "in/good.wav", "in/shut/a.wav", "in/x/b.wav")
    scandir = os.scandir

    def refuse(place):  # root may look everywhere
        if Path(place).name == "shut":
            raise PermissionError(13, "Permission denied", place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_recordings([tmp_path / "in"])
    assert list(found.recordings) == ["in/good.wav", "in/x/b.wav"]
    assert found.problems == (f"{tmp_path}/in/shut: cannot be looked through: Permission denied",)


SNAKEMAKE_CANNOT = {
    b"{x}.wav": "{ in its name means something else to Snakemake; rename it, or give it to",
    b"a}.wav": "} in its name means something else to Snakemake",
    b"dog<bark>.wav": "<bark> in its name means something else to Snakemake",
    b"dog\nbark.wav": "a line feed in its name means something else to Snakemake",
    b"caf\xe9.wav": "its name is not UTF-8; rename it, or give it to workflow_scripts/detect.py",
    b"n" * 239 + b".wav": "its name has 243 bytes, and its results' names have room for 242",
    b"fifo.wav": "is no plain file",
    b"gone.wav": "cannot be opened: its link leads nowhere: No such file or directory",
    b"loop.wav": "cannot be opened: its link leads nowhere: Too many levels of symbolic links",
}


def spoil(folder):
    """Make the files of which Snakemake cannot make results."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SNAKEMAKE_CANNOT:
        path = os.fsencode(folder) + b"/" + name
        if name == b"fifo.wav":
            os.mkfifo(path)
        elif name in (b"gone.wav", b"loop.wav"):
            Path(os.fsdecode(path)).symlink_to("nowhere" if name == b"gone.wav" else "loop.wav")
        else:
            Path(os.fsdecode(path)).touch()


def test_what_snakemake_cannot_make_results_of_is_left_out_with_the_reason(tmp_path):
    spoil(tmp_path / "in")
    good = ["a<b.wav", "a[1] *?.wav", "l" * 238 + ".wav", "tab\t$x;é.wav", "x<B>.wav"]
    make(tmp_path / "in", *good)
    (tmp_path / "in" / "link.wav").symlink_to(good[0])
    found = recordings_of(str(tmp_path / "in"))
    assert sorted(found.recordings) == sorted(f"in/{name}" for name in [*good, "link.wav"])
    for name, reason in SNAKEMAKE_CANNOT.items():
        shown = os.fsdecode(name).replace("\n", "?").replace("\udce9", "?")
        (line,) = [line for line in found.problems if line.startswith(f"{tmp_path}/in/{shown}: ")]
        assert reason in line
    assert len(found.problems) == len(SNAKEMAKE_CANNOT)


def test_one_file_that_snakemake_cannot_make_results_of_is_refused(tmp_path):
    spoil(tmp_path)
    for name, reason in SNAKEMAKE_CANNOT.items():
        path = tmp_path / os.fsdecode(name)
        words = reason if path.exists() else "there is no folder or file"
        with pytest.raises(ConfigurationError, match=re.escape(words)):
            recordings_of(str(path))
    make(tmp_path, "<way>/to/a.wav")
    with pytest.raises(ConfigurationError, match="<way> in its name"):
        recordings_of(str(tmp_path / "<way>/to/a.wav"))


def test_a_file_or_link_of_the_future_is_dated_ahead(tmp_path):
    make(tmp_path, "now.wav", "later.wav")
    os.utime(tmp_path / "later.wav", (2**32, 2**32))  # the year 2106
    (tmp_path / "link.wav").symlink_to("later.wav")
    found = {name: is_dated_ahead(tmp_path / f"{name}.wav") for name in ("now", "later", "link")}
    assert found == {"now": False, "later": True, "link": True}


# --- The program


def run(folder, *arguments, code=None, **environ):
    """Run the program, or code that runs it."""
    program = [PROGRAM] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=folder, capture_output=True, text=True, check=False, env=environment() | environ,
    )  # fmt: skip


def test_the_program_reports_bad_files_and_goes_on(source, tmp_path):
    wav(tmp_path / "in" / "good one.flac", 3, 16000)
    wav(tmp_path / "in" / "deep" / "é.ogg", 2, 8000, 1)
    (tmp_path / "in" / "bad.wav").write_text("no sound")
    done = run(
        tmp_path, "in", "gone.wav", "--detector", source, "--output", "out",
        "--student", NAMES[1], "--threads", "2", "--threshold", "0.5", "--device", "cpu",
    )  # fmt: skip
    assert done.returncode == 1
    assert "1 student, soft/alpha-none_beta-1.0_T-1.0 of run tiny, trained on synthetic" in (
        done.stdout
    )
    assert "2 of 4 recordings done; see out" in done.stdout
    assert "in/bad.wav: cannot be read as audio: Format not recognised." in done.stderr
    assert "gone.wav: there is no such file" in done.stderr
    assert "Traceback" not in done.stderr
    made = {path.relative_to(tmp_path / "out").as_posix() for path in every_file(tmp_path)}
    assert made == {SUMMARY, RECORDINGS} | {
        f"in/{name}{ending}" for name in ("good one.flac", "deep/é.ogg") for ending in
        RESULTS.values()
    }  # fmt: skip


# Runs the program with a drawing of pictures that fails for one recording in four ways.
FAILING = f"""
import errno, logging, runpy, sys
sys.path.insert(0, {str(PROGRAM.parent)!r})
import softscene.detect.detection
draw = softscene.detect.detection.draw
ERRORS = {{"1.wav": ValueError("two\\nlines"), "2.wav": OSError(errno.EIO, "I/O error"),
           "3.wav": MemoryError(), "4.wav": KeyError("x")}}
def fail(name, *others):
    logging.getLogger("softscene.features.streaming").warning("%s: samples \\x1b reach 23170", name)
    if name in ERRORS:
        raise ERRORS[name]
    draw(name, *others)
softscene.detect.detection.draw = fail
sys.argv[0] = {str(PROGRAM)!r}
runpy.run_path({str(PROGRAM)!r}, run_name="__main__")
"""


def test_a_failure_of_any_kind_is_told_of_its_recording_and_the_others_go_on(source, tmp_path):
    names = [f"{number}.wav" for number in range(6)]
    for name in names:
        wav(tmp_path / name, 0.5, 8000, 1)
    for number in range(6):  # what an earlier run has left
        make(tmp_path / "out", *(f"{number}.wav{ending}" for ending in RESULTS.values()))
    done = run(tmp_path, *names, "--detector", source, "--output", "out", code=FAILING)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "2 of 6 recordings done; see out" in done.stdout
    assert re.findall(r"^(\d\.wav): (?!not|this|samples|\[)", done.stdout, re.MULTILINE) == [
        "0.wav", "5.wav"
    ]  # fmt: skip
    told = done.stderr[done.stderr.index("not done:\n") :]
    unexpected = "this should not have happened, please report it"
    assert f"  1.wav: {unexpected}: ValueError: two lines (<string>, line " in told
    assert "  2.wav: [Errno 5] I/O error\n" in told
    assert f"  3.wav: {unexpected}: MemoryError" in told
    assert f"  4.wav: {unexpected}: KeyError: 'x'" in told
    assert {path.name for path in every_file(tmp_path)} == {SUMMARY, RECORDINGS} | {
        f"{number}.wav{ending}" for number in (0, 5) for ending in RESULTS.values()
    }
    for name in names:  # the library's warnings, each on a line of its own
        assert f"\n{name}: samples ? reach 23170\n" in f"\n{done.stderr}"


def test_no_name_ends_the_program_or_writes_to_the_terminal_as_it_likes(source, tmp_path):
    """Neither where the terminal has ASCII alone, nor a folder of results that is not UTF-8."""
    whole = wav(tmp_path / "a.wav", 0.2, 8000, 1).read_bytes()
    names = [b"caf\xe9.wav", "süß.wav".encode(), b"esc\x1b]0;title\x07.wav", b"two\nlines.wav",
             b"{x}<y>.wav"]  # fmt: skip
    (tmp_path / "in").mkdir()
    for name in [*names, b"n" * (LONGEST - 3) + b".wav", b"phone.m4a"]:
        (tmp_path / "in" / os.fsdecode(name)).write_bytes(whole)
    output = os.fsdecode(b"erg\xe4nzt")
    (tmp_path / "bin").mkdir()  # no FFmpeg there
    path = str(tmp_path / "bin")
    done = run(
        tmp_path, "in", "--detector", source, "--output", output,
        PYTHONIOENCODING="ascii", PATH=path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "5 of 6 recordings done; see erg?nzt\n" in done.stdout
    printed = done.stdout + done.stderr
    assert all(sign.isprintable() or sign == "\n" for sign in printed)
    for shown in ("caf?.wav", r"s\xfc\xdf.wav", "esc?]0;title?.wav", "two?lines.wav"):
        assert f"in/{shown}: " in done.stdout
    assert "its name has 243 bytes, and its results' names have room for 242; rename it" in printed
    assert "in/phone.m4a: soundfile does not read .m4a; install FFmpeg, or convert" in printed
    made = {os.fsencode(path.name) for path in (tmp_path / output / "in").iterdir()}
    endings = [ending.encode() for ending in RESULTS.values()]
    assert made == {name + ending for name in names for ending in endings}
    (tmp_path / "in" / ("n" * (LONGEST - 3) + ".wav")).unlink()
    done = run(
        tmp_path, "in", "--detector", source, "--output", output, LC_ALL="C.UTF-8", PATH=path
    )
    assert done.returncode == 0, "sound of another form is no failure"
    assert "in/süß.wav: " in done.stdout


def test_the_program_names_its_own_option_where_there_is_no_cuda(source, tmp_path):
    done = run(
        tmp_path, "a.wav", "--detector", source, "--device", "cuda", CUDA_VISIBLE_DEVICES=""
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "TrainingError: --device is 'cuda', but PyTorch sees no CUDA device here; set --device to "
        "'auto' or 'cpu'\n"
    )


def every_file(folder):
    return [path for path in (folder / "out").rglob("*") if path.is_file()]


def test_the_program_says_what_is_wrong_with_its_options(source, tmp_path):
    for arguments, words in [
        ([], "required: FILE"),
        (["a.wav", "--threshold", "2"], "2 given, a number from 0 to 1 expected"),
        (["a.wav", "--threshold", "x"], "x given, a number from 0 to 1 expected"),
        (["a.wav", "--overlap", "-1"], "-1 given, seconds from 0 expected"),
        (["a.wav", "--merge-gap", "nan"], "nan given, seconds from 0 expected"),
        (["a.wav", "--overlap", "6", "--detector", source], "6 s given, 0 to 5 s expected"),
        (["a.wav", "--format", "tsv,xml"], "xml given, one or more of tsv,csv,json,audacity,rav"),
        (["a.wav", "--threads", "two"], "two given, a whole number from 1 expected"),
        (["a.wav", "--threads", "0"], "0 given, a whole number from 1 expected"),
        (["a.wav", "--detector", "gone"], "there is no detector gone"),
        (["a.wav", "--detector", source, "--student", "x"], "has no student x; it has fold-1_s"),
        ([tmp_path], "has no recordings"),
    ]:
        done = run(tmp_path, *arguments)
        assert done.returncode in (1, 2)
        assert words in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    wav(tmp_path / "a.wav", 1)
    (tmp_path / "out").write_text("a file where a folder is wanted")
    done = run(tmp_path, "a.wav", "--detector", source, "--output", "out")
    assert done.returncode == 1
    assert done.stderr == (
        "ResultError: --output out is a file; a folder is expected, new or not\n"
    )
    assert done.stdout == "", "before anything is loaded"


def test_help_comes_at_once_and_names_the_results(tmp_path):
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    for word in ("--detector", "confidence", "audacity.txt", "Exit code"):
        assert word in done.stdout
    code = "import sys; sys.argv = ['x', '--help']; import runpy\n"
    code += f"try:\n runpy.run_path({str(PROGRAM)!r}, run_name='__main__')\n"
    code += "except SystemExit: sys.exit(sorted({'torch', 'librosa', 'pandas'} & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False
    )
    assert loaded.stderr.strip() == "[]", "--help need not load what computes"


def test_no_detector_is_made_of_another_student_or_of_numbers_that_are_none(tmp_path, labels):
    def export(student):
        export_detector([student], labels, tmp_path / "d.safetensors", {"method": "m"})

    student = student_files(tmp_path, 0, NAMES[0], True, labels)
    export(student)
    other = dataclasses.replace(student, origin={**student.origin, "fold": "2"})
    with pytest.raises(
        ResultError, match=r"(?s)weights.* was made from other data or settings.*fold 1, exp"
    ):
        export(other)
    path = Path(student.thresholds)
    path.write_text(path.read_text().replace("\t0.5\t", "\t0.5\tu", 1))
    with pytest.raises(ResultError, match=r"thresholds.tsv, line 2: adaptive is u0\.[0-9]+, a fin"):
        export(student)
