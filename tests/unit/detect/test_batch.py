"""A folder of recordings through the command line, in this process."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from softscene import cli
from softscene.core.tsv import read_table
from softscene.detect.batch import KILLED, Counter, Outcome, Task, Work, process
from softscene.detect.detection import detect
from softscene.detect.detector import load_detector
from softscene.detect.events import Options
from softscene.detect.facts import RECORDINGS, SUMMARY
from softscene.detect.recordings import FORMATS, OTHERS

from tests.conftest import ROOT
from tests.signals import heeding
from tests.unit.data.test_ffmpeg import STAND_IN
from tests.unit.detect.tiny_detector import make_detector

RATE = 16_000


@pytest.fixture(scope="module")
def source(tmp_path_factory, labels, one_thread):
    return make_detector(tmp_path_factory.mktemp("detector"), labels)


def noise(seconds, seed=0, rate=RATE):
    """Louder and quieter by turns."""
    rng = np.random.default_rng(seed)
    loudness = np.repeat(10 ** rng.uniform(-3, -0.5, seconds), rate)
    return loudness * rng.uniform(-1, 1, seconds * rate)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What a user may have: a recorder's files, a switched-off microphone, a broken file."""
    place = tmp_path_factory.mktemp("user") / "rec"
    place.mkdir()
    soundfile.write(place / "SITE_20230514_235958.wav", noise(23), RATE)
    soundfile.write(place / "two words.flac", noise(4, 1), RATE)
    soundfile.write(place / "loud.wav", (1000 * noise(3, 2)).clip(-1, 1), RATE)
    soundfile.write(place / "off.wav", np.zeros(2 * RATE), RATE)
    (place / "bad.wav").write_text("no sound")
    return place


def command(source, *arguments):
    return cli.main(["detect", "--detector", str(source), *map(str, arguments)])


def contents(place):
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def whole(source, folder):
    """All forms, with overlap and merging; and what was printed."""
    out = folder.parent / "out"
    code = command(
        source, folder, "--output", out, "--format", ",".join(FORMATS), "--no-picture",
        "--overlap", 5, "--merge-gap", 0.2, "--min-duration", 0.1,
    )  # fmt: skip
    assert code == 1, "one file is bad"
    return out


def test_each_recording_has_the_forms_asked_for_and_no_picture(whole):
    names = ["SITE_20230514_235958.wav", "two words.flac", "loud.wav", "off.wav"]
    ends = {**FORMATS, **OTHERS}
    del ends["picture"]
    expected = {f"rec/{name}{ending}" for name in names for ending in ends.values()}
    assert set(contents(whole)) == expected | {SUMMARY, RECORDINGS}


def test_the_options_of_the_command_are_those_of_the_library(whole, source, folder):
    options = Options(overlap=5, merge_gap=0.2, min_duration=0.1)
    found = detect(folder / "SITE_20230514_235958.wav", load_detector(source), options=options)
    table = read_table(whole / "rec" / "SITE_20230514_235958.wav.events.tsv")
    pd.testing.assert_frame_equal(table, found.events)
    assert len(table) > 3
    plain = detect(folder / "SITE_20230514_235958.wav", load_detector(source)).events
    assert len(plain) > len(table)
    limits = load_detector(source).thresholds
    known = dict(zip(load_detector(source).about.events, limits, strict=True))
    assert list(table.threshold) == pytest.approx([known[event] for event in table.event], abs=1e-6)


def test_onsets_have_the_time_of_day_that_the_name_gives(whole):
    table = read_table(whole / "rec" / "SITE_20230514_235958.wav.events.tsv")
    start = pd.Timestamp("2023-05-14 23:59:58")
    expected = start + pd.to_timedelta(table.onset, unit="s")
    assert (abs(pd.to_datetime(table.recorded) - expected) <= pd.Timedelta("1ms")).all()
    assert table.recorded.str[:10].nunique() == 2, "it goes on after midnight"
    assert set(read_table(whole / "rec" / "two words.flac.events.tsv").recorded) == {""}


def test_the_summary_counts_the_events_of_each_recording(whole):
    summary = read_table(whole / SUMMARY).set_index(["recording", "event"])
    rows = 0
    for path in (whole / "rec").glob("*.events.tsv"):
        name = f"rec/{path.name.removesuffix('.events.tsv')}"
        for event, own in read_table(path).groupby("event"):
            row, rows = summary.loc[name, event], rows + 1
            assert (row["count"], row.first_onset) == (len(own), own.onset.min())
            assert row.seconds == pytest.approx((own.offset - own.onset).sum(), abs=1e-3)
    assert rows == len(summary) > 10


def test_the_list_of_recordings_says_what_is_wrong_with_each(whole, folder):
    table = read_table(whole / RECORDINGS).set_index("recording")
    assert len(table) == 5
    assert list(table.seconds.dropna()) == [23, 3, 2, 4]
    row = table.loc["rec/SITE_20230514_235958.wav"]
    assert (row.rate, row.channels, row.recorded) == (RATE, 1, "2023-05-14T23:59:58.000")
    assert row.peak_dbfs == pytest.approx(20 * np.log10(np.abs(noise(23)).max()), abs=0.02)
    assert (row.clipped, row.silent) == (0, 0)
    low = (
        "has 16000 Hz, so no sound above 8 kHz; the students were trained with sound up to "
        "22.05 kHz, so trust its events less"
    )
    assert row.reason == low
    loud = (np.abs(1000 * noise(3, 2)) >= 32767 / 32768).mean()
    assert table.clipped["rec/loud.wav"] == pytest.approx(loud, abs=1e-3)
    assert table.reason["rec/loud.wav"].startswith("is clipped: ")
    assert table.silent["rec/off.wav"] == 1
    assert np.isnan(table.peak_dbfs["rec/off.wav"])
    assert table.events["rec/off.wav"] == 0
    silent = "is silent: all of its samples are 0, so it has no events"
    assert table.reason["rec/off.wav"] == f"{silent}; {low}"
    assert "bad.wav: cannot be read as audio" in table.reason["rec/bad.wav"]
    scenes = read_table(whole / "rec" / "loud.wav.scenes.tsv")
    best = scenes.loc[scenes.posterior.idxmax()]
    assert tuple(table.loc["rec/loud.wav", ["scene", "posterior"]]) == (best.scene, best.posterior)


def test_results_do_not_depend_on_the_number_of_processes(whole, source, folder, capfd):
    out = folder.parent / "two"
    code = command(
        source, folder, "--output", out, "--format", ",".join(FORMATS), "--no-picture",
        "--overlap", 5, "--merge-gap", 0.2, "--min-duration", 0.1, "--jobs", 2,
    )  # fmt: skip
    printed = capfd.readouterr()
    assert code == 1
    assert contents(out) == contents(whole)
    assert "rec/off.wav: " in printed.out
    assert "(5 of 5)" in printed.out + printed.err
    assert f"{folder}/loud.wav: is clipped: " in printed.err
    assert "Traceback" not in printed.err
    rates = "a lower sample rate than the detector's 44100 Hz: 4 of them; see `reason` in rec"
    assert printed.err.count(rates) == 1


def test_a_recording_of_the_detectors_rate_has_no_reason(source, tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", noise(1, rate=44100), 44100)
    assert command(source, tmp_path / "a.wav", "--output", tmp_path, "--no-picture") == 0
    assert list(read_table(tmp_path / RECORDINGS).reason) == [""]
    printed = capsys.readouterr()
    assert "lower sample rate" not in printed.err
    assert "scene branch" not in printed.out


def test_students_without_a_scene_branch_say_so(tmp_path, labels, capsys):
    place = make_detector(tmp_path, labels, (False, False))
    soundfile.write(tmp_path / "a.wav", noise(1), RATE)
    assert command(place, tmp_path / "a.wav", "--output", tmp_path, "--no-picture") == 0
    said = capsys.readouterr().out.splitlines()[1]
    assert said.startswith("no scene branch, so scenes.tsv is empty; `detector: METHOD/")


def test_a_mistyped_name_leaves_an_earlier_summary(source, folder, tmp_path):
    out = ["--output", tmp_path / "out", "--no-picture"]
    assert command(source, folder / "two words.flac", *out) == 0
    before = contents(tmp_path / "out")
    assert command(source, folder / "two wrds.flac", *out) == 1
    assert contents(tmp_path / "out") == before
    assert command(source, folder / "bad.wav", *out) == 1
    table = read_table(tmp_path / "out" / RECORDINGS)
    assert list(table.recording) == ["bad.wav"], "what exists and cannot be read is told"


def test_what_is_there_is_kept_if_it_was_made_of_the_same(source, folder, tmp_path, capsys):
    place = tmp_path / "rec"
    place.mkdir()
    for name in ("two words.flac", "off.wav"):
        shutil.copy(folder / name, place)
    given = [place, "--output", tmp_path / "out", "--no-picture", "--skip-existing"]

    def made(*more):
        """Recordings whose results were made by this call."""
        capsys.readouterr()
        assert command(source, *given, *more) == 0
        lines = capsys.readouterr().out.splitlines()
        return {line[4:7] for line in lines if line.startswith("rec/") and "skipped" not in line}

    assert made() == {"two", "off"}
    before = contents(tmp_path / "out")
    assert made() == set()
    assert contents(tmp_path / "out") == before, "the summary, too"
    assert made("--threshold", "0.4") == {"two", "off"}
    assert made("--threshold", "0.4", "--format", "rttm") == {"two", "off"}, "a form is missing"
    assert made("--threshold", "0.4", "--student", "fold-1_seed-0") == {"two", "off"}
    soundfile.write(place / "off.wav", np.zeros(RATE), RATE)
    assert made("--threshold", "0.4", "--student", "fold-1_seed-0") == {"off"}
    (tmp_path / "out" / "rec" / "off.wav.facts.json").write_text("{")
    assert made("--threshold", "0.4", "--student", "fold-1_seed-0") == {"off"}
    facts = json.loads((tmp_path / "out" / "rec" / "off.wav.facts.json").read_text())
    assert (facts["seconds"], facts["silent"]) == (1, True)


def test_sound_that_only_ffmpeg_reads_is_a_recording_too(source, folder, tmp_path, monkeypatch):
    """With a program in the place of FFmpeg; the page reads the sound again."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ffmpeg").write_text(STAND_IN)
    (tmp_path / "bin" / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "rec").mkdir()
    shutil.copy(folder / "two words.flac", tmp_path / "rec" / "two words.m4a")
    (tmp_path / "rec" / "bad.m4a").write_bytes(bytes(100))
    out = tmp_path / "out"
    assert command(source, tmp_path / "rec", folder / "two words.flac", "--output", out,
                   "--page") == 1  # fmt: skip
    both = [
        read_table(out / f"{name}.events.tsv") for name in ("rec/two words.m4a", "two words.flac")
    ]
    pd.testing.assert_frame_equal(*both)
    assert (out / "rec" / "two words.m4a.html").is_file()
    table = read_table(out / RECORDINGS).set_index("recording")
    assert "FFmpeg cannot decode its sound: moov atom" in table.reason["rec/bad.m4a"]


def test_three_lines_of_python(source, folder, monkeypatch):
    """The lines of the documentation, which give what the command writes."""
    page = (ROOT / "docs" / "own-recordings.md").read_text(encoding="utf-8")
    (lines,) = [part for part in page.split("```") if part.startswith("python\n")]
    lines = lines.removeprefix("python\n")
    assert len([line for line in lines.splitlines() if line]) == 3
    place = folder.parent / "three"
    (place / "results" / "demo").mkdir(parents=True)
    shutil.copy(source, place / "results" / "demo" / "detector.safetensors")
    shutil.copy(folder / "two words.flac", place / "street.wav")
    monkeypatch.chdir(place)
    scope = {}
    exec(lines, scope)
    events = scope["events"]
    assert isinstance(events, pd.DataFrame)
    expected = detect(folder / "two words.flac", load_detector(source)).events
    pd.testing.assert_frame_equal(events, expected)
    assert len(events) > 3


# --- The counter, and interruption


def test_the_counter_says_how_many_are_done_and_how_long_the_others_take(tmp_path, monkeypatch):
    """By their length: the first took 10 s for 10 of 40 s of sound; another is skipped."""
    soundfile.write(tmp_path / "a.wav", np.zeros(80_000), 8000)
    (tmp_path / "b.m4a").write_bytes(bytes(80_000))  # 5 s at 128 kbit/s
    soundfile.write(tmp_path / "c.flac", np.zeros(25_000), 1000)
    names = {"a": "a.wav", "b": "b.m4a", "c": "c.flac"}
    tasks = [Task(name, tmp_path / file, {}) for name, file in names.items()]
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    counter = Counter([*tasks, Task("gone", tmp_path / "gone", {})])
    now[0] += 10
    assert counter.finish(Outcome("a", {})) == "1 of 4, 00:30 left"
    assert counter.finish(Outcome("b", {}, skipped=True)) == "2 of 4, 00:25 left"
    counter.advance("c", 12, 25)
    now[0] += 25
    assert counter.finish(Outcome("c", {})) == "3 of 4, 00:00 left"
    assert counter.finish(Outcome("gone", problem="gone")) == "4 of 4"
    counter.close()


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interruption_keeps_what_is_finished_and_its_summary(source, tmp_path, jobs):
    """SIGINT to the command alone, while the second recording, a long one, is read."""
    soundfile.write(tmp_path / "a.wav", noise(2), RATE)
    with soundfile.SoundFile(tmp_path / "b.wav", "w", 8000, 1, "PCM_U8") as file:
        for _ in range(120):
            file.write(noise(60, rate=8000))
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}
    program = [sys.executable, "-m", "softscene.cli", "detect", "a.wav", "b.wav"]
    options = ["--detector", source, "--no-picture", "--jobs", str(jobs)]
    child = subprocess.Popen(
        heeding(*program, *options), cwd=tmp_path, env=environ, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    for line in child.stdout:
        if line.startswith("a.wav: "):
            break
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate()
    assert child.returncode == 130, errors
    assert errors == "interrupted; what was finished is kept\n"
    made = contents(tmp_path / "detections")
    assert {name[:5] for name in made} == {"a.wav", "summa", "recor"}
    assert list(read_table(tmp_path / "detections" / RECORDINGS).recording) == ["a.wav"]


def test_a_killed_process_is_told_of_its_recording(monkeypatch):
    from concurrent.futures import Future  # noqa: PLC0415
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415

    from softscene.detect.batch import _outcome  # noqa: PLC0415

    future = Future()
    future.set_exception(BrokenProcessPool())
    outcome = _outcome(future, Task("a", Path("in/a.wav"), {}))
    assert (outcome.facts, outcome.problem) == (None, f"in/a.wav: {KILLED}")


def test_a_full_gpu_is_named_with_what_to_do(tmp_path):
    def detect(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    work = Work(detect, tmp_path, (), 1, "cuda", Options())
    outcome = process(Task("a", tmp_path / "a.wav", {}), work, None)
    assert outcome.problem == ("a: the GPU's memory ran out; use fewer --jobs, or --device cpu")
