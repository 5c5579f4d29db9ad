"""The sensitivity table against NumPy and SciPy, and what other runs add to it."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import softmax
from softscene.analysis.sensitivity import COLUMNS, add_runs, compare_choices
from softscene.config.open_choices import CONFIGURED, OpenChoice
from softscene.config.variants import Variant
from softscene.core.errors import ResultError
from softscene.core.origins import note_parameters
from softscene.core.tsv import read_table, write_table

from tests.unit.analysis.comparable import LIGHT, PLACES, SOFT, SOFT5, scores_of

SCENES = ["home", "office", "park"]
SHORT = Variant(
    "short", "Short", "soft", beta="1.0", temperature="1.0", overrides=("teacher.epochs = 3",)
)
ALONE = Variant(
    "alone", "Alone", "soft", beta="1.0", temperature="1.0", overrides=("student.epochs = 3",)
)
CHOICES = [
    OpenChoice(CONFIGURED, SOFT, LIGHT),
    OpenChoice("T = 5", SOFT5, LIGHT),
    OpenChoice("teacher.epochs = 3", SHORT, LIGHT),
    OpenChoice("student.epochs = 3", ALONE, None),
]
MEANS = {LIGHT: 0.46, SOFT: 0.465, SOFT5: 0.42, SHORT: 0.50, ALONE: 0.3}


@pytest.fixture
def given(tmp_path):
    """Scores of both thresholds, and two files of logits for each choice."""
    scores = pd.concat(
        [scores_of(MEANS, noise=0.01), scores_of(MEANS, noise=0.0, threshold="oracle")]
    )
    random, files = np.random.default_rng(3), []
    for i in range(len(CHOICES)):
        files.append([])
        for part in (0, 1):
            logits = random.normal(0, 2, (5 + part, 3))
            table = pd.DataFrame(logits, columns=[f"logit_{scene}" for scene in SCENES])
            table.insert(0, "scene", random.choice(SCENES, 5 + part))
            files[-1].append(tmp_path / f"{i}-{part}.tsv")
            write_table(table, files[-1][-1])
    return scores, files


def paired(scores, one, other, score):
    """Differences, folds x seeds, by other means than the library's."""
    here, own = scores[scores.threshold == "adaptive"], []
    for each in (one, other):
        rows = here[here.method == each.name]
        if "temperature" in each.weights:
            rows = rows[rows.temperature == each.weights["temperature"]]
        own.append(rows.pivot(index="fold", columns="seed", values=score).to_numpy())
    return own[0] - own[1]


def t_interval(values):
    """Student's interval within folds, of folds x seeds."""
    folds, seeds = values.shape
    spread = np.sqrt(values.var(axis=1, ddof=1).mean() / values.size)
    return stats.t.interval(0.95, folds * (seeds - 1), values.mean(), spread)


def fold_interval(values):
    means = values.mean(axis=1)
    return stats.t.interval(0.95, len(means) - 1, means.mean(), stats.sem(means))


def test_differences_and_how_far_they_moved_are_numpys_and_scipys(given):
    scores, files = given
    table = compare_choices("mine", CHOICES, scores, files, SCENES)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == len(CHOICES) * 2 * 2
    for score in ("f_score", "error_rate"):
        rows = table[(table.threshold == "adaptive") & (table.score == score)]
        assert list(rows.varies) == [each.varies for each in CHOICES]
        usual = paired(scores, SOFT, LIGHT, score)
        for choice, row in zip(CHOICES[:3], rows.itertuples(), strict=False):
            values = paired(scores, choice.soft, LIGHT, score)
            assert row.difference == pytest.approx(values.mean(), rel=1e-9)
            assert (row.low, row.high) == pytest.approx(t_interval(values), rel=1e-9)
            assert (row.fold_low, row.fold_high) == pytest.approx(fold_interval(values), rel=1e-9)
            assert (row.pairs, row.folds) == (len(PLACES), 4)
            if choice is not CHOICES[0]:
                moved = values - usual
                assert row.moved == pytest.approx(moved.mean(), rel=1e-9)
                assert (row.moved_low, row.moved_high) == pytest.approx(t_interval(moved), rel=1e-9)
                assert (row.moved_fold_low, row.moved_fold_high) == pytest.approx(
                    fold_interval(moved), rel=1e-9
                )
            else:
                assert np.isnan([row.moved, row.moved_low, row.moved_fold_high]).all()
    rows = table[(table.threshold == "adaptive") & (table.score == "f_score")]
    assert list(rows.verdict)[1:3] == ["not reproduced", "reproduced"]


def test_ones_own_data_are_better_or_worse_and_get_no_verdict_on_the_paper(given):
    scores, files = given
    table = compare_choices("mine", CHOICES, scores, files, SCENES, own=True)
    rows = table[(table.threshold == "adaptive") & (table.score == "f_score")]
    assert list(rows.verdict)[1:] == ["worse", "better", "inconclusive"]
    paper = compare_choices("mine", CHOICES, scores, files, SCENES)
    assert table.drop(columns="verdict").equals(paper.drop(columns="verdict"))


def test_a_choice_without_one_hot_scenes_of_its_settings_says_what_is_missing(given):
    scores, files = given
    table = compare_choices("mine", CHOICES, scores, files, SCENES)
    rows = table[table.varies == "student.epochs = 3"]
    assert rows.difference.isna().all()
    assert set(rows.pairs) == {0}
    assert set(rows.verdict) == {"inconclusive"}
    assert set(rows.comparison) == {"Alone, beta = 1, T = 1 vs one-hot scenes"}
    assert set(rows.reason) == {
        "the configuration lacks MTL, alpha = 0.0001 with student.epochs = 3"
    }


def test_softness_is_that_of_the_labels_at_the_students_temperature(given):
    scores, files = given
    table = compare_choices("mine", CHOICES, scores, files, SCENES)
    for choice, own in zip(CHOICES, files, strict=True):
        labels = pd.concat(map(read_table, own))
        p = softmax(labels.filter(like="logit_") / choice.soft.weights["temperature"], axis=1)
        right = np.array(SCENES)[p.argmax(axis=1)] == labels.scene
        expected = (11, p.max(axis=1).mean(), stats.entropy(p, axis=1).mean(), right.mean())
        rows = table[table.varies == choice.varies]
        for row in rows.itertuples():
            found = (row.labelled, row.largest_posterior, row.entropy, row.accuracy)
            assert found == pytest.approx(expected, rel=1e-12)


def other_run(folder, table, parameters):
    write_table(table.assign(corpus="synthetic"), folder / "sensitivity.tsv")
    note_parameters(folder / "sensitivity.json", parameters)
    return folder


def test_other_runs_are_named_by_what_differs_in_their_configuration(given, tmp_path):
    scores, files = given
    table = compare_choices("mine", CHOICES, scores, files, SCENES)
    theirs = compare_choices("theirs", CHOICES[:2], scores, files[:2], SCENES)
    ours = {"clips": {"frames": 500, "shortest_trained": 1.0}, "seeds": [0, 1, 2], "own": None}
    clips = {"clips": {"frames": 250, "shortest_trained": 0.5}, "seeds": [0, 1, 2], "own": None}
    first = other_run(tmp_path / "first", theirs, clips)
    nested = add_runs(theirs, ours, [other_run(tmp_path / "nested", table, ours | {"seeds": [4]})])
    second = other_run(tmp_path / "second", nested, ours)
    found = add_runs(table, ours, [first, second])
    pd.testing.assert_frame_equal(found[: len(table)], table, check_dtype=False)
    added = found[len(table) :]
    assert list(dict.fromkeys(zip(added.run, added.varies, strict=True))) == [
        ("theirs", "clips.frames = 250, clips.shortest_trained = 0.5"),
        ("theirs", CONFIGURED),
    ]
    usual = theirs[theirs.varies == CONFIGURED]
    assert len(added) == 2 * len(usual) == 8
    np.testing.assert_allclose(added.difference[:4], usual.difference)
    assert add_runs(table, ours, []).equals(table)


def test_a_damaged_table_of_another_run_is_named(given, tmp_path):
    scores, files = given
    table = compare_choices("mine", CHOICES, scores, files, SCENES)
    folder = other_run(tmp_path, table.drop(columns="moved"), {})
    with pytest.raises(ResultError, match=r"sensitivity\.tsv lacks the columns moved; "):
        add_runs(table, {}, [folder])
