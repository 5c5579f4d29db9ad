"""The report of a finished run: what it says is what lies beside it."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import sync_playwright
from safetensors import safe_open
from scipy import stats
from scipy.special import softmax
from softscene.core.tsv import read_table

from tests.checkout import copy_of
from tests.pages import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt install chromium")
TITLES = ["CNN-BiGRU", "MTL, alpha = 0.01", "MTL with soft labels, beta = 1, T = 2"]


@pytest.fixture(scope="module")
def page(finished):
    return Page(finished.path("report.html").read_text(encoding="utf-8"))


def headline(table):
    return table[(table.convention == "frame") & (table.threshold == "adaptive")]


def test_its_numbers_are_the_tables(finished, page):
    shown = page.rows(
        "Micro-averaged over events, frames of 20 ms (the paper's, as inferred from its Table 4), "
        "adaptive"
    )
    table3 = headline(read_table(finished.path("tables/table3.tsv")))
    for title, row in zip(TITLES, table3.itertuples(), strict=True):
        assert shown[title][0] == f"{row.f_score_mean * 100:.2f}"
        assert shown[title][2] == f"{row.error_rate_mean:.4f}"
        assert shown[title][1] == "\N{EN DASH}", "one run has no interval"
    table4 = headline(read_table(finished.path("tables/table4.tsv")))
    events = page.rows("F-score (%) of each event")
    assert len(set(table4.event)) == 25
    for row in table4[table4.method == "CNN-BiGRU"].itertuples():
        assert events[row.event][0].split()[0] == f"{row.f_score_mean * 100:.2f}"
        assert events[row.event][-1] == f"{row.absent} of 1"


def test_it_says_once_and_first_that_the_corpus_is_synthetic(page):
    assert page.title.startswith("Synthetic corpus")
    assert page.text.removeprefix(page.title).strip().startswith("Synthetic corpus: no verdict")
    configured = re.sub(r"synthetic\.\S+", "", page.text)
    assert configured.lower().count("synthetic") == 2, "with the title"


def test_it_links_to_what_lies_beside_it(finished, page):
    beside = {link for link in page.links if not link.startswith(("#", "https:"))}
    missing = [link for link in beside if not finished.path(link.split("#")[0]).exists()]
    assert missing == []
    assert not beside & {"explorer.html", "workflow.html"}, "which are made later"
    assert {link.split("#")[0] for link in beside if "docs" in link} == {"../../docs/method.md"}
    assert len(beside) > 15


def test_one_run_of_each_method_tells_of_no_claim(finished, page):
    assert "All 13 claims 13 inconclusive" in page.text
    claims = read_table(finished.path("tables/claims.tsv"))
    assert set(claims.verdict) == {"inconclusive"}
    assert claims.reason.str.contains("the configuration lacks").all(), (
        "each needs a published weight that this run does not have"
    )


def test_what_was_run_is_what_lies_beside_it(finished, page):
    events = read_table(finished.path("annotations/events.tsv"))
    recordings = read_table(finished.path("folds/fold-1/recordings.tsv"))
    minutes = recordings.frames.sum() * 0.02 / 60
    assert f"{events.recording.nunique()} recordings, {minutes:.1f} minutes" in page.text
    assert page.rows("What jobs took")["train_student"][0] == "3"
    changed = page.rows("Keys that differ")
    assert changed["methods.soft.temperature"] == ["[2.0]", "[1.0, 2.0, 5.0]"]
    assert not any(key.startswith("download") for key in changed)


def test_soft_labels_are_means_of_the_students_own(finished, page):
    labels = read_table(finished.path("soft_labels/fold-1_seed-0.tsv"))
    logits = labels[labels.scene == "office"].filter(like="logit_").to_numpy()
    expected = softmax(logits / 2.0, axis=1).mean(axis=0)
    table = read_table(finished.path("tables/soft_labels.tsv")).set_index("scene")
    assert (table.temperature == 2.0).all()
    np.testing.assert_allclose(table.loc["office"].to_numpy(float)[2:], expected, atol=1e-9)


def test_softness_is_of_both_parts_of_the_teacher(finished, page):
    """By SciPy, of the logits that students learn and of those of unseen clips."""
    table = read_table(finished.path("tables/softness.tsv")).set_index("part")
    shown = page.rows("Mean largest posterior")
    for part, path, clips in (
        ("development", "soft_labels/fold-1_seed-0.tsv", "trained on"),
        ("evaluation", "teachers/fold-1_seed-0/evaluation_logits.tsv", "not seen"),
    ):
        labels = read_table(finished.path(path))
        posteriors = softmax(labels.filter(like="logit_").to_numpy() / 2.0, axis=1)
        row = table.loc[part]
        assert (row.temperature, row.clips) == (2.0, len(labels))
        assert row.largest_posterior == pytest.approx(posteriors.max(axis=1).mean())
        assert row.entropy == pytest.approx(stats.entropy(posteriors, axis=1).mean())
        cells = [f"{len(labels)}", f"{row.largest_posterior:.4f}", f"{row.entropy:.4f}"]
        assert shown[f"2, {clips}"][:3] == cells
    seen, unseen = (read_table(finished.path(path)) for path in (
        "soft_labels/fold-1_seed-0.tsv", "teachers/fold-1_seed-0/evaluation_logits.tsv"
    ))  # fmt: skip
    assert set(seen.recording).isdisjoint(unseen.recording)


def test_comparisons_are_differences_of_the_scores(finished):
    table = headline(read_table(finished.path("tables/comparisons.tsv")))
    scores = [
        headline(read_table(finished.path("evaluation", student, "overall.tsv"))).iloc[0]
        for student in (
            "mtl/alpha-0.01_beta-none_T-none/fold-1_seed-0",
            "crnn/alpha-none_beta-none_T-none/fold-1_seed-0",
        )
    ]
    own = table[(table.method == "MTL") & (table.against_method == "CNN-BiGRU")]
    for row in own.itertuples():
        expected = scores[0][row.score] - scores[1][row.score]
        assert row.difference == pytest.approx(expected, abs=1e-12)
        assert (row.pairs, row.folds) == (1, 1)


def test_figures_are_a_column_wide(finished):
    for name in ("fig3", "claims", "table1", "learning_curves", "confusion", "soft_labels"):
        with Image.open(finished.path("figures", f"{name}.png")) as image:
            assert 80 < image.width / 300 * 25.4 < 92, name
        pdf = finished.path("figures", f"{name}.pdf").read_bytes()
        assert b"/FontFile2" in pdf, name
        assert b"/Type3" not in pdf, name


def test_a_run_without_soft_labels_has_a_report_without_teachers(scratch):
    """And trains none: the report asks for nothing that the study does not need."""
    given = ["--config", "methods={soft: null}"]
    planned = scratch.planned(*given)
    assert planned.keys() == {
        "make_table3", "make_table4", "plot_figure3", "compare_methods", "plot_learning_curves",
        "plot_claims", "make_report", "export_detector",
    }  # fmt: skip
    done = scratch.snakemake(*given)
    assert done.returncode == 0, done.stdout
    page = Page(scratch.path("report.html").read_text(encoding="utf-8"))
    assert "teachers" not in page.ids
    assert len(page.images) == 4


def test_the_page_can_be_made_again_alone(scratch):
    """What make report does: nothing else runs, even where all is out of date."""
    shutil.rmtree(scratch.path("benchmarks"))
    before = scratch.path("tables/table3.tsv").stat().st_mtime_ns
    done = scratch.snakemake(
        "results/small/report.html", "--force", "--allowed-rules", "make_report"
    )
    assert done.returncode == 0, done.stdout
    assert scratch.path("tables/table3.tsv").stat().st_mtime_ns == before
    page = Page(scratch.path("report.html").read_text(encoding="utf-8"))
    assert "train_student" not in page.rows("What jobs took"), "its files are read as they are"


def test_methods_may_have_any_name_and_none_is_a_script_in_snakemakes_own_report(scratch):
    """The names are None, and two that would run in ``workflow.html``."""
    names = {"crnn": "None", "mtl": "a(b)</script><script>PWNED()</script>",
             "soft": "b<!--<script>|$x_"}  # fmt: skip
    config = scratch.folder / "tests/workflow/config.small.yaml"
    text = config.read_text()
    lines = f"  crnn: {{name: 'None'}}\n  mtl: {{name: '{names['mtl']}', "
    text = text.replace("  mtl: {", lines).replace("soft: {", f"soft: {{name: '{names['soft']}', ")
    config.write_text(text)
    again = scratch.snakemake()
    assert again.returncode == 0, again.stdout
    assert "train_" not in again.stdout
    table3 = headline(read_table(scratch.path("tables/table3.tsv")))
    assert list(table3.method) == list(names.values())
    kinds = {"crnn": "crnn/alpha-none_beta-none_T-none", "mtl": "mtl/alpha-0.01_beta-none_T-none",
             "soft": "soft/alpha-none_beta-1.0_T-2.0"}  # fmt: skip
    best = max(zip(table3.f_score_mean, names, strict=True))[1]
    with safe_open(scratch.path("detector.safetensors"), "numpy") as file:
        about = json.loads(file.metadata()["detector"])
    assert (about["variant"], about["method"]) == (kinds[best], names[best])

    done = scratch.snakemake("--report", "workflow.html")
    assert done.returncode == 0, done.stdout
    page = (scratch.folder / "workflow.html").read_text(encoding="utf-8")
    assert r"a(b)\\x3c/script>\\x3cscript>PWNED()" in page, "the names are there"
    assert "<script>PWNED" not in page
    assert "<!--<script" not in page
    assert r"b\\x3c!--\\x3cscript>|$x_, beta = 1" in page, "those of the curves too"


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture
def opened(browser):
    """Open a page in a window of its own: ``opened(path, width=1280, scheme="light")``."""
    contexts = []

    def open_page(path, width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme,
            bypass_csp=True,  # for axe's script, which the pages themselves would refuse
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def serious(page):
    """What axe-core finds that is serious or critical, with all sections open."""
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = Axe().run(page).response["violations"]
    return [
        (each["id"], [node["target"] for node in each["nodes"]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_axe_finds_nothing_serious_in_the_report(finished, opened, width, scheme):
    page = opened(finished.path("report.html"), width, scheme)
    assert serious(page) == []


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_axe_finds_nothing_serious_in_the_explorer(explored, opened, width, scheme):
    page = opened(explored, width, scheme)
    page.wait_for_selector("#scores td")
    assert serious(page) == []


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_axe_finds_nothing_serious_in_the_page_of_an_own_recording(own_page, opened, width, scheme):
    page = opened(own_page, width, scheme)
    page.wait_for_selector("#events td")
    assert serious(page) == []


@pytest.fixture(scope="module")
def own_page(finished, tmp_path_factory):
    """What `softscene detect --page` makes of a recording of the finished run's corpus."""
    folder = tmp_path_factory.mktemp("own")
    wav = next(finished.path("data").glob("*/audio/**/*.wav"))
    program = finished.folder / "workflow_scripts/detect.py"
    given = [sys.executable, program, wav, "--page", "--output", folder]
    done = subprocess.run(given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / f"{wav.name}.html"


@pytest.fixture(scope="module")
def explored(finished, tmp_path_factory):
    """The explorer of a copy of the finished checkout."""
    with copy_of(finished, tmp_path_factory.mktemp("explored"), "explorer") as checkout:
        yield checkout.path("explorer.html")


@needs_chromium
def test_the_first_screen_has_the_answer_and_the_data(finished, opened):
    page = opened(finished.path("report.html"))
    answer = page.locator(".answer").bounding_box()
    assert answer["y"] + answer["height"] <= 800
    assert "16 recordings" in page.locator(".answer").inner_text()


@needs_chromium
def test_a_dark_page_keeps_figures_on_white(finished, opened):
    def background(page, selector):
        return page.evaluate("(where) => getComputedStyle(document.querySelector(where))"
                             ".backgroundColor", selector)  # fmt: skip

    dark = opened(finished.path("report.html"), scheme="dark")
    light = opened(finished.path("report.html"))
    assert background(light, "body") == "rgb(255, 255, 255)"
    red, green, blue = map(int, re.findall(r"\d+", background(dark, "body")))
    assert max(red, green, blue) < 50
    assert background(dark, "figure img") == "rgb(255, 255, 255)"
    dark.emulate_media(media="print")
    assert background(dark, "body") == "rgb(255, 255, 255)", "paper is white"


@needs_chromium
def test_on_a_narrow_screen_names_of_rows_stay_and_no_heading_is_hidden(finished, opened):
    page = opened(finished.path("report.html"), width=420)
    assert page.evaluate("document.documentElement.scrollWidth") == 420, "tables scroll, not pages"
    cut = page.evaluate(
        "[...document.querySelectorAll('caption > span')].filter((each) => each.offsetWidth &&"
        " each.getBoundingClientRect().right"
        " > each.closest('.wide').getBoundingClientRect().right + 0.5).length"
    )
    assert cut == 0, "captions end where their tables do"
    wide = page.locator(".wide:has(td)", has_text="ours minus published").first
    first, second = (wide.locator("tbody tr").first.locator("> *").nth(i) for i in (0, 1))
    before = first.bounding_box()["x"], second.bounding_box()["x"]
    wide.evaluate("(each) => { each.scrollLeft = 120; }")
    assert first.bounding_box()["x"] == before[0]
    assert second.bounding_box()["x"] == pytest.approx(before[1] - 120, abs=1)
    links = page.locator("nav a")
    assert links.count() >= 11
    for i in range(links.count()):
        links.nth(i).click()
        target = links.nth(i).get_attribute("href")
        heading = page.locator(target).bounding_box()
        banner = page.locator(".banner").bounding_box()
        assert heading["y"] >= banner["y"] + banner["height"], target


@needs_chromium
def test_in_print_sections_are_open_and_captions_stay_with_their_tables(finished, opened):
    page = opened(finished.path("report.html"))
    hidden = page.locator("details table").first
    assert not hidden.is_visible()
    page.emulate_media(media="print")
    assert hidden.is_visible()
    heights = page.evaluate(
        "[...document.querySelectorAll('details table')].map((each) => each.offsetHeight)"
    )
    assert min(heights) > 20
    assert page.evaluate(
        "[...document.querySelectorAll('.wide, caption')]"
        ".every((each) => getComputedStyle(each)"
        "[each.tagName === 'CAPTION' ? 'breakAfter' : 'breakInside'] === 'avoid')"
    )
