"""Annotation lists: the real one, bad ones, and the comparison of two."""

import csv
from collections import Counter

import pandas as pd
import pytest
from softscene.annotations import clean, compare, count_events, merge, read_published
from softscene.errors import AnnotationError
from softscene.merging import merge_lists
from softscene.tut import read_tut

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
    assert "TUT/meta/street/a1.ann, line 2: audio/street/a1.wav of 'street' expected" in message
    assert "TUT/meta/street/a1.ann, line 3: onset, offset and event label expected" in message
    assert "TUT/meta/street/none.ann cannot be read" in message
    assert len(message.splitlines()) == 4
