"""The page of a whole study of known scores: what it says, and that its numbers are the tables'."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from softscene.comparisons import compare_methods
from softscene.files import read_table, write_table
from softscene.report import MINUS, MISSING, Study, make_report
from softscene.tables import best_of, make_table3, make_table4, runs_of, write_table4

from tests.conftest import PAPER, ROOT
from tests.pages import Page
from tests.unit.comparable import CRNN, HEAVY, LIGHT, PLACES, SHUFFLED, SOFT, SOFT5, scores_of

MEANS = {CRNN: 0.42, LIGHT: 0.46, HEAVY: 0.29, SOFT: 0.50, SOFT5: 0.49, SHUFFLED: 0.43}
EVENTS = ["car", "drawer", "fan"]
SCENES = ["city_center", "home", "office", "residential_area"]
PAPERS_TABLE3 = ROOT / "resources" / "published_table3.csv"
METHODS = {
    "crnn": {"name": "CNN-BiGRU", "scene_loss": "none"},
    "mtl": {"name": "MTL", "scene_loss": "hard", "alpha": [0.0001, 1.0]},
    "soft": {"name": "MTL with soft labels", "scene_loss": "soft", "beta": [1.0]},
    "shuffled": {"name": "Shuffled", "scene_loss": "soft", "labels": "shuffled"},
}
KINDS = [vars(each.kind) for each in MEANS]


def write_scores(folder):
    """Score files of all students in the workflow's form: paths of overall and of class-wise."""
    overall, class_wise = [], []
    table = scores_of(MEANS)
    for i, row in enumerate(table.itertuples()):
        settings = [(c, t) for c in ("frame", "segment") for t in ("adaptive", "oracle", "fixed")]
        rows = [(*setting, row.f_score, row.error_rate) for setting in settings]
        own = pd.DataFrame(rows, columns=["convention", "threshold", "f_score", "error_rate"])
        overall.append(str(folder / f"overall{i}.tsv"))
        write_table(own, overall[-1])
        parts = [
            own.assign(event=event, f_score=own.f_score * share, error_rate=own.error_rate * share)
            for event, share in zip(EVENTS, (1.0, 0.0, 0.5), strict=True)
        ]
        class_wise.append(str(folder / f"class{i}.tsv"))
        write_table(pd.concat(parts), class_wise[-1])
    assert len(overall) == len(MEANS) * len(PLACES)
    return overall, class_wise


def write_inputs(folder):
    """All other files that the page reads, small."""
    files = {}
    for name in ("fig3", "table1_map", "curves", "confusion", "soft_map"):
        files[name] = folder / f"{name}.png"
        Image.new("RGB", (2, 2), "white").save(files[name])
    tables = {
        "events": {"recording": ["a", "a", "b"], "scene": ["home", "home", "office"],
                   "onset": [0, 1, 2], "offset": [1, 2, 3], "event": ["car", "car", "fan"]},
        "audit": {"list": ["merged"] * 3, "action": ["changed", "changed", "dropped"]},
        "confusions": {"scene": SCENES, **{f"clips_{s}": np.eye(4, dtype=int)[i] * 9
                                           for i, s in enumerate(SCENES)}},
        "soft_labels": {"temperature": [1.0], "scene": ["home"], "clips": [7],
                        **{f"posterior_{s}": [v]
                           for s, v in zip(SCENES, (0.1, 0.7, 0.15, 0.05), strict=True)}},
        "recordings": {"recording": ["a", "b"], "part": ["development", "evaluation"],
                       "scene": ["home", "office"], "frames": [3000, 6000]},
    }  # fmt: skip
    for name, columns in tables.items():
        files[name] = folder / f"{name}.tsv"
        write_table(pd.DataFrame(columns), files[name])
    for name in ("confusions", "recordings"):
        files[name] = [files[name]]
    benchmark = pd.DataFrame({"s": [1800.0], "cpu_time": [900.0], "max_rss": [512.0]})
    for i in (1, 2):
        write_table(benchmark, folder / "benchmarks" / "train_student" / "crnn" / f"{i}.tsv")
    return files | {"published": PAPERS_TABLE3, "default": ROOT / "config.yaml"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Files of the study, and how to make its page."""
    folder = tmp_path_factory.mktemp("study")
    overall, class_wise = write_scores(folder)
    kinds = [kind for kind in KINDS for _ in PLACES]
    names = {key: method["name"] for key, method in METHODS.items()}
    keys = ("means", "comparisons", "events", "claims", "controls")
    compared = {key: folder / f"{key}_compared.tsv" for key in keys}
    compare_methods(
        overall, class_wise, kinds, PLACES * len(KINDS), METHODS, PAPERS_TABLE3, compared,
        synthetic=True,
    )  # fmt: skip
    conventions = PAPER["evaluation"]["conventions"]
    table3 = make_table3(runs_of(kinds, names, overall), PAPERS_TABLE3, conventions)
    table4 = make_table4(
        runs_of(kinds, names, class_wise), ROOT / "resources/published_table4.csv", conventions
    )
    write_table(table3, folder / "table3.tsv")
    write_table4(
        table4, {form: folder / f"table4.{form}" for form in ("tsv", "md", "html")}, conventions,
        synthetic=False,
    )  # fmt: skip
    files = write_inputs(folder) | compared | {
        "event_comparisons": compared["events"], "table3": folder / "table3.tsv",
        "table4": folder / "table4.tsv", "events": folder / "events.tsv",
    }  # fmt: skip
    return folder, files


def page_of(study, synthetic=False, without=(), **changes):
    folder, files = study
    configuration = {**PAPER, "methods": METHODS, "run": "mine"} | changes
    target = folder / "report.html"
    done = [str(path) for path in (folder / "benchmarks").rglob("*.tsv")]
    given = Study(configuration, KINDS, str(ROOT), {"train_student": done}, synthetic)
    make_report(given, {key: files[key] for key in files if key not in without}, target)
    return Page(target.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(study):
    return page_of(study)


def test_the_page_needs_no_other_file_and_its_images_are_described(page):
    assert all(source.startswith("data:image/png;base64,") for source in page.loaded)
    assert "default-src 'none'" in page.policy, "the browser would refuse to load anything else"
    assert len(page.images) == 5
    assert all(len(image["alt"]) > 20 for image in page.images)
    assert all(scope in ("col", "row", "colgroup") for scope in page.scopes)
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inside) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    outside = [link for link in page.links if not link.startswith("#")]
    assert outside == ["https://arxiv.org/abs/2002.05848"]


@pytest.mark.parametrize(
    "name", ["means", "comparisons", "event_comparisons", "claims", "controls"]
)
def test_tables_of_comparisons_say_that_a_corpus_is_synthetic(study, name):
    table = read_table(study[1][name])
    assert table.columns[-1] == "corpus"
    assert set(table.corpus) == {"synthetic"}


def test_each_claim_has_its_verdict_and_its_comparison(page):
    verdicts = [badge.removeprefix("badge ") for badge in page.badges]
    assert verdicts[:5] == ["reproduced"] * 4 + ["cannot-be-told"], "no second beta is configured"
    assert "4 of 5: reproduced; 1 of 5: cannot be told" in page.text
    assert "the configuration lacks two weights that alpha and beta (at T = 1)" in page.text
    compared = f"MTL with soft labels, beta = 1, T = 1 {MINUS} MTL, alpha = 0.0001"
    assert f"Compared: {compared}." in page.text
    assert "(published +3.80)" in page.text


def test_real_recordings_are_never_called_synthetic(page):
    assert "Synthetic" not in page.text
    assert "Synthetic" not in page.title
    assert not any("ynthetic" in text for text in [*page.tables, *(i["alt"] for i in page.images)])


def test_a_synthetic_corpus_is_named_wherever_numbers_stand(study):
    page = page_of(study, synthetic=True)
    assert page.title.startswith("Synthetic corpus")
    assert all("Synthetic corpus." in caption for caption in page.tables)
    assert all("Synthetic corpus." in image["alt"] for image in page.images)
    assert page.text.count("Synthetic, says nothing of the paper:") == 5
    html = (study[0] / "report.html").read_text(encoding="utf-8")
    assert '@bottom-center { content: "Synthetic corpus: says nothing of the paper"' in html


def test_of_few_runs_table_3_has_the_interval_over_folds(study, tmp_path):
    folder, files = study
    means = read_table(files["means"])
    changed = means.assign(pairs=3, low=np.nan, high=np.nan)
    write_table(changed, tmp_path / "means.tsv")
    page = page_of((folder, files | {"means": tmp_path / "means.tsv"}))
    where = ["method", "score", "convention", "threshold"]
    row = means.set_index(where).loc[("CNN-BiGRU", "f_score", "frame", "adaptive")]
    assert f"[{100 * row.fold_low:.2f}, {100 * row.fold_high:.2f}]" in page.text.replace(MINUS, "-")
    assert row.fold_low < row.low, "the two differ, by the way"


def test_table_3_is_that_of_the_table_with_published_differences(study, page):
    rows = page.rows("Micro-averaged over events, frames of 20 ms (the paper's convention), adapt")
    table = read_table(study[1]["table3"])
    own = table[(table.convention == "frame") & (table.threshold == "adaptive")]
    means = read_table(study[1]["means"])
    means = means[(means.convention == "frame") & (means.threshold == "adaptive")]
    assert list(rows)[-6:] == [
        "CNN-BiGRU", "MTL, alpha = 0.0001", "MTL, alpha = 1",
        "MTL with soft labels, beta = 1, T = 1", "MTL with soft labels, beta = 1, T = 5",
        "Shuffled, beta = 1, T = 1",
    ]  # fmt: skip
    for cells, row in zip(list(rows.values())[-6:], own.itertuples(), strict=True):
        f_score, error_rate = (
            means[(means.method == row.method) & (means.score == score)
                  & (means.alpha.eq(row.alpha) | means.alpha.isna() & np.isnan(row.alpha))
                  & (means.temperature.eq(row.temperature) | np.isnan(row.temperature))].iloc[0]
            for score in ("f_score", "error_rate")
        )  # fmt: skip
        assert cells[0] == f"{row.f_score_mean * 100:.2f}"
        assert cells[1] == f"[{f_score.low * 100:.2f}, {f_score.high * 100:.2f}]"
        assert cells[4] == f"{row.error_rate_mean:.4f}"
        assert cells[5] == f"[{error_rate.low:.4f}, {error_rate.high:.4f}]"
        assert cells[8] == "12"
    crnn, unpublished = rows["CNN-BiGRU"], rows["Shuffled, beta = 1, T = 1"]
    assert (crnn[2], crnn[6]) == ("42.17", "0.7560")
    assert float(crnn[3].replace(MINUS, "-")) == pytest.approx(float(crnn[0]) - 42.17, abs=0.011)
    assert unpublished[2:4] == [MISSING, MISSING]


def test_comparisons_are_paired_and_say_who_is_better(study, page):
    rows = page.rows("Pairs that a claim or a control is judged by")
    crnn, light, heavy, shuffled, soft = (
        each.title.replace("Soft,", "MTL with soft labels,")
        for each in (CRNN, LIGHT, HEAVY, SHUFFLED, SOFT)
    )
    pairs = [(light, crnn), (heavy, crnn), (shuffled, crnn), (soft, crnn), (shuffled, light),
             (soft, light), (soft, shuffled)]  # fmt: skip
    titles = {f"{one} {MINUS} {other}" for one, other in pairs}
    assert {title for title in rows if MINUS in title} == titles
    html = (study[0] / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<th scope=\"row\">[^<]* = ", html), "no weight breaks across lines"
    html = html.replace("\N{NO-BREAK SPACE}", " ")
    blocks = re.findall(r"<summary>(.*?): F-score better at", html)
    assert (len(blocks), set(blocks)) == (7, titles), "and of each event the same"
    cells = rows[f"MTL with soft labels, beta = 1, T = 1 {MINUS} MTL, alpha = 0.0001"]
    difference, mark = cells[0].split()
    assert float(difference) == pytest.approx(4.0, abs=0.3)
    assert mark == "better"
    assert cells[3].endswith("better"), "a lower error rate is better"
    assert float(cells[3].split()[0].replace(MINUS, "-")) < 0
    assert cells[6] == "12 in 4 folds"
    turned = rows[f"MTL, alpha = 1 {MINUS} CNN-BiGRU"]
    assert turned[0].endswith("worse")
    assert turned[3].endswith("worse")
    low, high = (float(value.replace(MINUS, "-")) for value in cells[1].strip("[]").split(", "))
    assert 3.5 < low < float(difference) < high < 4.5


def test_controls_have_a_sentence_and_their_differences(study, page):
    assert "F-score: Shuffled, beta = 1, T = 1 does not explain the gain" in page.text
    assert "Error rate: Shuffled, beta = 1, T = 1 does not explain the gain" in page.text
    assert "controls" in page.ids
    table = read_table(study[1]["controls"]).set_index("score")
    heads, *rows = next(
        tables[0] for caption, tables in page.tables.items() if "behind it" in caption
    )
    assert heads[3::3] == ["soft labels less one-hot", "control less one-hot",
                           "soft labels less control", "control less no scene branch"]  # fmt: skip
    keys = ("gain", "control_hard", "soft_control", "control_baseline")
    for row, score, scale, digits in zip(
        rows, ("f_score", "error_rate"), (100, 1), (2, 4), strict=True
    ):
        shown = [cell.replace(MINUS, "-") for cell in row[3::3]]
        assert shown == [f"{table.loc[score, key] * scale:+.{digits}f}" for key in keys]
        assert row[2] == f"{table.share[score]:.0%}"
        assert row[5::3] == ["12"] * 4


def test_the_best_method_of_each_event_is_marked(study, page):
    html = (study[0] / "report.html").read_text(encoding="utf-8")
    rows = page.rows("F-score (%) of each event")
    table = read_table(study[1]["table4"])
    own = table[(table.convention == "frame") & (table.threshold == "adaptive")]
    (car,) = own[(own.event == "car") & (own.beta == 1) & (own.temperature == 1)
                 & (own.method == "MTL with soft labels")].itertuples()  # fmt: skip
    assert rows["car"][-1] == f"{car.f_score_mean * 100:.2f} (58.87)"
    assert rows["Events it is best at"] == ["0", "0", "0", "0", "2"], "nobody detects drawers"
    assert page.rows("Error rate (the event")["Events it is best at"][-1] == "2"
    assert html.count('<td class="best">') == 4
    text = (study[0] / "table4.md").read_text(encoding="utf-8")
    soft = text.split("## MTL with soft labels, beta = 1, T = 1\n")[1].split("\n## ")[0]
    assert soft.count("**") == 8, "F-score and error rate of car and of fan"
    assert text.count("**") == 8


@pytest.mark.parametrize(
    ("values", "better", "expected"),
    [
        ([0.1, 0.3, 0.2], 1, [False, True, False]),
        ([0.1, 0.3, 0.2], -1, [True, False, False]),
        ([0.3, 0.3, 0.2], 1, [True, True, False]),
        ([0.0, 0.0, 0.0], 1, [False] * 3),
        ([0.2, 0.2, 0.2], -1, [False] * 3),
        ([float("nan"), 0.2, 0.1], 1, [False, True, False]),
        ([float("nan")] * 3, 1, [False] * 3),
        ([0.0, 0.2, 0.1], -1, [True, False, False]),
        ([0.13111, 0.13113, 0.13125], -1, [True, True, False]),
    ],
)
def test_which_is_best(values, better, expected):
    assert best_of(values, better) == expected


def test_what_was_run_is_counted(page):
    assert "2 recordings, 3.0 minutes, 3 rows of annotation (published list)" in page.text
    assert "72 students: 6 kinds, folds 1, 2, 3, 4, seeds 0, 1, 2; 1 teacher" in page.text
    assert "1.00 job-hours, 0.50 processor-hours" in page.text
    assert page.rows("What jobs took")["train_student"] == ["2", "1.000", "0.500", "512"]
    (audit,) = next(
        tables for caption, tables in page.tables.items() if caption.startswith("Audit of both")
    )
    assert audit[1:] == [["merged", "changed", "2"], ["merged", "dropped", "1"]]
    assert page.rows("Data in use")["home"] == ["1", "1.0", "2"]
    changed = page.rows("Keys that differ")
    assert changed["run"] == ["mine", "paper"]
    assert changed["methods.shuffled.name"] == ["Shuffled", "none"]
    assert "seeds" not in changed


def test_the_paper_itself_differs_in_nothing(study):
    page = page_of(
        study, run="paper", methods={**PAPER["methods"], "shuffled": METHODS["shuffled"]}
    )
    rows = [rows for caption, rows in page.tables.items() if caption.startswith("Keys that differ")]
    keys = [row[0] for row in rows[0][0][1:]]
    assert keys == ["methods.shuffled.name", "methods.shuffled.scene_loss",
                    "methods.shuffled.labels"]  # fmt: skip


def test_teachers_and_their_soft_labels_are_shown_with_numbers(page):
    assert "100.0% of 36 clips of the evaluation parts" in page.text
    assert page.rows("Clips of each true scene")["office"] == ["0", "0", "9", "0"]
    table = page.rows("Mean soft labels")
    assert table["1"] == ["home", "7", "0.100", "0.700", "0.150", "0.050"]


def test_a_study_without_teachers_has_a_page_without_them(study):
    page = page_of(study, without=("confusions", "confusion", "soft_labels", "soft_map"))
    assert "teachers" not in page.ids
    assert "Soft labels: what" not in page.text
    assert len(page.images) == 3


def test_names_cannot_break_the_page(study):
    """Names of methods are the user's own text; a run's are not, but stand for them here."""
    page = page_of(study, run="<script>alert(1)</script>")
    assert "run “<script>alert(1)</script>”" in page.text, "shown as text, and closed as opened"
    assert "<script" not in (study[0] / "report.html").read_text(encoding="utf-8")


def test_the_configuration_stands_resolved_on_the_page(study, page):
    shown = page.rows("Configuration as resolved")
    assert shown["student.learning_rate"] == ["0.0002"]
    assert shown["features.bands"] == ["64"]
    assert shown["synthetic"] == ["none"]
    other = page_of(study, features={**PAPER["features"], "bands": 40})
    assert other.rows("Configuration as resolved")["features.bands"] == ["40"]
