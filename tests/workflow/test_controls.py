"""Controls on top of a finished run: what they add to it, and what their labels have seen."""

import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy.special import softmax
from softscene.config.controls import CONTROLS
from softscene.core.tsv import read_table
from softscene.data.splits import whole_recordings

from tests.checkout import copy_of
from tests.workflow.test_small import CHAIN, CURVES

pytestmark = pytest.mark.slow

GIVEN = ["--config", f"controls=[{','.join(CONTROLS)}]", "control_settings={parts: 2}"]
RUN = "fold-1_seed-0"
STUDENT = f"alpha-none_beta-1.0_T-1.0/{RUN}"
LABELS = {
    "smoothed": f"smoothed/T-1.0/{RUN}.tsv",
    "shuffled": f"shuffled/T-none/{RUN}.tsv",
    "cross_fitted": f"cross_fitted/T-none/{RUN}.tsv",
    "scene_mean": f"scene_mean/T-1.0/{RUN}.tsv",
}
assert LABELS.keys() == CONTROLS.keys()


@pytest.fixture(scope="module")
def controlled(finished, tmp_path_factory):
    """The finished checkout, in which the controls have run as well; tests only look at it."""
    with copy_of(finished, tmp_path_factory.mktemp("controlled")) as checkout:
        checkout.before = checkout.planned(*GIVEN)
        done = checkout.snakemake(*GIVEN)
        assert done.returncode == 0, done.stdout
        yield checkout


def logits_of(table):
    return table.filter(like="logit_").to_numpy()


def test_controls_train_nothing_of_a_finished_run_again(controlled):
    own = {"train_student": 4, "predict_student": 4, "evaluate_student": 4, **CHAIN, **CURVES}
    labels = {"make_control_labels": 4}
    inner = dict.fromkeys(("make_inner_fold", "train_inner_teacher", "dump_held_out_labels"), 2)
    del own["export_detector"]  # which is of no control
    assert controlled.before == own | labels | inner


def test_each_control_is_a_row_of_table_3(controlled):
    table = read_table(controlled.path("tables/table3.tsv"))
    assert len(table) == 7 * 2 * 3
    for control, about in CONTROLS.items():
        rows = table[table.method == about.name]
        assert (len(rows), set(rows.beta), set(rows.temperature)) == (6, {1.0}, {1.0})
        assert rows.published_f_score.isna().all()
        own = read_table(controlled.path("evaluation", control, STUDENT, "overall.tsv"))
        keys = ["convention", "threshold"]
        both = rows.merge(own, on=keys)
        np.testing.assert_array_equal(both.f_score_mean, both.f_score)
        np.testing.assert_array_equal(both.error_rate_mean, both.error_rate)


def test_students_of_all_controls_learn_other_things_from_the_same_start(controlled):
    weights = [
        load_file(controlled.path("students", control, STUDENT, "weights.safetensors"))
        for control in CONTROLS
    ]
    assert len({tuple(sorted((key, each.shape) for key, each in w.items())) for w in weights}) == 1
    branches = {w["scene.output.weight"].tobytes() for w in weights}
    assert len(branches) == len(CONTROLS)


def test_labels_of_controls_are_what_they_are_called(controlled):
    teacher = read_table(controlled.path(f"soft_labels/{RUN}.tsv"))
    made = {name: read_table(controlled.path("soft_labels", path)) for name, path in LABELS.items()}
    for table in made.values():
        assert list(table.columns) == list(teacher.columns)
        assert table[["clip", "recording", "start"]].equals(teacher[["clip", "recording", "start"]])
    known, logits = softmax(logits_of(teacher), axis=1), logits_of(made["shuffled"])
    assert sorted(map(tuple, logits)) == sorted(map(tuple, logits_of(teacher)))
    assert not np.array_equal(logits, logits_of(teacher))

    smoothed = softmax(logits_of(made["smoothed"]), axis=1)
    entropy = -(known * np.log(known)).sum(axis=1).mean()
    np.testing.assert_allclose(-(smoothed * np.log(smoothed)).sum(axis=1), entropy, rtol=1e-6)

    means = softmax(logits_of(made["scene_mean"]), axis=1)
    for scene in teacher.scene.unique():
        own = (teacher.scene == scene).to_numpy()
        np.testing.assert_allclose(means[own] - known[own].mean(axis=0), 0, atol=1e-6)


def test_no_clip_has_a_cross_fitted_label_of_a_teacher_that_saw_its_recording(controlled):
    """From the files of each inner fold: what its teacher trained on, and what it labelled."""
    clips = read_table(controlled.path("folds/fold-1/clips.tsv"))
    known = clips[clips.part == "development"].reset_index(drop=True)
    trained = known[known.frames >= 50]  # a second
    labels = read_table(controlled.path("soft_labels", LABELS["cross_fitted"]))
    labelled = []
    for part in (1, 2):
        inner = read_table(controlled.path(f"inner_folds/fold-1_without-{part}/clips.tsv"))
        teacher = controlled.path(f"inner_teachers/{RUN}_without-{part}")
        seen = inner[inner.part == "development"]
        held_out = read_table(teacher / "held_out.tsv")
        assert sorted(inner["clip"]) == sorted(known["clip"]), "no clip of the evaluation part"
        assert set(held_out["clip"]) == set(trained["clip"]) - set(seen["clip"])
        whole = whole_recordings(known.recording)
        assert not set(held_out.recording.map(whole)) & set(seen.recording.map(whole))
        assert set(seen.scene) == set(known.scene), "each teacher knows all scenes"
        own = labels[labels["clip"].isin(held_out["clip"])].reset_index(drop=True)
        np.testing.assert_array_equal(logits_of(own), logits_of(held_out))
        accuracy = read_table(teacher / "scene_accuracy.tsv").set_index("scene")
        unseen = set(known["clip"]) - set(seen["clip"])
        assert accuracy.clips[""] == len(unseen), "it was tested on what it did not see"
        labelled += list(held_out["clip"])
    assert sorted(labelled) == sorted(trained["clip"])
    teachers = [
        controlled.path(f"{place}/weights.safetensors").read_bytes()
        for place in (f"teachers/{RUN}", *(f"inner_teachers/{RUN}_without-{p}" for p in (1, 2)))
    ]
    assert len(set(teachers)) == 3
