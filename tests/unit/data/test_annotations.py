"""Annotation lists: the real one, bad ones, and the comparison of two."""

import csv
from collections import Counter

import pandas as pd
import pytest
from softscene.core.errors import AnnotationError
from softscene.core.tsv import read_table, write_table
from softscene.data.annotations import (
    EVENT_COLUMNS,
    clean,
    compare,
    count_events,
    happenings,
    merge,
    read_published,
)
from softscene.data.merging import audit_lists, merge_lists
from softscene.data.tut import read_tut
from softscene.features.activity import recording_activity

from tests.conftest import ROOT

HEADER = "path\tscene_label\tevent_start_time\tevent_end_time\tevent_label\n"


def write(tmp_path, *rows, header=HEADER):
    path = tmp_path / "list.txt"
    path.write_text(header + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path


def test_the_authors_list_has_the_known_counts(published, authors_lists, labels):
    events, audit = published
    assert len(events) == 4674
    assert events.recording.nunique() == 112
    assert set(events.event) == set(labels.events)
    assert len(labels.events) == 25
    assert set(events.scene) == set(labels.scenes)
    assert events.drop_duplicates("recording").scene.value_counts().to_dict() == {
        "office": 78, "city_center": 12, "residential_area": 12, "home": 10
    }  # fmt: skip
    (row,) = audit.itertuples()
    assert (row.action, row.event, row.reason) == ("dropped", "car", "zero length")
    line = (authors_lists / "meta" / "meta_development.txt").read_text().splitlines()[row.line - 1]
    path, _, onset, offset, event = line.split("\t")
    assert onset == offset
    assert (path, event) == (row.recording, row.event)


def test_table_1_counts_the_rows_of_the_file(published, authors_lists, labels):
    with (authors_lists / "meta" / "meta_development.txt").open() as lines:
        rows = [row for row in csv.DictReader(lines, delimiter="\t")]
    rows = [row for row in rows if row["event_start_time"] != row["event_end_time"]]
    expected = Counter((row["event_label"], row["scene_label"]) for row in rows)
    seconds = Counter()
    for row in rows:
        key = row["event_label"], row["scene_label"]
        seconds[key] += float(row["event_end_time"]) - float(row["event_start_time"])
    table = count_events(published[0], labels)
    assert len(table) == 100
    for row in table.rename(columns={"count": "times"}).itertuples():
        assert row.times == expected[row.event, row.scene]
        assert row.duration == pytest.approx(seconds[row.event, row.scene], abs=1e-4)


def test_every_bad_row_is_named_with_file_and_line(tmp_path, labels):
    path = write(
        tmp_path,
        ("a.wav", "home", 0, 1, "dishes"),
        ("a.wav", "home", 0, 1, "dishs"),
        ("b.wav", "attic", 0, 1, "dishes"),
        ("a.wav", "home", 3, 2, "dishes"),
        ("a.wav", "home", 9, 11, "dishes"),
        ("c.wav", "home", 0, 1, "dishes"),
        ("a.wav", "home", -1, 1, "dishes"),
    )
    with pytest.raises(AnnotationError) as caught:
        clean(read_published(path), labels, {"a.wav": 10.0, "b.wav": 10.0}, overrun=0.5)
    lines = str(caught.value).splitlines()[1:]
    for number, fault in [
        (3, "'dishs': unknown event label"),
        (4, "unknown scene 'attic'"),
        (5, "offset 2.0 s lies before onset 3.0 s"),
        (6, "9.0 to 11.0 s lies beyond the recording's end, 10.0 s"),
        (7, "there is no such recording"),
        (8, "lies before the recording"),
    ]:
        assert sum(f"list.txt, line {number}:" in each and fault in each for each in lines) == 1
    assert len(lines) == 6


def test_missing_columns_are_named(tmp_path):
    with pytest.raises(AnnotationError, match=r"line 1: missing columns path; found file"):
        read_published(write(tmp_path, header=HEADER.replace("path", "file")))


@pytest.mark.parametrize(("sign", "name"), [(",", "commas"), (";", "semicolons")])
def test_a_list_without_tabs_is_told_what_it_has(tmp_path, sign, name):
    text = f"{HEADER}a.wav\thome\t1\t2\tdishes\n"
    (tmp_path / "list.csv").write_text(text.replace("\t", sign))
    said = f"list.csv, line 1: has {name} and no tabs; tab-separated columns expected"
    with pytest.raises(AnnotationError, match=said):
        read_published(tmp_path / "list.csv")


def test_times_that_are_no_numbers_are_named(tmp_path, labels):
    path = write(
        tmp_path,
        ("a.wav", "home", "0,5", 1, "dishes"),
        ("a.wav", "home", 0, "nan", "dishes"),
        ("a.wav", "home", 0, 1, "dishes"),
        ("a.wav", "home", 0, "", "dishes"),
    )
    with pytest.raises(AnnotationError) as caught:
        clean(read_published(path), labels)
    found = str(caught.value)
    assert [f"line {n}:" in found for n in (2, 3, 4, 5)] == [True, True, False, True]
    assert found.count("is not a number") == 3


def test_a_recording_of_two_scenes_is_refused(tmp_path, labels):
    path = write(tmp_path, ("a.wav", "home", 0, 1, "dishes"), ("a.wav", "office", 0, 1, "dishes"))
    with pytest.raises(AnnotationError, match=r"a\.wav: is annotated with two scenes"):
        clean(read_published(path), labels)


def test_empty_rows_are_dropped_and_small_overruns_cut_and_both_audited(tmp_path, labels):
    path = write(
        tmp_path,
        ("a.wav", "home", 1, 1, "dishes"),
        ("a.wav", "home", 9, 10.3, "cutlery"),
        ("a.wav", "home", 0, 10, "fan"),
    )
    events, audit = clean(read_published(path), labels, {"a.wav": 10.0}, overrun=0.5)
    assert list(events.event) == ["cutlery", "fan"]
    assert list(events.offset) == [10.0, 10.0]
    assert list(zip(audit.action, audit.line, strict=True)) == [("dropped", 2), ("changed", 3)]
    assert audit.offset[1] == 10.3


def test_a_row_of_zero_length_is_dropped_wherever_it_lies(tmp_path, labels):
    path = write(
        tmp_path,
        ("a.wav", "home", 12, 12, "dishes"),
        ("a.wav", "home", 9, 9.5, "dishes"),
    )
    events, audit = clean(read_published(path), labels, {"a.wav": 10.0}, overrun=0.5)
    assert list(events.onset) == [9.0]
    assert list(audit.reason) == ["zero length"]


def test_bad_rows_of_the_list_that_is_not_used_are_dropped_and_audited(tmp_path, labels):
    path = write(
        tmp_path,
        ("a.wav", "home", 0, 1, "dishes"),
        ("a.wav", "home", 3, 20, "dishs"),
    )
    events, audit = clean(read_published(path), labels, {"a.wav": 10.0}, strict=False)
    assert len(events) == 1
    (row,) = audit.itertuples()
    assert (row.action, row.line) == ("dropped", 3)
    assert "unknown event label; 3.0 to 20.0 s lies beyond" in row.reason


def test_a_trailing_tab_or_a_sixth_column_is_told_with_its_line(tmp_path):
    path = write(tmp_path, ("a.wav", "home", 0, 1, "dishes"), ("a.wav", "home", 0, 1, "a", "b"))
    with pytest.raises(AnnotationError, match="line 3"):
        read_published(path)


def frame(rows, name="a list"):
    table = pd.DataFrame(rows, columns=["recording", "scene", "onset", "offset", "event"])
    return table.assign(file=name, line=range(1, len(table) + 1))


def test_lists_that_differ_contradict_each_other_row_by_row():
    ours = frame([("a", "home", 0.0, 1.0, "fan"), ("a", "home", 2.0, 3.0, "fan")], "tut")
    theirs = frame(
        [("a", "home", 2.004, 3.0, "fan"), ("a", "home", 0.0, 1.5, "fan"),
         ("a", "home", 2.0, 3.0, "fan")], "published"
    )  # fmt: skip
    audit = compare(ours, theirs, tolerance=0.01)
    found = set(zip(audit.file, audit.line, audit.reason, strict=True))
    assert found == {
        ("tut", 1, "not in the published list"),
        ("published", 2, "not in TUT's own list"),
        ("published", 1, "not in TUT's own list"),
    }
    assert (audit.action == "contradicted").all()


def test_merging_maps_tuts_labels_and_takes_office_from_the_authors(labels):
    published = frame(
        [("s/a", "city_center", 0.0, 1.0, "car"), ("o/b", "office", 0.0, 1.0, "fan")], "published"
    )
    street = frame(
        [("s/a", "street", 2.0, 3.0, "people speaking"), ("s/a", "street", 0.0, 1.0, "car")], "tut"
    )
    merged, audit = merge(published, {"street": street}, "office", labels)
    assert list(merged.recording) == ["s/a", "s/a", "o/b"]
    assert list(merged.event) == ["car", "people talking", "fan"]
    assert list(merged.scene) == ["city_center", "city_center", "office"]
    (row,) = audit.itertuples()
    assert (row.action, row.file, row.line, row.event) == ("changed", "tut", 1, "people speaking")
    assert "'people talking'" in row.reason


def test_lists_without_any_of_tuts_recordings_are_merged(labels):
    published = frame([("o/b", "office", 0.0, 1.0, "fan")], "published")
    merged, audit = merge(published, {}, "office", labels)
    assert list(merged.recording) == ["o/b"]
    assert audit.empty


def test_recordings_of_unknown_data_sets_are_named_with_their_line(tmp_path):
    path = write(tmp_path, ("TUT/a.wav", "home", 0, 1, "fan"), ("x/b.wav", "home", 0, 1, "fan"))
    audio = tmp_path / "audio.tsv"
    audio.write_text("recording\tframes\tsample_rate\nTUT/a.wav\t5\t1\n")
    vocabulary = ROOT / "resources" / "labels.yaml"
    with pytest.raises(AnnotationError, match=r"unknown data sets.*\n.*list\.txt, line 3: 'x/b"):
        merge_lists(path, {"TUT": tmp_path}, [audio], vocabulary, {}, "published", 0.5)


def test_doubled_columns_are_named(tmp_path):
    with pytest.raises(AnnotationError, match=r"line 1: doubled columns path; found path"):
        read_published(write(tmp_path, header=f"path\t{HEADER}"))


def test_rows_of_tut_about_another_recording_are_named_with_their_line(tmp_path):
    path = tmp_path / "TUT" / "meta" / "street" / "a1.ann"
    path.parent.mkdir(parents=True)
    path.write_text("0\t1\tcar\naudio/street/a2.wav\tstreet\t0\t1\tcar\n0\t1j\tcar\n")
    with pytest.raises(AnnotationError) as caught:
        read_tut(tmp_path, "TUT", ["TUT/audio/street/a1.wav", "TUT/audio/street/none.wav"])
    message = str(caught.value)
    assert (
        "TUT/meta/street/a1.ann, line 2: expected audio/street/a1.wav of 'street', found "
        "audio/street/a2.wav of 'street'" in message
    )
    assert "TUT/meta/street/a1.ann, line 3: onset, offset and event label expected" in message
    assert "TUT/meta/street/none.ann cannot be read" in message
    assert len(message.splitlines()) == 4


def test_labels_with_blanks_at_their_ends_are_the_labels(tmp_path, labels):
    path = write(tmp_path, ("a.wav", " home", 0, 1, "water tap running "))
    events, audit = clean(read_published(path), labels)
    assert list(zip(events.scene, events.event, strict=True)) == [("home", "water tap running")]
    assert audit.empty
    path = tmp_path / "TUT" / "meta" / "home" / "a.ann"
    path.parent.mkdir(parents=True)
    path.write_text("0.000000\t1.000000\twater tap running \n")
    table, _ = read_tut(tmp_path, "TUT", ["TUT/audio/home/a.wav"])
    assert list(table.event) == ["water tap running"]


EVENTS_OF_TUT, SCENES_OF_TUT = "TUT-sound-events-2016-development", "TUT-acoustic-scenes-2016"


def stage(folder, files, source="published"):
    """Merge a list of three recordings with TUT's files; gives the events and the audit."""
    rows = [
        (f"{EVENTS_OF_TUT}/audio/home/{name}.wav", "home", 0, 1, "dishes") for name in ("a", "b")
    ]
    rows.append((f"{SCENES_OF_TUT}/audio/o_0_30.wav", "office", 0, 1, "fan"))
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    audio = pd.DataFrame({"recording": [row[0] for row in rows], "frames": 10, "sample_rate": 1})
    write_table(audio, folder / "audio.tsv")
    results = {
        name: folder / f"{name}.tsv" for name in ("events", "published", "merged", "changes")
    }
    merge_lists(
        write(folder, *rows), {EVENTS_OF_TUT: folder, SCENES_OF_TUT: folder},
        [folder / "audio.tsv"], ROOT / "resources" / "labels.yaml", results, source, 0.5,
    )  # fmt: skip
    audit_lists(*(results[n] for n in ("changes", "published", "merged")), folder / "audit.tsv", 0)
    return read_table(results["events"]), read_table(folder / "audit.tsv")


LIST_A, LIST_B = (f"{EVENTS_OF_TUT}/meta/home/{name}.ann" for name in ("a", "b"))
META = f"{SCENES_OF_TUT}/meta.txt"
GOOD = {
    LIST_A: b"0.000000\t1.000000\tdishes\n",
    LIST_B: b"0.000000\t1.000000\tdishes\n",
    META: b"audio/o_0_30.wav\toffice\n",
}


def test_tuts_lists_that_say_the_same_leave_no_trace(tmp_path):
    events, audit = stage(tmp_path, GOOD)
    assert len(events) == 3
    assert audit.empty


@pytest.mark.parametrize(
    ("name", "content", "line", "words"),
    [
        (LIST_A, None, None, "home/a.ann cannot be read"),
        (LIST_A, b"\xff\xfe0\t1\tdishes\n", None, "home/a.ann cannot be read"),
        (LIST_A, b"0.0\t1.0\tdishes\nx\ty\tz\tn\n", 2, "onset, offset and event label expected"),
        (LIST_A, b"0\t1\tdishes\n\n0.5\t1\tdish", 3, "unknown event label"),
        (LIST_A, b"3\t2\tdishes\n0\t1\tdishes\n", 1, "offset 2.0 s lies before onset"),
        (LIST_A, b"0\t1\tdishes\n0\t99\tdishes\n", 2, "beyond the recording's end"),
        (LIST_B, b"audio/home/a.wav\thome\t0\t1\tdishes\tm\n", 1, "found audio/home/a.wav"),
        (META, None, None, "meta.txt cannot be read"),
        (META, b"audio/o_0_30.wav\thome\n", None, "says 'home', 'office' expected"),
        (META, b"audio/x_0_30.wav\tbus\n", None, "says None, 'office' expected"),
        (META, b"audio/o_0_30.wav\toffice\n7\n", 2, "recording and scene expected"),
        (META, b"audio/o_0_30.wav\toffice\naudio/o_0_30.wav\tbus\n", 2, "'office' further up"),
    ],
)
def test_what_is_odd_in_tuts_files_is_audited_or_stops_who_uses_them(
    tmp_path, name, content, line, words
):
    files = {key: value for key, value in {**GOOD, name: content}.items() if value is not None}
    events, audit = stage(tmp_path, files)
    assert len(events) == 3, "the published list is used as it is"
    row = audit[audit.list == "merged"].iloc[0]
    assert (row.action, row.file) == ("dropped", name)
    assert words in row.reason
    assert (None if pd.isna(row.line) else row.line) == line
    written = pd.read_csv(tmp_path / "audit.tsv", sep="\t", dtype=str).line.dropna()
    assert written.str.isdecimal().all(), "line 3 and not 3.0"
    with pytest.raises(AnnotationError) as caught:
        stage(tmp_path, files, source="merged")
    assert words in str(caught.value)


def test_tuts_real_lists_are_read(tmp_path, tut_lists, published):
    """A list of 2016, six decimals and LF; and two of 2017, seven columns, any decimals, CRLF."""
    places = {
        "residential_area_a001.ann": ("sed2016", "residential_area/a001", 2016),
        "b091.ann": ("sed2017", "street/b091", 2017),
        "b099.ann": ("sed2017", "street/b099", 2017),
    }
    for file, (folder, name, year) in places.items():
        dataset = f"TUT-sound-events-{year}-development"
        target = tmp_path / dataset / "meta" / f"{name}.ann"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((tut_lists / folder / file).read_bytes())
        lines = target.read_bytes().decode().splitlines()
        table, audit = read_tut(tmp_path, dataset, [f"{dataset}/audio/{name}.wav"])
        assert audit.empty
        assert list(table.line) == list(range(1, len(lines) + 1))
        split = [line.split("\t") for line in lines]
        first = 0 if year == 2016 else 2
        expected = [(float(r[first]), float(r[first + 1]), r[first + 2].strip()) for r in split]
        found = list(zip(table.onset, table.offset, table.event, strict=True))
        assert found == expected
        assert len(found) > 20
        assert set(table.recording) <= set(published[0].recording)


def listed(events):
    rows = events[["recording", "onset", "event"]].astype(object).fillna("-")
    return [tuple(row) for row in rows.to_numpy()]


def test_a_recording_without_events_is_listed_by_a_row_that_has_none(tmp_path, labels):
    path = write(tmp_path, ("a.wav", "home", 0, 1, "dishes"), ("b.wav", "office", "", "", ""))
    events, audit = clean(read_published(path), labels, {"a.wav": 10.0, "b.wav": 5.0})
    assert listed(events) == [("a.wav", 0.0, "dishes"), ("b.wav", "-", "-")]
    assert list(events.scene) == ["home", "office"]
    assert audit.empty
    counted = count_events(events, labels)
    assert counted["count"].sum() == 1
    assert counted.duration.sum() == 1.0
    assert compare(events, events, 0.0).empty
    write_table(events[EVENT_COLUMNS], tmp_path / "events.tsv")
    again = read_table(tmp_path / "events.tsv")
    assert len(happenings(again)) == 1
    active = recording_activity(again[again.recording == "b.wav"], labels.events, 50, 0.1)
    assert active.shape == (50, 25)
    assert not active.any()


def test_rows_that_say_no_events_and_are_wrong_are_named(tmp_path, labels):
    path = write(
        tmp_path,
        ("a.wav", "home", 0, 1, "dishes"),
        ("a.wav", "home", "", "", ""),
        ("b.wav", "attic", "", "", ""),
        ("c.wav", "home", "", "", ""),
        ("d.wav", "home", "", "", "dishes"),
        ("e.wav", "home", 0, 1, ""),
        ("f.wav", "home", "x", "", ""),
        ("", "home", "", "", ""),
    )
    with pytest.raises(AnnotationError) as caught:
        clean(read_published(path), labels, dict.fromkeys(("a.wav", "b.wav", "d.wav"), 10.0))
    faults = caught.value.problems
    for line, fault in [
        (3, "a.wav, no event: says that the recording has no events, but it has other rows"),
        (4, "b.wav, no event: unknown scene 'attic'"),
        (5, "c.wav, no event: there is no such recording"),
        (6, "d.wav, 'dishes': onset or offset is not a number"),
        (7, "e.wav, '': unknown event label"),
        (8, "f.wav, '': onset or offset is not a number"),
        (9, ", no event: no recording is given"),
    ]:
        assert sum(f"list.txt, line {line}: {fault}" in each for each in faults) == 1


def test_a_recording_that_loses_all_its_rows_stays_without_events_or_leaves_aloud(
    tmp_path, labels, caplog
):
    path = write(
        tmp_path,
        ("a.wav", "home", 1, 1, "dishes"),
        ("b.wav", "home", 0, 1, "dishs"),
        ("b.wav", "home", 2, 3, "dishs"),
        ("c.wav", "attic", 2, 3, "dishes"),
        ("x.wav", "home", 2, 2, "dishes"),
        ("d.wav", "home", 2, 3, "dishes"),
        ("d.wav", "home", 3, 3, "dishes"),
    )
    durations = dict.fromkeys(("a.wav", "b.wav", "c.wav", "d.wav"), 10.0)
    events, audit = clean(read_published(path), labels, durations, strict=False)
    assert listed(events) == [("a.wav", "-", "-"), ("b.wav", "-", "-"), ("d.wav", 2.0, "dishes")]
    lost = audit[audit.reason.str.startswith("all rows of the recording were dropped")]
    assert [
        (row.line, row.recording, row.action, row.reason[40:]) for row in lost.itertuples()
    ] == [
        (2, "a.wav", "changed", "it is kept without events"),
        (6, "x.wav", "dropped", "it is removed from the list"),
        (3, "b.wav", "changed", "it is kept without events"),
        (5, "c.wav", "dropped", "it is removed from the list"),
    ]
    dropped = audit[(audit.action == "dropped") & audit.event.notna()]
    assert sorted(dropped.line) == [2, 3, 4, 5, 6, 8]
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}, line {line}: {name}, 'dishes': all rows of the recording were dropped: it is "
        "removed from the list"
        for line, name in ((6, "x.wav"), (5, "c.wav"))
    ]


def test_a_recording_of_which_tut_lists_no_event_stays_in_the_merged_list(tmp_path, labels):
    path = tmp_path / "TUT" / "meta" / "home" / "a1.ann"
    path.parent.mkdir(parents=True)
    path.write_text("")
    name = "TUT/audio/home/a1.wav"
    tut, odd = read_tut(tmp_path, "TUT", [name])
    assert len(tut) == len(odd) == 0
    published = frame(
        [(name, "home", 0.0, 1.0, "dishes"), ("o/b", "office", 0.0, 1.0, "fan")], "published"
    )
    merged, audit = merge(published, {"TUT": tut}, "office", labels)
    assert listed(merged) == [(name, "-", "-"), ("o/b", 0.0, "fan")]
    (row,) = audit.itertuples()
    assert (row.action, row.recording) == ("changed", name)
    assert row.reason == "TUT lists no events for the recording: it is kept"
    differing = compare(merged, published, 0.0)
    assert list(differing.reason) == ["not in TUT's own list"]
