"""Data of one's own: every fault in one go, by file and line, and what jobs of downloads find."""

import logging
import os
import re
from contextlib import chdir

import numpy as np
import pandas as pd
import pytest
import soundfile
from softscene.core.errors import AnnotationError, ConfigurationError
from softscene.core.tsv import read_table, write_table
from softscene.data.annotations import read_published
from softscene.data.own_data import import_data, recording_paths, require_data

from tests.conftest import ROOT

HEADER = "path\tscene_label\tevent_start_time\tevent_end_time\tevent_label"
ROWS = [
    *(f"a{i}.wav\thome\t0.1\t0.5\tcat" for i in range(4)),
    *(f"b{i}.wav\tyard\t0.2\t0.9\tdog" for i in range(4)),
]
RATE = 8000


@pytest.fixture
def data(tmp_path):
    (tmp_path / "labels.yaml").write_text("scenes: [home, yard]\nevents: [cat, dog, owl]\n")
    (tmp_path / "audio").mkdir()
    for row in ROWS:
        write_audio(tmp_path, row.split("\t")[0])
    write_list(tmp_path, ROWS)
    return tmp_path


def write_audio(data, name, samples=RATE, rate=RATE):
    soundfile.write(data / "audio" / name, np.zeros(samples), rate)


def write_list(data, rows):
    (data / "list.tsv").write_text("\n".join([HEADER, *rows]) + "\n")


def run(data, folds=2):
    results = {name: data / f"{name}.tsv" for name in ("events", "audit", "recordings")}
    results["annotations"] = data / "annotations"
    import_data(
        data / "audio", data / "list.tsv", folds, data / "labels.yaml", results, RATE, 0.1
    )  # fmt: skip


def complaint(data, folds=2):
    with pytest.raises(AnnotationError) as caught:
        run(data, folds)
    assert not (data / "events.tsv").exists()
    return str(caught.value)


def parts_of(data, fold):
    folder = data / "annotations" / "crossvaridation"
    return [
        set(read_published(folder / f"meta_fold0{fold}_{part}.txt").recording)
        for part in ("development", "evaluation")
    ]


def test_good_data_are_written_as_downloads_would_be(data):
    run(data)
    events = read_table(data / "events.tsv")
    assert [list(row) for row in events.astype(str).to_numpy()] == [row.split("\t") for row in ROWS]
    recordings = read_table(data / "recordings.tsv")
    assert list(recordings.recording) == recording_paths(data / "list.tsv")
    assert (set(recordings.frames), set(recordings.sample_rate)) == ({RATE}, {RATE})
    assert len(read_table(data / "audit.tsv")) == 0
    whole = set(recordings.recording)
    (known, unseen), (second, other) = parts_of(data, 1), parts_of(data, 2)
    assert known | unseen == second | other == whole
    assert (len(known), len(second)) == (4, 4)
    assert unseen | other == whole


def test_faults_of_rows_audio_and_folds_are_told_in_one_go(data):
    write_audio(data, "a1.wav", rate=16000)
    (data / "audio" / "a2.wav").write_bytes(b"no sound")
    (data / "audio" / "b0.wav").unlink()
    write_audio(data, "b3.wav", samples=0)
    write_list(data, [*ROWS, "a0.wav\thome\t3\t4\tcat", "a0.wav\thome\t0\t1\tcow",
                      "../a0.wav\thome\t0\t1\tcat"])  # fmt: skip
    (data / "folds.tsv").write_text("path\tfold\na0.wav\t0\nz.wav\t1\na1.wav\t2\na1.wav\t2\n")
    said = complaint(data, data / "folds.tsv")
    for words in [
        "line 3: a1.wav: has 16000 Hz, 8000 Hz (features.sample_rate) expected; "
        "resample: ffmpeg -i IN -ar 8000 OUT",
        "line 4: a2.wav: cannot be read as audio",
        "line 6: b0.wav: there is no such file in ",
        "line 9: b3.wav: holds no sound",
        "line 10: a0.wav, 'cat': 3.0 to 4.0 s lies beyond the recording's end, 1.0 s",
        "line 11: a0.wav, 'cow': unknown event label",
        "line 12: ../a0.wav: a plain path inside",
        "folds.tsv, line 2: 'a0.wav', fold '0': a number from 1 to 99 expected",
        "folds.tsv, line 3: 'z.wav', fold '1': the list has no such recording",
        "folds.tsv: a1.wav is listed twice",
        "folds.tsv: b1.wav has no fold",
    ]:
        assert words in said
    assert said.count("a1.wav: has") == 1


def test_recordings_of_another_rate_are_one_line(data):
    for name in ("a1.wav", "a2.wav", "b0.wav"):
        write_audio(data, name, rate=16000)
    said = complaint(data).splitlines()
    assert said[1:] == [
        f"  {data}/list.tsv, line 3: a1.wav: has 16000 Hz, 8000 Hz (features.sample_rate) expected"
        ", and 2 more have another rate; resample: ffmpeg -i IN -ar 8000 OUT"
    ]


def test_the_log_names_recordings_without_a_row_and_rows_that_overlap(data, caplog):
    for name in ("c.wav", "d.WAV", "a0.txt"):
        write_audio(data, "c.wav")
        (data / "audio" / name).write_bytes((data / "audio" / "c.wav").read_bytes())
    write_list(data, [*ROWS, "a0.wav\thome\t0.4\t0.6\tcat", "a0.wav\thome\t0.6\t0.7\tcat"])
    with caplog.at_level(logging.INFO):
        run(data)
    assert [record.getMessage() for record in caplog.records] == [
        f"{data}/list.tsv does not list these of {data}/audio, so they are not used: c.wav, d.WAV",
        f"{data}/list.tsv, line 10: a0.wav, 'cat': overlaps another row of this event; frames "
        "count once",
    ]


def test_the_pages_conversion_of_audacitys_and_ravens_labels(data, monkeypatch):
    """The program of docs/extending.md, on files as the two programs write them."""
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(# convert\.py\n.*?)```", page, re.DOTALL)
    for place in ("mine/labels/home", "mine/labels/yard"):
        (data / place).mkdir(parents=True)
    (data / "mine/labels/home/a0.txt").write_text(
        "0.100000\t0.500000\tcat\n\\\t1000.000000\t2000.000000\n0.250000\t0.750000\tdog\n"
    )
    raven = [
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\t"
        "Annotation",
        "1\tWaveform 1\t1\t0.2\t0.9\t0\t4000\tdog",
        "1\tSpectrogram 1\t1\t0.2\t0.9\t0\t4000\tdog",
        "2\tSpectrogram 1\t1\t0.3\t0.4\t10\t90\towl",
    ]
    (data / "mine/labels/yard/b0.selections.txt").write_text("\n".join(raven) + "\n")
    monkeypatch.chdir(data)
    exec(program, {})
    assert (data / "mine/annotations.tsv").read_text().splitlines() == [
        HEADER,
        "home/a0.wav\thome\t0.1\t0.5\tcat",
        "home/a0.wav\thome\t0.25\t0.75\tdog",
        "yard/b0.wav\tyard\t0.2\t0.9\tdog",
        "yard/b0.wav\tyard\t0.3\t0.4\towl",
    ]
    assert len(read_published("mine/annotations.tsv")) == 4


def test_own_folds_are_kept(data):
    fold = {row.split("\t")[0]: 1 + i % 3 for i, row in enumerate(ROWS)}
    write_table(pd.DataFrame(fold.items(), columns=["path", "fold"]), data / "folds.tsv")
    run(data, data / "folds.tsv")
    for number in (1, 2, 3):
        own = {name for name, place in fold.items() if place == number}
        assert parts_of(data, number) == [set(fold) - own, own]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,fold\na0.wav,1\n", "folds.tsv, line 1: has commas and no tabs; tab-separated"),
        ("path\tpart\na0.wav\t1\n", "columns path and fold expected; found path, part"),
        (None, "there is no file "),
        ("path\tfold\n" + "".join(f"{row.split()[0]}\t1\n" for row in ROWS), "two folds or more"),
    ],
)
def test_a_file_that_has_no_folds_is_named(data, text, words):
    if text is not None:
        (data / "folds.tsv").write_text(text)
    said = complaint(data, data / "folds.tsv")
    assert "folds.tsv" in said
    assert words in said


def test_events_that_a_fold_never_learns_are_named(data, caplog):
    write_list(data, [*ROWS, "a0.wav\thome\t0.5\t0.6\towl"])
    with caplog.at_level(logging.WARNING):
        run(data)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.endswith("has no training data for: owl")
    fold = int(said.split()[1])
    assert "a0.wav" in parts_of(data, fold)[1]


def test_pieces_of_one_recording_stay_together(data):
    names = [f"{site}_{start}_{start + 30}.wav" for site in "wxyz" for start in (0, 30, 60)]
    rows = [f"{name}\t{'home' if name[0] in 'wx' else 'yard'}\t0.1\t0.2\tcat" for name in names]
    for name in names:
        write_audio(data, name)
    write_list(data, rows)
    run(data)
    known, unseen = parts_of(data, 1)
    assert {name[0] for name in known}.isdisjoint(name[0] for name in unseen)
    assert len(known) == len(unseen) == 6


def refused(data, **changed):
    given = {"audio": "audio", "annotations": "list.tsv", "folds": 2} | changed
    with pytest.raises(ConfigurationError) as caught, chdir(data):
        require_data(given)
    return list(caught.value.problems)


def test_what_is_not_there_is_told_before_any_job_by_its_key(data):
    said = refused(data, audio="nope", annotations="nope.tsv", folds="gone.tsv")
    assert said == [
        "data.own.audio: there is no folder nope",
        "data.own.annotations: there is no file nope.tsv",
        "data.own.folds: there is no file gone.tsv",
    ]
    (said,) = refused(data, annotations="audio")
    assert said == "data.own.annotations: audio cannot be read: Is a directory"


def test_no_more_folds_than_whole_recordings(data):
    given = {"audio": "audio", "annotations": "list.tsv"}
    with chdir(data):
        require_data(given | {"folds": len(ROWS)})
    (said,) = refused(data, folds=len(ROWS) + 1)
    assert said.startswith(f"data.own.folds: {len(ROWS) + 1} given, list.tsv has {len(ROWS)} rec")
    write_list(data, [f"x_{i}_{i + 1}.wav\thome\t0.1\t0.2\tcat" for i in range(5)])
    (said,) = refused(data, folds=2)
    assert "list.tsv has 1 recordings" in said, "pieces of one recording stay together"


@pytest.mark.parametrize(("rows", "folds"), [(0, 1), (1, 0), (1, 1)])
def test_the_heading_names_the_file_that_is_at_fault(data, rows, folds):
    write_list(data, [*ROWS, *["a0.wav\thome\t0\t1\tcow"] * rows])
    listed = "".join(f"{row.split()[0]}\t{1 + i % 2}\n" for i, row in enumerate(ROWS))
    (data / "folds.tsv").write_text("path\tfold\n" + listed + "z.wav\t1\n" * folds)
    heading = complaint(data, data / "folds.tsv").splitlines()[0]
    files = [f"{data}/list.tsv"] * rows + [f"{data}/folds.tsv"] * folds
    assert heading == f"{' and '.join(files)} cannot be used:"


def test_a_recording_that_was_cut_is_named_with_its_line(data):
    for name in ("a1.wav", "a2.mp3", "a3.flac"):
        soundfile.write(data / "audio" / name, np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
        whole = (data / "audio" / name).read_bytes()
        (data / "audio" / name).write_bytes(whole[: len(whole) // 2])
    write_list(data, [ROWS[0], ROWS[4], *(f"{name}\thome\t0.1\t0.2\tcat" for name in
                                         ("a1.wav", "a2.mp3", "a3.flac"))])  # fmt: skip
    said = complaint(data)
    for words in [
        "line 4: a1.wav: is cut: its header promises 16000 bytes, 7978 are there; copy it again",
        "line 5: a2.mp3: is cut: its header promises",
        "line 6: a3.flac: cannot be read as audio after 0.00 s: ",
    ]:
        assert words in said


def test_events_are_judged_by_what_an_mp3_holds_and_not_by_what_is_guessed(data):
    """Silence, then noise, without a Xing header: libsndfile takes the 2 s for more than 3."""
    sound = np.concatenate([np.zeros(RATE), np.random.default_rng(0).normal(0, 0.3, RATE)])
    path = data / "audio" / "a0.mp3"
    soundfile.write(path, sound, RATE, bitrate_mode="VARIABLE", compression_level=0.4)
    mp3 = path.read_bytes()
    path.write_bytes(mp3[mp3.find(mp3[:2], 4) :])
    assert soundfile.info(path).duration > 3
    write_list(data, [*ROWS, "a0.mp3\thome\t1.5\t1.9\tcat"])
    run(data)
    found = read_table(data / "recordings.tsv").set_index("recording").frames["a0.mp3"]
    assert found == len(soundfile.read(path)[0])
    assert 2 * RATE <= found < 2.3 * RATE
    write_list(data, [*ROWS, "a0.mp3\thome\t1.5\t2.6\tcat"])
    (data / "events.tsv").unlink()
    assert "a0.mp3, 'cat': 1.5 to 2.6 s lies beyond the recording's end" in complaint(data)


def test_what_is_no_file_is_refused_and_not_waited_for(data):
    (data / "audio" / "b0.wav").unlink()
    for name in ("audio/b0.wav", "pipe"):
        os.mkfifo(data / name)
    assert "line 6: b0.wav: is a named pipe, not a file" in complaint(data)
    assert f"{data}/pipe is a named pipe, not a file" in complaint(data, data / "pipe")
    assert refused(data, annotations="pipe", folds="pipe") == [
        "data.own.annotations: pipe is a named pipe, not a file",
        "data.own.folds: pipe is a named pipe, not a file",
    ]


def test_recordings_without_events_are_in_the_folds_and_stay(data):
    for name in ("a4.wav", "b4.wav"):
        write_audio(data, name)
    rows = [*ROWS, "a4.wav\thome\t\t\t", "b4.wav\tyard\t0.5\t0.5\tdog"]
    write_list(data, rows)
    run(data)
    events = read_table(data / "events.tsv")
    silent = events[events.onset.isna()]
    assert list(zip(silent.recording, silent.scene, strict=True)) == [
        ("a4.wav", "home"), ("b4.wav", "yard")
    ]  # fmt: skip
    assert len(events) == len(rows)
    assert len(read_table(data / "recordings.tsv")) == len(rows)
    audit = read_table(data / "audit.tsv")
    assert list(zip(audit.recording, audit.action, audit.reason, strict=True)) == [
        ("b4.wav", "dropped", "zero length"),
        ("b4.wav", "changed",
         "all rows of the recording were dropped: it is kept without events"),
    ]  # fmt: skip
    (known, unseen), (second, other) = parts_of(data, 1), parts_of(data, 2)
    assert known | unseen == second | other == unseen | other == set(events.recording)
