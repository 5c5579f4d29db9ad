"""The report's figures: what is drawn where, read back from the axes, and their style."""

import copy
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from scipy.special import softmax
from snakemake.utils import update_config
from softscene.config.reading import read_yaml
from softscene.config.study import with_controls
from softscene.config.variants import choose, variants_of
from softscene.core.tsv import write_table
from softscene.report.figures import (
    line_look,
    mean_posteriors,
    plot_confusion,
    plot_learning_curves,
    plot_soft_labels,
    plot_table1,
)

from tests.conftest import PAPER, ROOT

SCENES = ["city_center", "home", "office", "residential_area"]
POSTERIORS = [f"posterior_{scene}" for scene in SCENES]


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Call with a plot and its arguments -> the figure, kept open to look at, and its files."""
    kept, close = [], plt.close
    monkeypatch.setattr("softscene.report.style.plt.close", kept.append)

    def run(plot, *args, synthetic=True):
        results = {form: tmp_path / f"figure.{form}" for form in ("pdf", "png")}
        plot(*args, results, synthetic)
        return kept[-1], results

    yield run
    for figure in kept:
        close(figure)


def texts_of(axes):
    """(row, column) -> text of each cell."""
    return {(round(t.get_position()[1]), round(t.get_position()[0])): t for t in axes.texts}


@pytest.fixture
def table1(tmp_path):
    counts = {"car": [12, 0, 1, 340], "drawer": [0, 7, 0, 0]}
    rows = [
        (e, s, n, n * 1.5) for e, row in counts.items() for s, n in zip(SCENES, row, strict=True)
    ]
    write_table(
        pd.DataFrame(rows, columns=["event", "scene", "count", "duration"]), tmp_path / "table1.tsv"
    )
    return tmp_path / "table1.tsv"


def test_table_1_is_a_heat_map_of_counts(table1, drawn):
    figure, _ = drawn(plot_table1, table1)
    axes = figure.axes[0]
    shown = [[texts_of(axes)[row, column].get_text() for column in range(4)] for row in range(2)]
    assert shown == [["12", "·", "1", "340"], ["·", "7", "·", "·"]]
    values = axes.images[0].get_array()
    np.testing.assert_array_equal(values.filled(0), [[12, 0, 1, 340], [0, 7, 0, 0]])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["car", "drawer"]
    named = [label.get_text() for label in axes.get_xticklabels()]
    assert named == ["city\ncenter", "home", "office", "residential\narea"]


def test_texts_stand_out_from_their_cells_in_grey(table1, drawn):
    """WCAG's contrast of large text, 3, for each text on its own cell."""
    figure, _ = drawn(plot_table1, table1)
    image = figure.axes[0].images[0]
    for place, text in texts_of(figure.axes[0]).items():
        value = image.get_array()[place]
        cell = (1, 1, 1) if value is np.ma.masked else image.cmap(image.norm(value))[:3]
        ink = (1, 1, 1) if text.get_color() == "white" else (0, 0, 0)
        assert contrast(cell, ink) > 3, text.get_text()


def contrast(one, other):
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour):
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def test_shades_keep_their_order_in_grey():
    shades = [luminance(colour[:3]) for colour in colormaps["Blues"](np.linspace(0, 1, 50))]
    assert (np.diff(shades) < 0).all()


def test_confusions_are_summed_and_their_shares_are_of_the_true_scene(tmp_path, drawn):
    one = [[3, 1, 0, 0], [0, 2, 0, 0], [0, 0, 5, 0], [0, 0, 0, 0]]
    two = [[2, 2, 0, 0], [1, 1, 0, 0], [0, 0, 5, 0], [0, 0, 0, 0]]
    for name, counts in (("one", one), ("two", two)):
        table = pd.DataFrame(counts, columns=[f"clips_{scene}" for scene in SCENES])
        table.insert(0, "scene", SCENES)
        write_table(table, tmp_path / name)
    figure, _ = drawn(plot_confusion, [tmp_path / "one", tmp_path / "two"])
    texts = texts_of(figure.axes[0])
    assert texts[0, 0].get_text() == "62%\n5"  # 5 of 8
    assert texts[0, 1].get_text() == "38%\n3"
    assert texts[1, 0].get_text() == "25%\n1"
    assert texts[2, 2].get_text() == "100%\n10"
    assert texts[3, 3].get_text() == "·", "a scene without clips has no shares"
    shares = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(shares[:3].sum(axis=1), 1)


def test_mean_posteriors_are_scipys_softmax_over_each_true_scene(tmp_path):
    random = np.random.default_rng(0)
    tables = []
    for teacher in (0, 1):
        logits = random.normal(0, 4, (30, 4))
        table = pd.DataFrame(logits, columns=[f"logit_{scene}" for scene in SCENES])
        table.insert(0, "scene", random.choice(SCENES[:3], 30))
        write_table(table, tmp_path / f"{teacher}.tsv")
        tables.append(table)
    both = pd.concat(tables)
    found = mean_posteriors([tmp_path / "0.tsv", tmp_path / "1.tsv"], [1.0, 5.0], SCENES)
    assert list(found.columns) == ["temperature", "scene", "clips", *POSTERIORS]
    assert list(found.scene) == SCENES[:3] * 2, "a scene without clips has no row"
    for row in found.itertuples():
        own = both[both.scene == row.scene]
        expected = softmax(own.filter(like="logit_").to_numpy() / row.temperature, axis=1)
        np.testing.assert_allclose(row[4:], expected.mean(axis=0), atol=1e-12)
        assert row.clips == len(own)


def test_soft_labels_are_a_map_for_each_temperature(drawn):
    rows = [(t, scene, 3, *np.roll([0.7, 0.1, 0.1, 0.1], i)) for t in (1.0, 5.0)
            for i, scene in enumerate(SCENES)]  # fmt: skip
    rows[4] = (5.0, "city_center", 3, 0.4, 0.3, 0.2, 0.1)
    table = pd.DataFrame(rows, columns=["temperature", "scene", "clips", *POSTERIORS])
    figure, _ = drawn(plot_soft_labels, table)
    assert [axes.get_title() for axes in figure.axes] == ["T = 1", "T = 5"]
    first, second = (texts_of(axes) for axes in figure.axes)
    assert first[1, 1].get_text() == "0.700"
    assert [second[0, column].get_text() for column in range(4)] == [
        "0.400", "0.300", "0.200", "0.100"
    ]  # fmt: skip


@pytest.fixture
def histories(tmp_path):
    """Two runs of a student with a scene branch, one without, a teacher."""
    for name, columns in {
        "a": {"event_loss": [0.4, 0.2], "scene_loss": [1.0, 0.5]},
        "b": {"event_loss": [0.6, 0.4], "scene_loss": [2.0, 0.7]},
        "c": {"event_loss": [0.9, 0.8]},
        "t": {"loss": [1.5, 0.3]},
    }.items():
        write_table(pd.DataFrame({"epoch": [1, 2], **columns}), tmp_path / name)
    return (
        {"Soft": [tmp_path / "a", tmp_path / "b"], "CRNN": [tmp_path / "c"]},
        [tmp_path / "t"],
    )


def test_curves_are_means_and_ranges_over_runs(histories, drawn):
    figure, _ = drawn(plot_learning_curves, *histories)
    events, scenes, teachers = figure.axes
    np.testing.assert_allclose(events.lines[0].get_ydata(), [0.5, 0.3])
    np.testing.assert_allclose(events.lines[1].get_ydata(), [0.9, 0.8])
    assert len(scenes.lines) == 1, "CRNN has no scene loss"
    np.testing.assert_allclose(scenes.lines[0].get_ydata(), [1.5, 0.6])
    np.testing.assert_allclose(teachers.lines[0].get_ydata(), [1.5, 0.3])
    (band,) = scenes.collections
    ys = band.get_paths()[0].vertices[:, 1]
    assert {ys.min(), ys.max()} == {0.5, 2.0}
    assert events.lines[0].get_linestyle() != events.lines[1].get_linestyle()
    assert events.lines[0].get_color() == scenes.lines[0].get_color()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["Soft", "CRNN"]


def test_without_teachers_their_panel_is_left_out(histories, drawn):
    figure, _ = drawn(plot_learning_curves, histories[0], [])
    assert len(figure.axes) == 2


def demo_titles():
    """Of the students whose curves the demo draws: all methods and all controls."""
    demo = copy.deepcopy(PAPER)
    update_config(demo, read_yaml(ROOT / "configs/demo.yaml", "configuration"))
    chosen = choose(variants_of(with_controls(demo)), ROOT / "resources" / "published_table3.csv")
    return [each.title for each in chosen]


@pytest.fixture
def demo_histories(histories):
    """Curves of the demo's eight students, of two epochs."""
    titles = demo_titles()
    assert len(titles) == 8
    (soft, crnn), teachers = histories[0].values(), histories[1]
    return {title: soft if i else crnn for i, title in enumerate(titles)}, teachers


def strokes(look):
    """Shortest and longest stroke and gap of a line in black, in widths, from its picture."""
    figure = Figure(figsize=(10, 0.2), dpi=360, facecolor="white")
    figure.add_artist(plt.Line2D([0, 1], [0.5, 0.5], linewidth=2, **look | {"color": "black"}))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    row = (np.asarray(canvas.buffer_rgba())[36, :, 0] < 128).astype(int)
    edges = np.flatnonzero(np.diff(row)) / 10
    if not len(edges):
        return np.array([np.inf, np.inf, 0])
    parts = np.diff(edges)
    inked = parts[0 if row[int(edges[0] * 10) + 1] else 1 :: 2]
    gaps = parts[1 if row[int(edges[0] * 10) + 1] else 0 :: 2]
    return np.array([inked.min(), inked.max(), gaps.max()])


def test_no_two_curves_look_alike(demo_histories, drawn):
    figure, _ = drawn(plot_learning_curves, *demo_histories)
    looks = [line_look(i) for i in range(8)]
    colours = [look["color"] for look in looks]
    lines = figure.axes[0].lines
    assert [line.get_color() for line in lines] == colours
    assert figure.axes[2].lines[0].get_color() not in colours, "no student's curve is a teacher's"
    scenes = [line.get_color() for line in figure.axes[1].lines]
    assert len(set(scenes)) == len(scenes) == 7
    # Without any colour: a stroke or a gap that is longer by a third, and by half a width.
    found = [strokes(look) for look in looks]
    for i, one in enumerate(found):
        for other in found[:i]:
            less, more = np.minimum(one, other), np.maximum(one, other)
            assert ((more > 4 / 3 * less) & (more > less + 0.5)).any(), (i, found)


def test_looks_of_more_students_differ_too():
    assert len({str(line_look(i)) for i in range(56)}) == 56


def width_of(pdf):
    (width,) = re.findall(rb"/MediaBox \[ 0 0 ([0-9.]+) ", pdf.read_bytes())
    return float(width) / 72 * 25.4  # mm


def test_long_titles_do_not_widen_the_column(demo_histories, drawn):
    figure, results = drawn(plot_learning_curves, *demo_histories)
    assert 80 < width_of(results["pdf"]) < 92
    heights = [axes.get_window_extent().height / figure.dpi for axes in figure.axes]
    assert min(heights) > 1.0, "the legend takes nothing from the panels"
    name = "A method of one's own whose name does not end, " * 3
    long = {name: next(iter(demo_histories[0].values()))}
    _, results = drawn(plot_learning_curves, long, [])
    assert 80 < width_of(results["pdf"]) < 92


@pytest.mark.parametrize("synthetic", [True, False])
def test_figures_are_a_column_wide_with_embedded_fonts(table1, drawn, synthetic):
    figure, results = drawn(plot_table1, table1, synthetic=synthetic)
    assert ("Synthetic corpus" in figure.get_suptitle()) == synthetic
    pdf = results["pdf"].read_bytes()
    assert b"/FontFile2" in pdf, "TrueType, embedded"
    assert b"/Type3" not in pdf
    width = width_of(results["pdf"])
    assert 80 < width < 92
    with Image.open(results["png"]) as image:
        assert image.width / 300 * 25.4 == pytest.approx(width, abs=0.5)


def test_the_same_numbers_give_the_same_bytes(table1, drawn):
    _, results = drawn(plot_table1, table1)
    first = {form: path.read_bytes() for form, path in results.items()}
    drawn(plot_table1, table1)
    assert {form: path.read_bytes() for form, path in results.items()} == first
