"""One's own recordings, with the students of a finished run."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from softscene.core.tsv import read_table
from softscene.data.ffmpeg import is_installed
from softscene.detect.detection import detect
from softscene.detect.detector import load_detector
from softscene.detect.recordings import RESULTS, WITH_PAGE
from softscene.evaluation.probabilities import load_probabilities
from softscene.features.extraction import log_mel, read_mono

from tests.checkout import SMALL
from tests.conftest import FEATURES

STUDENTS = [
    "crnn/alpha-none_beta-none_T-none",
    "mtl/alpha-0.01_beta-none_T-none",
    "soft/alpha-none_beta-1.0_T-2.0",
]
RUN = "fold-1_seed-0"
rng = np.random.default_rng(0)


def audio(checkout, recording):
    (path,) = checkout.path("data").glob(f"*/audio/{recording}")
    return path


def best(checkout):
    """Plain look at Table 3."""
    rows = read_table(checkout.path("tables/table3.tsv"))
    rows = rows[(rows.convention == "frame") & (rows.threshold == "adaptive")]
    names = ["CNN-BiGRU", "MTL", "MTL with soft labels"]
    return STUDENTS[names.index(rows.method.iloc[rows.f_score_mean.argmax()])]


def test_the_detector_is_the_best_of_table_3(finished):
    detector = load_detector(finished.path("detector.safetensors"), torch.device("cpu"))
    assert detector.about.variant == best(finished)
    assert detector.about.synthetic
    assert detector.about.features == FEATURES
    assert [member.name for member in detector.members] == [RUN]


@pytest.mark.parametrize("kind", STUDENTS)
def test_evaluation_recordings_get_the_runs_own_probabilities_and_events(scratch, tmp_path, kind):
    """From the WAV files, against what the run made of its features, for each kind of student."""
    target = "results/small/detector.safetensors"
    done = scratch.snakemake(target, "--config", f"detector={kind}")
    assert done.returncode == 0, done.stdout
    detector = load_detector(scratch.folder / target, torch.device("cpu"))
    assert detector.about.variant == kind
    assert detector.knows_scenes == (not kind.startswith("crnn"))
    folder = scratch.path("predictions", kind, RUN)
    parts = read_table(scratch.path("folds/fold-1/recordings.tsv"))
    names = list(parts.recording[parts.part == "evaluation"])
    assert len(names) == 4
    probabilities, _ = load_probabilities(folder / "probabilities.h5", names, {})
    listed = read_table(folder / "events.tsv")
    listed = listed[listed.threshold == "adaptive"]
    assert len(listed) > 10
    for name in names:
        path = audio(scratch, name)
        whole = log_mel(read_mono(path, 44100), FEATURES)
        clips = [whole[start : start + 500] for start in range(0, len(whole), 500)]
        heard = np.concatenate(detector.predict(clips)[0])
        np.testing.assert_allclose(heard, probabilities[name], atol=1e-5)
        results = {key: tmp_path / f"{key}{ending}" for key, ending in RESULTS.items()}
        detect(path, detector, results)
        found = read_table(results["tsv"]).sort_values(["event", "onset"])
        expected = listed[listed.recording == name].sort_values(["event", "onset"])
        assert list(found.event) == list(expected.event)
        assert np.array_equal(found[["onset", "offset"]], expected[["onset", "offset"]])
        for row in found.itertuples():
            own = probabilities[name][round(row.onset / 0.02) : round(row.offset / 0.02)]
            mean = own[:, detector.about.events.index(row.event)].mean()
            assert row.confidence == pytest.approx(mean, abs=1e-4)
        posteriors = read_table(results["scenes"]).posterior
        assert posteriors.isna().all() if kind.startswith("crnn") else posteriors.sum() > 0.999


@pytest.fixture
def folder(finished, tmp_path):
    """Recordings as users have them, one of them bad."""
    place = tmp_path / "my rec"
    (place / "süb [x]").mkdir(parents=True)
    source = next(finished.path("data").glob("*/audio/**/*.wav"))
    samples, rate = soundfile.read(source, dtype="int16")
    soundfile.write(place / "a b.wav", samples[: 3 * rate], rate)
    soundfile.write(place / "a b.flac", samples[: 3 * rate], rate)
    soundfile.write(place / "süb [x]" / "$x;%`é'.ogg", rng.normal(0, 0.1, 16000), 8000)
    (place / "bad.wav").write_text("no sound")
    (place / "notes.txt").write_text("not looked at")
    return place


def own_results(checkout):
    own = checkout.path("own")
    return {path.relative_to(own).as_posix() for path in own.rglob("*") if path.is_file()}


def test_a_folder_is_predicted_and_a_bad_file_does_not_stop_the_others(scratch, folder):
    given = ["predict", "--config", f"input={folder}"]
    shutil.copy(folder / "a b.wav", folder / "later.wav")
    os.utime(folder / "later.wav", (2**32, 2**32))  # the year 2106
    shutil.copy(folder / "a b.wav", folder / "dog<bark>.wav")
    (folder / "gone.wav").symlink_to("nowhere")
    foreign = [] if is_installed() else ["phone.m4a: soundfile does not read"]
    for line in foreign:
        (folder / line.partition(":")[0]).write_bytes(b"")
    assert scratch.planned(*given) == {"predict_recording": 5}, "and nothing else"
    done = scratch.snakemake(*given)
    assert done.returncode != 0
    for name in (
        "dog<bark>.wav: <bark> in its name",
        "gone.wav: cannot be opened",
        *foreign,
    ):
        assert f"  {folder}/{name}" in done.stdout
    left_out = 2 + len(foreign)
    assert f"see results/small/own; left out: {left_out}, named at the beginning\n" in done.stdout
    assert f"AudioError: {folder}/bad.wav: cannot be read as audio" in done.stdout
    assert "Traceback" not in done.stdout
    end = done.stdout[done.stdout.index("not done:\n") :]
    assert f"\n  {folder}/bad.wav: cannot be read as audio" in end
    assert "a b.wav" not in end, "only what was not done"
    good = ["later.wav", "a b.wav", "a b.flac", "süb [x]/$x;%`é'.ogg"]
    assert own_results(scratch) == {
        f"my rec/{name}{ending}" for name in good for ending in WITH_PAGE.values()
    }
    page = scratch.path("own/my rec/a b.wav.html").read_text(encoding="utf-8")
    assert "<title>Events in a b.wav</title>" in page
    table = read_table(scratch.path("own/my rec/a b.wav.events.tsv"))
    assert list(table.columns) == [
        "onset", "offset", "event", "confidence", "threshold", "recorded", "trained_on"
    ]  # fmt: skip
    both = [scratch.path(f"own/my rec/a b.{form}.events.tsv") for form in ("wav", "flac")]
    assert both[0].read_bytes() == both[1].read_bytes()
    scenes = read_table(scratch.path("own/my rec/a b.wav.scenes.tsv"))
    assert set(scenes.trained_on) == {"synthetic sound"}

    (folder / "bad.wav").unlink()
    done = scratch.snakemake(*given)
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in done.stdout
    assert "not done:" not in done.stdout
    soundfile.write(folder / "a b.wav", rng.normal(0, 0.1, 44100), 44100)
    assert scratch.planned(*given) == {"predict_recording": 1}
    assert scratch.planned() == {}, "the paper's own targets do not care"

    (folder / "gone.wav").unlink()
    program = scratch.folder / "workflow_scripts" / "detect.py"  # takes its own run's detector
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, program, folder],
        cwd=folder, capture_output=True, text=True, check=False, env=environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    name = "my rec/a b.flac.events.tsv"
    assert (folder / "detections" / name).read_bytes() == scratch.path("own", name).read_bytes()


def test_the_configuration_says_how_events_are_made_and_written(scratch, folder):
    given = ["predict", "--config", f"input={folder}/a b.wav"]
    options = "detection={threshold: 0.01, overlap: 1.5, merge_gap: 99, formats: [csv, rttm]}"
    done = scratch.snakemake(*given, options)
    assert done.returncode == 0, done.stdout
    lines = scratch.path("own/a b.wav.rttm").read_text(encoding="utf-8").splitlines()
    classes = [line.split(" ")[7] for line in lines]
    assert len(classes) == len(set(classes)) > 0, "one row for each event"
    events = pd.read_csv(scratch.path("own/a b.wav.events.csv"))
    assert len(events) == len(lines)
    assert set(events.threshold) == {0.01}
    assert not scratch.path("own/a b.wav.events.tsv").exists()
    assert scratch.planned(*given, options) == {}
    assert scratch.planned(*given, options.replace("99", "0")) == {"predict_recording": 1}


def test_a_prediction_of_fewer_methods_leaves_the_runs_tables_alone(finished, folder):
    given = ["predict", "--config", f"input={folder}", "methods={mtl: null}"]
    assert finished.planned(*given) == {"export_detector": 1, "predict_recording": 4}
    given = ["predict", "--config", f"input={folder}", "controls=[smoothed]"]
    assert finished.planned(*given) == {"predict_recording": 4}, "no detector is made of controls"


def test_what_to_give_is_said(finished, tmp_path):
    (tmp_path / "empty").mkdir()
    for given, words in [
        ([], "say which recordings: snakemake predict --config input=FOLDER"),
        (["--config", "input=/nowhere"], "input: there is no folder or file /nowhere"),
        (["--config", f"input={tmp_path}/empty"], "has no recordings"),
        (["--config", "detector=soft"], "detector: 'soft' given, null or one of crnn/alpha-none"),
        (["--config", "input=2020"], "./2020 where the name looks like a number"),
    ]:
        done = finished.snakemake("-n", "predict", *given, config=str(finished.folder / SMALL))
        assert done.returncode != 0
        assert words in done.stdout
        assert "Traceback" not in done.stdout
    assert finished.planned("--config", "input=null") == {}


def test_a_chosen_detector_needs_only_its_own_students(fresh):
    kind = "soft/alpha-none_beta-1.0_T-2.0"
    planned = fresh.planned("results/small/detector.safetensors", "--config", f"detector={kind}")
    assert planned["train_student"] == planned["evaluate_student"] == 1
    assert "make_table3" not in planned
