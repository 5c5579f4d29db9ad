"""How soft soft labels are: against closed forms and SciPy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import softmax
from softscene.analysis.softness import COLUMNS, mean_posteriors, measure_softness, nearly_one_hot
from softscene.core.tsv import write_table

SCENES = ["city_center", "home", "office", "residential_area"]


def write_logits(path, logits, scenes):
    table = pd.DataFrame(logits, columns=[f"logit_{scene}" for scene in SCENES], dtype=float)
    table.insert(0, "scene", scenes)
    write_table(table, path)
    return path


def test_closed_forms(tmp_path):
    """Of logits (a, 0, 0, 0) the largest posterior is e^(a/T) / (e^(a/T) + 3)."""
    peak = write_logits(tmp_path / "peak.tsv", [[6, 0, 0, 0]], ["city_center"])
    flat = write_logits(tmp_path / "flat.tsv", [[2, 2, 2, 2], [5, 5, 5, 5]], ["city_center"] * 2)
    found = measure_softness({"development": [peak], "evaluation": [flat]}, [1.0, 2.0], SCENES)
    assert tuple(found.columns) == COLUMNS
    assert list(found.temperature) == [1.0, 1.0, 2.0, 2.0]
    assert list(found.part) == ["development", "evaluation"] * 2
    assert list(found.clips) == [1, 2, 1, 2]
    for row in found.itertuples():
        if row.part == "evaluation":
            expected = (0.25, np.log(4))
        else:
            p = np.exp(6 / row.temperature) / (np.exp(6 / row.temperature) + 3)
            rest = (1 - p) / 3
            expected = (p, -p * np.log(p) - 3 * rest * np.log(rest))
        assert (row.largest_posterior, row.entropy) == pytest.approx(expected, rel=1e-12)
        assert row.accuracy == 1


def test_means_are_scipys_over_the_clips_of_all_teachers(tmp_path):
    random = np.random.default_rng(1)
    logits, scenes = random.normal(0, 5, (40, 4)), random.choice(SCENES, 40)
    paths = [
        write_logits(tmp_path / f"{i}.tsv", logits[part], scenes[part])
        for i, part in enumerate((slice(0, 30), slice(30, 40)))
    ]
    found = measure_softness({"development": paths, "evaluation": paths[:1]}, [5.0], SCENES)
    for row, size in zip(found.itertuples(), (40, 30), strict=True):
        posteriors = softmax(logits[:size] / 5.0, axis=1)
        assert row.clips == size
        assert row.largest_posterior == pytest.approx(posteriors.max(axis=1).mean())
        assert row.entropy == pytest.approx(stats.entropy(posteriors, axis=1).mean())
        guessed = np.array(SCENES)[posteriors.argmax(axis=1)]
        assert row.accuracy == pytest.approx((guessed == scenes[:size]).mean())


def test_labels_that_are_one_hot_to_the_last_digit_have_no_entropy(tmp_path):
    sure = write_logits(tmp_path / "sure.tsv", [[9000, 0, -9000, 0]], ["home"])
    (one, _) = measure_softness(
        {"development": [sure], "evaluation": [sure]}, [1.0], SCENES
    ).itertuples()
    assert (one.largest_posterior, one.entropy, one.accuracy) == (1, 0, 0)


def test_nearly_one_hot_is_said_of_what_students_learn():
    rows = [(1.0, "development", 3, 0.999), (1.0, "evaluation", 3, 0.7),
            (5.0, "development", 3, 0.98), (5.0, "evaluation", 3, 0.995)]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS[:4]))
    assert nearly_one_hot(table) == [1.0]


def test_mean_posteriors_are_scipys_softmax_over_each_true_scene(tmp_path):
    random = np.random.default_rng(0)
    tables = []
    for teacher in (0, 1):
        logits = random.normal(0, 4, (30, 4))
        table = pd.DataFrame(logits, columns=[f"logit_{scene}" for scene in SCENES])
        table.insert(0, "scene", random.choice(SCENES[:3], 30))
        write_table(table, tmp_path / f"{teacher}.tsv")
        tables.append(table)
    both = pd.concat(tables)
    found = mean_posteriors([tmp_path / "0.tsv", tmp_path / "1.tsv"], [1.0, 5.0], SCENES)
    assert list(found.columns) == [
        "temperature",
        "scene",
        "clips",
        *(f"posterior_{scene}" for scene in SCENES),
    ]
    assert list(found.scene) == SCENES[:3] * 2, "a scene without clips has no row"
    for row in found.itertuples():
        own = both[both.scene == row.scene]
        expected = softmax(own.filter(like="logit_").to_numpy() / row.temperature, axis=1)
        np.testing.assert_allclose(row[4:], expected.mean(axis=0), atol=1e-12)
        assert row.clips == len(own)
