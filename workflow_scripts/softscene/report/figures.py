"""The report's figures beside Fig. 3: Table 1, learning curves, teachers, soft labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatter, LogLocator, MaxNLocator

from softscene.core.tsv import read_table
from softscene.report.style import COLOURS, STYLE, save

COLUMN = 3.46  # inches, 88 mm
# Black is the teachers'. Dashes are apart without any colour; of eight curves the first, which has
# no scene loss, and the last share a colour, and a whole look comes again after 56.
CURVE_COLOURS = (*COLOURS[:-1], "#888888")
DASHES = (
    "-", (0, (4, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (2.5, 2.5)), (0, (9, 2)),
    (0, (1, 3)), (0, (4, 1, 1, 1, 1, 1)),
)  # fmt: skip
LINE = 56  # characters of a legend's title that fit the column
LOSSES = (("event_loss", "Event loss E1"), ("scene_loss", "Scene loss E2 or E3"))
Paths = Mapping[str, str | Path]


def readable(scene: str) -> str:
    """A scene's name as it is read."""
    return scene.replace("_", " ")


def _narrow(scenes: Sequence[str]) -> list[str]:
    """Names under columns, a line for each word."""
    return [readable(scene).replace(" ", "\n") for scene in scenes]


def heat_map(
    axes: Axes,
    values: np.ndarray,
    texts: Sequence[Sequence[str]],
    names: tuple[Sequence[str], Sequence[str]],
    norm: Normalize,
    size: float,
) -> AxesImage:
    """Draw a matrix in shades of blue, which stay apart in grey, with a text in each cell.

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
        Of the texts, points.
    """
    image = axes.imshow(np.ma.masked_invalid(values), cmap="Blues", norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        dark = np.isfinite(value) and norm(value) > 0.55
        axes.text(
            column, row, texts[row][column], ha="center", va="center", fontsize=size,
            color="white" if dark else "black",
        )  # fmt: skip
    axes.set_yticks(range(len(names[0])), names[0])
    axes.set_xticks(range(len(names[1])), names[1])
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return image


def plot_table1(table1: str | Path, results: Paths, synthetic: bool) -> None:
    """Draw Table 1: counts of each event in each scene, on a logarithmic scale of colour."""
    table = read_table(table1)
    events, scenes = table.event.unique(), table.scene.unique()
    counts = table.pivot(index="event", columns="scene", values="count").loc[events, scenes]
    values = counts.where(counts > 0).to_numpy(float)
    texts = [[f"{count}" if count else "·" for count in row] for row in counts.to_numpy()]
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(figsize=(COLUMN, 4.6), layout="constrained")
        norm = LogNorm(1, max(counts.to_numpy().max(), 2))
        image = heat_map(axes, values, texts, (events, _narrow(scenes)), norm, 6.5)
        axes.xaxis.tick_top()
        bar = figure.colorbar(image, ax=axes, location="bottom", aspect=40, pad=0.015)
        bar.ax.xaxis.set_major_formatter("{x:g}")
        bar.ax.xaxis.set_minor_formatter(LogFormatter())  # the default writes TeX
        bar.set_label("Occurrences (· none)")
        bar.outline.set_visible(False)
        save(figure, results, synthetic)


def plot_learning_curves(
    histories: Mapping[str, Sequence[str | Path]],
    teachers: Sequence[str | Path],
    results: Paths,
    synthetic: bool,
) -> None:
    """Draw each loss over the epochs.

    Parameters
    ----------
    histories
        Title of a student -> its ``history.tsv`` of each (fold, seed).
    teachers
        ``history.tsv`` of each teacher; none where no student learns from one.
    results
        Target of each format.
    synthetic
        Whether the corpus is.
    """
    tables = {title: _together(paths) for title, paths in histories.items()}
    curves = [
        (name, [(i, table[term]) for i, table in enumerate(tables.values()) if term in table])
        for term, name in LOSSES
    ]
    if teachers:
        curves.append(("Teachers' loss", [(None, _together(teachers)["loss"])]))
    titles = [fill(title, LINE) for title in tables]
    lines_below = sum(title.count("\n") + 1 for title in titles)
    height = 0.8 + 1.4 * len(curves) + 0.13 * lines_below
    with plt.style.context(STYLE):
        figure, panels = plt.subplots(
            len(curves), figsize=(COLUMN, height), sharex=True, layout="constrained"
        )
        for axes, (name, lines) in zip(panels, curves, strict=True):
            for place, losses in lines:
                _draw_curve(axes, losses, place)
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
            axes.set_ylabel(name)
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[-1].set_xlabel("Epoch")
        handles = [Line2D([], [], label=title, **line_look(i)) for i, title in enumerate(titles)]
        figure.legend(
            handles=handles, loc="outside lower center", title_fontsize=6.5, handlelength=4,
            title="Mean; shaded: least to largest over folds and seeds",
        )  # fmt: skip
        save(figure, results, synthetic)


def _together(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Histories one under the other, indexed by epoch."""
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
    axes.plot(mean.index, mean, **look)


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
        figure, axes = plt.subplots(figsize=(COLUMN, 2.7), layout="constrained")
        rows = [f"{readable(scene)}\n({clips[scene]} clips)" for scene in counts.index]
        heat_map(axes, shares, texts, (rows, _narrow(counts.columns)), Normalize(0, 1), 7)
        axes.set_ylabel("True scene")
        axes.set_xlabel("Teacher's scene (all folds and seeds)")
        save(figure, results, synthetic)


def mean_posteriors(
    soft_labels: Sequence[str | Path], temperatures: Sequence[float], scenes: Sequence[str]
) -> pd.DataFrame:
    """Mean of the teachers' posteriors softmax(v / T) (eq. 5) over clips of each true scene.

    Parameters
    ----------
    soft_labels
        Logits v of every development clip, a file for each teacher.
    temperatures
        Values of T.
    scenes
        Names of the classes.

    Returns
    -------
    DataFrame
        ``temperature``, ``scene`` (the true one), ``clips`` (over all teachers), and each scene's
        mean posterior, ``posterior_<scene> ...``. A scene without clips has no row.
    """
    table = pd.concat([read_table(path) for path in soft_labels], ignore_index=True)
    logits = table[[f"logit_{scene}" for scene in scenes]].to_numpy()
    columns = [f"posterior_{scene}" for scene in scenes]
    parts = []
    for temperature in temperatures:
        powers = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
        posteriors = pd.DataFrame(powers / powers.sum(axis=1, keepdims=True), columns=columns)
        groups = posteriors.groupby(table.scene)
        means = groups.mean().assign(clips=groups.size(), temperature=temperature)
        parts.append(means.loc[[scene for scene in scenes if scene in means.index]].reset_index())
    return pd.concat(parts, ignore_index=True)[["temperature", "scene", "clips", *columns]]


def plot_soft_labels(table: pd.DataFrame, results: Paths, synthetic: bool) -> None:
    """Draw the soft labels that students learnt, from :func:`mean_posteriors`: a map for each T."""
    columns = list(table.columns[3:])
    scenes = [name.removeprefix("posterior_") for name in columns]
    groups = list(table.groupby("temperature"))
    with plt.style.context(STYLE):
        figure, panels = plt.subplots(
            len(groups), squeeze=False, sharex=True, layout="constrained",
            figsize=(COLUMN, 0.9 + 1.25 * len(groups)),
        )  # fmt: skip
        for axes, (temperature, rows) in zip(panels[:, 0], groups, strict=True):
            values = rows[columns].to_numpy()
            texts = [[f"{value:.3f}" for value in row] for row in values]
            names = ([readable(scene) for scene in rows.scene], _narrow(scenes))
            heat_map(axes, values, texts, names, Normalize(0, 1), 7)
            axes.set_title(f"T = {temperature:g}")
        panels[-1, 0].set_xlabel("Scene of the soft label")
        figure.supylabel("True scene", fontsize=8)
        save(figure, results, synthetic)
