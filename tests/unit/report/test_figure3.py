"""Fig. 3: what is drawn where, read back from the axes."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from PIL import Image
from softscene.core.tsv import write_table
from softscene.report.figure3 import ALPHA, BETA, lines_of, plot_figure3

COLUMNS = [
    "method", "alpha", "beta", "temperature", "f_score_mean", "f_score_std", "error_rate_mean",
    "error_rate_std", "published_f_score", "published_error_rate",
]  # fmt: skip
NONE = np.nan
# One setting's rows, weights in no order; two runs' spread, or none; published or not.
ROWS = [
    ("MTL", 1.0, NONE, NONE, 0.31, 0.02, 0.85, 0.03, 0.2926, 0.837),
    ("MTL", 0.0001, NONE, NONE, 0.44, 0.01, 0.74, 0.05, 0.4602, 0.724),
    ("MTL", 0.01, NONE, NONE, 0.42, NONE, 0.76, NONE, NONE, NONE),
    ("CNN-BiGRU", NONE, NONE, NONE, 0.40, 0.025, 0.78, 0.04, 0.4217, 0.756),
    ("Soft", NONE, 1.0, 1.0, 0.49, 0.03, 0.70, 0.02, 0.4982, 0.691),
    ("Soft", NONE, 0.001, 1.0, 0.45, 0.04, 0.73, 0.01, NONE, NONE),
    ("Soft", NONE, 1.0, 5.0, 0.47, 0.05, 0.72, 0.06, NONE, NONE),
    ("Soft", NONE, 0.001, 5.0, 0.43, 0.06, 0.75, 0.07, NONE, NONE),
    ("Soft", NONE, 0.1, 5.0, 0.46, 0.07, 0.71, 0.08, NONE, NONE),
]
LABELS = {
    f"MTL ({ALPHA})": ("MTL", NONE),
    f"Soft ({BETA}, T = 1)": ("Soft", 1.0),
    f"Soft ({BETA}, T = 5)": ("Soft", 5.0),
}
WEIGHTS = [0.0001, 0.001, 0.01, 0.1, 1.0]
PANELS = [("f_score", "F-score [%]", 100.0), ("error_rate", "Error rate", 1.0)]


@pytest.fixture
def headline():
    return pd.DataFrame(ROWS, columns=COLUMNS)


@pytest.fixture
def table3(headline, tmp_path):
    """Table 3 with the figure's setting in its middle; all other settings hold other numbers."""
    other = headline.copy()
    other[COLUMNS[4:]] = other[COLUMNS[4:]] / 3
    parts = [
        (headline if (c, t) == ("frame", "adaptive") else other).assign(convention=c, threshold=t)
        for t in ("oracle", "adaptive", "fixed")
        for c in ("segment", "frame")
    ]
    write_table(pd.concat(parts, ignore_index=True), tmp_path / "table3.tsv")
    return tmp_path / "table3.tsv"


@pytest.fixture
def draw(monkeypatch, tmp_path):
    """Call -> the drawn figure, kept open to look at, and its files."""
    kept, close = [], plt.close
    monkeypatch.setattr("softscene.report.figure3.plt.close", kept.append)

    def run(table3, synthetic=False, forms=("png",), left_out=()):
        folder = tmp_path / f"{synthetic}"
        results = {form: folder / f"fig3_{form}".replace("_p", ".p") for form in forms}
        plot_figure3(table3, results, synthetic, left_out)
        assert len(kept) == len({form.startswith("wide") for form in forms}), "all are closed"
        figure = kept.pop()
        figure.draw_without_rendering()  # in its own size again, after that of its files
        return figure, results

    yield run
    close("all")


def rows_of(headline, label):
    """A line's rows of the table, by weight."""
    method, temperature = LABELS[label]
    own = headline[headline.method == method]
    own = own if np.isnan(temperature) else own[own.temperature == temperature]
    return own.assign(weight=own.alpha.fillna(own.beta)).sort_values("weight")


def bars_of(axes):
    """Label -> a line with its error bars."""
    return {
        each.get_label(): each for each in axes.containers if isinstance(each, ErrorbarContainer)
    }


def stars_of(axes, colour):
    """Points (x, y) of the published stars of a colour."""
    return [
        (x, y)
        for line in axes.lines
        if line.get_marker() == "*" and line.get_markerfacecolor() == colour
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
        if np.isfinite(y)
    ]


def test_lines_are_of_one_method_and_temperature_with_ascending_weights(headline):
    lines, levels = lines_of(headline)
    assert [line.label for line in lines] == list(LABELS)
    for line in lines:
        expected = rows_of(headline, line.label)
        assert list(line.rows.weight) == sorted(line.rows.weight)
        pd.testing.assert_frame_equal(line.rows, expected)
    assert list(lines[0].rows.f_score_mean) == [0.44, 0.42, 0.31]
    assert list(lines[2].rows.weight) == [0.001, 0.1, 1.0]
    assert list(levels.method) == ["CNN-BiGRU"]
    assert list(levels.f_score_mean) == [0.40]


def test_a_table_without_weights_has_levels_alone(headline, tmp_path, draw):
    alone = headline[headline.method == "CNN-BiGRU"]
    lines, levels = lines_of(alone)
    assert not lines
    assert len(levels) == 1
    write_table(alone.assign(convention="frame", threshold="adaptive"), tmp_path / "alone.tsv")
    figure, _ = draw(tmp_path / "alone.tsv")
    assert not bars_of(figure.axes[0])


def test_lines_and_bars_are_means_and_deviations_over_ascending_weights(headline, table3, draw):
    figure, _ = draw(table3)
    assert len(figure.axes) == 2
    for axes, (score, _, scale) in zip(figure.axes, PANELS, strict=True):
        bars = bars_of(axes)
        assert list(bars) == list(LABELS)
        for label, (line, _, (vertical,)) in bars.items():
            expected = rows_of(headline, label)
            x = line.get_xdata().astype(float)
            places = [WEIGHTS.index(weight) for weight in expected.weight]
            assert np.abs(x - places).max() < 0.5, "nearer to its weight than to the next"
            y = line.get_ydata().astype(float)
            np.testing.assert_allclose(y, expected[f"{score}_mean"] * scale)
            deviation = (expected[f"{score}_std"] * scale).fillna(0).to_numpy()
            ends = np.array(vertical.get_segments())
            np.testing.assert_allclose(ends[:, :, 0], np.stack([x, x], axis=1))
            middle, half = ends[:, :, 1].mean(axis=1), np.ptp(ends[:, :, 1], axis=1) / 2
            np.testing.assert_allclose(middle, y)
            np.testing.assert_allclose(half, deviation, atol=1e-12)
            (joined,) = [
                each for each in axes.lines
                if each.get_color() == line.get_color() and each.get_linestyle() == "-"
            ]  # fmt: skip
            np.testing.assert_allclose(joined.get_xydata(), line.get_xydata())
        assert len({line.get_color() for line, *_ in bars.values()}) == 3
        assert len({line.get_marker() for line, *_ in bars.values()}) == 3


def test_controls_are_left_out(table3, draw):
    figure, _ = draw(table3, left_out=["Soft"])
    assert list(bars_of(figure.axes[0])) == [f"MTL ({ALPHA})"]


def test_published_values_are_stars_on_their_lines(headline, table3, draw):
    figure, _ = draw(table3)
    for axes, (score, _, scale) in zip(figure.axes, PANELS, strict=True):
        found = 0
        for label, (line, *_) in bars_of(axes).items():
            expected = rows_of(headline, label)
            published = expected[f"published_{score}"] * scale
            stars = stars_of(axes, line.get_color())
            known = published.notna().to_numpy()
            np.testing.assert_allclose([y for _, y in stars], published[known])
            beside = np.array([x for x, _ in stars]) - line.get_xdata()[known]
            assert ((beside > 0) & (beside < 0.5)).all(), "at the right of its mean"
            found += len(stars)
        assert found == 3
    upper, lower = figure.axes
    mtl = next(line.get_color() for line, *_ in bars_of(upper).values())
    assert [y for _, y in stars_of(upper, mtl)] == pytest.approx([46.02, 29.26])
    assert [y for _, y in stars_of(lower, mtl)] == pytest.approx([0.724, 0.837])


def test_without_published_values_the_legend_has_no_star(headline, tmp_path, draw):
    """As of data of one's own."""
    bare = headline.assign(published_f_score=NONE, published_error_rate=NONE)
    write_table(bare.assign(convention="frame", threshold="adaptive"), tmp_path / "bare.tsv")
    figure, _ = draw(tmp_path / "bare.tsv")
    (legend,) = figure.legends
    assert not any("published" in text.get_text() for text in legend.get_texts())
    drawn = [line for axes in figure.axes for line in axes.get_lines() if line.get_marker() == "*"]
    assert not any(np.isfinite(np.asarray(line.get_ydata(), float)).any() for line in drawn)


def test_the_method_without_a_weight_is_a_level_with_its_spread(table3, draw):
    figure, _ = draw(table3)
    expected = [(40.0, 2.5, 42.17), (0.78, 0.04, 0.756)]
    for axes, (mean, deviation, published) in zip(figure.axes, expected, strict=True):
        (level,) = [line for line in axes.lines if line.get_label() == "CNN-BiGRU"]
        assert list(level.get_ydata()) == pytest.approx([mean, mean])
        (band,) = axes.patches
        heights = band.get_extents().transformed(axes.transData.inverted()).intervaly
        assert list(heights) == pytest.approx([mean - deviation, mean + deviation])
        ((x, y),) = stars_of(axes, level.get_color())
        assert y == pytest.approx(published)
        assert len(WEIGHTS) - 0.5 < x < axes.get_xlim()[1], "right of all weights, inside the axes"


def test_axes_have_names_units_and_the_weights_as_ticks(table3, draw):
    figure, _ = draw(table3)
    assert [axes.get_ylabel() for axes in figure.axes] == [name for _, name, _ in PANELS]
    assert figure.axes[-1].get_xlabel() == f"Weight of the scene loss, {ALPHA} or {BETA}"
    for axes in figure.axes:
        assert list(axes.get_xticks()) == [0, 1, 2, 3, 4]
    shown = [tick.get_text() for tick in figure.axes[-1].get_xticklabels()]
    assert shown == ["0.0001", "0.001", "0.01", "0.1", "1"]
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named == [
        "CNN-BiGRU", "CNN-BiGRU ± one standard deviation", *LABELS, "published (TUT recordings)"
    ]  # fmt: skip
    handles = dict(zip(named, legend.legend_handles, strict=True))
    (band,) = figure.axes[0].patches
    assert handles["CNN-BiGRU ± one standard deviation"].get_facecolor() == band.get_facecolor()
    for label, (line, *_) in bars_of(figure.axes[0]).items():
        assert handles[label].get_color() == line.get_color()
        assert handles[label].get_marker() == line.get_marker()


def test_a_weight_of_0_has_a_place_of_its_own(headline, tmp_path, draw):
    weighted = headline.replace({"alpha": {0.0001: 0.0}})
    write_table(weighted.assign(convention="frame", threshold="adaptive"), tmp_path / "zero.tsv")
    figure, _ = draw(tmp_path / "zero.tsv")
    line = bars_of(figure.axes[0])[f"MTL ({ALPHA})"][0]
    assert list(np.round(line.get_xdata().astype(float))) == [0, 2, 4]
    assert list(line.get_ydata()) == pytest.approx([44, 42, 31])
    shown = [tick.get_text() for tick in figure.axes[-1].get_xticklabels()]
    assert shown == ["0", "0.001", "0.01", "0.1", "1"]


@pytest.mark.parametrize("synthetic", [True, False])
def test_pdf_and_png_come_out_and_only_synthetic_runs_say_so(table3, draw, synthetic):
    figure, results = draw(table3, synthetic, ("pdf", "png"))
    assert results["pdf"].read_bytes().startswith(b"%PDF")
    assert results["png"].read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in results["pdf"].parent.iterdir()) == ["fig3.pdf", "fig3.png"]
    assert ("Synthetic corpus" in figure.get_suptitle()) == synthetic
    assert bool(figure.get_suptitle()) == synthetic


def test_controls_are_hollow_points_beside_the_lines_and_no_two_look_alike(
    headline, tmp_path, draw
):
    names = [f"Control {i}" for i in range(4)]
    rows = [(name, NONE, 1.0, 1.0, 0.4, 0.1, 0.7, 0.1, NONE, NONE) for name in names]
    table = pd.concat([pd.DataFrame(rows, columns=COLUMNS), headline], ignore_index=True)
    write_table(table.assign(convention="frame", threshold="adaptive"), tmp_path / "all.tsv")
    figure, _ = draw(tmp_path / "all.tsv")
    bars = bars_of(figure.axes[0])
    labels = [f"{name} ({BETA}, T = 1)" for name in names]
    assert list(bars) == [*LABELS, *labels]
    looks = {(bar[0].get_color(), bar[0].get_marker()) for bar in bars.values()}
    assert len(looks) == 7
    right = max(bars[label][0].get_xdata()[-1] for label in LABELS)
    assert right > 3.5, "weight 1, the fifth"
    for label in labels:
        assert bars[label][0].get_markerfacecolor() == "white"
        assert bars[label][0].get_linestyle() == "None"
        (x,) = bars[label][0].get_xdata()
        assert right < x < 4.5, "right of the lines"
        right = x


def crowded(headline):
    """Controls, methods of one's own with and without a weight, all weights, all equal."""
    every = [("MTL", w, NONE, NONE, 0.4, 0.02, 0.7, 0.03, 0.4, 0.7) for w in WEIGHTS]
    every += [("Soft", NONE, w, t, 0.4, 0.02, 0.7, 0.03, 0.4, 0.7) for w in WEIGHTS for t in (1, 5)]
    every += [("CNN-BiGRU", NONE, NONE, NONE, 0.4, 0.02, 0.7, 0.03, 0.4, 0.7)]
    every += [(f"Level {i}", NONE, NONE, NONE, 0.4, 0.02, 0.7, 0.03, NONE, NONE) for i in range(2)]
    every += [(f"Own {i}", NONE, 1.0, 1.0, 0.4, 0.02, 0.7, 0.03, NONE, NONE) for i in range(6)]
    return pd.DataFrame(every, columns=COLUMNS)


def long_names(headline):
    japanese = "".join(map(chr, range(0x65E5, 0x65E5 + 60)))
    long = "A method of one's own whose name does not end before sixty"
    return headline.replace({"method": {"MTL": japanese, "Soft": long, "CNN-BiGRU": "M" * 60}})


def one_method(headline):
    return headline[headline.method == "CNN-BiGRU"].assign(f_score_std=NONE, error_rate_std=NONE)


def no_soft_labels(headline):
    return headline[headline.method != "Soft"]


def markers_of(axes):
    """(x, y, diameter) of each marker in points."""
    scale = 72 / axes.figure.dpi
    return [
        (*(line.get_transform().transform((float(x), float(y))) * scale), line.get_markersize())
        for line in axes.lines if line.get_marker() not in ("None", "_", "|", 2, 3)
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True) if np.isfinite(y)
    ]  # fmt: skip


KINDS = [pd.DataFrame, crowded, long_names, one_method, no_soft_labels]


@pytest.fixture(params=KINDS, ids=[kind.__name__ for kind in KINDS])
def table_of_kind(request, headline, tmp_path):
    """Table 3 of many and of few methods, and of long names."""
    table = request.param(headline).assign(convention="frame", threshold="adaptive")
    write_table(table, tmp_path / "kind.tsv")
    return table, tmp_path / "kind.tsv"


@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
@pytest.mark.parametrize("form", ["png", "wide_png"])
def test_no_marker_hides_another_and_all_are_inside_the_axes(table_of_kind, draw, form):
    table, path = table_of_kind
    figure, _ = draw(path, forms=(form,))
    weighted = table.alpha.notna() | table.beta.notna()
    expected = weighted.sum() + table.published_f_score.notna().sum()
    for axes in figure.axes:
        marks = markers_of(axes)
        assert len(marks) == expected
        for i, (x, y, size) in enumerate(marks):
            for other_x, other_y, other in marks[:i]:
                assert np.hypot(x - other_x, y - other_y) > (size + other) / 2
        box = axes.get_window_extent().extents * 72 / figure.dpi
        for x, y, size in marks:
            assert box[0] <= x - size / 2 < x + size / 2 <= box[2]
            assert box[1] <= y - size / 2 < y + size / 2 <= box[3]


@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")
@pytest.mark.parametrize(
    ("form", "points", "inches"), [("png", 8, 88 / 25.4), ("wide_png", 12, 10)]
)
def test_texts_are_large_enough_for_their_form_and_hide_nothing(
    table_of_kind, draw, form, points, inches
):
    figure, results = draw(table_of_kind[1], synthetic=True, forms=(form,))
    texts = [text for text in figure.findobj(plt.Text) if text.get_text() and text.get_visible()]
    assert len(texts) > 5
    assert min(text.get_fontsize() for text in texts) >= points
    with Image.open(results[form]) as picture:
        assert 0.97 * inches < picture.width / 300 <= inches, "so no text shrinks in print"
    (legend,) = figure.legends
    below = legend.get_window_extent()
    panels = [axes.get_tightbbox() for axes in figure.axes]
    assert not any(below.overlaps(box) for box in panels)
    assert not panels[0].overlaps(panels[1])
    for axes in figure.axes:
        assert axes.get_window_extent().height / figure.dpi > 1.2, "the legend takes nothing"
        ticks = [tick.get_window_extent() for tick in axes.get_xticklabels() if tick.get_text()]
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(ticks))


def test_the_wide_form_has_its_panels_side_by_side(table3, draw):
    narrow, wide = (draw(table3, forms=(form,))[0] for form in ("png", "wide_png"))
    over, under = (axes.get_position() for axes in narrow.axes)
    left, right = (axes.get_position() for axes in wide.axes)
    assert under.y1 < over.y0
    assert left.x1 < right.x0
    assert left.y0 == pytest.approx(right.y0)
    width, height = wide.get_size_inches()
    assert width / height > 1.6, "a slide's"
    named = [[text.get_text() for text in each.legends[0].get_texts()] for each in (narrow, wide)]
    assert named[0] == named[1]


def test_both_forms_come_out_of_one_call(table3, draw):
    _, results = draw(table3, forms=("pdf", "png", "wide_pdf", "wide_png"))
    assert {form: path.name for form, path in results.items()} == {
        "pdf": "fig3.pdf", "png": "fig3.png", "wide_pdf": "fig3_wide.pdf",
        "wide_png": "fig3_wide.png",
    }  # fmt: skip
    for form, inches in (("png", 88 / 25.4), ("wide_png", 10)):
        with Image.open(results[form]) as picture:
            assert picture.width / 300 == pytest.approx(inches, rel=0.03)
    assert all(
        path.read_bytes().startswith(b"%PDF") for name, path in results.items() if "pdf" in name
    )
