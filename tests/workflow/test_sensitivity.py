"""A run whose methods override settings: what it plans, what it shares, and what its table says."""

import json

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file
from scipy import stats
from scipy.special import softmax
from softscene.archive.checking import check_archive
from softscene.core.tsv import read_table

from tests.checkout import SMALL, copy_of
from tests.unit.archive.made_up import contents
from tests.workflow.test_small import CHAIN, CURVES, OF_TEACHERS

pytestmark = pytest.mark.slow

SOFT = "scene_loss: soft, beta: [1.0], temperature: [2.0]"
OVERRIDES = f"""
methods:
  brief: {{name: Brief, {SOFT}, teacher: {{epochs: 2}}}}
  brief_sum: {{name: Brief sum, {SOFT}, teacher: {{epochs: 2}}, loss: {{events: sum}}}}
  mtl_sum: {{name: MTL sum, scene_loss: hard, alpha: [0.01], loss: {{events: sum}}}}
  unseen: {{name: Unseen, {SOFT}, labels: cross_fitted, teacher: {{epochs: 2}}}}
control_settings: {{parts: 2}}
"""
OTHER = """
run: other
methods: {crnn: null}
clips: {frames: 250, standardisation: all}
"""
SHOWN = "sensitivity: {runs: [results/other]}"
PLACE = "alpha-none_beta-1.0_T-2.0"
HARD = "alpha-0.01_beta-none_T-none"
SEEDS = ["--config", "seeds=[0, 1]"]


@pytest.fixture(scope="module")
def varied(finished, tmp_path_factory):
    """A finished checkout in which overrides have run with two seeds, beside another run."""
    with copy_of(finished, tmp_path_factory.mktemp("varied")) as checkout:
        for name, text in {"overrides": OVERRIDES, "other": OTHER, "shown": SHOWN}.items():
            (checkout.folder / f"{name}.yaml").write_text(text)
        checkout.before = checkout.planned(config=[SMALL, "overrides.yaml"])
        done = checkout.snakemake("sensitivity", *SEEDS, config=[SMALL, "other.yaml"])
        assert done.returncode == 0, done.stdout
        done = checkout.snakemake(*SEEDS, config=[SMALL, "overrides.yaml", "shown.yaml"])
        assert done.returncode == 0, done.stdout
        yield checkout


def test_overrides_train_nothing_of_a_finished_run_again_and_share_a_teacher(varied):
    students = dict.fromkeys(("train_student", "predict_student", "evaluate_student"), 4)
    inner = dict.fromkeys(("make_inner_fold", "train_inner_teacher", "dump_held_out_labels"), 2)
    teacher = {"train_teacher": 1, "dump_soft_labels": 1, "make_control_labels": 1}
    table = {"make_sensitivity": 1, "plot_sensitivity": 1}
    chain = {**CHAIN, **table}
    del chain["export_detector"]  # which is of no method with overrides
    assert varied.before == {**students, **inner, **teacher, **chain}


def test_each_training_has_its_resolved_settings_and_the_usual_ones_their_old_places(varied):
    def parameters(*parts):
        return json.loads(varied.path(*parts, "parameters.json").read_text())

    assert parameters("teachers/fold-1_seed-0")["training"]["epochs"] == 1
    assert parameters("teachers/epochs-2/fold-1_seed-1")["training"]["epochs"] == 2
    assert len(read_table(varied.path("teachers/epochs-2/fold-1_seed-0/history.tsv"))) == 2
    inner = parameters("inner_teachers/epochs-2/fold-1_seed-0_without-2")
    assert inner["training"]["epochs"] == 2
    methods = {"soft": PLACE, "brief": PLACE, "brief_sum": PLACE, "mtl_sum": HARD, "mtl": HARD}
    events = {
        method: parameters("students", method, weights, "fold-1_seed-0")["scene_objective"]
        for method, weights in methods.items()
    }
    events = {method: each["events"] for method, each in events.items()}
    assert events == {
        "soft": "mean", "brief": "mean", "brief_sum": "sum", "mtl_sum": "sum", "mtl": "mean"
    }  # fmt: skip
    first = {
        method: read_table(varied.path("students", method, weights, "fold-1_seed-0/history.tsv"))
        for method, weights in {"mtl": HARD, "mtl_sum": HARD}.items()
    }
    ratio = first["mtl_sum"].event_loss[0] / first["mtl"].event_loss[0]
    assert 5000 < ratio < 13000, "at most 500 frames x 25 events"
    logits = [
        read_table(varied.path("soft_labels", name, "fold-1_seed-0.tsv")).filter(like="logit_")
        for name in ("", "epochs-2", "cross_fitted/T-none/epochs-2")
    ]
    assert not any(logits[0].equals(other) for other in logits[1:])
    assert not logits[1].equals(logits[2])
    weights = load_file(varied.path("teachers/epochs-2/fold-1_seed-0/weights.safetensors"))
    usual = load_file(varied.path("teachers/fold-1_seed-0/weights.safetensors"))
    assert {key: each.shape for key, each in weights.items()} == {
        key: each.shape for key, each in usual.items()
    }


def paired(varied, soft, hard):
    """F-scores of soft labels minus those of one-hot scenes, for each seed."""
    found = []
    for seed in (0, 1):
        scores = [
            read_table(varied.path("evaluation", name, weights, f"fold-1_seed-{seed}/overall.tsv"))
            for name, weights in ((soft, PLACE), (hard, HARD))
        ]
        one, other = (
            table.query("convention == 'frame' and threshold == 'adaptive'").f_score.item()
            for table in scores
        )
        found.append(one - other)
    return np.array(found)


def test_the_table_is_what_the_students_scores_and_labels_say(varied):
    table = read_table(varied.path("tables/sensitivity.tsv"))
    rows = table.query("threshold == 'adaptive' and score == 'f_score'")
    assert list(zip(rows.run, rows.varies, strict=True)) == [
        ("small", "as configured"),
        ("small", "teacher.epochs = 2"),
        ("small", "teacher.epochs = 2, loss.events = sum"),
        ("small", "teacher.epochs = 2, labels = cross_fitted"),
        ("other", "clips.frames = 250, clips.standardisation = all"),
    ]
    usual = paired(varied, "soft", "mtl")
    labels = {
        "soft": "", "brief": "epochs-2", "brief_sum": "epochs-2",
        "unseen": "cross_fitted/T-none/epochs-2",
    }  # fmt: skip
    for (method, place), row in zip(labels.items(), rows.itertuples(), strict=False):
        values = paired(varied, method, "mtl_sum" if method == "brief_sum" else "mtl")
        assert row.difference == pytest.approx(values.mean(), abs=1e-12)
        if np.ptp(values) > 1e-9:
            half = stats.t.ppf(0.975, 1) * np.sqrt(values.var(ddof=1) / 2)
            assert row.high - row.difference == pytest.approx(half, rel=1e-6)
        if method != "soft":
            assert row.moved == pytest.approx((values - usual).mean(), abs=1e-12)
        files = [varied.path("soft_labels", place, f"fold-1_seed-{seed}.tsv") for seed in (0, 1)]
        logits = np.concatenate([read_table(each).filter(like="logit_") for each in files])
        p = softmax(logits / 2, axis=1)
        assert row.labelled == len(p)
        assert row.largest_posterior == pytest.approx(p.max(axis=1).mean(), rel=1e-9)
        assert row.entropy == pytest.approx(stats.entropy(p, axis=1).mean(), rel=1e-9)
    theirs = read_table(varied.folder / "results/other/tables/sensitivity.tsv")
    theirs = theirs.query("threshold == 'adaptive' and score == 'f_score'")
    assert rows.difference.iloc[-1] == theirs.difference.iloc[0]
    assert list(theirs.varies) == ["as configured"]
    statistics = read_table(varied.folder / "results/other/folds/fold-1/statistics.tsv")
    assert (statistics["mean"].nunique(), statistics["std"].nunique()) == (1, 1)


def test_other_tables_have_a_row_for_each_method_and_no_claim_about_it(varied):
    table = read_table(varied.path("tables/table3.tsv"))
    assert {"Brief", "Brief sum", "MTL sum", "Unseen"} <= set(table.method)
    claims = varied.path("tables/claims.tsv").read_text(encoding="utf-8")
    assert not any(name in claims for name in ("Brief", "MTL sum", "Unseen"))
    assert not len(read_table(varied.path("tables/controls.tsv")))
    page = varied.path("report.html").read_text(encoding="utf-8")
    for part in (
        "Open choices: which of them decide",
        "teacher.epochs",
        "(run other)",
        "4 teachers",
    ):
        assert part in page.replace("\N{NO-BREAK SPACE}", " "), part
    for form in ("pdf", "png"):
        assert varied.path(f"figures/sensitivity.{form}").stat().st_size > 0


def test_a_changed_override_reruns_only_what_depends_on_it(varied):
    config = [SMALL, "overrides.yaml", "shown.yaml"]
    assert varied.planned(*SEEDS, config=config) == {}
    changed = ["--config", "seeds=[0, 1]", "methods={brief: {teacher: {epochs: 3}}}"]
    students = dict.fromkeys(("train_student", "predict_student", "evaluate_student"), 2)
    again = {**CHAIN, "make_sensitivity": 1, "plot_sensitivity": 1}
    del again["export_detector"]
    assert varied.planned(*changed, config=config) == {
        **students, "train_teacher": 2, "dump_soft_labels": 2, **again
    }  # fmt: skip
    summed = ["--config", "seeds=[0, 1]", "methods={mtl_sum: {student: {dropout: 0.5}}}"]
    assert varied.planned(*summed, config=config) == {**students, **again}


def test_the_curves_and_teachers_figures_are_those_of_the_usual_ones(varied):
    """They depend on no override: nothing of them was planned on top of the finished run."""
    assert not {*CURVES, *OF_TEACHERS} & varied.before.keys()


def test_the_archive_of_several_seeds_and_teachers_agrees_with_itself(varied):
    done = varied.snakemake("archive", *SEEDS, config=[SMALL, "overrides.yaml", "shown.yaml"])
    assert done.returncode == 0, done.stdout
    _, problems = check_archive(varied.path("archive.zip"))
    assert problems == []
    files = contents(varied.path("archive.zip"))
    assert "results/small/tables/sensitivity.tsv" in files
    again = yaml.safe_load(files["results/small/configuration.yaml"])
    assert again["sensitivity"] == {"runs": []}, "the other run is not in the archive"
    assert again["methods"]["brief"]["teacher"] == {"epochs": 2}
