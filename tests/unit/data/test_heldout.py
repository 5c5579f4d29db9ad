"""The held-out test's data: the authors' second list, its registry, and its way to events.tsv."""

import hashlib

import pandas as pd
import pytest
import yaml
from softscene.core.errors import AnnotationError, ConfigurationError
from softscene.core.tsv import read_table, write_table
from softscene.data.annotations import SECOND_LIST, clean, read_published
from softscene.data.archives import AnnotationFiles, read_registry
from softscene.data.data_folder import Data
from softscene.data.merging import add_heldout_list

from tests.conftest import ROOT, SHARED

LABELS = ROOT / "resources" / "labels.yaml"
REGISTRY = ROOT / "resources" / "archives_heldout.yaml"
PUBLISHED_FACTS = SHARED / "data" / "archives_evaluation.yaml"
A, B = (f"TUT-acoustic-scenes-2017-evaluation/audio/{number}.wav" for number in (25, 1244))
HEADER = "path\tscene_label\tevent_start_time\tevent_end_time\tevent_label\n"


def test_the_authors_second_list_is_read_whole(authors_lists, published, labels):
    listed = read_published(authors_lists / SECOND_LIST)
    assert len(listed) == 1634
    sets = listed.recording.str.split("/").str[0]
    assert listed.groupby(sets).recording.nunique().to_dict() == {
        "TUT-sound-events-2016-evaluation": 10,
        "TUT-sound-events-2017-evaluation": 2,
        "TUT-acoustic-scenes-2016-evaluation": 26,
        "TUT-acoustic-scenes-2017-evaluation": 98,
    }
    assert set(sets) == set(read_registry(REGISTRY).datasets)
    assert set(listed.scene) == set(labels.scenes)
    assert set(listed.event) == set(labels.events)
    assert not set(listed.recording) & set(published[0].recording)
    table, audit = clean(listed, labels)
    assert len(table) == 1634
    assert audit.empty


def test_its_registry_has_the_published_facts(authors_lists):
    facts = yaml.safe_load(PUBLISHED_FACTS.read_text(encoding="utf-8"))
    registry = read_registry(REGISTRY)
    assert registry.datasets.keys() == facts.keys()
    for name, known in facts.items():
        ours = registry.datasets[name]
        assert (ours.record, ours.doi) == (known["record"], known["doi"])
        files = {
            each.name: {"bytes": each.bytes, "md5": each.md5} for each in ours.archives.values()
        }
        assert files == known["files"]
    sha256 = hashlib.sha256((authors_lists / SECOND_LIST).read_bytes()).hexdigest()
    assert registry.annotations.files == {SECOND_LIST: sha256}
    usual = read_registry(ROOT / "resources" / "archives.yaml")
    assert registry.annotations.main == SECOND_LIST
    assert usual.annotations.main == "meta/meta_development.txt"
    assert registry.annotations.commit == usual.annotations.commit
    assert not registry.datasets.keys() & usual.datasets.keys()
    assert Data.published(registry).identity != Data.published(usual).identity


def test_a_registry_without_one_list_of_all_recordings_is_refused():
    with pytest.raises(ConfigurationError, match="has 0 lists in meta/; expected one"):
        _ = AnnotationFiles("a", "b", {"other.txt": ""}, "").main


@pytest.fixture
def given(tmp_path):
    """A list in use of one recording, a second list of two clips, and what both are added to."""
    known = pd.DataFrame(
        [("d/a.wav", "home", 0.1234567890123, 1.5, "fan"), ("d/b.wav", "office", None, None, "")],
        columns=["recording", "scene", "onset", "offset", "event"],
    )
    write_table(known, tmp_path / "events.tsv")
    audio = pd.DataFrame({"recording": [A, B], "frames": 441_001, "sample_rate": 44_100})
    write_table(audio, tmp_path / "recordings.tsv")
    results = {"events": tmp_path / "both.tsv", "audit": tmp_path / "audit.tsv"}

    def add(*rows):
        path = tmp_path / "second.txt"
        path.write_text(HEADER + "".join("\t".join(map(str, row)) + "\n" for row in rows))
        add_heldout_list(
            tmp_path / "events.tsv", path, [tmp_path / "recordings.tsv"], LABELS, results, 0.5
        )
        return read_table(results["events"]), read_table(results["audit"])

    return known, add


def test_rows_of_both_lists_are_in_use_and_odd_ones_are_audited(given):
    known, add = given
    events, audit = add(
        (A, "city_center", 1.5, 10.000023, "car"),  # 10 s and one sample are 10.0000227 s
        (A, "city_center", 2.0, 2.0, "car"),
        (B, "city_center", 0.0, 3.25, "people walking"),
    )
    pd.testing.assert_frame_equal(events[:2], known, check_dtype=False)
    assert events[2:].to_numpy().tolist() == [
        [A, "city_center", 1.5, 10.000023, "car"],
        [B, "city_center", 0.0, 3.25, "people walking"],
    ]
    assert list(audit.list) == ["heldout", "heldout"]
    assert list(audit.action) == ["dropped", "changed"]
    assert list(audit.line) == [3, 2]
    assert list(audit.reason) == ["zero length", "offset cut to the recording's end, 10.000023 s"]


def test_a_row_that_cannot_be_used_is_an_error_with_its_line(given):
    _, add = given
    with pytest.raises(AnnotationError) as caught:
        add(
            (A, "city_center", 1, 11, "car"), (B, "park", 1, 2, "cat"), ("d/c", "home", 1, 2, "fan")
        )
    said = str(caught.value)
    assert f"second.txt, line 2: {A}, 'car': 1.0 to 11.0 s lies beyond the recording's end" in said
    assert "line 3" in said
    assert "unknown scene 'park'" in said
    assert "unknown event label" in said
    assert "line 4: d/c, 'fan': there is no such recording" in said


def test_a_recording_that_is_trained_on_is_refused(given, tmp_path):
    _, add = given
    audio = pd.DataFrame({"recording": ["d/a.wav"], "frames": 441_001, "sample_rate": 44_100})
    write_table(audio, tmp_path / "recordings.tsv")
    with pytest.raises(AnnotationError, match=r"also in the list that is trained on:\s+d/a\.wav"):
        add(("d/a.wav", "home", 1, 2, "fan"))
