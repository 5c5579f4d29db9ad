"""Controls: what each keeps of the teacher's labels, and what it loses, in closed form."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from softscene.config.controls import CONTROLS
from softscene.core.errors import FeatureError
from softscene.core.tsv import write_table
from softscene.models.losses import soft_scene_loss
from softscene.training.controls import (
    make_control_labels,
    mean_entropy,
    scene_mean_labels,
    shuffled_labels,
    smoothed_labels,
    smoothing_of,
)
from softscene.training.soft_labels import read_soft_labels, write_soft_labels

RNG = np.random.default_rng(5)
CLIPS, SCENES = 40, 4
LOGITS = RNG.normal(0, 3, (CLIPS, SCENES)).astype(np.float32)
TRUTH = RNG.integers(0, SCENES, CLIPS)
TEMPERATURES = [0.5, 1.0, 2.0, 5.0]


def posterior(logits, temperature):
    """softmax(v / T), written out."""
    powers = [[math.exp(float(v) / temperature) for v in row] for row in logits]
    return np.array([[power / sum(row) for power in row] for row in powers])


def entropies(p):
    return np.array([-sum(value * math.log(value) for value in row if value > 0) for row in p])


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_smoothed_labels_have_the_teachers_mean_entropy_and_are_uniform(temperature):
    p = posterior(smoothed_labels(LOGITS, TRUTH, temperature), temperature)
    expected = entropies(posterior(LOGITS, temperature)).mean()
    np.testing.assert_allclose(entropies(p), expected, atol=1e-9, rtol=0)
    assert (p.argmax(axis=1) == TRUTH).all()
    others = p[np.arange(SCENES) != TRUTH[:, None]].reshape(CLIPS, SCENES - 1)
    assert np.ptp(others) < 1e-12, "no scene is more like another"
    assert np.ptp(p[np.arange(CLIPS), TRUTH]) < 1e-12, "no clip is surer than another"
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("scenes", [2, 4, 15])
@pytest.mark.parametrize("taken", [1e-30, 1e-12, 1e-3, 0.1, 0.45])
def test_smoothing_is_found_from_its_entropy(scenes, taken):
    each = taken / (scenes - 1)
    entropy = -(1 - taken) * math.log1p(-taken) - (scenes - 1) * each * math.log(each)
    assert smoothing_of(entropy, scenes) == pytest.approx(taken, rel=1e-6)


def test_a_certain_teacher_gives_finite_logits_and_one_that_knows_nothing_uniform_labels():
    certain = np.zeros((3, SCENES), np.float32)
    certain[:, 1] = 1e4
    truth = np.array([1, 1, 2])
    assert mean_entropy(certain, 1.0) == 0
    for temperature in TEMPERATURES:
        made = smoothed_labels(certain, truth, temperature).astype(np.float32)
        assert np.isfinite(made).all()
        w = torch.zeros(3, SCENES)
        loss = soft_scene_loss(w, torch.from_numpy(made), temperature)
        assert loss.item() == pytest.approx(math.log(SCENES), rel=1e-6)
        p = posterior(made, temperature)
        np.testing.assert_allclose(p, np.eye(SCENES)[truth], atol=1e-30)
    ignorant = np.full((3, SCENES), 7, np.float32)
    np.testing.assert_allclose(
        posterior(smoothed_labels(ignorant, truth, 1.0), 1.0), 1 / SCENES, atol=1e-7
    )
    assert smoothing_of(math.log(SCENES) + 1e-12, SCENES) == (SCENES - 1) / SCENES
    assert smoothing_of(0.0, 1) == 0.0


def test_shuffled_labels_are_the_same_rows_in_an_order_that_the_seed_decides():
    shuffled = shuffled_labels(LOGITS, 3)
    assert sorted(map(tuple, shuffled)) == sorted(map(tuple, LOGITS))
    assert (shuffled != LOGITS).any(axis=1).mean() > 0.8
    np.testing.assert_array_equal(shuffled_labels(LOGITS, 3), shuffled)
    assert (shuffled_labels(LOGITS, 4) != shuffled).any()


def test_shuffling_takes_away_what_labels_say_of_a_clip():
    """A perfect teacher's shuffled labels are right as often as guessing, over 200 seeds."""
    truth = np.repeat(np.arange(SCENES), CLIPS // SCENES)
    perfect = np.eye(SCENES)[truth]
    right = [(shuffled_labels(perfect, seed).argmax(axis=1) == truth).mean() for seed in range(200)]
    assert np.mean(right) == pytest.approx(1 / SCENES, abs=0.02)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_scene_means_are_means_of_the_posteriors(temperature):
    seen = posterior(scene_mean_labels(LOGITS, TRUTH, temperature), temperature)
    p = posterior(LOGITS, temperature)
    for clip, scene in enumerate(TRUTH):
        own = [p[other] for other in range(CLIPS) if TRUTH[other] == scene]
        np.testing.assert_allclose(seen[clip], sum(own) / len(own), rtol=1e-9)


def test_scene_means_of_extreme_logits_are_finite():
    logits = np.array([[500, -500, 0, 0], [400, -600, 0, 1]], np.float32)
    assert np.isfinite(scene_mean_labels(logits, np.array([0, 0]), 1.0)).all()


@pytest.fixture
def fold(tmp_path, labels):
    """A fold's clips, development and evaluation, and the teacher's logits of the former."""
    table = pd.DataFrame(
        {
            "clip": range(CLIPS + 5),
            "recording": [f"d/{i // 4}" for i in range(CLIPS + 5)],
            "part": ["development"] * CLIPS + ["evaluation"] * 5,
            "scene": [labels.scenes[scene] for scene in TRUTH] + ["home"] * 5,
            "start": [500 * (i % 4) for i in range(CLIPS + 5)],
            "frames": 500,
            "short": False,
        }
    )
    write_table(table, tmp_path / "clips.tsv")
    (tmp_path / "labels.yaml").write_text(yaml.dump(
        {"scenes": list(labels.scenes), "events": list(labels.events)}
    ))  # fmt: skip
    write_soft_labels(table[:CLIPS], LOGITS, labels.scenes, tmp_path / "teacher.tsv")
    return tmp_path


MADE = {
    "smoothed": lambda: smoothed_labels(LOGITS, TRUTH, 2.0),
    "shuffled": lambda: shuffled_labels(LOGITS, 9),
    "cross_fitted": lambda: LOGITS,
    "scene_mean": lambda: scene_mean_labels(LOGITS, TRUTH, 2.0),
}


@pytest.mark.parametrize("control", CONTROLS)
def test_files_of_controls_are_read_as_a_teachers(fold, labels, control):
    make_control_labels(
        control, fold / "clips.tsv", fold / "teacher.tsv", fold / "labels.yaml", fold / "made.tsv",
        temperature=2.0, seed=9,
    )  # fmt: skip
    table = pd.read_csv(fold / "clips.tsv", sep="\t")[:CLIPS]
    read = read_soft_labels(fold / "made.tsv", table, labels.scenes)
    np.testing.assert_array_equal(read, MADE[control]().astype(np.float32))


def test_labels_of_other_clips_are_refused(fold, labels):
    table = pd.read_csv(fold / "clips.tsv", sep="\t")
    write_soft_labels(table[1 : CLIPS + 1], LOGITS, labels.scenes, fold / "teacher.tsv")
    with pytest.raises(FeatureError, match="are not the fold's 40 development clips"):
        make_control_labels(
            "shuffled", fold / "clips.tsv", fold / "teacher.tsv", fold / "labels.yaml",
            fold / "made.tsv", temperature=None, seed=9,
        )  # fmt: skip


def test_held_out_labels_are_joined_in_the_folds_order(fold, labels):
    table = pd.read_csv(fold / "clips.tsv", sep="\t")[:CLIPS]
    part = RNG.integers(0, 3, CLIPS)
    files = [fold / f"part{i}.tsv" for i in range(3)]
    for i, path in enumerate(files):
        write_soft_labels(table[part == i], LOGITS[part == i], labels.scenes, path)
    names = {"clips": fold / "clips.tsv", "labels": fold / "labels.yaml"}
    given = names | {"target": fold / "joined.tsv", "temperature": None, "seed": 9}
    make_control_labels("cross_fitted", soft_labels=files, **given)
    read = read_soft_labels(fold / "joined.tsv", table, labels.scenes)
    np.testing.assert_array_equal(read, LOGITS)
    with pytest.raises(FeatureError, match="are not the fold's 40 development clips"):
        make_control_labels("cross_fitted", soft_labels=files[1:], **given)
