"""The forest plot of the claims: what is drawn where, read back from the axes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from softscene.analysis.claims import EVENTS, NEVER_DETECTED
from softscene.core.tsv import read_table, write_table
from softscene.report.forest import CLAIMED, GREY, LOOKS, plot_claims

NO = float("nan")
# claim, score, unit, published, difference, interval of seeds, of folds, verdict
ROWS = [
    ("soft_over_hard", "f_score", "score", 0.038, 0.041, 0.02, 0.06, -0.5, 0.6, "reproduced"),
    ("soft_over_hard", "error_rate", "score", -0.033, 0.05, 0.01, 0.09, NO, NO, "not reproduced"),
    ("trend_of_alpha", "f_score", "score per decade", -0.04, -0.02, NO, NO, -0.05, 0.01,
     "inconclusive"),
    ("many_events", "f_score", EVENTS, 3.0, 2.5, 1.0, 4.0, NO, NO, "reproduced"),
    ("no_gain_breathing", "f_score", "score", 0.0, NO, NO, NO, NO, NO, "inconclusive"),
]  # fmt: skip
NAMES = ["claim", "score", "unit", "published_difference", "difference", "low", "high", "fold_low",
         "fold_high", "verdict"]  # fmt: skip


@pytest.fixture
def claims(tmp_path):
    table = pd.DataFrame(ROWS, columns=NAMES).assign(
        convention="frame", threshold="adaptive", reason="the interval includes zero"
    )  # fmt: skip
    oracle = table.assign(threshold="oracle", difference=0.77)
    write_table(pd.concat([table, oracle]), tmp_path / "claims.tsv")
    return tmp_path / "claims.tsv"


@pytest.fixture
def drawn(claims, monkeypatch, tmp_path):
    kept, close = [], plt.close
    monkeypatch.setattr("softscene.report.style.plt.close", kept.append)
    plot_claims(claims, {form: tmp_path / f"forest.{form}" for form in ("pdf", "png")}, True)
    yield kept[-1]
    close(kept[-1])


def points(axes, place, marker):
    """Values that a marker has in a row."""
    return [
        line.get_xdata()[0]
        for line in axes.lines
        if line.get_marker() == marker and round(line.get_ydata()[0]) == place
    ]


def intervals(axes, place):
    """(low, high) -> width of the lines in a row."""
    return {
        tuple(np.round(line.get_xdata(), 9)): line.get_linewidth()
        for line in axes.lines
        if line.get_linestyle() == "-" and len(set(line.get_xdata())) == 2
        and round(line.get_ydata()[0]) == place
    }  # fmt: skip


def test_each_row_has_its_difference_its_intervals_and_the_published_one(drawn):
    f_score, error_rate, events = drawn.axes
    assert points(f_score, 0, "o") == [pytest.approx(4.1)], "a filled circle: reproduced"
    assert points(f_score, 0, "*") == [pytest.approx(3.8)]
    assert intervals(f_score, 0) == {(2.0, 6.0): 2.4, (-50.0, 60.0): 0.8}
    assert points(f_score, 1, "s") == [pytest.approx(-2)], "a hollow square: inconclusive"
    assert points(f_score, 1, "*") == [pytest.approx(-4)]
    assert intervals(f_score, 1) == {(-5.0, 1.0): 0.8}
    assert points(error_rate, 0, "X") == [0.05], "a cross: not reproduced"
    assert points(error_rate, 0, "*") == [-0.033]
    assert intervals(error_rate, 0) == {(0.01, 0.09): 2.4}
    assert (points(events, 0, "o"), points(events, 0, "*")) == ([2.5], [3.0])


def test_a_claim_without_data_says_so_and_has_the_published_value_alone(drawn):
    axes = drawn.axes[0]
    assert points(axes, 2, "*") == [0]
    assert not any(points(axes, 2, marker) for marker in "osX")
    assert [(text.get_text().strip(), round(text.get_position()[1])) for text in axes.texts] == [
        ("no data", 2)
    ]


def test_rows_are_numbered_as_in_the_report_and_the_claimed_side_is_shaded(drawn):
    labels = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    assert labels == ["soft vs one-hot  1", "slope over alpha  2", "breathing: no gain  4"]
    assert [each.get_text() for each in drawn.axes[2].get_yticklabels()] == [
        "many events, F-score  3"
    ]
    sides = [np.sign(bar.get_width()) for bar in drawn.axes[0].patches]
    assert sides == [1, -1, -1]
    assert [np.sign(bar.get_width()) for bar in drawn.axes[1].patches] == [-1]
    (legend,) = drawn.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "reproduced", "not reproduced", "inconclusive", "published", "95 %, seeds", "95 %, folds",
        "the claimed side",
    ]  # fmt: skip
    assert plt.matplotlib.colors.to_hex(legend.get_patches()[0].get_facecolor()) == CLAIMED


def colours(figure, marker):
    """Of one marker's points, in all panels."""
    return {
        plt.matplotlib.colors.to_hex(line.get_color())
        for axes in figure.axes
        for line in axes.lines
        if line.get_marker() == marker
    }


def test_a_verdict_has_its_colour_unless_it_is_no_success(claims, monkeypatch, tmp_path):
    """Grey on a synthetic corpus, and where no method detects the event."""
    kept, close = [], plt.close
    monkeypatch.setattr("softscene.report.style.plt.close", kept.append)
    results = {"png": tmp_path / "forest.png"}
    plot_claims(claims, results, synthetic=True)
    assert colours(kept[-1], "o") == colours(kept[-1], "X") == {GREY}
    plot_claims(claims, results, synthetic=False)
    assert colours(kept[-1], "o") == {LOOKS["reproduced"][0].lower()}
    assert LOOKS["reproduced"][0] != GREY
    table = read_table(claims)
    never = table.claim == "no_gain_breathing"
    table.loc[never, ["difference", "verdict"]] = [0.0, "reproduced"]
    table.loc[never, "reason"] = f"{NEVER_DETECTED}: by far"
    write_table(table, claims)
    plot_claims(claims, results, synthetic=False)
    assert colours(kept[-1], "o") == {LOOKS["reproduced"][0].lower(), GREY}
    (legend,) = kept[-1].legends
    assert "reproduced, never detected" in [text.get_text() for text in legend.get_texts()]
    for figure in kept:
        close(figure)


def test_axes_hold_all_but_wide_intervals_over_folds(drawn):
    low, high = drawn.axes[0].get_xlim()
    assert -8 < low < -5, "the only interval of the second row is over folds"
    assert 6 < high < 9, "that of the first leaves the axes"
    assert "Synthetic corpus" in drawn.get_suptitle()
