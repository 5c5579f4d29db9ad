"""The report's figures besides Fig. 3: Table 1, learning curves, teachers, soft labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from softscene.core.tsv import read_table
from softscene.report.style import (
    COLOURS,
    COLUMN,
    DASHES,
    POINTS,
    STYLE,
    save,
    text_width,
    wrapped,
)

# Black is the teachers'. Dashes differ without colour too; a look recurs after 72 curves.
CURVE_COLOURS = (*COLOURS[:-1], "#888888", "#882255", "#332288")
MOST = 4  # lines in a panel of learning curves
LOSSES = (
    ("event_loss", "Event loss E1", {"none", "hard", "soft"}),
    ("scene_loss", "Scene loss E2", {"hard"}),
    ("scene_loss", "Scene loss E3", {"soft"}),
)
LINE = 9.6  # points from a line of text to the next
ROW = 80  # points for the name of a row
CELL = 7  # points of the texts in Table 1's cells
Paths = Mapping[str, str | Path]


class LossLocator(LogLocator):
    """Ticks of a log axis: round numbers if it is shorter than a decade, powers of 10 if long."""

    def tick_values(self, vmin: float, vmax: float) -> np.ndarray:
        """Tick values between two limits; at least two."""
        if vmax < 10 * vmin:
            return MaxNLocator(4).tick_values(vmin, vmax)
        ticks = super().tick_values(vmin, vmax)  # none if there would be too many
        return ticks if len(ticks) else LogLocator(numticks=5).tick_values(vmin, vmax)


@dataclass(frozen=True)
class StudentHistory:
    """A student's learning curves.

    Attributes
    ----------
    title
        Its method and weights.
    loss
        Of its scene branch: ``none``, ``hard`` (E2) or ``soft`` (E3).
    histories
        ``history.tsv`` of each (fold, seed).
    """

    title: str
    loss: str
    histories: Sequence[str | Path]


def readable(scene: str) -> str:
    """A scene's name for readers."""
    return scene.replace("_", " ")


def _narrow(scenes: Sequence[str]) -> list[str]:
    """Column names with a line for each word; long words are broken."""
    words = [readable(scene).split(" ") for scene in scenes]
    width = 0.7 * COLUMN * POINTS / len(scenes)
    return ["\n".join(wrapped(word, width) for word in each) for each in words]


def heat_map(
    axes: Axes,
    values: np.ndarray,
    texts: Sequence[Sequence[str]],
    names: tuple[Sequence[str], Sequence[str]],
    norm: Normalize,
    size: float | None = None,
) -> ScalarMappable:
    """Draw a matrix in shades of blue, which differ in grey too, with a text in each cell.

    Parameters
    ----------
    axes
        To draw in.
    values
        rows x columns; NaN stays white.
    texts
        Of each cell.
    names
        Of the rows and of the columns.
    norm
        Value -> 0 (light) .. 1 (dark).
    size
        Font size of the texts, points; the style's for None.
    """
    image = axes.imshow(np.ma.masked_invalid(values), cmap="Blues", norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        dark = np.isfinite(value) and norm(value) > 0.55
        axes.text(
            column, row, texts[row][column], ha="center", va="center", fontsize=size,
            color="white" if dark else "black",
        )  # fmt: skip
    axes.set_yticks(range(len(names[0])), names[0], va="center")  # centred, also with several lines
    axes.set_xticks(range(len(names[1])), names[1])
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return image


def _colour_bar(figure: Figure, image: ScalarMappable, axes: Sequence[Axes], name: str) -> Axes:
    """Add a colour bar below."""
    bar = figure.colorbar(image, ax=axes, location="bottom", aspect=40 / len(np.ravel(axes)))
    bar.set_label(name)
    bar.outline.set_visible(False)
    return bar.ax


def minutes_text(seconds: float) -> str:
    """A duration in minutes, in at most four characters up to 9999 minutes."""
    minutes = seconds / 60
    if seconds <= 0:
        return "·"
    if minutes < 0.05:
        return "<0.1"
    return f"{minutes:.1f}" if minutes < 99.95 else f"{minutes:.0f}"


def plot_table1(table1: str | Path, results: Paths, synthetic: bool) -> None:
    """Draw Table 1: how often each event occurs in each scene, and how many minutes.

    Both on a logarithmic colour scale.
    """
    table = read_table(table1)
    events, scenes = table.event.unique(), table.scene.unique()
    counts, seconds = (
        table.pivot(index="event", columns="scene", values=name).loc[events, scenes]
        for name in ("count", "duration")
    )
    parts = [
        ("Occurrences", counts, [[f"{n}" if n else "·" for n in row] for row in counts.to_numpy()]),
        ("Minutes", seconds / 60, [list(map(minutes_text, row)) for row in seconds.to_numpy()]),
    ]
    with plt.style.context(STYLE):
        rows = [wrapped(event, 1.2 * POINTS) for event in events]
        columns = [wrapped(readable(scene), 1.2 * POINTS) for scene in scenes]
        longest = max(len(text) for _, _, texts in parts for row in texts for text in row)
        cell = max(_lines(columns) * LINE, longest * 0.65 * CELL)
        width = max(COLUMN * POINTS, _width(rows) + 25 + 2 * len(scenes) * cell)
        height = 75 + _width(columns) + len(events) * (_lines(rows) * LINE + 1)
        figure, panels = plt.subplots(
            1, 2, sharey=True, layout="constrained", figsize=(width / POINTS, height / POINTS)
        )
        for axes, (name, values, texts) in zip(panels, parts, strict=True):
            shades = values.where(values > 0).to_numpy(float)
            least, most = np.nanmin(shades, initial=1), np.nanmax(shades, initial=1)
            norm = LogNorm(least, max(most, 2 * least))
            image = heat_map(axes, shades, texts, (rows, columns), norm, CELL)
            axes.xaxis.tick_top()
            axes.tick_params("x", labelrotation=90)
            bar = _colour_bar(figure, image, axes, f"{name} (· none)")
            bar.xaxis.set_major_locator(LogLocator(numticks=4))
            bar.xaxis.set_major_formatter("{x:g}")
            bar.xaxis.set_minor_formatter(NullFormatter())  # the default writes TeX
        save(figure, results, synthetic)


def _width(texts: Sequence[str]) -> float:
    """Points of the longest line."""
    return max(text_width(line) for text in texts for line in text.split("\n"))


def _lines(texts: Sequence[str]) -> int:
    """Lines of the longest text."""
    return max(text.count("\n") for text in texts) + 1


def plot_learning_curves(
    students: Sequence[StudentHistory],
    teachers: Sequence[str | Path],
    results: Paths,
    synthetic: bool,
) -> None:
    """Draw each loss over the epochs, at most four lines in a panel.

    Parameters
    ----------
    students
        Whose curves are drawn; colours recur after nine, dashes with colours after 72.
    teachers
        ``history.tsv`` of each teacher; none where no student learns from one.
    results
        Target of each format.
    synthetic
        Whether the corpus is synthetic.
    """
    curves = _panels(students)
    if teachers:
        curves.append(("Teachers' loss", {None: _together(teachers)["loss"]}))
    with plt.style.context(STYLE):
        room = COLUMN * POINTS - 55  # beside a line's sample
        handles = [
            Line2D([], [], label=wrapped(student.title, room), **line_look(i))
            for i, student in enumerate(students)
        ]
        below = sum(handle.get_label().count("\n") + 1 for handle in handles) + 5
        height = 1.35 * len(curves) + below * 1.1 * LINE / POINTS
        figure, panels = plt.subplots(
            len(curves), figsize=(COLUMN, height), sharex=True, layout="constrained", squeeze=False
        )
        firsts: dict[str, Axes] = {}  # panels of one loss share a scale
        for axes, (name, lines) in zip(panels[:, 0], curves, strict=True):
            first = firsts.setdefault(name.split("\n")[0], axes)
            if first is not axes:
                axes.sharey(first)
            for place, losses in lines.items():
                _draw_curve(axes, losses, place)
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LossLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
            axes.set_ylabel(name)
        panels[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[-1, 0].set_xlabel("Epoch")
        figure.legend(
            handles=handles, loc="outside lower center", handlelength=4,
            title="Mean, least and largest over folds and seeds",
        )  # fmt: skip
        save(figure, results, synthetic)


def _panels(students: Sequence[StudentHistory]) -> list[tuple[str, dict[int | None, pd.Series]]]:
    """Name and lines (student's place -> its loss) of each panel; a loss may take several."""
    tables = [_together(student.histories) for student in students]
    panels = []
    for term, name, objectives in LOSSES:
        places = [i for i, student in enumerate(students) if student.loss in objectives]
        parts = np.array_split(places, -(-len(places) // MOST)) if places else []
        for number, part in enumerate(parts, 1):
            several = f"\n({number} of {len(parts)})" if len(parts) > 1 else ""
            panels.append((name + several, {int(i): tables[i][term] for i in part}))
    return panels


def _together(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Concatenated histories, indexed by epoch."""
    return pd.concat([read_table(path) for path in paths]).set_index("epoch")


def line_look(place: int | None) -> dict[str, object]:
    """Colour and dash of a student's curve by its place; of the teachers' curve for None."""
    if place is None:
        return {"color": COLOURS[-1], "linestyle": "-"}
    return {
        "color": CURVE_COLOURS[place % len(CURVE_COLOURS)],
        "linestyle": DASHES[place % len(DASHES)],
    }


def _draw_curve(axes: Axes, losses: pd.Series, place: int | None) -> None:
    each = losses.groupby(level="epoch")
    mean = each.mean()
    look = line_look(place)
    axes.fill_between(mean.index, each.min(), each.max(), color=look["color"], alpha=0.12, lw=0)
    alone = "o" if len(mean) == 1 else None  # a line of one point would not be seen
    axes.plot(mean.index, mean, marker=alone, markersize=4, **look)


def sum_confusion(confusions: Sequence[str | Path]) -> pd.DataFrame:
    """Clips of each true scene (rows) that teachers gave each scene (columns), over all teachers.

    All of them are clips of evaluation parts, which their teachers have not seen.
    """
    counts = sum(read_table(path).set_index("scene") for path in confusions)
    return counts.rename(columns=lambda name: name.removeprefix("clips_"))


def plot_confusion(confusions: Sequence[str | Path], results: Paths, synthetic: bool) -> None:
    """Draw the teachers' confusion matrix: shares of each true scene, and counts."""
    counts = sum_confusion(confusions)
    clips = counts.sum(axis=1)
    shares = counts.div(clips.where(clips > 0), axis=0).to_numpy()
    texts = [
        [
            f"{share:.0%}\n{count}" if np.isfinite(share) else "·"
            for share, count in zip(*row, strict=True)
        ]
        for row in zip(shares, counts.to_numpy(), strict=True)
    ]
    with plt.style.context(STYLE):
        rows = [
            f"{wrapped(readable(scene), ROW)}\n({clips[scene]} clips)" for scene in counts.index
        ]
        names = (rows, _narrow(counts.columns))
        figure, axes = plt.subplots(
            figsize=(COLUMN, _map_height(names, 2) + 1.0), layout="constrained"
        )
        image = heat_map(axes, shares, texts, names, Normalize(0, 1))
        axes.set_ylabel("True scene")
        axes.set_xlabel("Teacher's scene (all folds and seeds)")
        bar = _colour_bar(figure, image, axes, "Share of the true scene's clips")
        bar.xaxis.set_major_formatter(PercentFormatter(1))
        save(figure, results, synthetic)


def plot_soft_labels(table: pd.DataFrame, results: Paths, synthetic: bool) -> None:
    """Draw the soft labels that students learnt, from ``mean_posteriors``: a map for each T."""
    columns = list(table.columns[3:])
    scenes = [name.removeprefix("posterior_") for name in columns]
    groups = list(table.groupby("temperature"))
    with plt.style.context(STYLE):
        names = {
            temperature: ([wrapped(readable(scene), ROW) for scene in rows.scene], _narrow(scenes))
            for temperature, rows in groups
        }
        heights = [_map_height(each, 1) for each in names.values()]
        figure, panels = plt.subplots(
            len(groups), squeeze=False, sharex=True, layout="constrained",
            figsize=(COLUMN, 1.2 + sum(heights)), height_ratios=heights,
        )  # fmt: skip
        for axes, (temperature, rows) in zip(panels[:, 0], groups, strict=True):
            values = rows[columns].to_numpy()
            texts = [[f"{value:.3f}" for value in row] for row in values]
            image = heat_map(axes, values, texts, names[temperature], Normalize(0, 1))
            axes.set_title(f"T = {temperature:g}")
        panels[-1, 0].set_xlabel("Scene of the soft label")
        figure.supylabel("True scene", fontsize="medium")
        _colour_bar(figure, image, panels[:, 0], "Mean posterior")
        save(figure, results, synthetic)


def _map_height(names: tuple[Sequence[str], Sequence[str]], lines: int) -> float:
    """Height in inches of a map with its names; its cells have ``lines`` lines of text."""
    row = max(_lines(names[0]), lines) * 1.2 * LINE + 5
    return (len(names[0]) * row + _lines(names[1]) * LINE) / POINTS
