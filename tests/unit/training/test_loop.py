"""Training: reproducible to the last bit, and what alpha = 0 and beta = 0 mean."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from softscene.core.errors import TrainingError
from softscene.models.networks import Student
from softscene.training.loop import train_student, train_teacher
from softscene.training.parameters import SceneObjective, TrainingParameters
from softscene.training.runtime import permutation, seed_everything
from softscene.training.weights import load_network, save_network

from tests.unit.tiny_training import CPU, SIZE, SOFT

PARAMETERS = TrainingParameters(epochs=2, batch_size=4, learning_rate=1e-3)


def student(clips, seed=0, soft=SOFT, **objective):
    return train_student(
        clips, soft, SceneObjective(**objective), SIZE, PARAMETERS, seed, CPU, "a test"
    )


def equal(first, second, prefix=""):
    """Whether all of the second's weights and statistics are the first's, to the last bit."""
    states = first.state_dict(), second.state_dict()
    names = [name for name in states[1] if name.startswith(prefix)]
    assert names
    return all(torch.equal(states[0][name], states[1][name]) for name in names)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(clips):
    first, history = student(clips, loss="hard", weight=1.0)
    second, again = student(clips, loss="hard", weight=1.0)
    assert equal(first, second)
    pd.testing.assert_frame_equal(history, again, check_exact=True)
    assert not equal(first, student(clips, seed=1, loss="hard", weight=1.0)[0])


def test_training_in_bfloat16_is_reproducible_and_near_to_single_precision(clips):
    size, objective = dataclasses.replace(SIZE, precision="bfloat16"), SceneObjective("soft", 1.0)
    arguments = SOFT, objective, size, PARAMETERS, 0, CPU, "a test"
    (first, history), (second, _) = (train_student(clips, *arguments) for _ in range(2))
    assert equal(first, second)
    exact, expected = student(clips, loss="soft", weight=1.0)
    assert not equal(first, exact)
    np.testing.assert_allclose(history, expected, rtol=0.01)


def test_seed_0_is_a_seed(clips):
    """A run with seed 0 does not depend on what drew random numbers before it."""
    torch.manual_seed(1)
    first, _ = train_teacher(clips, SIZE, PARAMETERS, 0, CPU, "a test")
    torch.manual_seed(2)
    torch.rand(10)
    second, _ = train_teacher(clips, SIZE, PARAMETERS, 0, CPU, "a test")
    assert equal(first, second)


def test_each_seed_and_epoch_has_an_order_of_its_own():
    orders = {tuple(permutation(seed, epoch, 9)) for seed in (0, 1) for epoch in (1, 2, 3)}
    assert len(orders) == 6
    assert all(sorted(order) == list(range(9)) for order in orders)


@pytest.mark.parametrize("loss", ["hard", "soft"])
def test_weight_0_trains_exactly_the_event_part(clips, loss):
    crnn, _ = student(clips, loss="none")
    joint, history = student(clips, loss=loss, weight=0.0)
    for part in ("shared.", "event."):
        assert equal(joint, crnn, part)
    start = initial_scene_branch()
    for name, value in joint.scene.named_parameters():
        assert torch.equal(value, dict(start.named_parameters())[name])
    assert (history.loss == history.event_loss).all()


def initial_scene_branch():
    seed_everything(0)
    return Student(SIZE, scene_branch=True).scene


def test_weight_and_kind_of_the_scene_loss_matter(clips):
    runs = [
        student(clips, loss="none")[0],
        student(clips, loss="hard", weight=1.0)[0],
        student(clips, loss="hard", weight=0.1)[0],
        student(clips, loss="soft", weight=1.0, temperature=1.0)[0],
        student(clips, loss="soft", weight=1.0, temperature=5.0)[0],
        student(clips, loss="soft", soft=SOFT.flip(0), weight=1.0, temperature=1.0)[0],
    ]
    for i, first in enumerate(runs):
        assert not any(equal(first, second, "shared.") for second in runs[i + 1 :])


@pytest.fixture
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double_precision")
def test_the_first_steps_are_those_of_adam_on_the_written_loss(clips):
    """An independent loop over the same clips, with torch's own losses on cut-out valid frames.

    In double precision, since Adam scales up a gradient that is nearly nothing, rounding included.
    """
    clips = dataclasses.replace(clips, features=clips.features.astype(np.float64))
    soft = SOFT.double()
    steps = TrainingParameters(epochs=1, batch_size=4, learning_rate=1e-3)
    objective = SceneObjective("soft", 0.5, 2.0)
    size = dataclasses.replace(SIZE, dropout=0.0)
    trained, _ = train_student(clips, soft, objective, size, steps, 0, CPU, "a test")

    seed_everything(0)
    network = Student(size, scene_branch=True).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    order = permutation(0, 1, len(clips))
    for chosen in (order[:4], order[4:]):
        lengths = torch.from_numpy(clips.lengths[chosen])
        y, w = network(torch.from_numpy(clips.features[chosen]), lengths)
        z = torch.from_numpy(clips.targets[chosen]).double()
        cut = [torch.cat([part[i, :n] for i, n in enumerate(lengths)]) for part in (y, z)]
        events = torch.nn.functional.binary_cross_entropy_with_logits(*cut)
        p, q = (soft[chosen] / 2).softmax(1), (w / 2).softmax(1)
        optimiser.zero_grad()
        (events - 0.5 * (p * q.log()).sum(1).mean()).backward()
        optimiser.step()
    for name, value in network.named_parameters():
        if "convolution.bias" in name:
            continue  # batch norm cancels it: its gradient is rounding, which Adam scales up
        torch.testing.assert_close(value, trained.get_parameter(name), rtol=0, atol=1e-9)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("loss", ["teacher", "none", "hard", "soft"])
def test_the_plain_form_trains_to_the_same_losses_and_weights(clips, loss):
    """With dropout, and bounds of first order in the rounding of a gradient.

    A gradient of the first block, the longest sum, adds a term for each band of each frame of the
    batch; rounding changes it by their number times the precision times the largest gradient (or 1,
    the size of the loss). Adam divides by |gradient| + 1e-8, so that in each step a weight moves by
    at most 1e8 learning rates times the change. A weight that moves so far has a gradient of that
    size, so in the loss each weight counts for at most the learning rate times the change.
    """
    clips = dataclasses.replace(clips, features=clips.features.astype(np.float64))
    soft, objective = SOFT.double(), SceneObjective(loss, float(loss != "none"), 2.0)
    networks, histories = [], []
    for fused in (True, False):
        size = dataclasses.replace(SIZE, fused=fused)
        if loss == "teacher":
            trained = train_teacher(clips, size, PARAMETERS, 0, CPU, "a test")
        else:
            trained = train_student(clips, soft, objective, size, PARAMETERS, 0, CPU, "a test")
        networks.append(trained[0])
        histories.append(trained[1])
    fused, plain = networks
    gradient = max(p.grad.abs().max().item() for p in plain.parameters())
    change = 4 * 500 * 64 * np.finfo(float).eps * max(gradient, 1)
    moved = 2 * PARAMETERS.epochs * PARAMETERS.learning_rate  # two steps an epoch
    states = fused.state_dict(), plain.state_dict()
    assert list(states[0]) == list(states[1])
    for one, other in zip(*(state.values() for state in states), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=moved * change / 1e-8)
    weights = sum(parameter.numel() for parameter in plain.parameters())
    np.testing.assert_allclose(*histories, rtol=0, atol=change * (1 + moved * weights))


def test_a_loss_that_is_not_finite_stops_with_its_place(clips):
    bad = dataclasses.replace(clips, features=clips.features.copy())
    bad.features[5, 10, 3] = np.inf
    batch = int(np.flatnonzero(permutation(7, 1, 7) == 5)[0]) // 4 + 1
    with pytest.raises(TrainingError, match=rf"fold 2, seed 7, epoch 1, batch {batch} of 2"):
        train_student(bad, None, SceneObjective(), SIZE, PARAMETERS, 7, CPU, "fold 2, seed 7")


def test_weights_come_back_as_they_were_saved(clips, tmp_path):
    network, _ = student(clips, loss="hard", weight=1.0)
    save_network(network, tmp_path / "weights.safetensors", {})
    again = load_network(
        Student(SIZE, scene_branch=True), tmp_path / "weights.safetensors", CPU, {}
    )
    assert equal(network, again)


def test_a_file_of_another_network_or_a_pickle_is_refused(clips, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_network(student(clips, loss="none")[0], path, {})
    with pytest.raises(TrainingError, match="weights of this network"):
        load_network(Student(SIZE, scene_branch=True), path, CPU, {})
    torch.save({"a": 1}, path)
    with pytest.raises(TrainingError, match="cannot be read as safetensors"):
        load_network(Student(SIZE, scene_branch=True), path, CPU, {})
