"""Tables 3 and 4: means, spreads, published numbers, and what cannot be computed."""

import numpy as np
import pandas as pd
import pytest
from softscene.config import StudentKind
from softscene.files import write_table
from softscene.tables import Run, make_table3, make_table4, write_table3

from tests.conftest import ROOT

CONVENTIONS = {"frame": 0.02, "segment": 1.0}
PUBLISHED = ROOT / "resources"
SETTINGS = [(c, t) for c in ("frame", "segment") for t in ("fixed", "adaptive", "oracle")]


def score_file(path, value, event=None):
    rows = [(c, t, value, 1 - value) for c, t in SETTINGS]
    table = pd.DataFrame(rows, columns=["convention", "threshold", "f_score", "error_rate"])
    write_table(table if event is None else table.assign(event=event), path)
    return path


@pytest.fixture
def runs(tmp_path):
    """Two runs of each of four methods, as the paper has them."""
    kinds = {
        "CNN-BiGRU": StudentKind("crnn"),
        "MTL": StudentKind("mtl", alpha="1.0"),
        "MTL with soft labels": StudentKind("soft", beta="1.0", temperature="1.0"),
        "Mine": StudentKind("mine", beta="0.5", temperature="1.0"),
    }
    return [
        Run(kind, name, score_file(tmp_path / f"{name}{i}.tsv", value))
        for name, kind in kinds.items()
        for i, value in enumerate((0.4, 0.5))
    ]


def test_table_3_is_the_mean_and_sample_deviation_over_runs(runs):
    table = make_table3(runs, PUBLISHED / "published_table3.csv", CONVENTIONS)
    assert len(table) == 4 * len(SETTINGS)
    assert table.f_score_mean.to_numpy() == pytest.approx(0.45)
    assert table.f_score_std.to_numpy() == pytest.approx(np.std([0.4, 0.5], ddof=1))
    assert table.error_rate_mean.to_numpy() == pytest.approx(0.55)
    assert (table.runs == 2).all()


def test_published_numbers_stand_as_fractions_in_the_papers_convention(runs):
    table = make_table3(runs, PUBLISHED / "published_table3.csv", CONVENTIONS)
    found = table[table.convention == "frame"].groupby("method").published_f_score.agg(set)
    assert found["CNN-BiGRU"] == {0.4217}
    assert found["MTL"] == {0.2926}, "alpha = 1, not the other one"
    assert found["MTL with soft labels"] == {0.4982}
    assert all(np.isnan(value) for value in found["Mine"])
    assert table[table.convention == "segment"].published_error_rate.isna().all()


def test_table_4_counts_only_runs_in_which_the_event_can_be_scored(tmp_path):
    kind = StudentKind("crnn")
    runs = [
        Run(kind, "CNN-BiGRU", score_file(tmp_path / "a.tsv", 0.4, "car")),
        Run(kind, "CNN-BiGRU", score_file(tmp_path / "b.tsv", float("nan"), "car")),
    ]
    table = make_table4(runs, PUBLISHED / "published_table4.csv", CONVENTIONS)
    assert (table.runs == 1).all()
    assert table.f_score_mean.to_numpy() == pytest.approx(0.4)
    assert set(table[table.convention == "frame"].published_f_score) == {0.5872}
    assert set(table[table.convention == "frame"].published_error_rate) == {0.1469}


@pytest.mark.parametrize("synthetic", [True, False])
def test_the_readable_table_has_percentages_and_says_what_is_synthetic(runs, tmp_path, synthetic):
    table = make_table3(runs, PUBLISHED / "published_table3.csv", CONVENTIONS)
    results = {form: tmp_path / f"table3.{form}" for form in ("tsv", "md", "html")}
    write_table3(table, results, CONVENTIONS, synthetic)
    text = results["md"].read_text()
    assert "45.00 ± 7.07 %" in text
    assert "42.17 %" in text
    assert "0.756" in text
    assert ("Synthetic corpus" in text) == synthetic
    assert results["html"].read_text().count("<table>") == len(SETTINGS)


def test_other_frames_are_named_and_have_no_published_numbers(runs, tmp_path):
    other = {"frame": 0.04, "segment": 2.0}
    table = make_table3(runs, PUBLISHED / "published_table3.csv", other)
    assert table.published_f_score.isna().all()
    results = {form: tmp_path / f"table3.{form}" for form in ("tsv", "md", "html")}
    write_table3(table, results, other, False)
    text = results["md"].read_text()
    assert "frames of 40 ms" in text
    assert "segments of 2 s" in text
    assert "the paper's convention" not in text
