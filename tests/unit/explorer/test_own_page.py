"""The page of a recording of one's own, against the table of events written beside it."""

import base64
import io
import json
import re
import zlib

import numpy as np
import pytest
import soundfile
import torch
from softscene.core.tsv import read_table
from softscene.detect.detector import load_detector
from softscene.detect.events import Options
from softscene.detect.recordings import WITH_PAGE
from softscene.explorer import own_page
from softscene.explorer.encode import LOUDEST, SOUND_RATE

from tests.unit.detect.tiny_detector import make_detector

rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def detector(tmp_path_factory, labels, one_thread):
    source = make_detector(tmp_path_factory.mktemp("detector"), labels)
    return load_detector(source, torch.device("cpu"))


@pytest.fixture
def recording(tmp_path):
    """12.5 s of noise, stereo, at a rate of its own, louder in its second half."""
    noise = rng.normal(0, 0.002, (12 * 32000 + 16000, 2))
    noise[len(noise) // 2 :] *= 10
    soundfile.write(tmp_path / "a<b>.wav", noise, 32000)
    return tmp_path / "a<b>.wav"


def made(recording, detector, threshold=None):
    """The page's study and recording; and the table of events."""
    targets = {key: recording.with_name(f"out{ending}") for key, ending in WITH_PAGE.items()}
    own_page.detect_with_page(recording, detector, targets, Options(threshold))
    text = targets["page"].read_text(encoding="utf-8")
    study, content = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text)
    return json.loads(study), json.loads(content), read_table(targets["tsv"])


def codes_of(study, content):
    """Events x frames."""
    (text,) = content["codes"]
    array = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return array.reshape(len(study["events"]), -1)


def stretches(study, active):
    """(event, onset, offset) of events x frames, by a plain loop."""
    found = []
    for event, row in zip(study["events"], active, strict=True):
        edges = np.flatnonzero(np.diff([0, *row.astype(int), 0]))
        found += [
            (event, *pair) for pair in (edges * study["hop"]).reshape(-1, 2).round(2).tolist()
        ]
    return sorted(found)


@pytest.mark.parametrize("threshold", [None, 0.55])
def test_the_page_detects_what_the_table_has(recording, detector, threshold):
    study, content, table = made(recording, detector, threshold)
    (mode,) = study["modes"]
    assert mode == ("adaptive" if threshold is None else "given")
    (student,) = study["parts"][0]["students"]
    limits = np.array(student["thresholds"][mode])
    expected = detector.thresholds if threshold is None else np.full(25, threshold)
    assert np.array_equal(np.array(study["levels"])[limits], expected)
    codes = codes_of(study, content)
    assert codes.shape == (25, study["recordings"][0]["frames"]) == (25, 625)
    rows = zip(table.event, table.onset.round(2), table.offset.round(2), strict=True)
    assert len(table) > 5
    assert stretches(study, codes > limits[:, None]) == sorted(rows)
    assert study["recordings"][0]["occurrences"] == len(table)


def test_it_says_that_the_tables_events_are_merged(recording, detector):
    targets = {"page": recording.with_name("out.html")}
    for options, said in ((Options(), False), (Options(merge_gap=1), True)):
        own_page.detect_with_page(recording, detector, targets, options)
        text = targets["page"].read_text(encoding="utf-8")
        assert ("events were merged, or short ones left out" in text) == said


def test_it_says_that_all_is_silent_and_that_the_rate_is_low(recording, detector):
    targets = {"page": recording.with_name("out.html")}
    for samples, said in ((rng.normal(0, 0.1, 32000), False), (np.zeros(32000), True)):
        soundfile.write(recording, samples, 32000)
        found = own_page.detect_with_page(recording, detector, targets, Options(threshold=0))
        text = targets["page"].read_text(encoding="utf-8")
        assert ("All samples are 0: the tables have no events" in text) == said
        assert (len(found.events) == 0) == said
        assert "The recording has 32000 Hz, so no sound above 16 kHz" in text


def test_it_has_no_reference_and_says_what_it_is(recording, detector):
    study, content, _ = made(recording, detector)
    assert not study["reference"]
    assert "reference" not in content
    assert study["title"] == "Events in a<b>.wav"
    assert study["note"].startswith("Trained on synthetic sound")
    assert set(study["recordings"][0]["scene"].split()[::2]) == set(detector.about.scenes)


def test_the_sound_is_the_recordings(recording, detector):
    """A tone, whose level Opus keeps: ten times as loud in its second half."""
    tone = 0.002 * np.sin(2 * np.pi * 440 * np.arange(12 * 32000 + 16000) / 32000)
    tone[len(tone) // 2 :] *= 10
    soundfile.write(recording, tone, 32000)
    _, content, _ = made(recording, detector)
    heard, rate = soundfile.read(io.BytesIO(base64.b64decode(content["sound"].split(",")[1])))
    assert rate == SOUND_RATE
    assert len(heard) == pytest.approx(12.5 * SOUND_RATE, abs=2)
    middle = len(heard) // 2
    first, second = heard[: middle - 500].std(), heard[middle + 500 :].std()
    assert second / first == pytest.approx(10, rel=0.1)
    assert np.abs(heard).max() == pytest.approx(LOUDEST, rel=0.1)


def test_of_a_long_recording_it_shows_the_beginning(recording, detector, monkeypatch):
    whole, everything, _ = made(recording, detector)
    monkeypatch.setattr(own_page, "LONGEST", 3)
    study, content, table = made(recording, detector)
    assert study["recordings"][0]["frames"] == 150
    assert np.array_equal(codes_of(study, content), codes_of(whole, everything)[:, :150])
    heard, _ = soundfile.read(io.BytesIO(base64.b64decode(content["sound"].split(",")[1])))
    assert len(heard) == pytest.approx(3 * SOUND_RATE, abs=2)
    assert "Only the first" in study["note"]
    assert table.offset.max() > 3, "the tables have all"


def test_where_the_page_cannot_be_made_nothing_is_there(recording, detector, monkeypatch):
    def fail(*_):
        raise OSError("no room")

    monkeypatch.setattr(own_page, "fill_page", fail)
    with pytest.raises(OSError, match="no room"):
        made(recording, detector)
    assert [path.name for path in recording.parent.iterdir()] == [recording.name]
