"""A method with its weights, and what a study makes of all of them."""

import copy

import pytest
from softscene.config.study import Study, with_controls
from softscene.config.variants import (
    Variant,
    number_of,
    row_of,
    shown_variants,
    title_of,
    variants_of,
)
from softscene.core.errors import ConfigurationError

from tests.conftest import PAPER

NAN = float("nan")
CASES = [
    (
        Variant("crnn", "CNN-BiGRU", "none"),
        "crnn/alpha-none_beta-none_T-none",
        "CNN-BiGRU",
        ("CNN-BiGRU", None, None, None),
        {"loss": "none", "weight": 0.0, "temperature": 1.0},
    ),
    (
        Variant("mtl", "MTL", "hard", alpha="0.0001"),
        "mtl/alpha-0.0001_beta-none_T-none",
        "MTL, alpha = 0.0001",
        ("MTL", 0.0001, None, None),
        {"loss": "hard", "weight": 0.0001, "temperature": 1.0},
    ),
    (
        Variant("soft", "Soft", "soft", beta="0.5", temperature="2.0"),
        "soft/alpha-none_beta-0.5_T-2.0",
        "Soft, beta = 0.5, T = 2",
        ("Soft", None, 0.5, 2.0),
        {"loss": "soft", "weight": 0.5, "temperature": 2.0},
    ),
]


@pytest.mark.parametrize(("variant", "folder", "title", "row", "objective"), CASES)
def test_a_variant_knows_its_names_and_what_none_means(variant, folder, title, row, objective):
    assert (variant.folder, variant.title, variant.row) == (folder, title, row)
    assert variant.objective == objective
    written = [NAN if value is None else value for value in row]  # as a table has it
    assert row_of(written) == row
    assert title_of(written) == title
    place = "{method}/alpha-{alpha}_beta-{beta}_T-{temperature}".format(**variant.wildcards)
    assert place == folder
    assert Variant(**vars(variant)) == variant, "as a job gets it"


def test_labels_have_a_temperature_where_they_depend_on_it():
    weights = {"beta": "1.0", "temperature": "2.0"}
    found = {
        labels: Variant(labels, labels, "soft", **weights, labels=labels).label_wildcards
        for labels in ("smoothed", "shuffled", "cross_fitted", "scene_mean")
    }
    assert {key: each["control"] for key, each in found.items()} == {key: key for key in found}
    assert {key: number_of(each["temperature"]) for key, each in found.items()} == {
        "smoothed": 2.0, "shuffled": None, "cross_fitted": None, "scene_mean": 2.0
    }  # fmt: skip


def study_of(**changes):
    config = copy.deepcopy(PAPER) | changes
    return Study.of(config | {"methods": with_controls(config)})


def test_a_study_has_a_student_of_each_variant_fold_and_seed_in_order():
    study = study_of(folds=[2, 1], seeds=[0, 5])
    assert study.variants == variants_of(PAPER["methods"])
    runs = [(each.folder, fold, seed) for each, fold, seed in study.runs()]
    assert len(runs) == 21 * 4
    first = study.variants[0].folder
    assert runs[:4] == [(first, 2, 0), (first, 2, 5), (first, 1, 0), (first, 1, 5)]
    two = study.variants[3:1:-1]
    assert study.runs(two, [5]) == [(each, fold, 5) for each in two for fold in (2, 1)]
    assert study.runs([]) == []


def test_a_study_says_what_stands_for_what():
    study = study_of(controls=["shuffled"])
    assert study.outside_figure3 == ["MTL with shuffled soft labels"]
    assert study.temperatures == [1.0, 2.0, 5.0]
    assert [each.folder for each in study.chosen] == [
        "crnn/alpha-none_beta-none_T-none", "mtl/alpha-0.0001_beta-none_T-none",
        "mtl/alpha-1.0_beta-none_T-none", "shuffled/alpha-none_beta-1.0_T-1.0",
        "soft/alpha-none_beta-1.0_T-1.0",
    ]  # fmt: skip
    assert set(study.variants) - set(study.detecting) == {study.variants[-1]}, "of no control"
    one = study_of(controls=["shuffled"], detector="shuffled/alpha-none_beta-1.0_T-1.0")
    assert one.detecting == [study.variants[-1]], "unless it is named"
    methods = {key: PAPER["methods"][key] for key in ("crnn", "mtl")}
    assert study_of(methods=methods).temperatures == []


def test_a_jobs_wildcards_are_of_one_variant_or_refused():
    study = study_of()
    for variant in study.variants:
        assert study.variant({**variant.wildcards, "fold": "1", "seed": "0"}) is variant
    wrong = {**study.variants[1].wildcards, "alpha": "none"}
    expected = "^method mtl, alpha none, .* given, a configured method with its own weights"
    with pytest.raises(ConfigurationError, match=expected):
        study.variant(wrong)


def test_one_of_each_custom_method_is_shown_beside_the_chosen():
    """With the paper's weights if it has them, or else the first: so in Table 4 and the curves."""
    methods = {
        "crnn": {"name": "CNN-BiGRU", "scene_loss": "none"},
        "wide": {"name": "Wide", "scene_loss": "none", "code": "wide.py"},
        "mtl": {"name": "MTL", "scene_loss": "hard", "alpha": [1.0, 0.0001, 0.01]},
        "focal": {"name": "Focal", "scene_loss": "hard", "alpha": [1.0, 0.0001], "code": "f.py"},
        "other": {"name": "Other", "scene_loss": "hard", "alpha": [0.5, 0.1], "code": "f.py"},
        "scaled": {"name": "Scaled", "scene_loss": "soft", "beta": [0.1, 1.0],
                   "temperature": [2.0, 1.0], "code": "s.py"},
    }  # fmt: skip
    assert [each.title for each in shown_variants(variants_of(methods))] == [
        "CNN-BiGRU", "MTL, alpha = 0.0001", "MTL, alpha = 1",
        "Wide", "Focal, alpha = 0.0001", "Other, alpha = 0.5", "Scaled, beta = 1, T = 1",
    ]  # fmt: skip
