"""What methods override: resolved, named, shared, and never the paper's method."""

import copy
import re

import pytest
import yaml
from snakemake.utils import update_config
from softscene.config.checks import check
from softscene.config.open_choices import CONFIGURED
from softscene.config.overrides import inner_teachers, labelling_teachers, teacher_of, teachers_of
from softscene.config.reading import read_schema
from softscene.config.study import Study, with_controls, without_removed_methods
from softscene.config.variants import variants_of
from softscene.report.provenance import trained_with

from tests.conftest import PAPER, ROOT, SCHEMA

SOFT = {"scene_loss": "soft", "beta": [1.0], "temperature": [1.0]}
HARD = {"scene_loss": "hard", "alpha": [0.0001]}
OVERRIDES = {
    "short": {**SOFT, "teacher": {"epochs": 10}},
    "short_sum": {**SOFT, "teacher": {"epochs": 10}, "loss": {"events": "sum"}},
    "same": {**SOFT, "teacher": {"epochs": 300, "dropout": 0.15}},
    "several": {**SOFT, "teacher": {"learning_rate": 0.00005, "dropout": 0, "batch_size": 8}},
    "mtl_sum": {**HARD, "alpha": [1.0, 0.0001], "loss": {"events": "sum"}},
    "soft_sum": {**SOFT, "loss": {"events": "sum"}},
    "soft_units": {**SOFT, "student": {"gru_units": 16, "epochs": 7}},
    "unseen_short": {**SOFT, "labels": "cross_fitted", "teacher": {"epochs": 10}},
}


def config_of(controls=(), **changes):
    config = copy.deepcopy(PAPER) | {"controls": list(controls)} | changes
    named = {key: {"name": key, **method} for key, method in OVERRIDES.items()}
    config["methods"] = config["methods"] | named
    return config | {"methods": with_controls(config)}


def test_teachers_with_equal_settings_are_one_and_the_usual_one_has_no_name():
    config = config_of()
    assert {key: teacher_of(config, key) for key in OVERRIDES if "teacher" in OVERRIDES[key]} == {
        "short": "epochs-10/",
        "short_sum": "epochs-10/",
        "same": "",
        "several": "batch_size-8_dropout-0.0_learning_rate-0.00005/",
        "unseen_short": "epochs-10/",
    }
    assert teacher_of(config, "soft") == teacher_of(config, "mtl") == ""
    found = teachers_of(config)
    assert list(found) == ["", "epochs-10/", "batch_size-8_dropout-0.0_learning_rate-0.00005/"]
    usual = {"channels": 128, "dropout": 0.15, "fused": True}
    assert found[""].training == PAPER["teacher"]
    assert found[""].network == found["epochs-10/"].network == usual
    assert found["epochs-10/"].training == {**PAPER["teacher"], "epochs": 10}
    several = found["batch_size-8_dropout-0.0_learning_rate-0.00005/"]
    assert several.training == {"epochs": 300, "batch_size": 8, "learning_rate": 0.00005}
    assert several.network == {**usual, "dropout": 0}
    several = "batch_size-8_dropout-0.0_learning_rate-0.00005/"
    assert labelling_teachers(config) == ["", several, "epochs-10/"]
    backwards = config | {"methods": dict(reversed(config["methods"].items()))}
    assert labelling_teachers(backwards) == labelling_teachers(config), "as a report gets them"
    assert inner_teachers(config) == {"epochs-10/"}
    assert inner_teachers(config_of(["cross_fitted"])) == {"", "epochs-10/"}


def test_a_global_setting_is_that_of_all_methods_that_do_not_override_it():
    config = config_of(teacher={**PAPER["teacher"], "epochs": 10}, loss={"events": "sum"})
    assert teacher_of(config, "short") == "", "10 epochs are usual here"
    assert teacher_of(config, "same") == "epochs-300/"
    study = Study.of(config)
    assert set(study.reductions.values()) == {"sum"}


def test_students_get_what_their_method_overrides_and_nothing_else():
    study = Study.of(config_of())
    crnn, soft = study.students["crnn"], study.students["soft"]
    assert soft.training == crnn.training == PAPER["student"]
    assert soft.network == {key: PAPER["network"][key] for key in PAPER["network"]}
    assert "scene_channels" not in crnn.network
    other = study.students["soft_units"]
    assert other.training == {**PAPER["student"], "epochs": 7}
    assert other.network == {**soft.network, "gru_units": 16}
    for key in ("short", "mtl_sum", "soft_sum", "several"):
        assert study.students[key] in (soft, study.students["mtl"])
    objectives = {
        each.method: study.objective(each.wildcards) for each in study.variants if each.overrides
    }
    soft = {"loss": "soft", "weight": 1.0, "temperature": 1.0}
    assert objectives["soft_sum"] == objectives["short_sum"] == {**soft, "events": "sum"}
    assert objectives["short"] == objectives["soft_units"] == soft


def test_parameters_that_results_must_have_are_the_resolved_ones():
    config = config_of()
    assert trained_with(config, teacher="epochs-10/")["training"]["epochs"] == 10
    assert trained_with(config)["training"]["epochs"] == 300
    found = trained_with(config, "soft_units")
    assert (found["training"]["epochs"], found["network"]["gru_units"]) == (7, 16)
    assert found["scene_objective"] == {"loss": "soft", "events": "mean"}
    assert trained_with(config, "mtl_sum")["scene_objective"]["events"] == "sum"


def test_a_method_with_overrides_stands_for_none_of_the_papers():
    config = config_of(["cross_fitted"])
    study, plain = Study.of(config), Study.of(config | {"methods": PAPER["methods"]})
    usual = [each for each in study.chosen if not each.is_control]
    assert [each.folder for each in usual] == [each.folder for each in plain.chosen]
    assert [each.method for each in study.chosen.controls] == ["cross_fitted"]
    assert {each.method for each in study.detecting} == {"crnn", "mtl", "soft"}
    assert {each.method for each in study.explored} == {"crnn", "mtl", "soft", "cross_fitted"}
    assert set(study.outside_figure3) == {*OVERRIDES, "MTL with cross-fitted soft labels"}
    assert study.temperatures == [1.0, 2.0, 5.0]
    names = [each.name for each in variants_of(config["methods"])]
    assert set(OVERRIDES) <= set(names), "but each is a row of Table 3"


def test_choices_are_varied_one_at_a_time_against_one_hot_scenes_of_the_same_settings():
    study = Study.of(config_of(["cross_fitted", "smoothed"]))
    light = "mtl/alpha-0.0001_beta-none_T-none"
    soft = "alpha-none_beta-1.0_T-1.0"
    found = [
        (each.varies, each.soft.folder, each.hard.folder if each.hard else None)
        for each in study.choices
    ]
    summed = "mtl_sum/alpha-0.0001_beta-none_T-none"
    assert found == [
        (CONFIGURED, f"soft/{soft}", light),
        ("T = 2", "soft/alpha-none_beta-1.0_T-2.0", light),
        ("T = 5", "soft/alpha-none_beta-1.0_T-5.0", light),
        ("teacher.epochs = 10", f"short/{soft}", light),
        ("teacher.epochs = 10, loss.events = sum", f"short_sum/{soft}", summed),
        ("teacher.dropout = 0.15, teacher.epochs = 300", f"same/{soft}", light),
        ("teacher.batch_size = 8, teacher.dropout = 0, teacher.learning_rate = 5e-05",
         f"several/{soft}", light),
        ("loss.events = sum", f"soft_sum/{soft}", summed),
        ("student.epochs = 7, student.gru_units = 16", f"soft_units/{soft}", None),
        ("teacher.epochs = 10, labels = cross_fitted", f"unseen_short/{soft}", light),
        ("labels = cross_fitted", f"cross_fitted/{soft}", light),
    ]  # fmt: skip
    assert study.has_overrides
    assert light in {each.folder for each in study.compared_choices}
    assert len(study.compared_choices) == len(found) + 2


@pytest.mark.parametrize("missing", ["mtl", "soft"])
def test_without_a_claim_there_is_nothing_to_compare(missing):
    methods = {key: each for key, each in config_of()["methods"].items() if key != missing}
    study = Study.of(config_of() | {"methods": methods})
    assert study.choices == []
    assert not study.has_overrides


def test_the_default_configuration_overrides_nothing():
    study = Study.of({**PAPER, "methods": with_controls(PAPER)})
    assert list(study.teachers) == [""]
    assert not study.has_overrides
    assert [each.varies for each in study.choices] == [CONFIGURED, "T = 2", "T = 5"]
    assert all(set(study.objective(each.wildcards)) == {"loss", "weight", "temperature"}
               for each in study.variants)  # fmt: skip


def configured(*paths, **changes):
    """The checked configuration of files on top of config.yaml, with its controls."""
    config = copy.deepcopy(PAPER)
    for given in (*map(read_schema, paths), changes):
        update_config(config, given)
    config["methods"] = without_removed_methods(config["methods"])
    check(config, SCHEMA)
    return config | {"methods": with_controls(config)}


def test_the_sensitivity_configuration_varies_one_choice_at_a_time():
    config = configured(ROOT / "configs/sensitivity.yaml")
    study = Study.of(config)
    assert [each.varies for each in study.choices] == [
        CONFIGURED, "T = 2", "T = 5", "teacher.epochs = 3", "teacher.epochs = 10",
        "teacher.epochs = 30", "teacher.epochs = 100", "teacher.dropout = 0",
        "teacher.learning_rate = 0.001", "loss.events = sum", "student.dropout = 0",
        "student.learning_rate = 0.001", "student.epochs = 100", "student.gru_units = 16",
        "labels = cross_fitted",
    ]  # fmt: skip
    for choice in study.choices:
        assert choice.hard.weights == {"alpha": 0.0001}
        assert choice.hard.student_overrides == choice.soft.student_overrides
    students = {each.method for each in study.variants if each.overrides}
    shown = {each.method for each in study.compared_choices}
    assert students < shown == {*students, "mtl", "soft", "cross_fitted"}, "none is idle"
    assert config["run"] == PAPER["run"], "so that nothing is trained twice"


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [("clips", "frames", 250), ("standardisation", "standardisation", "all")],
)
def test_runs_of_other_features_train_the_claims_students_and_differ_in_one_key(name, key, value):
    config = configured(ROOT / f"configs/sensitivity_{name}.yaml")
    assert config["clips"] == {**PAPER["clips"], key: value}
    assert {k for k in PAPER if config[k] != PAPER[k]} == {"run", "methods", "clips"}
    (choice,) = Study.of(config).choices
    assert (choice.soft.folder, choice.hard.folder) == (
        "soft/alpha-none_beta-1.0_T-1.0", "mtl/alpha-0.0001_beta-none_T-none"
    )  # fmt: skip
    runs = re.findall(r"results/[\w-]+", (ROOT / "configs/sensitivity.yaml").read_text())
    assert f"results/{config['run']}" in runs


def test_the_example_of_the_documentation_is_a_configuration():
    page = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(methods:\n  brief_teacher.*?)```", page, re.DOTALL)
    study = Study.of(configured(**yaml.safe_load(text)))
    assert [each.varies for each in study.choices if each.soft.overrides] == [
        "teacher.epochs = 10", "student.dropout = 0"
    ]  # fmt: skip
    assert all(each.hard for each in study.choices)
