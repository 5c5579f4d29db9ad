"""Fig. 3: scores against the weight of the scene loss."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from softscene.core.tsv import read_table
from softscene.evaluation.tables import headline
from softscene.report.style import (
    COLOURS,
    COLUMN,
    DASHES,
    MARKERS,
    POINTS,
    STYLE,
    save,
    text_width,
    wrapped,
)

ALPHA, BETA = "\N{GREEK SMALL LETTER ALPHA}", "\N{GREEK SMALL LETTER BETA}"
SCORES = (("f_score", "F-score [%]", 100.0), ("error_rate", "Error rate", 1.0))
GREYS = ("#555555", "#000000", "#999999")  # of methods without a weight
STAR = {"linestyle": "", "marker": "*", "markeredgecolor": "black", "markeredgewidth": 0.5}
SPREAD = "± one standard deviation"
PUBLISHED = "published (TUT recordings)"
# Least share of a figure's width for the axes; the rest is for the score labels.
AXES = 0.78


@dataclass(frozen=True)
class Form:
    """A figure's form: width in inches, font size in points, panels side by side."""

    width: float
    font: float
    across: int

    @property
    def panel(self) -> float:
        """Least width of a panel's axes, points."""
        return AXES * self.width * POINTS / self.across

    @property
    def slot(self) -> float:
        """Points between two markers of a weight; less where many share it."""
        return 0.875 * self.font


PAGE = Form(COLUMN, 8, 1)  # a journal's column
SLIDE = Form(10.0, 13, 2)


@dataclass(frozen=True)
class Line:
    """A line of Fig. 3: its label, and rows of Table 3 with a column ``weight``."""

    label: str
    rows: pd.DataFrame

    @property
    def is_point(self) -> bool:
        """Whether the method has only one weight, as a user's method may."""
        return len(self.rows) == 1


@dataclass(frozen=True)
class Places:
    """Where markers are along the axis, so that none hides another.

    Weights are evenly spaced: the first is at 0, the next at 1. At each, the lines' markers are
    side by side, each with its published star to the right. Stars of levels follow all weights.

    Attributes
    ----------
    weights
        All lines' weights, ascending.
    marks
        (line, weight, whether it is a star) -> place.
    levels
        Places of the levels' stars.
    end
        End of the axis.
    slot
        Points between neighbours.
    """

    weights: np.ndarray
    marks: Mapping[tuple[int, float, bool], float]
    levels: Sequence[float]
    end: float
    slot: float

    def of(self, line: int, rows: pd.DataFrame, star: bool) -> list[float]:
        """Places of a line's means, or of its stars, in the order of its rows."""
        return [self.marks[line, weight, star] for weight in rows.weight]


def lines_of(table: pd.DataFrame) -> tuple[list[Line], pd.DataFrame]:
    """Split one setting's rows of Table 3.

    Returns
    -------
    tuple
        A line for each method with alpha, and for each method with beta and T, single points last;
        and the rows of methods without a weight, drawn as levels.
    """
    weighted = table.assign(weight=table.alpha.fillna(table.beta))
    lines = []
    groups = weighted.dropna(subset="weight").groupby(
        ["method", "temperature"], dropna=False, sort=False
    )
    for (method, temperature), rows in groups:
        symbol = ALPHA if pd.isna(temperature) else f"{BETA}, T = {temperature:g}"
        lines.append(Line(f"{method} ({symbol})", rows.sort_values("weight")))
    return sorted(lines, key=lambda line: line.is_point), weighted[weighted.weight.isna()]


def _published(rows: pd.DataFrame) -> pd.DataFrame:
    """Those rows that the paper has."""
    return rows[rows.published_f_score.notna() | rows.published_error_rate.notna()]


def place_marks(lines: Sequence[Line], levels: pd.DataFrame, form: Form) -> Places:
    """Give each marker a place of its own."""
    weights = np.unique([weight for line in lines for weight in line.rows.weight])
    at: dict[float, list[tuple[int, float, bool]]] = {weight: [] for weight in weights}
    for i, line in enumerate(lines):
        known = set(_published(line.rows).weight)
        for weight in line.rows.weight:
            at[weight] += [(i, weight, star) for star in (False, True)[: 1 + (weight in known)]]
    stars = len(_published(levels))
    right = 1.5 * form.slot * stars
    unit = (form.panel - right) / max(len(weights), 1)  # points from a weight to the next
    slot = min(form.slot, unit / max([len(marks) for marks in at.values()] + [1]))
    marks = {
        mark: place + (i - (len(group) - 1) / 2) * slot / unit
        for place, group in enumerate(at.values())
        for i, mark in enumerate(group)
    }
    edge = max(len(weights), 1) - 0.5
    ends = [edge + (i + 0.5) * right / stars / unit for i in range(stars)]
    return Places(weights, marks, ends, edge + right / unit, slot)


def _draw_line(
    axes: Axes, line: Line, number: int, score: str, scale: float, places: Places
) -> Artist:
    """Draw mean, spread and published values, and return their legend entry.

    A single point is hollow.
    """
    x, look = places.of(number, line.rows, star=False), _line_look(line, number)
    mean, spread = (line.rows[f"{score}_{name}"].to_numpy() * scale for name in ("mean", "std"))
    size = {"markersize": 0.72 * places.slot}
    if not line.is_point:
        axes.plot(x, mean, color=look["color"], zorder=2)
    axes.errorbar(
        x, mean, np.nan_to_num(spread), label=line.label, capsize=2, elinewidth=0.8, zorder=3,
        **look | {"linestyle": ""} | size,
    )  # fmt: skip
    rows = _published(line.rows)
    axes.plot(
        places.of(number, rows, star=True), rows[f"published_{score}"] * scale, zorder=3,
        markerfacecolor=look["color"], markersize=places.slot, **STAR,
    )  # fmt: skip
    return Line2D([], [], label=line.label, **look)


def _line_look(line: Line, number: int) -> dict[str, str]:
    look = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
    return look | ({"linestyle": "", "markerfacecolor": "white"} if line.is_point else {})


def _draw_levels(
    axes: Axes, levels: pd.DataFrame, score: str, scale: float, places: Places, size: float
) -> Iterator[Artist]:
    """Draw horizontal lines with bands and stars, and yield their legend entries."""
    stars = iter(places.levels)
    for number, row in enumerate(levels.itertuples()):
        mean, spread, published = (
            scale * getattr(row, name)
            for name in (f"{score}_mean", f"{score}_std", f"published_{score}")
        )
        look = {"color": GREYS[number % 3], "linestyle": DASHES[1:][number % 7], "linewidth": 1}
        axes.axhline(mean, label=row.method, **look)
        yield Line2D([], [], label=row.method, **look)
        if np.isfinite(spread):
            band = {"color": look["color"], "alpha": 0.12, "linewidth": 0}
            axes.axhspan(mean - spread, mean + spread, **band)
            yield Patch(label=f"{row.method} {SPREAD}", **band)
        if pd.notna(row.published_f_score) or pd.notna(row.published_error_rate):
            axes.plot(
                next(stars), published, zorder=3, markersize=size,
                markerfacecolor=look["color"], **STAR,
            )  # fmt: skip


def _score_axis(axes: Axes, rows: pd.DataFrame, score: str, scale: float) -> None:
    """Span all means, spreads and published values, with a margin for the markers."""
    mean, spread = rows[f"{score}_mean"], rows[f"{score}_std"].fillna(0)
    values = np.concatenate([mean - spread, mean + spread, rows[f"published_{score}"]]) * scale
    low, high = np.nanmin(values), np.nanmax(values)
    margin = 0.07 * (high - low) or 0.05 * abs(high) or 1.0
    axes.set_ylim(low - margin, high + margin)


def _weight_axis(axes: Axes, places: Places, width: float) -> None:
    names = [f"{weight:g}" for weight in places.weights]
    crowded = sum(text_width(f"{name}  ") for name in names) > width
    axes.set_xticks(range(len(names)), names, rotation=90 if crowded else 0)
    axes.set_xlim(-0.5, places.end)


def _add_legend(figure: plt.Figure, handles: Sequence[Artist], form: Form, spread: bool) -> int:
    """Add the legend below the panels, and return its number of text lines."""
    title = f"Mean{f' {SPREAD}' if spread else ''} over folds and seeds"
    title = wrapped(title, form.width * POINTS - 2 * form.font)
    room = form.width * POINTS - 5 * form.font  # beside a line's sample
    for handle in handles:  # by hand, as axes leave out labels that begin with "_"
        handle.set_label(wrapped(handle.get_label(), room))
    longest = max(text_width(line) for each in handles for line in each.get_label().split("\n"))
    columns = max(1, min(3, int(form.width * POINTS / (longest + 6 * form.font))))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, title=title)
    rows = [each.get_label().count("\n") + 1 for each in handles]
    return title.count("\n") + 1 + -(-sum(rows) // columns)


def _draw(
    lines: Sequence[Line], levels: pd.DataFrame, form: Form, results: Mapping, synthetic: bool
) -> None:
    shown = pd.concat([levels, *(line.rows for line in lines)])
    places = place_marks(lines, levels, form)
    with plt.style.context([*STYLE, {"font.size": form.font}]):
        down = len(SCORES) // form.across
        figure, panels = plt.subplots(down, form.across, sharex=True, layout="constrained")
        figure.get_layout_engine().set(wspace=0.06)
        for axes, (score, name, scale) in zip(panels, SCORES, strict=True):
            handles = [*_draw_levels(axes, levels, score, scale, places, form.slot)]
            handles += [
                _draw_line(axes, line, i, score, scale, places) for i, line in enumerate(lines)
            ]
            _score_axis(axes, shown, score, scale)
            axes.set_ylabel(name)
        _weight_axis(panels[-1], places, form.panel)
        for axes in panels[-form.across :] if len(places.weights) else []:
            axes.set_xlabel(f"Weight of the scene loss, {ALPHA} or {BETA}")
        if len(_published(shown)):
            look = {"markerfacecolor": "white", "markersize": form.slot}
            handles.append(Line2D([], [], label=PUBLISHED, **look, **STAR))
        spread = shown.f_score_std.notna().any()
        text = _add_legend(figure, handles, form, spread) + 3
        figure.set_size_inches(
            form.width, form.width / form.across * 0.5 * down + text * 1.35 * form.font / POINTS
        )
        save(figure, results, synthetic)


def plot_figure3(
    table3: str | Path,
    results: Mapping[str, str | Path],
    synthetic: bool,
    left_out: Sequence[str] = (),
) -> None:
    """Draw Fig. 3 from ``table3.tsv``, frames and adaptive thresholds.

    Lines are means over folds and seeds, bars and bands one standard deviation, stars the published
    values, where the table has any.

    Parameters
    ----------
    table3
        Table 3.
    results
        Paths. Those whose name begins with ``wide`` get the form for slides, with the panels side
        by side; all others that of a journal's column.
    synthetic
        Whether the corpus is synthetic.
    left_out
        Methods that would hide the others: controls, which the paper does not have.
    """
    table = headline(read_table(table3))
    table = table[~table.method.isin(left_out)]
    lines, levels = lines_of(table)
    for form in (PAGE, SLIDE):
        paths = {
            name: path
            for name, path in results.items()
            if name.startswith("wide") == (form is SLIDE)
        }
        if paths:
            _draw(lines, levels, form, paths, synthetic)
