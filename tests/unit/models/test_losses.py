"""Losses against closed forms, written out in NumPy and float64."""

import numpy as np
import pytest
import torch
from softscene.models.losses import event_loss, hard_scene_loss, soft_scene_loss

rng = np.random.default_rng(0)


def softmax(values):
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def logits(*shape):
    return torch.from_numpy(rng.normal(size=shape) * 3)


def test_event_loss_is_the_mean_over_valid_frames_and_events():
    y, z = logits(3, 7, 5), torch.from_numpy((rng.random((3, 7, 5)) < 0.3).astype(float))
    lengths = torch.tensor([7, 2, 5])
    s = 1 / (1 + np.exp(-y.numpy()))
    each = -(z.numpy() * np.log(s) + (1 - z.numpy()) * np.log(1 - s))
    expected = np.concatenate([each[i, :n].ravel() for i, n in enumerate(lengths)]).mean()
    assert event_loss(y, z, lengths).item() == pytest.approx(expected, rel=1e-12)


def test_event_loss_as_a_sum_is_equation_1_of_each_clip_and_their_mean():
    y, z = logits(3, 7, 5), torch.from_numpy((rng.random((3, 7, 5)) < 0.3).astype(float))
    lengths = torch.tensor([7, 2, 5])
    s = 1 / (1 + np.exp(-y.numpy()))
    each = -(z.numpy() * np.log(s) + (1 - z.numpy()) * np.log(1 - s))
    expected = np.mean([each[i, :n].sum() for i, n in enumerate(lengths)])
    assert event_loss(y, z, lengths, "sum").item() == pytest.approx(expected, rel=1e-12)
    full = torch.tensor([7, 7, 7])
    ratio = event_loss(y, z, full, "sum") / event_loss(y, z, full)
    assert ratio.item() == pytest.approx(7 * 5, rel=1e-12), "frames x events of a clip"


def test_padding_adds_nothing_to_the_event_loss_or_its_gradient():
    y, z, lengths = logits(2, 6, 4).requires_grad_(), torch.zeros(2, 6, 4).double(), [6, 3]
    event_loss(y, z, torch.tensor(lengths)).backward()
    assert (y.grad[1, 3:] == 0).all()
    assert (y.grad[1, :3] != 0).all()
    with torch.no_grad():
        before = event_loss(y, z, torch.tensor(lengths))
        y[1, 3:] = 1e4
        z[1, 3:] = 1.0
        assert event_loss(y, z, torch.tensor(lengths)) == before


def test_hard_scene_loss_is_the_cross_entropy():
    w, scenes = logits(6, 4), torch.tensor([0, 1, 2, 3, 0, 2])
    expected = -np.log(softmax(w.numpy())[np.arange(6), scenes]).mean()
    assert hard_scene_loss(w, scenes).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 5.0])
def test_soft_scene_loss_is_equations_4_to_6_without_a_factor_of_t_squared(temperature):
    w, v = logits(6, 4), logits(6, 4)
    p, q = softmax(v.numpy() / temperature), softmax(w.numpy() / temperature)
    expected = -(p * np.log(q)).sum(axis=1).mean()
    assert soft_scene_loss(w, v, temperature).item() == pytest.approx(expected, rel=1e-12)


def test_a_large_temperature_makes_the_targets_uniform():
    """The loss is the mean of -log q over the scenes then, and w = 0 has the least."""
    w, v = logits(5, 4), logits(5, 4)
    large = 1e7
    scaled = w * large  # so that q is softmax(w) while p is as good as uniform
    expected = -np.log(softmax(w.numpy())).mean(axis=1).mean()
    assert soft_scene_loss(scaled, v, large).item() == pytest.approx(expected, rel=1e-5)
    assert soft_scene_loss(torch.zeros_like(w), v, large).item() == pytest.approx(np.log(4))


def test_soft_labels_of_a_certain_teacher_tend_to_the_hard_loss():
    w, scenes = logits(6, 4), torch.tensor([0, 1, 2, 3, 0, 2])
    one_hot = torch.nn.functional.one_hot(scenes, 4).double()
    gaps = [
        abs(soft_scene_loss(w, scale * one_hot, 1.0) - hard_scene_loss(w, scenes)).item()
        for scale in (2, 5, 10, 30)
    ]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 1e-10
