"""Custom teachers: which methods have teachers of their own, and with which settings."""

import copy

import pytest
from softscene.config.overrides import USUAL, teacher_of, teachers_of
from softscene.config.study import Study

from tests.conftest import PAPER

NETWORK = ("channels", "scene_channels", "gru_units", "dense_units", "dropout", "fused")


@pytest.fixture
def config(tmp_path):
    """The paper's methods, and others with code: a teacher in one file, a loss in another."""
    for name, text in {
        "teacher": "class Teacher: pass\nclass Student: pass\n",
        "loss": "def event_loss(y, targets, lengths): pass\n",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    soft = {"scene_loss": "soft", "beta": [1.0], "temperature": [1.0]}
    teacher = {**soft, "code": str(tmp_path / "teacher.py")}
    config = copy.deepcopy(PAPER)
    config["methods"] |= {
        "mine": {**teacher, "name": "Mine"},
        "brief": {**teacher, "name": "Brief", "teacher": {"epochs": 10}},
        "control": {**teacher, "name": "Control", "labels": "shuffled"},
        "loss": {**soft, "name": "Loss", "code": str(tmp_path / "loss.py")},
        "one_hot": {"scene_loss": "hard", "alpha": [1.0], "name": "One-hot",
                    "code": str(tmp_path / "teacher.py")},
    }  # fmt: skip
    return config


def test_a_soft_method_with_a_teacher_in_its_code_has_teachers_of_its_own(config):
    assert {key: teacher_of(config, key) for key in config["methods"]} == {
        "crnn": USUAL, "mtl": USUAL, "soft": USUAL, "loss": USUAL, "one_hot": USUAL,
        "mine": "code-mine/", "brief": "code-brief_epochs-10/", "control": "code-control/",
    }  # fmt: skip


def test_they_have_their_file_all_of_the_network_and_their_overrides(config):
    found = teachers_of(config)
    assert set(found) == {USUAL, "code-mine/", "code-brief_epochs-10/", "code-control/"}
    code = config["methods"]["mine"]["code"]
    assert {name: each.code for name, each in found.items()} == {
        USUAL: None, **dict.fromkeys(set(found) - {USUAL}, code),
    }  # fmt: skip
    assert found["code-mine/"].network == {key: config["network"][key] for key in NETWORK}
    assert found["code-mine/"].training == config["teacher"]
    assert found["code-brief_epochs-10/"].training == config["teacher"] | {"epochs": 10}
    assert found[USUAL] == teachers_of(PAPER)[USUAL], "what others learn from is unchanged"


def test_students_learn_from_the_teachers_of_their_method(config):
    labels = {v.method: v.label_wildcards for v in Study.of(config).variants if v.loss == "soft"}
    assert labels["soft"] == labels["loss"] == {"teacher": USUAL}
    assert labels["mine"] == {"teacher": "code-mine/"}
    assert labels["control"]["teacher"] == "code-control/"
