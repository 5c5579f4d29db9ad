"""Each form of events, read back by the rules that its programs publish."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
from softscene.core.tsv import read_table
from softscene.detect.formats import WRITERS
from softscene.detect.recordings import FORMATS

EVENTS = pd.DataFrame(
    {
        "onset": [0.0, 0.580001, 3599.98],
        "offset": [1.02, 0.6, 7200.123456],
        "event": ["car", "people talking", "(object) rustling, soft"],
        "confidence": [0.5, 0.9321, 1.0],
        "threshold": [0.45, 0.123456, 0.45],
        "recorded": ["", "", ""],
        "trained_on": ["recordings"] * 3,
    }
)


@pytest.fixture
def written(tmp_path):
    """Each form: its file's text, of a recording with blanks in its name."""
    texts = {}
    for key, write in WRITERS.items():
        write(EVENTS, "my street.wav", 8000.0, tmp_path / key)
        texts[key] = (tmp_path / key).read_bytes().decode("utf-8")
    return texts


def test_each_form_has_a_name_and_a_writer():
    assert list(WRITERS) == list(FORMATS)


def test_tsv_and_csv_hold_the_same(written, tmp_path):
    (tmp_path / "a.tsv").write_text(written["tsv"])
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.tsv"), EVENTS)
    header, *rows = csv.reader(written["csv"].splitlines())
    assert header == list(EVENTS.columns)
    assert rows[2] == ["3599.98", "7200.123456", "(object) rustling, soft", "1.0", "0.45", "",
                       "recordings"]  # fmt: skip
    assert '"(object) rustling, soft"' in written["csv"]


def test_json(written):
    content = json.loads(written["json"], parse_constant=pytest.fail)
    assert content["recording"] == "my street.wav"
    assert content["events"] == EVENTS.to_dict("records")


def test_audacity_labels(written):
    """Two times in seconds and a label, with tabs, and no header:
    manual.audacityteam.org/man/importing_and_exporting_labels.html."""
    rows = [line.split("\t") for line in written["audacity"].splitlines()]
    assert rows[1] == ["0.580001", "0.600000", "people talking"]
    assert [float(row[0]) for row in rows] == list(EVENTS.onset)
    assert all(float(begin) <= float(end) for begin, end, _ in rows)


def test_a_selection_table_of_raven(written):
    """Tab-separated, with the required columns of Raven Pro's guide: each selection has its own
    number, a view that says its kind, a channel from 1, and limits of time and frequency."""
    header, *rows = [line.split("\t") for line in written["raven"].splitlines()]
    assert header[:8] == [
        "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)",
        "High Freq (Hz)", "Annotation",
    ]  # fmt: skip
    assert [row[0] for row in rows] == ["1", "2", "3"]
    assert rows[2][1:8] == [
        "Spectrogram 1",
        "1",
        "3599.980000",
        "7200.123456",
        "0",
        "8000",
        "(object) rustling, soft",
    ]
    assert header[8:] == ["Confidence", "Threshold"]
    assert rows[1][8:] == ["0.9321", "0.123456"]


def test_rttm(written):
    """Ten fields, separated by blanks: NIST's RT-09 evaluation plan, appendix A."""
    rows = [line.split(" ") for line in written["rttm"].splitlines()]
    assert all(len(row) == 10 for row in rows)
    assert rows[1] == ["SPEAKER", "my_street", "1", "0.580001", "0.019999", "<NA>", "<NA>",
                       "people_talking", "0.9321", "<NA>"]  # fmt: skip
    ends = [float(row[3]) + float(row[4]) for row in rows]
    np.testing.assert_allclose(ends, EVENTS.offset, atol=1e-6)


def test_without_events_a_form_is_empty_or_has_its_header(tmp_path):
    for key, write in WRITERS.items():
        write(EVENTS[:0], "a.wav", 8000.0, tmp_path / key)
    lines = {key: len((tmp_path / key).read_text().splitlines()) for key in WRITERS}
    assert (lines["audacity"], lines["rttm"]) == (0, 0)
    assert (lines["tsv"], lines["csv"], lines["raven"]) == (1, 1, 1)
    assert json.loads((tmp_path / "json").read_text())["events"] == []
