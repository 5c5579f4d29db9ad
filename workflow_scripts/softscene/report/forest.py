"""A forest plot: the paired difference of each claim, its intervals, and the published one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from softscene.analysis.claims import (
    EVENTS,
    INCONCLUSIVE,
    LABELS,
    NEVER_DETECTED,
    NOT_REPRODUCED,
    REPRODUCED,
    SCALE,
    claimed_side,
)
from softscene.analysis.comparisons import headline
from softscene.core.tsv import read_table
from softscene.report.style import COLOURS, COLUMN, STYLE, save

GREY = "#555555"
ROW, HEAD = 0.17, 0.45  # inches of a claim, and of a panel's axis and title
OURS, PUBLISHED = 0.2, -0.2  # offsets in a row, so that neither hides the other
CLAIMED = "#e4edf5"  # background of the claimed side of zero
# Colour, marker and filling of a verdict, here and on the page: they differ in grey too. Colours
# are dark enough for white letters on them.
RED = "#a13d00"
Look = tuple[str, str, str]
LOOKS: dict[str, Look] = {
    REPRODUCED: (COLOURS[0], "o", COLOURS[0]),
    NOT_REPRODUCED: (RED, "X", RED),
    INCONCLUSIVE: (GREY, "s", "white"),
}
PANELS = (
    ("F-score: difference in points", lambda row: row.score == "f_score" and row.unit != EVENTS),
    ("Error rate: difference", lambda row: row.score == "error_rate" and row.unit != EVENTS),
    ("Number of events: difference", lambda row: row.unit == EVENTS),
)
SCORE_NAMES = {"f_score": "F-score", "error_rate": "error rate"}


def plot_claims(claims: str | Path, results: Mapping[str, str | Path], synthetic: bool) -> None:
    """Draw the paired differences behind all verdicts, from ``claims.tsv``, to each of results.

    A row for each claim and score, numbered as in the report; frames, adaptive thresholds. Thick
    line: interval within folds (none with one seed per fold). Thin line: interval over folds, which
    may leave the axes. Published differences are drawn a little higher. Grey: verdicts of a
    synthetic corpus, and on events that no method detects.
    """
    table = headline(read_table(claims))
    numbers = {key: place for place, key in enumerate(table.claim.unique(), start=1)}
    rows = list(table.itertuples())
    parts = [(title, [row for row in rows if belongs(row)]) for title, belongs in PANELS]
    parts = [(title, here) for title, here in parts if here]
    heights = [HEAD + ROW * len(here) for _, here in parts]
    with plt.style.context(STYLE):
        figure, panels = plt.subplots(
            len(parts), squeeze=False, layout="constrained",
            figsize=(COLUMN, sum(heights) + 0.7), height_ratios=heights,
        )  # fmt: skip
        for axes, (title, here) in zip(panels[:, 0], parts, strict=True):
            _draw_panel(axes, here, numbers, synthetic)
            axes.set_xlabel(title)
        handles = _legend(table, synthetic)
        figure.legend(handles=handles, loc="outside lower center", ncols=2, handlelength=2.2)
        save(figure, results, synthetic)


def look(verdict: str, neutral: bool, looks: Mapping[str, Look] = LOOKS) -> Look:
    """Colour, marker and filling; neutral ones are grey, so that none looks like a success."""
    colour, marker, filling = looks[verdict]
    return (GREY, marker, filling.replace(colour, GREY)) if neutral else (colour, marker, filling)


def _draw_panel(
    axes: Axes, rows: Sequence[tuple], numbers: Mapping[str, int], synthetic: bool
) -> None:
    """One score's differences, the first claim on top."""
    limits = _limits(rows)
    for place, row in enumerate(rows):
        scale = _scale(row)
        side = claimed_side(row.claim, row.score)
        axes.barh(place, limits[side > 0], height=0.84, color=CLAIMED, zorder=0)
        never = row.reason.startswith(NEVER_DETECTED)
        colour, marker, filling = look(row.verdict, neutral=synthetic or never)
        for low, high, width in ((row.low, row.high, 2.4), (row.fold_low, row.fold_high, 0.8)):
            if pd.notna(low):
                axes.plot([low * scale, high * scale], [place + OURS] * 2, "-", color=colour,
                          linewidth=width, solid_capstyle="butt", zorder=2)  # fmt: skip
        if pd.notna(row.published_difference):
            axes.plot(
                row.published_difference * scale, place + PUBLISHED, marker="*", zorder=3,
                markersize=6.5, markerfacecolor="white", markeredgecolor="black",
                markeredgewidth=0.6,
            )  # fmt: skip
        if pd.notna(row.difference):
            axes.plot(row.difference * scale, place + OURS, marker=marker, markersize=4, zorder=4,
                      color=colour, markerfacecolor=filling)  # fmt: skip
        else:
            right = row.published_difference * scale < sum(limits) / 2  # the star is at the left
            axes.text(limits[right], place, "no data ", va="center", color=GREY, fontsize=8,
                      ha="right" if right else "left", zorder=3,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8, zorder=1)
    axes.set_xlim(limits)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [_name(row, numbers) for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _scale(row: tuple) -> float:
    return 1.0 if row.unit == EVENTS else SCALE[row.score]


def _limits(rows: Sequence[tuple]) -> tuple[float, float]:
    """The axis's range: zero and all values; intervals over folds only without others."""
    values = []
    for row in rows:
        bounds = (row.low, row.high) if pd.notna(row.low) else (row.fold_low, row.fold_high)
        ends = (row.difference, row.published_difference, *bounds)
        values += [end * _scale(row) for end in ends if pd.notna(end)]
    low, high = min([*values, 0.0]), max([*values, 0.0])
    margin = 0.12 * (high - low) or 1.0
    return low - margin, high + margin


def _name(row: tuple, numbers: Mapping[str, int]) -> str:
    score = f", {SCORE_NAMES[row.score]}" if row.unit == EVENTS else ""
    return f"{LABELS[row.claim]}{score}  {numbers[row.claim]}"


def _legend(table: pd.DataFrame, synthetic: bool) -> list[Line2D | Patch]:
    """Only what is drawn."""
    drawn = table[table.difference.notna()]
    never = drawn.reason.str.startswith(NEVER_DETECTED)
    kinds = [(verdict, verdict, (drawn.verdict == verdict) & ~never) for verdict in LOOKS]
    kinds.insert(1, (REPRODUCED, f"{REPRODUCED}, never detected", never))
    handles = []
    for verdict, label, rows in kinds:
        if rows.any():
            colour, marker, filling = look(verdict, neutral=synthetic or rows is never)
            handles.append(
                Line2D([], [], linestyle="", marker=marker, markersize=4, color=colour,
                       markerfacecolor=filling, label=label)
            )  # fmt: skip
    if table.published_difference.notna().any():
        handles.append(
            Line2D([], [], linestyle="", marker="*", markersize=6.5, markerfacecolor="white",
                   markeredgecolor="black", label="published")
        )  # fmt: skip
    for low, width, label in (("low", 2.4, "95 %, seeds"), ("fold_low", 0.8, "95 %, folds")):
        if table[low].notna().any():
            handles.append(Line2D([], [], color=GREY, linewidth=width, label=label))
    return [*handles, Patch(color=CLAIMED, label="the claimed side")]
