"""What was run: counted, and read from a real repository and real benchmark files."""

import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
from softscene.core.errors import FeatureError, ResultError
from softscene.core.files import replacing_hdf5
from softscene.core.origins import note_parameters
from softscene.core.tsv import write_table
from softscene.features.store import sources_of
from softscene.models.networks import NetworkParameters
from softscene.report.provenance import (
    commit,
    describe_data,
    differences,
    flat,
    hardware,
    hours,
    in_order,
    require_configured,
    require_run,
    versions,
)
from softscene.training.parameters import SceneObjective, TrainingParameters, save_parameters

from tests.conftest import FEATURES, PAPER


def test_a_commit_is_named_with_what_was_changed_since(tmp_path):
    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *words],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "one")
    name = git("rev-parse", "HEAD").strip()
    assert commit(tmp_path) == name
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == f"{name}, and 1 file changed since"
    (tmp_path / "b").write_text("2")
    assert commit(tmp_path) == f"{name}, and 2 files changed since"


def test_a_folder_without_git_says_so(tmp_path):
    assert "no git checkout" in commit(tmp_path)


def benchmark(row, target):
    """Write one as Snakemake does, with text in its columns."""
    columns = ("s", "h:m:s", "max_rss", "cpu_time")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join("\t".join(map(str, cells)) + "\n" for cells in (columns, row)))


def test_hours_are_sums_of_the_configured_jobs_benchmarks_by_rule(tmp_path):
    weights = "x/alpha-none_beta-none_T-none"
    for name, row in {
        f"train_student/{weights}/fold-1_seed-0.tsv": (3600, "1:00:00", 100, 1800),
        f"train_student/{weights}/fold-2_seed-0.tsv": (1800, "0:30:00", 300, 900),
        f"train_student/{weights}/fold-3_seed-0.tsv": (9, "0:00:09", 1, 1),  # of another study
        f"train_student/{weights}/fold-1_seed-5.tsv": (9, "0:00:09", 1, 1),
        "train_student/y/alpha-none_beta-none_T-none/fold-1_seed-0.tsv": (9, "0:00:09", 1, 1),
        "make_fold/fold-2.tsv": (18, "0:00:18", "NA", "NA"),
        "make_fold/fold-3.tsv": (9, "0:00:09", 1, 1),
        "make_corpus.tsv": (36, "0:00:36", "NA", "NA"),
        "make_report.tsv": (9, "0:00:09", 1, 1),
    }.items():
        benchmark(row, tmp_path / name)
    (tmp_path / "broken.tsv").write_text("")
    (tmp_path / "other.tsv").write_text("a\tb\n1\t2\n")
    study = {"folds": [1, 2], "seeds": [0], "methods": {"x": {}}}
    found = hours(tmp_path, study).set_index("rule")
    assert set(found.index) == {"train_student", "make_fold", "make_corpus"}
    assert list(found.loc["train_student"]) == [2, 1.5, 0.75, 300]
    assert found.loc["make_fold", "hours"] == pytest.approx(0.005)
    assert found.loc["make_corpus", "hours"] == pytest.approx(0.01)
    assert found.loc["make_corpus", "cpu_hours"] == 0


def test_hours_of_the_held_out_test_count_if_it_is_configured(tmp_path):
    weights = "x/alpha-none_beta-none_T-none"
    for name, seconds in {
        f"train_student/{weights}/fold-1_seed-0.tsv": 3600,
        f"train_student/{weights}/fold-heldout_seed-0.tsv": 7200,
        "make_fold/fold-heldout.tsv": 18,
        "extract_heldout_features.tsv": 36,
    }.items():
        benchmark((seconds, "0:00:00", 1, 1), tmp_path / name)
    study = {"folds": [1], "seeds": [0], "methods": {"x": {}}}
    assert hours(tmp_path, {**study, "heldout": False}).hours.sum() == 1
    assert hours(tmp_path, {**study, "heldout": True}).hours.sum() == pytest.approx(3.015)


def test_without_benchmarks_there_are_no_hours(tmp_path):
    found = hours(tmp_path / "none", {"folds": [1], "seeds": [0], "methods": {}})
    assert found.empty
    assert found.hours.sum() == 0


def test_differences_are_keys_that_say_something_else():
    default = {"a": 1, "b": {"c": [1, 2], "d": None}, "methods": {"x": {"name": "X"}}, "e": {}}
    here = {"a": 2, "b": {"c": [1, 2], "d": {"f": 3}}, "methods": {"y": {"name": "Y"}}}
    assert differences(here, default) == [
        ("a", 2, 1),
        ("b.d.f", 3, None),
        ("methods.y.name", "Y", None),
        ("methods.x.name", None, "X"),
    ]
    assert differences(default, default) == []
    assert flat(default)["b.c"] == [1, 2]


def test_keys_stand_in_the_order_of_the_default():
    default = {"run": "paper", "b": {"d": 1, "c": 2}, "a": 3}
    found = in_order({"a": 1, "b": {"c": 2, "d": 3, "x": 4}, "run": "mine"}, default)
    assert list(found.items()) == [("run", "mine"), ("b.d", 3), ("b.c", 2), ("a", 1), ("b.x", 4)]


def test_versions_and_machine_are_found():
    assert versions()["torch"].startswith("2.")
    assert {"Processor", "Memory", "GPU"} <= set(hardware())


def test_rows_of_no_event_are_recordings_and_no_rows(tmp_path):
    (tmp_path / "events.tsv").write_text(
        "recording\tscene\tonset\toffset\tevent\na\thome\t0\t1\tfan\nb\thome\t\t\t\n"
    )
    parts = pd.DataFrame({"recording": ["a", "b"], "scene": "home", "frames": [1500, 3000]})
    write_table(parts, tmp_path / "recordings.tsv")
    table = describe_data(tmp_path / "events.tsv", [tmp_path / "recordings.tsv"], 0.02)
    assert table.to_numpy().tolist() == [["home", 2, 1.5, 1], ["all", 2, 1.5, 1]]


KINDS = [
    {"method": "crnn", "alpha": "none", "beta": "none", "temperature": "none"},
    {"method": "soft", "alpha": "none", "beta": "1.0", "temperature": "1.0"},
]


@pytest.fixture
def made(tmp_path):
    """The paper's configuration with two seeds of one fold, and what its jobs say of themselves."""
    configuration = {**PAPER, "folds": [1], "seeds": [0, 5]}
    (tmp_path / "events.tsv").write_text("some events")
    with replacing_hdf5(tmp_path / "features.h5") as store:
        store.attrs.update(asdict(FEATURES) | sources_of(tmp_path / "events.tsv"))
    size = NetworkParameters.configured(PAPER["network"], (500, 64), (25, 4))
    files = {name: str(tmp_path / name) for name in ("features.h5", "events.tsv")}
    files = {name.split(".")[0]: path for name, path in files.items()}
    files |= {"teachers": [], "students": []}

    def write(role, name, **resolved):
        path = tmp_path / role / name / "parameters.json"
        training = TrainingParameters(**PAPER[role])
        threads = PAPER["compute"]["threads"]
        given = {"training": training, "network": size, "threads": threads, **resolved}
        save_parameters(given, path)
        files[f"{role}s"].append(str(path))

    for seed in (0, 5):
        write("teacher", str(seed), seed=seed, network=replace(size, gru_units=1))
    for kind in KINDS:
        loss = PAPER["methods"][kind["method"]]["scene_loss"]
        for seed in (0, 5):
            objective = SceneObjective(loss)
            write("student", f"{loss}{seed}", seed=seed, scene_objective=objective)
    noted = {
        "lists": {"annotations": {key: PAPER["annotations"][key] for key in ("source", "overrun")}},
        "audits": {"annotations": {"tolerance": PAPER["annotations"]["tolerance"]}},
        "folds": {"clips": PAPER["clips"]},
        "evaluations": {"evaluation": PAPER["evaluation"]},
    }
    for key, parameters in noted.items():
        path = tmp_path / f"{key}.json"
        note_parameters(path, parameters)
        files[key] = [str(path)] if key in ("folds", "evaluations") else str(path)
    return configuration, files


def test_results_of_the_configuration_are_reported(made):
    configuration, files = made
    require_configured(configuration, KINDS, files)
    require_configured(configuration, KINDS, files | {"teachers": []})


@pytest.mark.parametrize(
    ("changes", "rules", "problems"),
    [
        (
            {"student": {**PAPER["student"], "epochs": 5, "learning_rate": 0.02}},
            "train_student",
            ["student: training.epochs is 300, the configuration says 5 (4 files",
             "student: training.learning_rate is 0.0002, the configuration says 0.02 (4 files"],
        ),
        (
            {"network": {**PAPER["network"], "scene_channels": [9, 2], "dropout": 0.5}},
            "train_student train_teacher",
            ["teacher: network.dropout is 0.15, the configuration says 0.5 (2 files",
             "student: network.dropout is 0.15, the configuration says 0.5 (4 files",
             "student: network.scene_channels is [64, 16], the configuration says [9, 2] (2 files"],
        ),
        ({"network": {**PAPER["network"], "fused": False}}, "train_student train_teacher",
         ["teacher: network.fused is True, the configuration says False (2 files",
          "student: network.fused is True, the configuration says False (4 files"]),
        ({"compute": {**PAPER["compute"], "precision": "bfloat16"}},
         "train_student train_teacher",
         ["teacher: network.precision is float32, the configuration says bfloat16 (2 files",
          "student: network.precision is float32, the configuration says bfloat16 (4 files"]),
        ({"seeds": [0, 6]}, "train_student train_teacher",
         ["teacher: seed is 5, the configuration says 6 (1 files",
          "student: seed is 5, the configuration says 6 (2 files"]),
        ({"clips": {**PAPER["clips"], "frames": 250}}, "make_fold train_student train_teacher",
         ["teacher: network.frames is 500, the configuration says 250 (2 files",
          "student: network.frames is 500, the configuration says 250 (4 files",
          "fold: clips.frames is 500, the configuration says 250 (1 files"]),
        ({"clips": {**PAPER["clips"], "shortest_trained": 2.0}}, "make_fold",
         ["fold: clips.shortest_trained is 1.0, the configuration says 2.0 (1 files"]),
        ({"annotations": {"source": "merged", "overrun": 0.25, "tolerance": 0.5}},
         "audit_annotations merge_annotations",
         ["annotations: annotations.source is published, the configuration says merged (1 files",
          "annotations: annotations.overrun is 0.5, the configuration says 0.25 (1 files",
          "audit: annotations.tolerance is 0.01, the configuration says 0.5 (1 files"]),
        ({"evaluation": {**PAPER["evaluation"], "fixed_threshold": 0.4,
                         "conventions": {"frame": 0.02, "segment": 2.0}}},
         "evaluate_student",
         ["evaluation: evaluation.conventions.segment is 1.0, the configuration says 2.0 (1 files",
          "evaluation: evaluation.fixed_threshold is 0.5, the configuration says 0.4 (1 files"]),
        ({"evaluation": {**PAPER["evaluation"],
                         "adaptive_thresholds": {"lowest": 0.3, "highest": 0.5, "step": 0.02}}},
         "evaluate_student predict_student",
         ["evaluation: evaluation.adaptive_thresholds.highest is 0.68, the configuration says 0.5 "
          "(1 files"]),
    ],
)  # fmt: skip
def test_results_of_another_configuration_are_refused_with_the_keys(made, changes, rules, problems):
    configuration, files = made
    with pytest.raises(ResultError, match=f"snakemake --forcerun {rules} \\(") as caught:
        require_configured(configuration | changes, KINDS, files)
    found = caught.value.problems
    assert [each.split(",")[0] for each in found] == [each.split(",")[0] for each in problems]
    assert all(each.startswith(start) for each, start in zip(found, problems, strict=True))


def test_files_of_the_held_out_test_are_compared_too(made):
    configuration, files = made
    heldout = {f"heldout_{name}": path for name, path in files.items() if name != "audits"}
    require_run(configuration, KINDS, files | heldout)
    Path(files["events"]).with_name("other.tsv").write_text("other events")
    heldout["heldout_events"] = str(Path(files["events"]).with_name("other.tsv"))
    with pytest.raises(FeatureError, match=r"(?s)features\.h5 was made.*events\.tsv"):
        require_run(configuration, KINDS, files | heldout)
    require_run(configuration, KINDS, files)


def test_folds_of_own_data_are_compared(made, tmp_path):
    configuration, files = made
    note_parameters(tmp_path / "lists.json", {"data": {"own": {"folds": 3}}})
    own = {"data": {**PAPER["data"], "own": {"audio": "a", "annotations": "b", "folds": 3}}}
    del files["audits"]
    require_configured(configuration | own, KINDS, files)
    own["data"]["own"]["folds"] = 4
    with pytest.raises(ResultError, match="snakemake --forcerun import_data ") as caught:
        require_configured(configuration | own, KINDS, files)
    (problem,) = caught.value.problems
    assert problem.startswith("own data: data.own.folds is 3, the configuration says 4 (1 files")


def test_features_of_another_configuration_or_list_are_refused(made):
    configuration, files = made
    other = configuration | {"features": {**PAPER["features"], "fmax": 8000.0}}
    with pytest.raises(FeatureError, match=r"(?s)features\.h5 was made.*fmax .*expected 8000"):
        require_configured(other, KINDS, files)
    Path(files["events"]).write_text("other events")
    with pytest.raises(FeatureError, match=r"(?s)features\.h5 was made.*events\.tsv"):
        require_configured(configuration, KINDS, files)


def test_parameters_that_cannot_be_read_are_named(made):
    configuration, files = made
    path = files["students"][0]
    Path(path).write_text("{")
    with pytest.raises(ResultError, match=f"{path} cannot be read .* snakemake --force {path}"):
        require_configured(configuration, KINDS, files)
