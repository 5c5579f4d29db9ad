"""Fig. 3: scores against the weight of the scene loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D

from softscene.core.tsv import read_table
from softscene.evaluation.tables import headline
from softscene.report.style import COLOURS, LEVEL, MARKERS, STYLE, save

ALPHA, BETA = "\N{GREEK SMALL LETTER ALPHA}", "\N{GREEK SMALL LETTER BETA}"
SCORES = (("f_score", "F-score [%]", 100.0), ("error_rate", "Error rate", 1.0))


@dataclass(frozen=True)
class Line:
    """A line of Fig. 3: its label, and rows of Table 3 with a column ``weight``."""

    label: str
    rows: pd.DataFrame

    @property
    def is_point(self) -> bool:
        """Whether the method has one weight alone, as one's own may have."""
        return len(self.rows) == 1


def lines_of(table: pd.DataFrame) -> tuple[list[Line], pd.DataFrame]:
    """Split one setting's rows of Table 3.

    Returns
    -------
    tuple
        A line for each method with alpha, and for each method with beta and T, single points last;
        and the rows of methods without a weight, which are levels.
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


def _draw_line(
    axes: Axes, line: Line, score: str, scale: float, look: Mapping[str, str], shift: float
) -> ErrorbarContainer:
    """Draw mean and spread, moved sideways by a factor so that spreads do not hide each other.

    A single point is hollow.
    """
    rows, weight = line.rows, line.rows.weight * shift
    mean, spread = (rows[f"{score}_{name}"].to_numpy() * scale for name in ("mean", "std"))
    point = {"linestyle": "", "markerfacecolor": "white"} if line.is_point else {}
    drawn = axes.errorbar(
        weight, mean, np.nan_to_num(spread), label=line.label, capsize=2, elinewidth=0.8,
        **look, **point,
    )  # fmt: skip
    published = rows[f"published_{score}"].to_numpy() * scale
    axes.plot(
        weight, published, linestyle="", marker="*", markersize=9,
        markerfacecolor=look["color"], markeredgecolor="black", markeredgewidth=0.6, zorder=5,
    )  # fmt: skip
    return drawn


def _draw_level(axes: Axes, row: pd.Series, score: str, scale: float) -> Line2D:
    mean, spread = row[f"{score}_mean"] * scale, row[f"{score}_std"] * scale
    drawn = axes.axhline(mean, color=LEVEL, linestyle="--", linewidth=1, label=row.method)
    if np.isfinite(spread):
        axes.axhspan(mean - spread, mean + spread, color=LEVEL, alpha=0.1, linewidth=0)
    published = row[f"published_{score}"] * scale
    if np.isfinite(published):
        axes.plot(
            1.0, published, marker="*", markersize=9, markerfacecolor=LEVEL, clip_on=False,
            markeredgecolor="black", markeredgewidth=0.6, transform=axes.get_yaxis_transform(),
        )  # fmt: skip
    return drawn


def _shifts(lines: list[Line], weights: np.ndarray) -> list[float]:
    """Factors that move each line sideways by a hundredth of the axis against its neighbour.

    Lines lie around their weights; single points right of them, and twice as far apart.
    """
    positive = weights[weights > 0]
    span = positive.max() / positive.min() if len(positive) else 1.0
    around = sum(not line.is_point for line in lines) or len(lines)
    steps = [i + max(0, i - around + 1) - (around - 1) / 2 for i in range(len(lines))]
    return [span ** (0.012 * step) for step in steps]


def _weight_axis(axes: Axes, weights: np.ndarray) -> None:
    """Logarithmic where weights span decades; a weight of 0 stands left of them."""
    positive = weights[weights > 0]
    if len(positive) and positive.max() / positive.min() > 10:
        if len(positive) < len(weights):
            axes.set_xscale("symlog", linthresh=positive.min())
        else:
            axes.set_xscale("log")
    axes.set_xticks(weights, [f"{weight:g}" for weight in weights])
    axes.minorticks_off()


def plot_figure3(
    table3: str | Path,
    results: Mapping[str, str | Path],
    synthetic: bool,
    left_out: Sequence[str] = (),
) -> None:
    """Draw Fig. 3 from ``table3.tsv``, frames and adaptive thresholds, to every path of results.

    Lines are means over folds and seeds, bars one standard deviation, stars the published values,
    where the table has any.
    Methods that are ``left_out`` (controls, which the paper does not have) would hide the others.
    """
    table = headline(read_table(table3))
    table = table[~table.method.isin(left_out)]
    lines, levels = lines_of(table)
    weights = (
        np.unique(np.concatenate([line.rows.weight for line in lines])) if lines else np.array([])
    )
    shifts = _shifts(lines, weights)
    with plt.style.context(STYLE):
        figure, panels = plt.subplots(len(SCORES), sharex=True, layout="constrained")
        published = Line2D(
            [], [], linestyle="", marker="*", markersize=8, markerfacecolor="white",
            markeredgecolor="black", label="published (TUT recordings)",
        )  # fmt: skip
        stars = [published] if table.published_f_score.notna().any() else []
        for axes, (score, name, scale) in zip(panels, SCORES, strict=True):
            looks = [
                {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
                for i in range(len(lines))
            ]
            drawn = [
                _draw_line(axes, line, score, scale, look, shift)
                for line, look, shift in zip(lines, looks, shifts, strict=True)
            ]
            marks = [_draw_level(axes, row, score, scale) for _, row in levels.iterrows()]
            axes.set_ylabel(name)
        if len(weights):
            _weight_axis(panels[-1], weights)
        panels[-1].set_xlabel(f"Weight of the scene loss, {ALPHA} or {BETA}")
        # By hand, as axes leave out whose name begins with "_".
        figure.legend(
            handles=[*marks, *stars, *drawn], loc="outside lower center", ncols=2,
            title_fontsize=6.5, title="Mean ± one standard deviation over folds and seeds",
        )  # fmt: skip
        save(figure, results, synthetic)
