"""Every stored score again from the stored event lists, with the field's own ``sed_eval``."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from softscene.core.tsv import read_table
from softscene.features.activity import frame_times

from tests.conftest import ROOT
from tests.reference.test_sed_eval import CONVENTIONS, event_list, sed_eval, sed_eval_scores
from tests.workflow.test_small import STUDENTS

COUNTS = ["true_positives", "false_positives", "false_negatives"]
MODES = ("fixed", "adaptive", "oracle")
SETTINGS = [(convention, mode) for convention in CONVENTIONS for mode in MODES]


def rescored(finished, labels, student, setting):
    """A filled sed_eval evaluator for one convention and threshold mode of a student."""
    convention, mode = setting
    table = read_table(finished.path("folds/fold-1/recordings.tsv"))
    evaluated = list(table.recording[table.part == "evaluation"])
    reference = read_table(finished.path("annotations/events.tsv"))
    listed = read_table(finished.path("predictions", student, "events.tsv"))
    assert set(listed.threshold) <= set(MODES)
    assert set(listed.recording) <= set(evaluated), "no detections in the development part"
    listed = listed[listed.threshold == mode]
    pairs = {
        row.recording: (
            until(reference[reference.recording == row.recording], row.frames),
            listed[listed.recording == row.recording],
        )
        for row in table[table.part == "evaluation"].itertuples()
    }
    return sed_eval_scores(labels.events, pairs, CONVENTIONS[convention])


def until(events, frames):
    """The list up to the last whole frame: what is heard after it is in no frame."""
    end = frame_times(frames, 882, 44100)[1][-1]
    return events[events.onset < end].assign(offset=events.offset.clip(upper=end))


def row_of(table, setting):
    rows = table[(table.convention == setting[0]) & (table.threshold == setting[1])]
    assert len(rows) > 0
    return rows


@pytest.mark.parametrize("setting", SETTINGS, ids="-".join)
@pytest.mark.parametrize("student", STUDENTS, ids=["crnn", "mtl", "soft"])
def test_stored_scores_are_sed_evals_of_the_stored_lists(finished, labels, student, setting):
    theirs = rescored(finished, labels, student, setting)
    overall = row_of(read_table(finished.path("evaluation", student, "overall.tsv")), setting)
    (row,) = overall.itertuples()
    counts = theirs.overall
    assert [getattr(row, name) for name in COUNTS] == [
        counts["Ntp"], counts["Nfp"], counts["Nfn"]
    ]  # fmt: skip
    assert (row.substitutions, row.deletions, row.insertions) == (
        counts["S"], counts["D"], counts["I"]
    )  # fmt: skip
    scores = theirs.results_overall_metrics()
    assert row.f_score == pytest.approx(scores["f_measure"]["f_measure"], rel=1e-12)
    assert row.error_rate == pytest.approx(scores["error_rate"]["error_rate"], rel=1e-12)

    each = row_of(read_table(finished.path("evaluation", student, "class_wise.tsv")), setting)
    assert list(each.event) == list(labels.events)
    for row in each.itertuples():
        own = theirs.class_wise[row.event]
        assert [getattr(row, name) for name in COUNTS] == [own["Ntp"], own["Nfp"], own["Nfn"]]
        present = own["Ntp"] + own["Nfp"] + own["Nfn"]
        expected = 2 * own["Ntp"] / (own["Nref"] + own["Nsys"]) if present else np.nan
        assert row.f_score == pytest.approx(expected, rel=1e-12, nan_ok=True)
        if own["Nref"] and own["Nsys"]:  # the only case in which sed_eval gives an F-score
            scored = theirs.results_class_wise_metrics()[row.event]
            assert row.f_score == pytest.approx(scored["f_measure"]["f_measure"], rel=1e-12)
        # Table 4: over the reference of all events, and not over the event's own.
        assert row.error_rate == pytest.approx(
            (own["Nfp"] + own["Nfn"]) / counts["Nref"], rel=1e-12
        )


def test_the_check_in_the_documentation_gives_table_3(finished, tmp_path):
    """As documented, but for the run's folder, and where nothing knows softscene."""
    text = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert code.count('Path("results/demo")') == 1
    assert "softscene" not in code
    code = code.replace('"results/demo"', repr(str(finished.path("."))))
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = row_of(read_table(finished.path("tables/table3.tsv")), ("frame", "adaptive"))
    (row,) = table[table.method == "CNN-BiGRU"].itertuples()
    scores = f"F-score {row.f_score_mean:.2%}, error rate {row.error_rate_mean:.4f}"
    assert done.stdout.splitlines() == [f"fold-1_seed-0: {scores}", f"mean: {scores}"]
    assert row.f_score_mean > 0, "else the check would check little"


@pytest.mark.parametrize("mode", ["adaptive", "fixed"])
@pytest.mark.parametrize("student", STUDENTS, ids=["crnn", "mtl", "soft"])
def test_event_based_scores_are_sed_evals_of_the_stored_lists(finished, labels, student, mode):
    theirs = sed_eval.sound_event.EventBasedMetrics(
        list(labels.events), t_collar=0.2, percentage_of_length=0.2
    )
    table = read_table(finished.path("folds/fold-1/recordings.tsv"))
    reference = read_table(finished.path("annotations/events.tsv"))
    reference = reference[reference.event != ""]
    found = read_table(finished.path("predictions", student, "events.tsv"))
    found = found[found.threshold == mode]
    for name in table.recording[table.part == "evaluation"]:
        lists = (each[each.recording == name] for each in (reference, found))
        theirs.evaluate(*(event_list(each, name) for each in lists))
    field = read_table(finished.path("evaluation", student, "field_metrics.tsv"))
    mine = field[(field.metric == "event_f_score") & (field.threshold == mode)]
    (micro,) = mine.value[mine.average == "micro"]
    whole = theirs.results_overall_metrics()["f_measure"]["f_measure"]
    assert micro == pytest.approx(whole, rel=1e-12, nan_ok=True)
    each = mine[mine.event != ""].set_index("event").value
    by_event = theirs.results_class_wise_metrics()
    assert len(each) > 5
    for event, value in each.items():
        counts = theirs.class_wise[event]
        if counts["Nref"] and counts["Nsys"]:
            assert value == pytest.approx(by_event[event]["f_measure"]["f_measure"], rel=1e-12)


@pytest.mark.parametrize("student", STUDENTS, ids=["crnn", "mtl", "soft"])
def test_there_is_a_row_for_each_setting_and_no_other(finished, labels, student):
    overall = read_table(finished.path("evaluation", student, "overall.tsv"))
    rows = list(zip(overall.convention, overall.threshold, strict=True))
    assert sorted(rows) == sorted(SETTINGS)
    each = read_table(finished.path("evaluation", student, "class_wise.tsv"))
    rows = set(zip(each.convention, each.threshold, each.event, strict=True))
    assert len(each) == len(rows) == len(SETTINGS) * len(labels.events)


def test_scene_accuracy_confusion_and_clips_agree(finished, labels):
    clips = read_table(finished.path("folds/fold-1/clips.tsv"))
    clips = clips[clips.part == "evaluation"]
    folder = finished.path("teachers/fold-1_seed-0")
    confusion = read_table(folder / "confusion.tsv").set_index("scene")
    accuracy = read_table(folder / "scene_accuracy.tsv").set_index("scene")
    assert list(confusion.columns) == [f"clips_{scene}" for scene in labels.scenes]
    confusion.columns = labels.scenes
    assert list(confusion.index) == list(labels.scenes)
    assert list(accuracy.index) == [*labels.scenes, ""]
    for scene in labels.scenes:
        own = (clips.scene == scene).sum()
        assert own > 0
        assert accuracy.clips[scene] == confusion.loc[scene].sum() == own
        assert accuracy.correct[scene] == confusion.loc[scene, scene]
        assert accuracy.accuracy[scene] == confusion.loc[scene, scene] / own
    right = sum(confusion.loc[scene, scene] for scene in labels.scenes)
    assert tuple(accuracy.loc[""]) == (len(clips), right, right / len(clips))


def test_table_1_counts_the_annotations(finished, labels):
    count = {(event, scene): 0 for event in labels.events for scene in labels.scenes}
    seconds = dict.fromkeys(count, 0.0)
    for row in read_table(finished.path("annotations/events.tsv")).itertuples():
        count[row.event, row.scene] += 1
        seconds[row.event, row.scene] += row.offset - row.onset
    table = read_table(finished.path("tables/table1.tsv"))
    assert [(row.event, row.scene) for row in table.itertuples()] == list(count)
    assert list(table["count"]) == list(count.values())
    assert table.duration.to_numpy() == pytest.approx(list(seconds.values()), abs=1e-6)
    page = finished.path("tables/table1.md").read_text(encoding="utf-8")
    (event, scene), most = max(count.items(), key=lambda item: item[1])
    line = next(line for line in page.splitlines() if line.startswith(f"| {event} "))
    cell = line.split("|")[2 + labels.scenes.index(scene)].strip()
    assert cell == f"{most} ({seconds[event, scene]:.1f} s)"


def test_table_4_holds_the_class_wise_scores(finished):
    table = read_table(finished.path("tables/table4.tsv"))
    methods = dict(zip(STUDENTS, ("CNN-BiGRU", "MTL", "MTL with soft labels"), strict=True))
    keys = ["convention", "threshold", "event"]
    for student, method in methods.items():
        own = read_table(finished.path("evaluation", student, "class_wise.tsv")).set_index(keys)
        shown = table[table.method == method].set_index(keys).loc[own.index]
        absent = own.true_positives + own.false_negatives == 0
        assert own.f_score.isna().equals(absent & (own.false_positives == 0))
        scored = own.f_score.fillna(0.0)
        pd.testing.assert_series_equal(shown.f_score_mean, scored, check_names=False)
        pd.testing.assert_series_equal(shown.error_rate_mean, own.error_rate, check_names=False)
        assert (shown.runs == 1).all()
        assert shown.absent.astype(bool).equals(absent)
