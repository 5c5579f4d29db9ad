"""The report's figures: what is drawn where, read back from the axes, and their style."""

import copy
import logging
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from snakemake.utils import update_config
from softscene.config.reading import read_yaml
from softscene.config.study import with_controls
from softscene.config.variants import choose_variants, variants_of
from softscene.core.tsv import write_table
from softscene.report import style
from softscene.report.figures import (
    StudentHistory,
    line_look,
    minutes_text,
    plot_confusion,
    plot_learning_curves,
    plot_soft_labels,
    plot_table1,
)

from tests.conftest import PAPER, ROOT

SCENES = ["city_center", "home", "office", "residential_area"]
POSTERIORS = [f"posterior_{scene}" for scene in SCENES]
LONG = "a_name_of_sixty_characters_in_which_there_are_words_and_more"


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Call with a plot and its arguments -> the figure, kept open to look at, and its files."""
    kept, close = [], plt.close
    monkeypatch.setattr("softscene.report.style.plt.close", kept.append)

    def run(plot, *args, synthetic=True):
        results = {form: tmp_path / f"figure.{form}" for form in ("pdf", "png")}
        plot(*args, results, synthetic)
        kept[-1].draw_without_rendering()  # in its own size again, after that of its files
        return kept[-1], results

    yield run
    for figure in kept:
        close(figure)


def texts_of(axes):
    """(row, column) -> text of each cell."""
    return {(round(t.get_position()[1]), round(t.get_position()[0])): t for t in axes.texts}


def assert_apart(labels):
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i]), labels[i].get_text()


def assert_level(axes, lines=1):
    """The names of a map's rows are at the height of their cells, to a tenth of a line."""
    dpi = axes.figure.dpi
    for row, label in enumerate(axes.get_yticklabels()):
        assert label.get_text().count("\n") == lines - 1
        box, (_, middle) = label.get_window_extent(), axes.transData.transform((0, row))
        assert (box.y0 + box.y1) / 2 == pytest.approx(middle, abs=0.8 * dpi / 72)


def assert_bar_from_0_to_1(bar, axes, name):
    assert bar.get_xlabel() == name
    assert bar.get_xlim() == (0, 1)
    assert (axes.images[0].norm.vmin, axes.images[0].norm.vmax) == (0, 1)
    assert bar.get_window_extent().y1 < axes.get_window_extent().y0, "below it"


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


def test_table_1_is_a_map_of_counts_and_beside_it_one_of_minutes(table1, drawn):
    """1.5 s each: 340 are 8.5 minutes."""
    figure, _ = drawn(plot_table1, table1)
    counts, minutes, *bars = figure.axes
    shown = [
        [[texts_of(axes)[row, column].get_text() for column in range(4)] for row in range(2)]
        for axes in (counts, minutes)
    ]
    assert shown[0] == [["12", "·", "1", "340"], ["·", "7", "·", "·"]]
    assert shown[1] == [["0.3", "·", "<0.1", "8.5"], ["·", "0.2", "·", "·"]]
    values = np.array([[12, 0, 1, 340], [0, 7, 0, 0]])
    np.testing.assert_array_equal(counts.images[0].get_array().filled(0), values)
    np.testing.assert_allclose(minutes.images[0].get_array().filled(0), values * 1.5 / 60)
    assert [label.get_text() for label in counts.get_yticklabels()] == ["car", "drawer"]
    for axes in (counts, minutes):
        named = [label.get_text() for label in axes.get_xticklabels()]
        assert named == ["city center", "home", "office", "residential area"]
    one, other = (axes.get_window_extent() for axes in (counts, minutes))
    assert (one.y0, one.y1) == (other.y0, other.y1)
    assert one.x1 < other.x0
    assert [bar.get_xlabel() for bar in bars] == ["Occurrences (· none)", "Minutes (· none)"]
    for axes, bar in zip((counts, minutes), bars, strict=True):
        norm = axes.images[0].norm
        assert bar.get_xlim() == pytest.approx((norm.vmin, norm.vmax))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "·"), (0.02, "<0.1"), (2.9, "<0.1"), (3, "0.1"), (90, "1.5"), (2176, "36.3"),
     (5996, "99.9"), (5998, "100"), (90000, "1500")],
)  # fmt: skip
def test_minutes_have_a_digit_and_at_most_four_characters(seconds, text):
    assert minutes_text(seconds) == text


def test_table_1_of_events_that_never_occur_and_of_very_long_names(tmp_path, drawn):
    def draw(rows):
        table = pd.DataFrame(rows, columns=["event", "scene", "count", "duration"])
        write_table(table, tmp_path / "table1.tsv")
        return drawn(plot_table1, tmp_path / "table1.tsv")[0]

    never = draw([("car", "home", 0, 0.0)])
    assert [text.get_text() for axes in never.axes for text in axes.texts] == ["·", "·"]
    names = [LONG, "car", "x" * 60]
    scenes = [LONG, *(f"scene_{i}" for i in range(7))]
    figure = draw([(name, scene, 99999, 999999.0) for name in names for scene in scenes])
    assert_apart(figure.axes[0].get_yticklabels())
    for axes in figure.axes[:2]:
        assert_apart(axes.get_xticklabels())
        cell = axes.get_window_extent().width / len(scenes)
        assert max(text.get_window_extent().width for text in axes.texts) < cell


def test_texts_stand_out_from_their_cells_in_grey(table1, drawn):
    """WCAG's contrast of large text, 3, for each text on its own cell."""
    figure, _ = drawn(plot_table1, table1)
    for axes in figure.axes[:2]:
        image = axes.images[0]
        for place, text in texts_of(axes).items():
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
    assert_level(figure.axes[0], lines=2)
    assert_bar_from_0_to_1(figure.axes[1], figure.axes[0], "Share of the true scene's clips")
    assert [tick.get_text() for tick in figure.axes[1].get_xticklabels()][:2] == ["0%", "20%"]


@pytest.mark.parametrize("scenes", [[LONG, "home", "x" * 60], ["home", "office"]])
def test_names_of_scenes_stay_apart(scenes, tmp_path, drawn):
    table = pd.DataFrame([[100] * len(scenes)] * len(scenes), columns=scenes)
    table = table.add_prefix("clips_")
    table.insert(0, "scene", scenes)
    write_table(table, tmp_path / "confusion")
    posteriors = pd.DataFrame(
        [(t, scene, 3, *[1 / len(scenes)] * len(scenes)) for t in (1.0, 2.0) for scene in scenes],
        columns=["temperature", "scene", "clips", *(f"posterior_{scene}" for scene in scenes)],
    )
    for plot, given in ((plot_confusion, [tmp_path / "confusion"]), (plot_soft_labels, posteriors)):
        figure, results = drawn(plot, given)
        assert 80 < width_of(results["pdf"]) < 92
        for axes in figure.axes[:-1]:
            assert_apart(axes.get_yticklabels())
            assert_apart(axes.get_xticklabels())
            texts = [text.get_window_extent() for text in axes.texts]
            cell = axes.get_window_extent()
            assert max(text.height for text in texts) < cell.height / len(scenes)
            assert max(text.width for text in texts) < cell.width / len(scenes)


def test_soft_labels_are_a_map_for_each_temperature(drawn):
    rows = [(t, scene, 3, *np.roll([0.7, 0.1, 0.1, 0.1], i)) for t in (1.0, 5.0)
            for i, scene in enumerate(SCENES)]  # fmt: skip
    rows[4] = (5.0, "city_center", 3, 0.4, 0.3, 0.2, 0.1)
    table = pd.DataFrame(rows, columns=["temperature", "scene", "clips", *POSTERIORS])
    figure, _ = drawn(plot_soft_labels, table)
    *maps, bar = figure.axes
    assert [axes.get_title() for axes in maps] == ["T = 1", "T = 5"]
    first, second = map(texts_of, maps)
    for axes in maps:
        assert_level(axes)
        assert_bar_from_0_to_1(bar, axes, "Mean posterior")
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
        [StudentHistory("Soft", "soft", [tmp_path / "a", tmp_path / "b"]),
         StudentHistory("CRNN", "none", [tmp_path / "c"])],
        [tmp_path / "t"],
    )  # fmt: skip


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
    assert [axes.get_ylabel() for axes in figure.axes] == ["Event loss E1", "Scene loss E3"]


def test_a_fifth_method_begins_a_new_panel(histories, drawn):
    """Custom methods come after the chosen ones, in the panels of their own loss."""
    (soft, crnn), teachers = histories
    mine = [StudentHistory(f"Mine {i}", "soft", soft.histories) for i in range(4)]
    students = [crnn, soft, *mine]
    figure, _ = drawn(plot_learning_curves, students, teachers)
    shown = {axes.get_ylabel(): len(axes.lines) for axes in figure.axes}
    assert shown == {
        "Event loss E1\n(1 of 2)": 3, "Event loss E1\n(2 of 2)": 3,
        "Scene loss E3\n(1 of 2)": 3, "Scene loss E3\n(2 of 2)": 2, "Teachers' loss": 1,
    }  # fmt: skip


def demo_titles():
    """Of the students whose curves the demo draws: all methods and all controls."""
    demo = copy.deepcopy(PAPER)
    update_config(demo, read_yaml(ROOT / "configs/demo.yaml", "configuration"))
    chosen = choose_variants(variants_of(with_controls(demo)))
    return [(each.title, each.loss) for each in chosen]


@pytest.fixture
def demo_histories(histories):
    """Curves of the demo's eight students, of two epochs."""
    titles = demo_titles()
    assert len(titles) == 8
    (soft, crnn), teachers = histories
    return [
        StudentHistory(title, loss, (crnn if loss == "none" else soft).histories)
        for title, loss in titles
    ], teachers


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
    shown = [[line.get_color() for line in axes.lines] for axes in figure.axes]
    assert shown[-1] == ["#000000"], "the teachers'"
    assert len({look["color"] for look in looks} | {"#000000"}) == 9
    # E1 of the student without and those with a scene branch, E2 of MTL, E3 of soft labels.
    colours = [look["color"] for look in looks]
    losses = [loss for _, loss in demo_titles()]
    assert losses == ["none", "hard", "hard", *["soft"] * 5]
    assert shown[0] + shown[1] == colours
    assert shown[2] == colours[1:3]
    assert shown[3] + shown[4] == colours[3:]
    assert all(len(lines) <= 4 for lines in shown)
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "Event loss E1\n(1 of 2)", "Event loss E1\n(2 of 2)", "Scene loss E2",
        "Scene loss E3\n(1 of 2)", "Scene loss E3\n(2 of 2)", "Teachers' loss",
    ]  # fmt: skip
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim() != figure.axes[2].get_ylim()
    (legend,) = figure.legends
    assert [line.get_color() for line in legend.get_lines()] == colours
    # Without any colour: a stroke or a gap that is longer by a third, and by half a width.
    found = [strokes(look) for look in looks]
    for i, one in enumerate(found):
        for other in found[:i]:
            less, more = np.minimum(one, other), np.maximum(one, other)
            assert ((more > 4 / 3 * less) & (more > less + 0.5)).any(), (i, found)


def test_looks_of_more_students_differ_too():
    assert len({str(line_look(i)) for i in range(72)}) == 72
    assert len({line_look(i)["color"] for i in range(9)}) == 9


def width_of(pdf):
    (width,) = re.findall(rb"/MediaBox \[ 0 0 ([0-9.]+) ", pdf.read_bytes())
    return float(width) / 72 * 25.4  # mm


def test_long_titles_do_not_widen_the_column(demo_histories, drawn):
    figure, results = drawn(plot_learning_curves, *demo_histories)
    assert 80 < width_of(results["pdf"]) < 92
    heights = [axes.get_window_extent().height / figure.dpi for axes in figure.axes]
    assert min(heights) > 1.0, "the legend takes nothing from the panels"
    below = figure.legends[0].get_window_extent()
    assert not any(below.overlaps(axes.get_tightbbox()) for axes in figure.axes)
    assert below.x0 >= 0
    assert below.x1 <= figure.bbox.x1
    name = "A method of one's own whose name does not end, " * 3
    long = [StudentHistory(name, "none", demo_histories[0][0].histories)]
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


def test_no_text_is_under_8_points(demo_histories, tmp_path, drawn):
    """Those in Table 1's cells have 7."""
    table = pd.DataFrame({"scene": ["home"], "clips_home": [3]})
    write_table(table, tmp_path / "confusion")
    rows = [(1.0, "home", 3, 1.0)]
    posteriors = pd.DataFrame(rows, columns=["temperature", "scene", "clips", "posterior_home"])
    for plot, *given in (
        (plot_confusion, [tmp_path / "confusion"]),
        (plot_soft_labels, posteriors),
        (plot_learning_curves, *demo_histories),
    ):
        figure, _ = drawn(plot, *given)
        texts = [text for text in figure.findobj(plt.Text) if text.get_text()]
        assert min(text.get_fontsize() for text in texts) >= 8
        assert figure.get_figwidth() * 25.4 <= 88


@pytest.mark.parametrize(
    "losses",
    [
        [0.93, 0.87],
        [0.4, 0.22],
        [1.99, 1.01],
        [3e-3, 2.2e-3],
        [0.5, 0.5],
        [1.2, 0.1],
        [1.0, 2e-3],
        [9.0, 1e-6],
    ],
)
def test_every_axis_of_a_loss_has_two_labelled_ticks(losses, tmp_path, drawn):
    """Also where no 1, 2 or 5 of a decade is in it, and for each of three panels that share it."""
    for name, values in {"a": losses, "b": losses[::-1]}.items():
        table = pd.DataFrame({"epoch": [1, 2], "event_loss": values, "scene_loss": values})
        write_table(table, tmp_path / name)
    students = [StudentHistory(f"Soft {i}", "soft", [tmp_path / "a"]) for i in range(9)]
    figure, _ = drawn(plot_learning_curves, students, [])
    assert [axes.get_ylabel()[:13] for axes in figure.axes] == ["Event loss E1"] * 3 + [
        "Scene loss E3"
    ] * 3
    for axes in figure.axes:
        low, high = axes.get_ylim()
        inside = [
            label
            for value, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
            if low <= value <= high and label.get_text()
        ]
        assert len({label.get_text() for label in inside}) >= 2
        for label in inside:
            value = float(label.get_text().replace("\N{MINUS SIGN}", "-"))
            assert value == pytest.approx(label.get_position()[1], rel=1e-5)
        assert_apart(inside)


def installed_font(path, family):
    """Write a font with a square for 家, which DejaVu Sans lacks."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 900), (900, 900), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "house"])
    font.setupCharacterMap({ord("家"): "house"})
    font.setupGlyf({".notdef": square, "house": square})
    font.setupHorizontalMetrics({".notdef": (1000, 0), "house": (1000, 0)})
    font.setupHorizontalHeader(ascent=900, descent=-100)
    font.setupNameTable({"familyName": family, "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)


def warned(caplog):
    """Warnings: where sed_eval was used before, loggers have told more."""
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_signs_that_dejavu_lacks_come_from_the_next_font_that_is_installed(
    tmp_path, monkeypatch, recwarn, caplog
):
    def drawn_name():
        with plt.style.context([*style.STYLE[:2], {"font.family": style.fonts()}]):
            figure = Figure()
            figure.text(0, 0, "a 家")
            FigureCanvasAgg(figure).draw()
        told = [str(warning.message) for warning in recwarn.list]
        recwarn.clear()
        return told

    monkeypatch.setattr(
        style.fontManager,
        "ttflist",
        [font for font in style.fontManager.ttflist if font.name == "DejaVu Sans"],
    )
    assert style.fonts() == ["DejaVu Sans"]
    assert "missing from font" in " ".join(drawn_name())
    installed_font(tmp_path / "font.ttf", "Noto Sans CJK JP")
    style.fontManager.addfont(tmp_path / "font.ttf")
    assert style.fonts() == ["DejaVu Sans", "Noto Sans CJK JP"]
    assert drawn_name() == []
    assert warned(caplog) == []


def test_fonts_that_are_not_installed_cause_no_warning(histories, drawn, recwarn, caplog):
    """A machine has few of the fonts."""
    (families,) = (each["font.family"] for each in style.STYLE if isinstance(each, dict))
    assert families[0] == "DejaVu Sans"
    drawn(plot_learning_curves, *histories)
    assert not recwarn.list
    assert warned(caplog) == []
