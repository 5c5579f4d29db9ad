"""The field's metrics: against sed_eval called directly, closed forms, and values by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from softscene.evaluation import field_metrics as field
from softscene.evaluation.field_metrics import Part, operating_points, psds_of
from softscene.features.activity import recording_activity, to_events

from tests.reference.test_sed_eval import HOP, RATE, event_list, sed_eval

NAMES = ("a", "b", "c", "never", "noise")  # never occurs nor detected; noise is only detected
SECONDS = HOP / RATE


@pytest.fixture(params=range(3))
def part(request):
    """Three recordings, one without events; scores follow the reference, in runs of frames."""
    rng = np.random.default_rng(request.param)
    reference, scores = {}, {}
    for name, frames, count in (("one", 1205, 12), ("two", 730, 8), ("silent", 400, 0)):
        onsets = rng.uniform(0, frames * SECONDS - 1.5, count).round(3)
        rows = {"onset": onsets, "offset": onsets + rng.uniform(0.3, 1.5, count).round(3)}
        events = list("abcab" * 3)[:count]
        reference[name] = pd.DataFrame(rows | {"event": np.array(events, dtype=object)})
        active = recording_activity(reference[name], NAMES, frames, SECONDS)
        noise = np.repeat(rng.normal(size=(frames // 5 + 1, 5)), 5, axis=0)[:frames]
        scores[name] = (1 / (1 + np.exp(2 - 4 * active - noise))).astype(np.float32)
        scores[name][:, 3] = 0.01 * scores[name][:, 3]
    return Part(NAMES, reference, scores, SECONDS)


def averages(rows):
    return {row["average"]: row["value"] for row in rows if row["average"]}


def each(rows):
    return {row["event"]: row["value"] for row in rows if row["event"]}


def test_event_based_scores_are_those_of_sed_eval_on_whole_lists(part):
    detected = {
        name: to_events(values >= 0.5, NAMES, HOP, RATE) for name, values in part.scores.items()
    }
    theirs = sed_eval.sound_event.EventBasedMetrics(
        list(NAMES), t_collar=0.2, percentage_of_length=0.2
    )
    for name, rows in part.reference.items():
        theirs.evaluate(event_list(rows, name), event_list(detected[name], name))
    rows = field.event_based(part, detected, "fixed")
    whole = theirs.results_overall_metrics()["f_measure"]["f_measure"]
    assert 0.05 < whole < 0.95
    assert averages(rows)["micro"] == pytest.approx(whole, rel=1e-12)
    by_event = {
        event: theirs.results_class_wise_metrics()[event]["f_measure"]["f_measure"]
        for event in "abc"
    }
    assert each(rows) == pytest.approx(by_event, rel=1e-12)
    assert averages(rows)["macro"] == pytest.approx(np.mean(list(by_event.values())), rel=1e-12)
    assert {row["events"] for row in rows if row["average"] == "macro"} == {3}


def test_collars_are_200_ms_and_a_fifth_of_the_length():
    """By hand: 10.0 to 20.0 s; the offset may be 2 s away, the onset 0.2 s."""
    reference = {"x": pd.DataFrame({"onset": [10.0], "offset": [20.0], "event": ["a"]})}
    part = Part(["a"], reference, {"x": np.zeros((1500, 1), "f4")}, SECONDS)
    found = {}
    for onset, offset in ((10.19, 18.1), (9.81, 21.9), (10.21, 20.0), (10.0, 17.9)):
        rows = pd.DataFrame({"onset": [onset], "offset": [offset], "event": ["a"]})
        found[onset, offset] = averages(field.event_based(part, {"x": rows}, "fixed"))["micro"]
    assert list(found.values()) == [1, 1, 0, 0]


def average_precision(truth, scores):
    """Sum over all thresholds of precision times the step of recall."""
    total, recall = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        found = scores >= threshold
        hits = (found & truth).sum()
        total += hits / found.sum() * (hits / truth.sum() - recall)
        recall = hits / truth.sum()
    return total


def test_average_precision_is_that_of_all_thresholds_in_segments_of_a_second(part):
    truth, scores = [], []
    for name, values in part.scores.items():
        segments = -(-len(values) // 50)
        truth.append(recording_activity(part.reference[name], NAMES, segments, 1.0))
        scores.append(np.maximum.reduceat(values, np.arange(0, len(values), 50)))
    truth, scores = np.concatenate(truth), np.concatenate(scores)
    expected = {
        event: average_precision(truth[:, i], scores[:, i]) for i, event in enumerate("abc")
    }
    rows = field.average_precisions(part)
    assert each(rows) == pytest.approx(expected, rel=1e-9)
    assert averages(rows)["macro"] == pytest.approx(np.mean(list(expected.values())), rel=1e-9)


@pytest.mark.parametrize("name", field.SCENARIOS)
def test_psds_of_a_perfect_detector_is_1_and_of_a_constant_one_0(part, name):
    truth = {
        key: recording_activity(part.reference[key], NAMES, len(values), SECONDS)
        for key, values in part.scores.items()
    }
    perfect = Part(NAMES, part.reference, {k: t.astype("f4") for k, t in truth.items()}, SECONDS)
    # So long that no event has a tenth of a recording: all detections are false positives.
    always = {k: np.full((20 * len(t), 5), 0.3, "f4") for k, t in truth.items()}
    constant = Part(NAMES, part.reference, always, SECONDS)
    for given, value in ((perfect, 1.0), (constant, 0.0)):
        rows = psds_of(given, name, field.SCENARIOS[name])
        assert averages(rows)["macro"] == pytest.approx(value, abs=1e-9)
        assert each(rows) == pytest.approx(dict.fromkeys("abc", value), abs=1e-9)
        assert rows[0]["events"] == 3


def test_psds_by_hand():
    """An hour with two events: the better score finds one, the next adds 25 false positives, the
    last finds the other: 1/2 up to 25 of 100 per hour, and 1 after it."""
    frames = 180_000
    onsets = np.array([100.0, 200.0])
    reference = {"x": pd.DataFrame({"onset": onsets, "offset": onsets + 10, "event": "a"})}
    scores = np.zeros((frames, 1), "f4")
    scores[5000:5500] = 0.9
    for i in range(25):
        scores[20_000 + 1000 * i : 20_100 + 1000 * i] = 0.8
    scores[10_000:10_500] = 0.7
    part = Part(["a"], reference, {"x": scores}, SECONDS)
    for name, scenario in field.SCENARIOS.items():
        rows = psds_of(part, name, scenario)
        assert averages(rows)["macro"] == pytest.approx(0.5 * 0.25 + 1.0 * 0.75, rel=1e-9)


@pytest.mark.parametrize("name", field.SCENARIOS)
def test_psds_is_that_of_all_thresholds_and_with_fewer_a_little_lower(part, name):
    """The package itself on all scores, each of them a threshold."""
    from sed_scores_eval.intersection_based import psds  # noqa: PLC0415

    scenario = field.SCENARIOS[name]
    settings = {  # of DCASE 2021 to 2023, task 4
        "psds_1": {
            "dtc_threshold": 0.7,
            "gtc_threshold": 0.7,
            "cttc_threshold": None,
            "alpha_ct": 0.0,
        },
        "psds_2": {
            "dtc_threshold": 0.1,
            "gtc_threshold": 0.1,
            "cttc_threshold": 0.3,
            "alpha_ct": 0.5,
        },
    }[name]
    tables = {}
    for key, values in part.scores.items():
        times = np.round(np.arange(len(values) + 1) * SECONDS, 6)
        columns = {event: values[:, i] for i, event in enumerate("abc")}
        tables[key] = pd.DataFrame({"onset": times[:-1], "offset": times[1:], **columns})
    truth = field._truth(part)
    truth = {k: [(a, b, "abc"[int(i)]) for a, b, i in rows] for k, rows in truth.items()}
    durations = {key: len(values) * SECONDS for key, values in part.scores.items()}
    whole, *_ = psds(tables, truth, durations, alpha_st=1.0, max_efpr=100.0, **settings)
    exact = averages(psds_of(part, name, replace(scenario, most=None)))["macro"]
    assert exact == pytest.approx(whole, rel=1e-9)
    fewer = averages(psds_of(part, name, replace(scenario, most=20)))["macro"]
    assert fewer <= exact + 1e-9
    assert exact - averages(psds_of(part, name, scenario))["macro"] < 0.01, (
        "as the workflow does it"
    )


def test_thresholds_left_out_have_only_too_many_false_positives():
    """By hand: the four frames at 0.5 are alone, so below 0.6 four are false."""
    scores = {"x": np.array([0.5, 0, 0.5, 0, 0.9, 0.8, 0, 0.5, 0, 0.5], "f4")}
    active = {"x": np.array([0, 0, 0, 0, 1, 1, 0, 0, 0, 0], bool)}
    assert operating_points(scores, active, 4, None) == pytest.approx([0, 0.5, 0.8, 0.9])
    assert operating_points(scores, active, 3.9, None) == pytest.approx([0, 0.8, 0.9])


def test_rows_of_an_event_that_overlap_or_touch_are_one_to_psds_and_average_precision():
    """The package refuses them otherwise. Detected as one: perfect."""
    rows = pd.DataFrame(
        {"onset": [1.0, 2.0, 2.5, 5.0, 7.0], "offset": [4.0, 3.0, 5.0, 6.0, 8.0], "event": "a"}
    )
    scores = np.zeros((500, 1), "f4")
    scores[50:300] = scores[350:400] = 0.7
    part = Part(["a"], {"x": rows}, {"x": scores}, SECONDS)
    assert field._truth(part) == {"x": [(1.0, 6.0, "0"), (7.0, 8.0, "0")]}
    scenario = field.SCENARIOS["psds_2"]
    for found in (psds_of(part, "psds_2", scenario), field.average_precisions(part)):
        assert each(found)["a"] == pytest.approx(1.0, abs=1e-9)


def test_a_part_without_events_has_no_scores():
    rows = pd.DataFrame({"onset": [], "offset": [], "event": []})
    part = Part(["a"], {"x": rows}, {"x": np.zeros((50, 1), "f4")}, SECONDS)
    found = [*field.average_precisions(part), *psds_of(part, "psds_1", field.SCENARIOS["psds_1"])]
    assert all(np.isnan(row["value"]) and row["events"] == 0 for row in found)


def test_scene_accuracy_counts_clips():
    """Three of four clips by hand; none without a scene branch."""
    logits = pd.DataFrame(
        {"scene": ["home", "home", "office", "office"],
         "logit_home": [2.0, -1.0, 0.0, 3.0], "logit_office": [1.0, 0.0, 0.5, 3.5]}
    )  # fmt: skip
    assert field.scene_accuracy(logits, ("home", "office")) == 0.75
    assert np.isnan(field.scene_accuracy(logits.iloc[:0], ("home", "office")))


def test_averages_of_segments_are_over_the_events_that_occur():
    """By hand: events a (F 1/2) and b (F 1) occur; c is only detected."""
    table = pd.DataFrame(
        {"convention": "frame", "threshold": "fixed", "event": list("abc"),
         "true_positives": [1, 3, 0], "false_positives": [1, 0, 2],
         "false_negatives": [1, 0, 0], "f_score": [0.5, 1.0, 0.0]}
    )  # fmt: skip
    micro, macro = field.averages_of_segments(table, ["a", "b"])
    assert (micro["metric"], micro["value"], micro["events"]) == ("frame_f_score", 8 / 12, 3)
    assert (macro["average"], macro["value"], macro["events"]) == ("macro", 0.75, 2)
