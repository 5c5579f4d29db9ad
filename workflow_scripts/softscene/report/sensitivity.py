"""What each choice that the paper leaves open does to its main claim, drawn."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from softscene.analysis.claims import SCALE
from softscene.analysis.sensitivity import OF_OWN
from softscene.core.tsv import read_table
from softscene.evaluation.tables import headline
from softscene.report.forest import CLAIMED, GREY, look
from softscene.report.forest import LOOKS as OF_VERDICTS
from softscene.report.style import COLUMN, STYLE, save, wrapped

ROW, LINE, HEAD = 0.11, 0.13, 1.1  # inches: a row's margin, a line of its name, axis and legend
NAME = 165  # points, the width of a row's name
POINTS = SCALE["f_score"]
LOOKS = OF_VERDICTS | {word: OF_VERDICTS[verdict] for verdict, word in OF_OWN.items()}


def plot_sensitivity(
    sensitivity: str | Path, results: Mapping[str, str | Path], synthetic: bool
) -> None:
    """Draw ``sensitivity.tsv`` to each of results: a row for each choice; F-score, headline.

    Left: soft labels minus one-hot scenes. Thick line: interval within folds (none with one seed
    per fold). Thin line: interval over folds, which may leave the axes. Right: the mean largest
    posterior of the labels that the students learn.
    """
    table = headline(read_table(sensitivity))
    rows = list(table[table.score == "f_score"].itertuples())
    names = [wrapped(row.varies, NAME) for row in rows]
    heights = [ROW + LINE * (1 + name.count("\n")) for name in names]
    ends = pd.Series(heights).cumsum()
    places = list(ends - pd.Series(heights) / 2)
    with plt.style.context(STYLE):
        figure, (left, right) = plt.subplots(
            1, 2, sharey=True, layout="constrained", width_ratios=[2, 1],
            figsize=(2 * COLUMN, HEAD + ends.iloc[-1]),
        )  # fmt: skip
        _draw_differences(left, rows, places, synthetic)
        largest = [row.largest_posterior for row in rows]
        right.plot(largest, places, "o", color=GREY, markersize=4, clip_on=False)
        right.set_xlim(right=1.02)
        right.set_xlabel("Mean largest posterior")
        left.set_ylim(ends.iloc[-1], 0)
        left.set_yticks(places, names)
        for axes in (left, right):
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
        figure.legend(
            handles=_legend(rows, synthetic), loc="outside lower center", ncols=4, handlelength=2.2
        )
        save(figure, results, synthetic)


def _draw_differences(
    axes: Axes, rows: Sequence[tuple], places: Sequence[float], synthetic: bool
) -> None:
    limits = _limits(rows)
    axes.axvspan(0, limits[1], color=CLAIMED, zorder=0)
    axes.axvline(0, color="black", linewidth=0.8, zorder=1)
    for row, place in zip(rows, places, strict=True):
        if pd.isna(row.difference):
            axes.text(0, place, " no data", va="center", color=GREY, fontsize=8, zorder=3)
            continue
        colour, marker, filling = look(row.verdict, synthetic, LOOKS)
        for low, high, width in ((row.low, row.high, 2.4), (row.fold_low, row.fold_high, 0.8)):
            if pd.notna(low):
                axes.plot([low * POINTS, high * POINTS], [place] * 2, "-", color=colour,
                          linewidth=width, solid_capstyle="butt", zorder=2)  # fmt: skip
        axes.plot(row.difference * POINTS, place, marker=marker, markersize=4, zorder=4,
                  color=colour, markerfacecolor=filling)  # fmt: skip
    axes.set_xlim(limits)
    axes.set_xlabel("F-score: soft minus one-hot, points")


def _limits(rows: Sequence[tuple]) -> tuple[float, float]:
    """The axis's range: zero and all values; intervals over folds only without others."""
    values = [0.0]
    for row in rows:
        bounds = (row.low, row.high) if pd.notna(row.low) else (row.fold_low, row.fold_high)
        values += [end * POINTS for end in (row.difference, *bounds) if pd.notna(end)]
    margin = 0.06 * (max(values) - min(values)) or 1.0
    return min(values) - margin, max(values) + margin


def _legend(rows: Sequence[tuple], synthetic: bool) -> list[Line2D | Patch]:
    """Only what is drawn."""
    drawn = [row for row in rows if pd.notna(row.difference)]
    handles = [
        Line2D([], [], linestyle="", marker=marker, markersize=4, color=colour,
               markerfacecolor=filling, label=verdict)
        for verdict in LOOKS
        for colour, marker, filling in [look(verdict, synthetic, LOOKS)]
        if any(row.verdict == verdict for row in drawn)
    ]  # fmt: skip
    for low, width, label in (("low", 2.4, "95 %, seeds"), ("fold_low", 0.8, "95 %, folds")):
        if any(pd.notna(getattr(row, low)) for row in drawn):
            handles.append(Line2D([], [], color=GREY, linewidth=width, label=label))
    return [*handles, Patch(color=CLAIMED, label="the claimed side")]
