"""The figure of the open choices: what is drawn where, read back from the axes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from softscene.core.tsv import write_table
from softscene.report.sensitivity import plot_sensitivity

NO = float("nan")
# choice, difference, interval of seeds, of folds, verdict, largest posterior
ROWS = [
    ("as configured", 0.01, -0.02, 0.04, -0.5, 0.6, "inconclusive", 0.99),
    ("teacher.epochs = 3", 0.041, 0.02, 0.06, NO, NO, "reproduced", 0.7),
    ("loss.events = sum, student.learning_rate = 0.001, student.epochs = 100", -0.02, NO, NO, -0.03,
     -0.01, "not reproduced", 0.99),
    ("student.epochs = 3", NO, NO, NO, NO, NO, "inconclusive", 0.8),
]  # fmt: skip
NAMES = ["varies", "difference", "low", "high", "fold_low", "fold_high", "verdict",
         "largest_posterior"]  # fmt: skip


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    table = pd.DataFrame(ROWS, columns=NAMES).assign(convention="frame", threshold="adaptive")
    table = table.assign(score="f_score")
    others = table.assign(difference=0.7)
    parts = [table, others.assign(score="error_rate"), others.assign(threshold="oracle")]
    write_table(pd.concat(parts), tmp_path / "sensitivity.tsv")
    kept, close = [], plt.close
    monkeypatch.setattr("softscene.report.style.plt.close", kept.append)
    targets = {form: tmp_path / f"sensitivity.{form}" for form in ("pdf", "png")}
    plot_sensitivity(tmp_path / "sensitivity.tsv", targets, True)
    assert all(path.stat().st_size > 0 for path in targets.values())
    yield kept[-1]
    close(kept[-1])


def test_each_choice_has_its_difference_intervals_and_labels_in_its_row(drawn):
    left, right = drawn.axes
    ticks = left.get_yticks()
    assert list(np.diff(ticks) > 0) == [True] * 3
    names = [label.get_text().replace("\n", " ") for label in left.get_yticklabels()]
    assert names == [row[0] for row in ROWS]
    points = {
        (line.get_marker(), list(ticks).index(line.get_ydata()[0])): line.get_xdata()[0]
        for line in left.lines
        if line.get_marker() in ("o", "s", "X")
    }
    assert points == {
        ("s", 0): pytest.approx(1.0), ("o", 1): pytest.approx(4.1), ("X", 2): pytest.approx(-2.0)
    }  # fmt: skip
    intervals = {
        (list(ticks).index(line.get_ydata()[0]), *np.round(line.get_xdata(), 9)): width
        for line in left.lines
        if len(set(line.get_xdata())) == 2
        for width in [line.get_linewidth()]
    }
    assert intervals == {
        (0, -2.0, 4.0): 2.4, (0, -50.0, 60.0): 0.8, (1, 2.0, 6.0): 2.4, (2, -3.0, -1.0): 0.8
    }  # fmt: skip
    (missing,) = left.texts
    assert (missing.get_text().strip(), missing.get_position()[1]) == ("no data", ticks[3])
    (posteriors,) = right.lines
    assert list(posteriors.get_xdata()) == [row[-1] for row in ROWS]
    assert list(posteriors.get_ydata()) == list(ticks)


def test_the_first_row_is_on_top_and_wide_intervals_over_folds_leave_the_axes(drawn):
    left = drawn.axes[0]
    bottom, top = left.get_ylim()
    assert bottom > left.get_yticks()[-1] > left.get_yticks()[0] > top
    low, high = left.get_xlim()
    assert -4 < low < -3
    assert 6 < high < 7
    assert "Synthetic corpus" in drawn.get_suptitle()
    (legend,) = drawn.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "reproduced", "not reproduced", "inconclusive", "95 %, seeds", "95 %, folds",
        "the claimed side",
    ]  # fmt: skip
