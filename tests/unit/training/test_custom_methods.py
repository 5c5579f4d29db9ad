"""Methods of one's own: what is refused, and that the named part alone is replaced."""

import os
from dataclasses import replace

import pytest
import torch
from softscene.config.custom_code import has_teacher, load_code
from softscene.config.study import custom_networks, require_code
from softscene.core.errors import ConfigurationError, MethodError, TrainingError
from softscene.models.losses import event_loss, hard_scene_loss, soft_scene_loss
from softscene.models.networks import Student, Teacher
from softscene.training.batches import Batches
from softscene.training.custom_methods import Method
from softscene.training.loop import student_losses, train_student, train_teacher
from softscene.training.parameters import SceneObjective, TrainingParameters

from tests.unit.tiny_training import CPU, SIZE, SOFT

ONE_EPOCH = TrainingParameters(epochs=1, batch_size=4, learning_rate=0.001)
LOSS = "def hard_scene_loss(w, scenes):\n    return (w**2).mean()\n"
NETWORK = """
from softscene.models.networks import Student as Original
class Student(Original):
    def forward(self, features, lengths):
        y, w = super().forward(features, lengths)
        return {}
"""


@pytest.fixture
def write(tmp_path):
    def file(text):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return path

    return file


def complaint(methods):
    with pytest.raises(ConfigurationError) as caught:
        require_code(methods)
    return str(caught.value)


def test_code_that_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "mine.py")
    said = complaint({"mine": {"scene_loss": "hard", "code": str(tmp_path / "mine.py")}})
    assert f"methods.mine.code: {tmp_path}/mine.py is a named pipe, not a file" in said
    said = complaint({"mine": {"scene_loss": "hard", "code": "/dev/zero"}})
    assert "methods.mine.code: /dev/zero is a device, not a file" in said


@pytest.mark.parametrize(
    ("text", "loss", "words"),
    [
        (
            "def hard_scene_los(w, scenes):\n    pass\n",
            "hard",
            ["defines none of them", "Student or event_loss or hard_scene_loss expected"],
        ),
        (
            LOSS,
            "soft",
            [
                "defines hard_scene_loss; Student or Teacher or event_loss or soft_scene_loss "
                "expected where scene_loss is 'soft'"
            ],
        ),
        (LOSS, "none", ["Student or event_loss expected where scene_loss is 'none'"]),
        ("class Teacher: pass\n", "hard", ["defines Teacher; Student or event_loss or hard_"]),
        ("def broken(:\n", "hard", ["is not Python", "line 1"]),
        ("\0", "hard", ["is not Python"]),
    ],
)
def test_a_useless_file_is_refused_with_its_key_and_what_is_expected(write, text, loss, words):
    path = write(text)
    said = complaint({"mine": {"scene_loss": loss, "code": str(path)}})
    for word in ["methods.mine.code: ", str(path), *words]:
        assert word in said


def test_all_bad_files_are_told_in_one_go_and_good_ones_are_not(write):
    methods = {
        "absent": {"scene_loss": "hard", "code": "no/such.py"},
        "good": {"scene_loss": "hard", "code": str(write(LOSS))},
        "paper": {"scene_loss": "hard"},
        "folder": {"scene_loss": "none", "code": "."},
    }
    said = complaint(methods).splitlines()[1:]
    assert [line.split(":")[0].strip() for line in said] == [
        "methods.absent.code", "methods.folder.code"
    ]  # fmt: skip
    del methods["absent"], methods["folder"]
    require_code(methods)


@pytest.mark.parametrize(
    "text", ["from x import y as Student\n", "Student = dict\n", "class Student: pass\n"]
)
def test_a_name_may_be_defined_in_any_way(write, text):
    require_code({"mine": {"scene_loss": "none", "code": str(write(text))}})


def test_a_network_of_ones_own_is_kept_from_the_detector(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in (("network", "class Student: pass\n"), ("loss", LOSS)):
        (tmp_path / f"{name}.py").write_text(text)
    methods = {
        "linear": {"scene_loss": "none", "code": "network.py"},
        "focal": {"scene_loss": "hard", "code": "loss.py"},
        "paper": {"scene_loss": "hard"},
    }
    assert custom_networks(methods, None) == {"linear"}
    assert custom_networks(methods, "focal/alpha-1.0_beta-none_T-none") == {"linear"}
    with pytest.raises(ConfigurationError, match=r"^detector: 'linear/.*network\.py has a network"):
        custom_networks(methods, "linear/alpha-none_beta-none_T-none")


def test_a_file_that_fails_is_named_with_its_line(write):
    path = write("import torch\n\n1 / 0\n")
    with pytest.raises(MethodError) as caught:
        load_code(path)
    for word in (str(path), "line 3", "ZeroDivisionError"):
        assert word in str(caught.value)


def test_what_a_file_defines_is_replaced_and_nothing_else(write):
    method = Method.of(load_code(write(LOSS)))
    assert method.hard_scene_loss is not hard_scene_loss
    others = (method.student, method.teacher, method.event_loss, method.soft_scene_loss)
    assert others == (Student, Teacher, event_loss, soft_scene_loss)
    assert Method.of(None) == Method()


def test_the_own_loss_is_the_one_that_is_minimised(write, clips):
    method = Method.of(load_code(write(LOSS)))
    network = Student(SIZE, scene_branch=True).eval()
    data, chosen = Batches(clips, CPU), torch.arange(4)
    own = student_losses(network, data, chosen, SceneObjective("hard", 0.5), method)
    paper = student_losses(network, data, chosen, SceneObjective("hard", 0.5))
    _, w = network(data.features[:4], data.lengths[:4])
    torch.testing.assert_close(own["scene_loss"], (w**2).mean())
    torch.testing.assert_close(own["event_loss"], paper["event_loss"])
    torch.testing.assert_close(own["loss"], own["event_loss"] + 0.5 * own["scene_loss"])
    assert own["scene_loss"] != paper["scene_loss"]


SQUARED = "def event_loss(y, targets, lengths):\n    return ((y - targets) ** 2).mean()\n"


@pytest.mark.parametrize("loss", ["none", "hard", "soft"])
def test_the_own_event_loss_is_minimised_beside_the_papers_scene_loss(write, clips, loss):
    """And adds up by itself, whatever ``loss.events`` says."""
    method = Method.of(load_code(write(SQUARED)))
    objective = SceneObjective(loss, 0.5)
    network = Student(SIZE, scene_branch=loss != "none").eval()
    data, chosen = Batches(clips, CPU, SOFT), torch.arange(4)
    own = student_losses(network, data, chosen, replace(objective, events="sum"), method)
    paper = student_losses(network, data, chosen, objective)
    y, _ = network(data.features[:4], data.lengths[:4])
    squared = ((y.detach().numpy() - clips.targets[:4]) ** 2).mean()
    assert own["event_loss"].item() == pytest.approx(squared, rel=1e-5)
    scenes = 0.0 if loss == "none" else paper["scene_loss"].item()
    assert own["loss"].item() == pytest.approx(squared + 0.5 * scenes, rel=1e-5)
    assert own.keys() == paper.keys()
    assert own["event_loss"] != paper["event_loss"]


def test_an_own_event_loss_gets_each_clips_targets_and_length(write, clips):
    """The library's from a file of one's own: the same weights, to the last bit."""
    text = "from softscene.models import losses\n"
    text += "def event_loss(*given):\n    return losses.event_loss(*given)\n"
    method = Method.of(load_code(write(text)))
    assert method.event_loss is not event_loss
    own = train(clips, method)
    for name, value in train(clips, Method()).state_dict().items():
        assert torch.equal(own.state_dict()[name], value), name


def train(clips, method, loss="soft"):
    objective = SceneObjective(loss, 1.0)
    return train_student(
        clips, SOFT, objective, SIZE, ONE_EPOCH, 0, CPU, "a test", None, method
    )[0]  # fmt: skip


def test_an_own_network_is_trained_as_the_librarys_is(write, clips):
    """The same network from a file of one's own: the same weights, to the last bit."""
    own = train(clips, Method.of(load_code(write(NETWORK.format("y, w")))))
    paper = train(clips, Method())
    assert type(own) is not Student
    for name, value in paper.state_dict().items():
        assert torch.equal(own.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("result", "loss"),
    [("y[:, 1:], w", "soft"), ("y, None", "soft"), ("y, y", "none"), ("y[..., 0], w", "hard")],
)
def test_a_network_with_other_outputs_is_refused_before_it_is_trained(write, clips, result, loss):
    method = Method.of(load_code(write(NETWORK.format(result))))
    with pytest.raises(MethodError, match=r"\(1, 500, 3\).* expected: event logits"):
        train(clips, method, loss)


@pytest.mark.parametrize(
    ("text", "loss", "words"),
    [
        (
            "def hard_scene_loss(w, scenes):\n    return (w**2).sum(dim=1)\n",
            "hard",
            ["hard_scene_loss(w, scenes) returns a tensor of the shape (2,) for two clips; "],
        ),
        (
            "def soft_scene_loss(w, v, temperature):\n    return 0.5\n",
            "soft",
            [
                "soft_scene_loss(w, v, temperature) returns float 0.5 for two clips; it must "
                "return a tensor of one number",
            ],
        ),
        (
            "def soft_scene_loss(w, v, temperature):\n    w.mean()\n",
            "soft",
            ["soft_scene_loss(w, v, temperature) returns nothing (is `return` missing?) for two"],
        ),
        (
            "def soft_scene_loss(w, v):\n    return w.mean()\n",
            "soft",
            [
                "soft_scene_loss(w, v, temperature) was tried and failed: TypeError: ",
                "2 positional",
            ],
        ),
        (
            "def hard_scene_loss(w, scenes):\n    x = 1\n    return (w - scenes).mean()\n",
            "hard",
            [", line 3: hard_scene_loss(w, scenes) was tried and failed: RuntimeError: "],
        ),
        (
            "def hard_scene_loss(w, scenes):\n    return w.detach().mean()\n",
            "hard",
            [
                "hard_scene_loss(w, scenes) returns a tensor without a gradient, 0.0 for two "
                "clips; it must return a tensor of one number, their mean, computed by PyTorch "
                "from w",
            ],
        ),
        (
            "def event_loss(y, targets, lengths):\n    return ((y - targets) ** 2).mean(dim=2)\n",
            "none",
            [
                "event_loss(y, targets, lengths) returns a tensor of the shape (2, 500) for two",
                "computed by PyTorch from y",
            ],
        ),
        (
            "def event_loss(y, targets, lengths):\n    return y.mean() * targets[:, :, 99].sum()\n",
            "soft",
            [", line 2: event_loss(y, targets, lengths) was tried and failed: IndexError: "],
        ),
        (
            "def event_loss(y, targets):\n    return y.mean()\n",
            "hard",
            ["event_loss(y, targets, lengths) was tried and failed: TypeError: ", "2 positional"],
        ),
        (
            NETWORK.format("y, w.no_such"),
            "soft",
            [", line 6: Student.forward(features, lengths) was tried and failed: AttributeError"],
        ),
    ],
)
def test_a_part_with_mistakes_is_refused_before_it_is_trained(write, clips, text, loss, words):
    path = write(text)
    with pytest.raises(MethodError) as caught:
        train(clips, Method.of(load_code(path)), loss)
    for word in [str(path), *words]:
        assert word in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_an_event_loss_and_an_override_of_it_are_refused_together(write):
    path = str(write("def event_loss(y, targets, lengths):\n    return y.mean()\n"))
    method = {"scene_loss": "none", "code": path}
    require_code({"mine": method})
    with pytest.raises(ConfigurationError) as caught:
        require_code({"mine": method | {"loss": {"events": "sum"}}})
    assert caught.value.problems == (
        f"methods.mine.loss: {path} has an event_loss of its own; leave out one of both",
    )


def test_an_own_loss_of_one_number_is_trained(write, clips):
    """The library's from a file of one's own: the same weights, to the last bit."""
    text = "from torch.nn.functional import cross_entropy as hard_scene_loss\n"
    own = train(clips, Method.of(load_code(write(text))), "hard")
    for name, value in train(clips, Method(), "hard").state_dict().items():
        assert torch.equal(own.state_dict()[name], value), name


def test_losses_that_are_not_finite_may_be_the_codes(write, clips):
    path = write(NETWORK.format("y / 0 * 0, w"))
    with pytest.raises(TrainingError, match="smaller learning_rate may help") as caught:
        train(clips, Method.of(load_code(path)))
    assert f"or {path}, the method's code, causes this" in str(caught.value)


TEACHER = """
from torch import nn
from softscene.models.networks import Teacher as Original
class Teacher(Original):
    def forward(self, features, lengths):
        v = super().forward(features, lengths)
        return {}
"""


def teach(clips, method):
    return train_teacher(clips, SIZE, ONE_EPOCH, 0, CPU, "a test", None, method)


def test_an_own_teacher_is_trained_as_the_librarys_is(write, clips):
    """The same network from a file of one's own: the same weights and losses, to the last bit."""
    own, history = teach(clips, Method.of(load_code(write(TEACHER.format("v")))))
    paper, expected = teach(clips, Method())
    assert type(own) is not Teacher
    assert history.equals(expected)
    for name, value in paper.state_dict().items():
        assert torch.equal(own.state_dict()[name], value), name
    _, other = teach(clips, Method.of(load_code(write(TEACHER.format("2 * v")))))
    assert other.loss[0] != expected.loss[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEACHER.format("v[:, 1:]"), ["an output of the shape (1, 3) for one clip; (1, 4) exp"]),
        (TEACHER.format("v, v"), ["an output of the shape tuple for one clip; (1, 4) expected: s"]),
        (
            TEACHER.format("v.no_such"),
            [", line 7: Teacher.forward(features, lengths) was tried and failed: AttributeError"],
        ),
        (
            "from torch import nn\nclass Teacher(nn.Module):\n    pass\n",
            ["Teacher(size) was tried and failed: TypeError: ", "positional"],
        ),
    ],
)
def test_a_teacher_with_mistakes_is_refused_before_it_is_trained(write, clips, text, words):
    path = write(text)
    with pytest.raises(MethodError) as caught:
        teach(clips, Method.of(load_code(path)))
    for word in [str(path), *words]:
        assert word in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_losses_of_a_teacher_that_are_not_finite_may_be_the_codes(write, clips):
    path = write(TEACHER.format("v / 0 * 0"))
    with pytest.raises(TrainingError, match="smaller learning_rate may help") as caught:
        teach(clips, Method.of(load_code(path)))
    assert f"or {path}, the method's code, causes this" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("class Teacher: pass\n", True),
        ("from x import y as Teacher\n", True),
        (LOSS, False),
        ("from softscene.models.networks import Teacher as Original\n", False),
        ("class Teacher: pass\ndef broken(:\n", False),
    ],
)
def test_only_a_file_with_a_teacher_has_teachers_of_its_own(write, text, found):
    assert has_teacher(write(text)) is found


def test_files_that_cannot_be_read_have_no_teacher_until_they_are_refused(tmp_path):
    """The check of the configuration asks before it refuses them."""
    os.mkfifo(tmp_path / "pipe.py")
    for path in (tmp_path / "pipe.py", tmp_path / "absent.py", tmp_path, "/dev/zero"):
        assert has_teacher(path) is False
