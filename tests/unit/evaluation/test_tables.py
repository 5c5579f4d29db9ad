"""Tables 3 and 4: means, spreads, published numbers, and what cannot be computed."""

import numpy as np
import pandas as pd
import pytest
from softscene.config.variants import Variant
from softscene.core.tsv import read_table, write_table
from softscene.evaluation.metrics import Counts, event_error_rate, f_score
from softscene.evaluation.tables import (
    Run,
    absent_as_zero,
    make_table3,
    make_table4,
    write_table3,
    write_table4,
)

from tests.conftest import ROOT

CONVENTIONS = {"frame": 0.02, "segment": 1.0}
PUBLISHED = ROOT / "resources"
SETTINGS = [(c, t) for c in ("frame", "segment") for t in ("fixed", "adaptive", "oracle")]


def score_file(path, value, event=None, reference=10):
    """Scores of a run; an event with so many reference frames, of which half are found."""
    rows = [(c, t, value, 1 - value) for c, t in SETTINGS]
    table = pd.DataFrame(rows, columns=["convention", "threshold", "f_score", "error_rate"])
    if event is not None:
        counts = {"true_positives": reference // 2, "false_negatives": reference - reference // 2}
        table = table.assign(event=event, **counts)
    write_table(table, path)
    return path


@pytest.fixture
def runs(tmp_path):
    """Two runs of each of four methods, as the paper has them."""
    variants = [
        Variant("crnn", "CNN-BiGRU", "none"),
        Variant("mtl", "MTL", "hard", alpha="1.0"),
        Variant("soft", "MTL with soft labels", "soft", beta="1.0", temperature="1.0"),
        Variant("mine", "Mine", "soft", beta="0.5", temperature="1.0"),
    ]
    return [
        Run(variant, score_file(tmp_path / f"{variant.name}{i}.tsv", value))
        for variant in variants
        for i, value in enumerate((0.4, 0.5))
    ]


def test_table_3_is_the_mean_and_sample_deviation_over_runs(runs):
    table = make_table3(runs, PUBLISHED / "published_table3.csv", CONVENTIONS)
    assert len(table) == 4 * len(SETTINGS)
    assert table.f_score_mean.to_numpy() == pytest.approx(0.45)
    assert table.f_score_std.to_numpy() == pytest.approx(np.std([0.4, 0.5], ddof=1))
    assert table.error_rate_mean.to_numpy() == pytest.approx(0.55)
    assert (table.runs == 2).all()


def test_on_the_page_published_scores_stand_beside_the_thresholds_of_the_authors(runs, tmp_path):
    table = make_table3(runs, PUBLISHED / "published_table3.csv", CONVENTIONS)
    results = {form: tmp_path / f"table3.{form}" for form in ("tsv", "md", "html")}
    write_table3(table, results, CONVENTIONS, False)
    first, *sections = results["md"].read_text(encoding="utf-8").split("## ")
    assert "compare oracle ones with the paper's scores" in first
    beside = {each.splitlines()[0] for each in sections if "published F" in each}
    here = table[(table.convention == "frame") & (table.threshold == "oracle")]
    assert len(here) > 0
    assert all("oracle" in title and title.startswith("frames") for title in beside)
    assert len(beside) == 1


def test_published_numbers_stand_as_fractions_in_the_papers_convention(runs):
    table = make_table3(runs, PUBLISHED / "published_table3.csv", CONVENTIONS)
    found = table[table.convention == "frame"].groupby("method").published_f_score.agg(set)
    assert found["CNN-BiGRU"] == {0.4217}
    assert found["MTL"] == {0.2926}, "alpha = 1, not the other one"
    assert found["MTL with soft labels"] == {0.4982}
    assert all(np.isnan(value) for value in found["Mine"])
    assert table[table.convention == "segment"].published_error_rate.isna().all()


def test_table_4_counts_an_absent_event_as_zero(tmp_path):
    """As the authors' evaluator does: 0.4 and twice nothing to find are 0.4 / 3, of three runs."""
    variant = Variant("crnn", "CNN-BiGRU", "none")
    runs = [
        Run(variant, score_file(tmp_path / "a.tsv", 0.4, "car")),
        Run(variant, score_file(tmp_path / "b.tsv", float("nan"), "car", reference=0)),
        Run(variant, score_file(tmp_path / "c.tsv", 0.0, "car", reference=0)),
    ]
    table = make_table4(runs, PUBLISHED / "published_table4.csv", CONVENTIONS)
    assert (table.runs == 3).all()
    assert (table.absent == 2).all()
    assert table.f_score_mean.to_numpy() == pytest.approx(0.4 / 3)
    assert table.f_score_std.to_numpy() == pytest.approx(np.std([0.4, 0, 0], ddof=1))
    assert table.error_rate_mean.to_numpy() == pytest.approx(np.mean([0.6, 1.0])), "b has none"
    assert set(table[table.convention == "frame"].published_f_score) == {0.5872}
    assert set(table[table.convention == "frame"].published_error_rate) == {0.1469}
    results = {form: tmp_path / f"table4.{form}" for form in ("tsv", "md", "html")}
    write_table4(table, results, CONVENTIONS, False)
    text = results["md"].read_text(encoding="utf-8")
    (row,) = [line for line in text.splitlines() if line.startswith("| car")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:5] == ["13.33 ± 23.09 %", "0.8000 ± 0.2828", "3", "2"]
    assert "Absent: the number of runs whose evaluation part does not have the event" in text


def test_the_error_rate_of_an_absent_event_is_that_of_its_insertions(tmp_path):
    """Ten frames of a car, none of a fan; the fan is detected in 3, or in none."""
    counts = Counts(*(np.array(each) for each in ([10, 0], [0, 3], [0, 0])), 0, 0, 3)
    assert list(event_error_rate(counts)) == [0.0, 0.3]
    none = Counts(*(np.array(each) for each in ([10, 0], [0, 0], [0, 0])), 0, 0, 0)
    assert list(event_error_rate(none)) == [0.0, 0.0]
    scores = pd.DataFrame(
        {"true_positives": [10, 0], "false_positives": [0, 0], "false_negatives": [0, 0]}
    )
    scores["f_score"] = f_score(*scores.to_numpy().T)
    assert list(absent_as_zero(scores).f_score) == [1.0, 0.0]
    assert list(absent_as_zero(scores).absent) == [False, True]


def test_data_of_ones_own_have_no_published_numbers(runs, tmp_path):
    table = make_table3(runs, None, CONVENTIONS)
    assert table.published_f_score.isna().all()
    assert table.published_error_rate.isna().all()
    pd.testing.assert_frame_equal(
        table.filter(regex="^(?!published)"),
        make_table3(runs, PUBLISHED / "published_table3.csv", CONVENTIONS).filter(
            regex="^(?!published)"
        ),
    )
    results = {form: tmp_path / f"table3.{form}" for form in ("tsv", "md", "html")}
    write_table3(table, results, CONVENTIONS, False)
    assert "published" not in results["md"].read_text(encoding="utf-8")
    assert "42.17" not in results["tsv"].read_text(encoding="utf-8")
    table4 = make_table4(
        [Run(Variant("crnn", "CNN-BiGRU", "none"), score_file(tmp_path / "a.tsv", 0.4, "car"))],
        None,
        CONVENTIONS,
    )
    assert table4.published_f_score.isna().all()


def test_a_method_that_never_detects_an_event_has_no_best_error_rate(tmp_path):
    """An event whose share of the reference is 0.0148, which is the error rate of silence."""
    variants = {name: Variant(name.lower(), name, "none") for name in "ABC"}
    given = {
        "seldom": {"A": (0.0, 0.0148), "B": (0.02, 0.0160), "C": (0.01, 0.0170)},
        "often": {"A": (0.0, 0.0148), "B": (0.40, 0.0120), "C": (0.30, 0.0130)},
        "hardly": {"A": (0.0, 0.0148), "B": (0.02, 0.0148), "C": (0.00001, 0.0150)},
    }
    runs = []
    for name, variant in variants.items():
        parts = []
        for event, scores in given.items():
            path = score_file(tmp_path / "part.tsv", scores[name][0], event)
            parts.append(read_table(path).assign(error_rate=scores[name][1]))
        write_table(pd.concat(parts), tmp_path / f"{name}.tsv")
        runs.append(Run(variant, tmp_path / f"{name}.tsv"))
    table = make_table4(runs, None, CONVENTIONS)
    results = {form: tmp_path / f"table4.{form}" for form in ("tsv", "md", "html")}
    write_table4(table, results, CONVENTIONS, False)
    bold = {}
    for part in results["md"].read_text(encoding="utf-8").split("\n## ")[1:]:
        for line in part.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if cells[0] in given:
                bold[part[0], cells[0]] = [cell.startswith("**") for cell in cells[1:3]]
    assert bold == {
        ("A", "seldom"): [False, False], ("B", "seldom"): [True, False],
        ("C", "seldom"): [False, False], ("A", "often"): [False, False],
        ("B", "often"): [True, True], ("C", "often"): [False, False],
        ("A", "hardly"): [False, False], ("B", "hardly"): [True, True],
        ("C", "hardly"): [False, False],
    }  # fmt: skip


@pytest.mark.parametrize("synthetic", [True, False])
def test_the_readable_table_has_percentages_and_says_what_is_synthetic(runs, tmp_path, synthetic):
    table = make_table3(runs, PUBLISHED / "published_table3.csv", CONVENTIONS)
    results = {form: tmp_path / f"table3.{form}" for form in ("tsv", "md", "html")}
    write_table3(table, results, CONVENTIONS, synthetic)
    text = results["md"].read_text(encoding="utf-8")
    assert "45.00 ± 7.07 %" in text
    assert "42.17 %" in text
    assert "0.756" in text
    assert ("Synthetic corpus" in text) == synthetic
    assert results["html"].read_text(encoding="utf-8").count("<table>") == len(SETTINGS)


def test_other_frames_are_named_and_have_no_published_numbers(runs, tmp_path):
    other = {"frame": 0.04, "segment": 2.0}
    table = make_table3(runs, PUBLISHED / "published_table3.csv", other)
    assert table.published_f_score.isna().all()
    results = {form: tmp_path / f"table3.{form}" for form in ("tsv", "md", "html")}
    write_table3(table, results, other, False)
    text = results["md"].read_text(encoding="utf-8")
    assert "frames of 40 ms" in text
    assert "segments of 2 s" in text
    assert "the paper's, as inferred" not in text
    assert "ublished" not in text
    assert "compare oracle ones" not in text
