"""Metrics against sed_eval, the field's own implementation."""

import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from softscene.config.labels import Labels
from softscene.core.files import replacing_hdf5
from softscene.core.tsv import read_table, write_table
from softscene.data.splits import EVALUATION
from softscene.evaluation import metrics
from softscene.evaluation.scoring import evaluate_student
from softscene.evaluation.thresholds import grid, sweep
from softscene.features.activity import frame_times, recording_activity, to_events, to_segments
from softscene.features.store import sources_of, write_proved

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import dcase_util
    import sed_eval

HOP, RATE = 882, 44100
CONVENTIONS = {"frame": 0.02, "segment": 1.0}


def event_list(events, recording):
    return dcase_util.containers.MetaDataContainer(
        [
            {
                "filename": recording,
                "event_label": row.event,
                "onset": float(row.onset),
                "offset": float(row.offset),
            }
            for row in events.itertuples()
        ]
    )


def sed_eval_scores(names, pairs, resolution):
    evaluator = sed_eval.sound_event.SegmentBasedMetrics(list(names), time_resolution=resolution)
    for recording, (reference, estimated) in pairs.items():
        evaluator.evaluate(event_list(reference, recording), event_list(estimated, recording))
    return evaluator


def our_counts(names, reference, detected, resolution):
    frames = round(resolution * RATE / HOP)
    each = [
        metrics.count(
            recording_activity(reference[name], names, -(-len(active) // frames), resolution),
            to_segments(active, frames),
        )
        for name, active in detected.items()
    ]
    return sum(each[1:], start=each[0])


def assert_equal(names, reference, detected, resolution):
    """Counts and scores of our frames, and sed_eval's of the event lists made from them."""
    pairs = {
        name: (reference[name], to_events(active, names, HOP, RATE))
        for name, active in detected.items()
    }
    theirs = sed_eval_scores(names, pairs, resolution)
    ours = our_counts(names, reference, detected, resolution)
    assert ours.reference.sum() == theirs.overall["Nref"]
    assert (ours.substitutions, ours.deletions, ours.insertions) == (
        theirs.overall["S"], theirs.overall["D"], theirs.overall["I"]
    )  # fmt: skip
    overall = theirs.results_overall_metrics()
    assert metrics.micro_f_score(ours) == pytest.approx(overall["f_measure"]["f_measure"], 1e-12)
    assert metrics.micro_error_rate(ours) == pytest.approx(
        overall["error_rate"]["error_rate"], 1e-12
    )
    for i, name in enumerate(names):
        each = theirs.class_wise[name]
        assert ours.true_positives[i] == each["Ntp"]
        assert ours.false_positives[i] == each["Nfp"]
        assert ours.false_negatives[i] == each["Nfn"]
    return ours


def random_activity(rng, frames, names, rate):
    """Runs of frames of random lengths, so that events are longer than a frame."""
    changes = rng.random((frames, len(names))) < rate
    return (np.cumsum(changes, axis=0) % 2).astype(bool)


@pytest.mark.parametrize(("convention", "resolution"), CONVENTIONS.items())
@pytest.mark.parametrize("seed", range(3))
def test_micro_scores_equal_sed_eval_on_random_lists(convention, resolution, seed):
    rng = np.random.default_rng(seed)
    names = ["a", "b", "c", "d"]
    reference, detected = {}, {}
    for recording in ("one", "two", "three"):
        frames = int(rng.integers(300, 1500))
        ends = frames * HOP / RATE
        onsets = rng.uniform(0, ends - 0.01, 15).round(6)
        lengths = rng.exponential(1.0, 15)
        reference[recording] = pd.DataFrame(
            {
                "onset": onsets,
                "offset": np.minimum(onsets + lengths, ends).round(6),
                "event": rng.choice(names, 15),
            }
        )
        detected[recording] = random_activity(rng, frames, names, 0.01)
    assert_equal(names, reference, detected, resolution)


def test_what_is_detected_in_a_recording_without_events_counts_as_sed_eval_counts_it(tmp_path):
    """From files to files; sed_eval has an empty list where events.tsv has a row of no event."""
    rng, names = np.random.default_rng(8), ("a", "b")
    detected = {
        name: random_activity(rng, frames, names, 0.05)
        for name, frames in (("loud", 420), ("silent", 333))
    }
    rows = [
        ("loud", "s", 0.5, 3.25, "a"),
        ("loud", "s", 2.0, 7.0, "b"),
        ("silent", "s", None, None, ""),
    ]
    columns = ["recording", "scene", "onset", "offset", "event"]
    write_table(pd.DataFrame(rows, columns=columns), tmp_path / "events.tsv")
    parts = pd.DataFrame({"recording": list(detected), "part": EVALUATION})
    write_table(parts, tmp_path / "recordings.tsv")
    limits = grid(0.3, 0.7, 0.2)
    no_truth = ((np.zeros((9, 2), bool), np.zeros((9, 2))) for _ in "x")
    write_table(sweep(no_truth, limits, names), tmp_path / "sweep.tsv")
    facts = {"hop_length": HOP, "sample_rate": RATE} | sources_of(tmp_path / "events.tsv")
    with replacing_hdf5(tmp_path / "probabilities.h5") as store:
        for name, active in detected.items():
            write_proved(store, name, np.where(active, 0.9, 0.1).astype("f4"), facts)
    results = {name: tmp_path / name for name in ("thresholds", "events", "class_wise", "overall")}
    evaluate_student(
        tmp_path / "probabilities.h5", tmp_path / "sweep.tsv", tmp_path / "recordings.tsv",
        tmp_path / "events.tsv", Labels(("s",), names, {}, {}), results, CONVENTIONS, 0.5,
        {"lowest": 0.3, "highest": 0.7, "step": 0.2}, {},
    )  # fmt: skip
    overall = read_table(results["overall"]).set_index(["convention", "threshold"])
    truth = pd.DataFrame(rows[:2], columns=columns)
    for convention, resolution in CONVENTIONS.items():
        pairs = {
            name: (truth[truth.recording == name], to_events(active, names, HOP, RATE))
            for name, active in detected.items()
        }
        theirs = sed_eval_scores(names, pairs, resolution)
        found = theirs.overall
        ours = overall.loc[(convention, "fixed")]
        assert list(ours[["true_positives", "false_positives", "false_negatives"]]) == [
            found["Ntp"], found["Nfp"], found["Nfn"]
        ]  # fmt: skip
        assert list(ours[["substitutions", "deletions", "insertions"]]) == [
            found["S"], found["D"], found["I"]
        ]  # fmt: skip
        rate = theirs.results_overall_metrics()["error_rate"]["error_rate"]
        assert ours.error_rate == pytest.approx(rate, 1e-12)
    alone = sed_eval_scores(names, {"loud": pairs["loud"]}, resolution).overall
    assert found["Nfp"] > alone["Nfp"], "the silent recording counts"


@pytest.mark.parametrize(("convention", "resolution"), CONVENTIONS.items())
def test_micro_scores_equal_sed_eval_on_the_real_annotations(
    published, labels, convention, resolution
):
    """The reference is the authors' list; the detections are it, disturbed, so that both occur."""
    events, _ = published
    rng = np.random.default_rng(0)
    reference = dict(tuple(events.groupby("recording")))
    detected = {}
    for recording in list(reference)[::4]:
        rows = reference[recording]
        frames = int(np.ceil(rows.offset.max() / 0.02)) + 7
        truth = recording_activity(rows, labels.events, frames, 0.02)
        detected[recording] = truth ^ random_activity(rng, frames, labels.events, 0.0005)
    counts = assert_equal(labels.events, reference, detected, resolution)
    assert 0 < metrics.micro_f_score(counts) < 1


def test_event_lists_give_exactly_the_counts_of_their_frames():
    """At 20 ms, sed_eval on two event lists made from frames counts the frames themselves."""
    rng = np.random.default_rng(5)
    names = ["a", "b", "c"]
    reference = random_activity(rng, 20_000, names, 0.05)
    detected = random_activity(rng, 20_000, names, 0.05)
    lists = [to_events(active, names, HOP, RATE) for active in (reference, detected)]
    theirs = sed_eval_scores(names, {"x": tuple(lists)}, 0.02).overall
    assert theirs["Ntp"] == (reference & detected).sum()
    assert theirs["Nfp"] == (detected & ~reference).sum()
    assert theirs["Nfn"] == (reference & ~detected).sum()


def test_frame_times_survive_floating_point_in_both_conventions():
    onsets, offsets = frame_times(60_000, HOP, RATE)
    index = np.arange(60_001)
    assert (np.floor(onsets / 0.02) == index).all()
    assert (np.ceil(offsets / 0.02) == index).all()
    assert (np.floor(onsets / 1.0) == index // 50).all()
    assert (np.ceil(offsets / 1.0) == -(-index // 50)).all()
    naive = np.array([float(Fraction(i * HOP, RATE)) for i in range(60_001)])
    good = (np.floor(naive / 0.02) == index) & (np.ceil(naive / 0.02) == index)
    assert (onsets[good] == naive[good]).all(), "exact wherever that survives"
    assert (offsets[good] == naive[good]).all()
    assert np.abs([onsets - naive, offsets - naive]).max() <= 1e-6 + 1e-12  # rounding at 1200 s
    assert not good.all(), "the plain product would do; simplify"
    for times in (onsets, offsets):  # as a table has them: no 15.040000000000001
        assert max(len(repr(float(time)).partition(".")[2]) for time in times) <= 6


def test_error_rate_of_an_event_follows_table_4():
    """Insertions and deletions of the event over the reference of all events; by hand."""
    reference = np.array([[1, 0], [1, 0], [1, 1], [0, 1]], bool)
    estimated = np.array([[1, 1], [0, 0], [0, 1], [1, 1]], bool)
    counts = metrics.count(reference, estimated)
    assert list(metrics.event_error_rate(counts)) == [3 / 5, 1 / 5]
    own = sed_eval_scores(
        ["a", "b"],
        {"x": tuple(to_events(a, ["a", "b"], HOP, RATE) for a in (reference, estimated))},
        0.02,
    ).results_class_wise_metrics()["a"]["error_rate"]["error_rate"]
    assert own == 3 / 3, "sed_eval divides by the event's own reference"
