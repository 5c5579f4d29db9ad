"""The page of a whole study of known scores: what it says, and that its numbers are the tables'."""

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats
from softscene.analysis.claims import NEVER_DETECTED, explain_gain
from softscene.analysis.comparisons import add_published_differences, compare_methods
from softscene.analysis.field_comparisons import compare_field_metrics
from softscene.config.variants import Variant, choose_variants
from softscene.core.tsv import read_table, write_table
from softscene.evaluation.tables import (
    best_of,
    make_table3,
    make_table4,
    read_published,
    runs_of,
    write_table4,
)
from softscene.report.forest import LOOKS
from softscene.report.numbers import MINUS, MISSING
from softscene.report.page import ReportedRun, make_report
from softscene.report.sections import control_sentences
from softscene.report.verdicts import summary

from tests.conftest import PAPER, ROOT
from tests.pages import Page
from tests.unit.analysis.comparable import (
    CRNN,
    HEAVY,
    LIGHT,
    PLACES,
    SHUFFLED,
    SOFT,
    SOFT5,
    scores_of,
)

MEANS = {CRNN: 0.42, LIGHT: 0.46, HEAVY: 0.29, SOFT: 0.50, SOFT5: 0.49, SHUFFLED: 0.43}
EVENTS = ["car", "drawer", "fan"]
FRAMES = "Micro-averaged over events, frames of 20 ms (the paper's, as inferred from its Table 4), "
SCENES = ["city_center", "home", "office", "residential_area"]
PAPERS = {name: ROOT / "resources" / f"published_{name}.csv" for name in ("table3", "table4")}
METHODS = {
    "crnn": {"name": "CNN-BiGRU", "scene_loss": "none"},
    "mtl": {"name": "MTL", "scene_loss": "hard", "alpha": [0.0001, 1.0]},
    "soft": {"name": "MTL with soft labels", "scene_loss": "soft", "beta": [1.0]},
    "shuffled": {"name": "Shuffled", "scene_loss": "soft", "labels": "shuffled"},
}
VARIANTS = [vars(each) | {"name": METHODS[each.method]["name"]} for each in MEANS]


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
        # Nobody detects drawers, and in fold 1 there are none.
        parts = [
            own.assign(
                event=event, f_score=own.f_score * share, error_rate=own.error_rate * share,
                true_positives=9 * (share > 0), false_negatives=9,
            )
            for event, share in zip(EVENTS, (1.0, 0.0, 0.5), strict=True)
        ]  # fmt: skip
        if row.fold == 1:
            parts[1] = parts[1].assign(f_score=np.nan, false_negatives=0)
        class_wise.append(str(folder / f"class{i}.tsv"))
        write_table(pd.concat(parts), class_wise[-1])
    assert len(overall) == len(MEANS) * len(PLACES)
    return overall, class_wise


def write_field_scores(folder):
    """Other metrics of all students: the F-score, but PSDS 1 falls where it rises."""
    paths = []
    for i, row in enumerate(scores_of(MEANS).itertuples()):
        rows = [
            ("frame_f_score", "micro", "adaptive", row.f_score, 25),
            ("frame_f_score", "macro", "adaptive", row.f_score, 23),
            ("average_precision", "macro", "none", row.f_score, 23),
            ("psds_1", "macro", "none", 1 - row.f_score, 23),
            ("psds_2", "macro", "none", row.f_score, 23),
            ("scene_accuracy", "", "none", 0.5 if row.method != "CNN-BiGRU" else np.nan, 0),
        ]
        table = pd.DataFrame(rows, columns=["metric", "average", "threshold", "value", "events"])
        paths.append(str(folder / f"field{i}.tsv"))
        write_table(table.assign(event=""), paths[-1])
    return paths


def write_inputs(folder):
    """All other files that the page reads, small."""
    files = {}
    for name in ("forest", "fig3", "table1_map", "curves", "confusion", "soft_map"):
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
        "softness": {"temperature": [1.0, 1.0], "part": ["development", "evaluation"],
                     "clips": [7, 9], "largest_posterior": [0.9951, 0.8], "entropy": [0.02, 0.5],
                     "accuracy": [1.0, 7 / 9]},
        "recordings": {"recording": ["a", "b"], "part": ["development", "evaluation"],
                       "scene": ["home", "office"], "frames": [3000, 6000]},
    }  # fmt: skip
    for name, columns in tables.items():
        files[name] = folder / f"{name}.tsv"
        write_table(pd.DataFrame(columns), files[name])
    for name in ("confusions", "recordings"):
        files[name] = [files[name]]
    files["teachers"] = ["parameters.json"]
    benchmark = pd.DataFrame({"s": [1800.0], "cpu_time": [900.0], "max_rss": [512.0]})
    for i in (1, 2):
        write_table(benchmark, folder / "benchmarks" / "train_student" / "crnn" / f"{i}.tsv")
    return files | {"default": ROOT / "config.yaml"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Files of the study, and how to make its page."""
    return write_study(tmp_path_factory.mktemp("study"))


def write_study(folder, own=False):
    overall, class_wise = write_scores(folder)
    variants = [variant for variant in VARIANTS for _ in PLACES]
    keys = ("means", "comparisons", "events", "claims", "controls")
    compared = {key: folder / f"{key}_compared.tsv" for key in keys}
    conventions = PAPER["evaluation"]["conventions"]
    compare_methods(
        overall, class_wise, variants, PLACES * len(VARIANTS), PAPERS, compared, conventions,
        synthetic=True, own=own,
    )  # fmt: skip
    of_field = {key: folder / key for key in ("field_means", "field_comparisons", "field_page")}
    compare_field_metrics(
        write_field_scores(folder), variants, PLACES * len(VARIANTS), of_field, synthetic=True
    )
    papers = dict.fromkeys(PAPERS) if own else PAPERS
    table3 = make_table3(runs_of(variants, overall), papers["table3"], conventions)
    table4 = make_table4(runs_of(variants, class_wise), papers["table4"], conventions)
    write_table(table3, folder / "table3.tsv")
    write_table4(
        table4, {form: folder / f"table4.{form}" for form in ("tsv", "md", "html")}, conventions,
        synthetic=False,
    )  # fmt: skip
    files = write_inputs(folder) | compared | of_field | {
        "event_comparisons": compared["events"], "table3": folder / "table3.tsv",
        "table4": folder / "table4.tsv", "events": folder / "events.tsv",
    }  # fmt: skip
    return folder, files


def page_of(study, synthetic=False, without=(), **changes):
    folder, files = study
    configuration = {**PAPER, "methods": METHODS, "run": "mine"} | changes
    target = folder / "report.html"
    given = ReportedRun(configuration, VARIANTS, str(ROOT), str(folder / "benchmarks"), synthetic)
    make_report(given, {key: files[key] for key in files if key not in without}, target)
    return Page(target.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(study):
    return page_of(study)


def test_the_page_needs_no_other_file_and_its_images_are_described(page):
    assert all(source.startswith("data:image/png;base64,") for source in page.loaded)
    assert "default-src 'none'" in page.policy, "the browser would refuse to load anything else"
    assert len(page.images) == 6
    assert all(len(image["alt"]) > 20 for image in page.images)
    assert all(scope in ("col", "row", "colgroup") for scope in page.scopes)
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inside) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    outside = [link for link in page.links if not link.startswith("#")]
    beside = [link for link in outside if not link.startswith("https:")]
    assert [link for link in outside if link not in beside] == ["https://arxiv.org/abs/2002.05848"]
    assert {"tables/", "figures/"} <= set(beside)
    assert not any("method.md" in link for link in beside), "this page lies outside the checkout"


def test_pages_that_are_not_there_are_named_and_not_linked(study):
    page = page_of(study)
    assert not {"explorer.html", "workflow.html"} & set(page.links)
    assert "explorer.html , to see and hear what was detected: made by snakemake expl" in page.text
    (study[0] / "explorer.html").write_text("made")
    try:
        assert "explorer.html" in page_of(study).links
    finally:
        (study[0] / "explorer.html").unlink()


def test_in_a_checkout_the_page_links_to_the_documentation(study, tmp_path):
    """By a relative path, which still leads there from an archive of the checkout."""
    folder, files = study
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/method.md").write_text("# Method")
    target = tmp_path / "results/mine/report.html"
    target.parent.mkdir(parents=True)
    configuration = {**PAPER, "methods": METHODS, "run": "mine"}
    given = ReportedRun(configuration, VARIANTS, str(tmp_path), str(folder / "benchmarks"), False)
    make_report(given, files, target)
    links = Page(target.read_text(encoding="utf-8")).links
    own = {link.split("#")[0] for link in links if "method.md" in link}
    assert own == {"../../docs/method.md"}
    assert (target.parent / own.pop()).read_text() == "# Method"


@pytest.mark.parametrize(
    "name", ["means", "comparisons", "event_comparisons", "claims", "controls"]
)
def test_tables_of_comparisons_say_that_a_corpus_is_synthetic(study, name):
    table = read_table(study[1][name])
    assert table.columns[-1] == "corpus"
    assert set(table.corpus) == {"synthetic"}


def test_each_claim_has_its_verdict_and_its_comparison(study, page):
    verdicts = [badge.removeprefix("badge ") for badge in page.badges]
    told = ["reproduced"] * 3 + ["inconclusive"]  # soft labels are always best at both events
    of_events = ["inconclusive", "reproduced", *["inconclusive"] * 4]  # a fan, and no others
    assert verdicts[0] == "reproduced", "the answer is the first claim's verdict"
    assert verdicts[1:14] == [*told, *of_events, *["reproduced"] * 3]
    assert "All 13 claims 7 reproduced, 6 inconclusive" in page.text
    assert "Reason: there is no event dishes in these data." in page.text
    assert "(published +14.05)" in page.text
    assert f"(published {MINUS}4.19)" in page.text
    slope = read_table(study[1]["claims"]).set_index(["claim", "threshold"]).difference
    slope = f"{100 * slope['trend_of_alpha', 'adaptive']:+.2f}".replace("-", MINUS)
    assert f"F-score {slope} points per decade" in page.text
    assert "F-score +2.0 events" in page.text
    assert page.text.count("(Our reading of the numbers; the paper does not say it.)") == 3
    assert "Compared MTL with soft labels, beta = 1, T = 1 vs MTL, alpha = 0.0001 F-" in page.text
    assert "(published +3.80)" in page.text
    kinds = page.rows("Paired differences that decide the verdicts")
    assert kinds["6: F-score, adaptive"][-1] == "reproduced"
    assert len(kinds) == 1 + 2 * (13 + 6), "adaptive and oracle, 6 claims with two scores"


def write_heldout(folder, f_scores):
    """Files of a held-out test, with the F-scores of three seeds of each variant."""
    folder.mkdir()
    conventions, places = PAPER["evaluation"]["conventions"], [("heldout", s) for s in range(3)]
    overall, class_wise = [], []
    for variant in MEANS:
        for seed, f_score in enumerate(f_scores[variant]):
            settings = [
                (c, t) for c in ("frame", "segment") for t in ("adaptive", "oracle", "fixed")
            ]
            rows = [(*setting, f_score, 1 - f_score) for setting in settings]
            columns = ["convention", "threshold", "f_score", "error_rate"]
            own = pd.DataFrame(rows, columns=columns)
            overall.append(str(folder / f"{variant.folder}{seed}.tsv".replace("/", "_")))
            write_table(own, overall[-1])
            more = {"event": "car", "true_positives": 9, "false_negatives": 9}
            class_wise.append(f"{overall[-1]}.class")
            write_table(own.assign(**more), class_wise[-1])
    variants = [variant for variant in VARIANTS for _ in places]
    keys = ("means", "comparisons", "events", "claims", "controls")
    compared = {key: folder / f"{key}.tsv" for key in keys}
    compare_methods(
        overall, class_wise, variants, places * len(VARIANTS), PAPERS, compared, conventions,
        synthetic=False,
    )  # fmt: skip
    write_table(make_table3(runs_of(variants, overall), None, conventions), folder / "table3.tsv")
    tables = {
        "events": {"recording": ["a", "c", "c", "d"], "scene": ["home", "home", "home", "office"],
                   "onset": [0, 1, 2, 3], "offset": [1, 2, 3, 4], "event": "car"},
        "audit": {"list": ["heldout"], "action": ["dropped"]},
        "recordings": {"recording": ["a", "c", "d"], "scene": ["home", "home", "office"],
                       "part": ["development", "evaluation", "evaluation"],
                       "frames": [3000, 3000, 1500]},
    }  # fmt: skip
    for name, columns in tables.items():
        write_table(pd.DataFrame(columns), folder / f"{name}.tsv")
    names = ("table3", "means", "claims", "audit", "events", "recordings")
    files = {f"heldout_{name}": folder / f"{name}.tsv" for name in names}
    return files | {"heldout_teachers": ["only counted"] * len(places)}


def test_the_held_out_test_stands_beside_the_cross_validation(study, page, tmp_path):
    """There, soft labels are worse; the intervals are SciPy's paired ones over seeds."""
    f_scores = {each: mean + np.array([0.0, 0.01, -0.01]) for each, mean in MEANS.items()}
    f_scores[SOFT] = np.array([0.40, 0.42, 0.41])
    files = write_heldout(tmp_path / "heldout", f_scores)
    both = page_of((study[0], study[1] | files))
    assert "Held-out test not reproduced Do the claims hold" in both.text
    assert "On held-out recordings not reproduced ( Held-out test )" in both.text
    assert "evaluated on 2 recordings of the authors" in both.text
    assert "second list (1.5 minutes, 3 rows), which are in no fold." in both.text
    assert "its intervals are over its 3 seeds alone" in both.text
    assert "for the held-out test 18 more students and 3 more teachers" in both.text
    assert both.badges[0] == page.badges[0] == "badge reproduced", "the answer is not its"
    apart = f_scores[SOFT] - f_scores[LIGHT]
    low, high = stats.t.interval(0.95, 2, apart.mean(), stats.sem(apart))
    rows = both.rows("Claims on held-out recordings")
    own, usual = rows["1: soft vs one-hot, F-score"][:3], rows["1: soft vs one-hot, F-score"][3:]
    shown = [f"{100 * each:+.2f}".replace("-", MINUS) for each in (apart.mean(), low, high)]
    assert own == [f"{shown[0]} points", f"[{shown[1]}, {shown[2]}]", "not reproduced"]
    alone = page.rows("Paired differences that decide the verdicts")["1: F-score, adaptive"]
    assert usual == [alone[0], alone[1], alone[-1]] == [*usual[:2], "reproduced"]
    soft = "MTL with soft labels, beta = 1, T = 1"
    setting = f"{FRAMES}adaptive"
    (methods,) = [each for each in both.tables if each.endswith("of the cross-validation.")]
    assert methods.startswith(setting)
    cells = both.rows(methods)[soft]
    assert (cells[0], cells[3], cells[-1]) == ("41.00", "0.5900", "3")
    known = page.rows(setting)[soft]
    assert (cells[2], cells[5]) == (known[0], known[2])
    audit = both.rows("Audit of both annotation lists")
    assert audit["heldout"] == ["dropped", "1"]


def test_without_a_held_out_test_the_page_has_no_word_of_it(page):
    assert "heldout" not in page.ids
    assert "eld-out" not in page.text


def test_the_first_screen_answers_the_main_claim(study, page):
    claims = read_table(study[1]["claims"])
    own = claims[(claims.claim == "soft_over_hard") & (claims.threshold == "adaptive")]
    f_score = own[own.score == "f_score"].iloc[0]
    bounds = f"[{100 * f_score.low:+.2f}, {100 * f_score.high:+.2f}]"
    of_folds = f"[{100 * f_score.fold_low:+.2f}, {100 * f_score.fold_high:+.2f}]"
    points = f"{100 * f_score.difference:+.2f} points"
    answer = f"{points}; 95% of seeds {bounds}, of folds {of_folds} (published +3.80)"
    answer = "F-score " + answer.replace("-", MINUS)
    assert "says whether other initialisations on these folds would give a difference" in page.text
    assert "Does the paper's main claim hold? reproduced" in page.text
    assert page.text.index(answer) < page.text.index("What was run")
    assert "TUT Acoustic Scenes 2016: 2 recordings, 3.0 minutes; 4 folds with 3 seeds each" in (
        page.text
    )


def reasons_of(html):
    """What stands as small print under each claim."""
    claims = html.split('<ol class="claims">')[1].split("</ol>")[0].split("<li ")[1:]
    return [" ".join(re.sub("<[^>]+>", " ", each).split()) for each in claims]


def test_each_claim_has_its_own_reason(study, page):
    told = reasons_of((study[0] / "report.html").read_text(encoding="utf-8"))
    claims = read_table(study[1]["claims"])
    own = claims[claims.threshold == "adaptive"]
    assert len(told) == own.claim.nunique() == 13
    for text, (_, rows) in zip(told, own.groupby("claim", sort=False), strict=True):
        plain = text.replace("\N{NO-BREAK SPACE}", " ").replace("&#39;", "'")
        assert all(reason in plain for reason in rows.reason)
        assert ("Reason: " in text) == (rows.reason.nunique() == 1)


def test_scores_with_different_reasons_have_one_each(study, tmp_path):
    claims = read_table(study[1]["claims"])
    events = claims.claim == "many_events"
    claims.loc[events, "reason"] = "the same. In the means of " + claims.score[events]
    write_table(claims, tmp_path / "claims.tsv")
    page = page_of((study[0], study[1] | {"claims": tmp_path / "claims.tsv"}))
    for score in ("f_score", "error_rate"):
        sentence = f"as the same. In the means of {score}"
        assert re.search(rf": (not )?(reproduced|inconclusive), {sentence}", page.text)


def never_detected(claims):
    """The three events that do not improve, as if no method detected them."""
    never = claims.claim.str.startswith("no_gain")
    claims.loc[never, "verdict"] = "reproduced"
    claims.loc[never, "reason"] = f"{NEVER_DETECTED}: mean F-score below 0.1% in all 4"
    return claims


def test_events_that_no_method_detects_are_no_success(study, tmp_path):
    """They are told apart from what networks must have learnt, and their badges are grey."""
    claims = never_detected(read_table(study[1]["claims"]))
    write_table(claims, tmp_path / "claims.tsv")
    page = page_of((study[0], study[1] | {"claims": tmp_path / "claims.tsv"}))
    counts = "10 reproduced (3 of them events that no method detects), 3 inconclusive"
    assert f"All 13 claims {counts}" in page.text
    assert page.badges[0] == "badge reproduced"
    assert page.badges[8:11] == ["badge reproduced neutral"] * 3
    assert sum("neutral" in badge for badge in page.badges) == 3
    assert "is also reproduced by networks that have learnt nothing" in page.text
    others = ~claims.claim.str.startswith("no_gain")
    claims.loc[others, "verdict"] = "inconclusive"
    assert summary(claims) == (
        "10 inconclusive, 3 reproduced (all of them events that no method detects)"
    )


def test_no_verdict_on_synthetic_sound_looks_like_a_success(study):
    page = page_of(study, synthetic=True)
    assert all(badge.endswith(" neutral") for badge in page.badges)
    assert "Verdicts are grey, as none here is about the paper." in page.text
    html = (study[0] / "report.html").read_text(encoding="utf-8")
    assert "answer reproduced neutral" in html
    assert '<li class="reproduced neutral">' in html


def test_a_verdict_has_one_colour_on_the_page_and_in_the_figure(study, page):
    html = (study[0] / "report.html").read_text(encoding="utf-8")
    for verdict, (colour, _, _) in LOOKS.items():
        style = html.split(".badge." + verdict.replace(" ", "-") if verdict != "inconclusive"
                           else ".badge {")[1]  # fmt: skip
        assert f"background: {colour}" in style.split("}")[0]


def test_real_recordings_are_never_called_synthetic(page):
    assert "ynthetic" not in page.text.replace("synthetic none", "")
    assert "Synthetic" not in page.title
    assert not any("ynthetic" in text for text in [*page.tables, *(i["alt"] for i in page.images)])


def test_a_synthetic_corpus_is_named_once_and_first(study):
    page = page_of(study, synthetic=True)
    assert page.title.startswith("Synthetic corpus")
    told = "Synthetic corpus: no verdict here is about the paper's data."
    assert page.text.removeprefix(page.title).strip().startswith(told)
    assert page.text.replace("synthetic none", "").lower().count("synthetic") == 2, "with the title"
    assert "Does the paper's main claim hold on this corpus?" in page.text
    assert "generated" not in page.text, "another word for the same"
    html = (study[0] / "report.html").read_text(encoding="utf-8")
    assert '@bottom-center { content: "Synthetic corpus: says nothing of the paper"' in html


def test_of_one_seed_in_each_fold_table_3_has_the_interval_over_folds(study, tmp_path):
    folder, files = study
    means = read_table(files["means"])
    changed = means.assign(pairs=4, low=np.nan, high=np.nan)
    write_table(changed, tmp_path / "means.tsv")
    page = page_of((folder, files | {"means": tmp_path / "means.tsv"}))
    where = ["method", "score", "convention", "threshold"]
    row = means.set_index(where).loc[("CNN-BiGRU", "f_score", "frame", "adaptive")]
    assert f"[{100 * row.fold_low:.2f}, {100 * row.fold_high:.2f}]" in page.text.replace(MINUS, "-")
    assert row.fold_low < row.low, "the two differ, by the way"


def test_table_3_is_that_of_the_table_with_published_differences(study, page):
    rows = page.rows(f"{FRAMES}oracle")
    table = read_table(study[1]["table3"])
    own = table[(table.convention == "frame") & (table.threshold == "oracle")]
    means = read_table(study[1]["means"])
    means = means[(means.convention == "frame") & (means.threshold == "oracle")]
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


def test_published_scores_stand_beside_oracle_thresholds_alone(study, page):
    """What the authors' code calls adaptive; the table of the verdicts' thresholds comes first."""
    beside = [caption for caption in page.tables if "ours minus published" in caption]
    assert [caption.startswith(f"{FRAMES}oracle") for caption in beside] == [True]
    table = read_table(study[1]["table3"])
    own = table[(table.convention == "frame") & (table.threshold == "adaptive")]
    cells = page.rows(f"{FRAMES}adaptive")["CNN-BiGRU"]
    assert len(cells) == 5
    assert cells[0] == f"{own.f_score_mean.iloc[0] * 100:.2f}"
    assert "Compare this one with the paper" in page.text
    html = (study[0] / "report.html").read_text(encoding="utf-8")
    assert html.index("Compare this one") < html.index("<summary>Table 3 in the other")


def test_comparisons_are_paired_and_say_who_is_better(study, page):
    rows = page.rows("Pairs that a claim or a control is judged by")
    crnn, light, heavy, shuffled, soft = (
        each.title.replace("Soft,", "MTL with soft labels,")
        for each in (CRNN, LIGHT, HEAVY, SHUFFLED, SOFT)
    )
    pairs = [(light, crnn), (heavy, crnn), (shuffled, crnn), (soft, crnn), (shuffled, light),
             (soft, light), (soft, heavy), (soft, shuffled)]  # fmt: skip
    titles = {f"{one} vs {other}" for one, other in pairs}
    assert {title for title in rows if " vs " in title} == titles
    html = (study[0] / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<th scope=\"row\">[^<]* = ", html), "no weight breaks across lines"
    html = html.replace("\N{NO-BREAK SPACE}", " ")
    blocks = re.findall(r"<summary>(.*?): F-score better at", html)
    assert (len(blocks), set(blocks)) == (8, titles), "and of each event the same"
    cells = rows["MTL with soft labels, beta = 1, T = 1 vs MTL, alpha = 0.0001"]
    difference, mark = cells[0].split()
    assert float(difference) == pytest.approx(4.0, abs=0.3)
    assert mark == "better"
    assert cells[4].endswith("better"), "a lower error rate is better"
    assert float(cells[4].split()[0].replace(MINUS, "-")) < 0
    assert (cells[1], cells[5]) == ("+3.80", f"{MINUS}0.0330"), "published"
    assert cells[8] == "12 in 4 folds"
    turned = rows["MTL, alpha = 1 vs CNN-BiGRU"]
    assert turned[0].endswith("worse")
    assert turned[4].endswith("worse")
    low, high = (float(value.replace(MINUS, "-")) for value in cells[2].strip("[]").split(", "))
    assert 3.5 < low < float(difference) < high < 4.5
    assert rows[f"{shuffled} vs {crnn}"][1] == MISSING, "the paper has no controls"


def test_methods_of_ones_own_are_compared_with_the_papers_in_the_open(tmp_path, monkeypatch):
    mine = {"name": "Mine", "scene_loss": "soft", "code": "methods/mine.py"}
    monkeypatch.setitem(METHODS, "shuffled", mine)
    custom = {"name": "Mine", "labels": "teacher", "custom": True}
    now = [each | (custom if each["method"] == "shuffled" else {}) for each in VARIANTS]
    monkeypatch.setattr(f"{__name__}.VARIANTS", now)
    folder, files = write_study(tmp_path)
    page = page_of((folder, files))
    rows = page.rows("Methods with code of your own")
    others = {"CNN-BiGRU": 1, "MTL, alpha = 0.0001": -3, "MTL, alpha = 1": 14,
              "MTL with soft labels, beta = 1, T = 1": -7}  # fmt: skip
    shown = {name: cells for name, cells in rows.items() if " vs " in name}
    assert list(shown) == [f"Mine, beta = 1, T = 1 vs {other}" for other in others]
    for cells, expected in zip(shown.values(), others.values(), strict=True):
        difference, side = cells[0].replace(MINUS, "-").split()
        assert float(difference) == pytest.approx(expected, abs=0.3)
        assert side == ("better" if expected > 0 else "worse")
    before = (folder / "report.html").read_text(encoding="utf-8").split("Methods with code")[0]
    assert before.count("<details>") == before.count("</details>")

    # Event by event too: a fan's scores are half of those of all events.
    scores = read_table(files["table4"])
    scores = scores[(scores.convention == "frame") & (scores.threshold == "adaptive")]
    (fan,) = scores[(scores.method == "Mine") & (scores.event == "fan")].f_score_mean
    given = scores_of(MEANS)
    assert fan == pytest.approx(given[given.method == SHUFFLED.name].f_score.mean() / 2)
    table4 = page.rows("F-score (%) of each event")
    assert table4["Event"] == [*others, "Mine, beta = 1, T = 1", "Absent"]
    assert table4["fan"][-2].split()[0] == f"{100 * fan:.2f}"
    for other, expected in others.items():
        apart = page.rows(f"Mine, beta = 1, T = 1 vs {other}, each event")["fan"][0]
        found, side = apart.replace(MINUS, "-").split()
        assert float(found) == pytest.approx(expected / 2, abs=0.3)
        assert side == ("better" if expected > 0 else "worse")


def test_comparisons_of_events_have_the_published_difference(study, page):
    """Of Table 4: fan +14.05, car -0.61 points; error rates 0.1363 - 0.1570, 0.1467 - 0.1493."""
    title = "MTL with soft labels, beta = 1, T = 1 vs MTL, alpha = 0.0001"
    rows = page.rows(f"{title}, each event")
    assert [rows[event][1] for event in EVENTS] == [f"{MINUS}0.61", "+0.00", "+14.05"]
    assert (rows["fan"][5], rows["car"][5]) == (f"{MINUS}0.0207", f"{MINUS}0.0026")
    table = read_table(study[1]["event_comparisons"])
    own = table[(table.method == "MTL with soft labels") & (table.against_alpha == 1)]
    fan = own[(own.event == "fan") & (own.score == "f_score")]
    assert fan.published_difference.tolist() == pytest.approx([0.7460 - 0.5812])
    assert table[table.method == "Shuffled"].published_difference.isna().all()
    assert set(own[own.event == "drawer"].pairs) == {12}, "with 0 where it is absent"
    settings = read_table(study[1]["comparisons"])
    assert settings[settings.convention == "segment"].published_difference.isna().all()
    frames = settings[(settings.convention == "frame") & (settings.method == "MTL")]
    light = frames[(frames.alpha == 0.0001) & (frames.score == "error_rate")]
    assert light.published_difference.tolist() == pytest.approx([0.724 - 0.756] * 3)


def test_other_frames_than_the_papers_have_no_published_differences(study):
    table = read_table(study[1]["comparisons"]).drop(columns="published_difference")
    paper = read_published(PAPERS["table3"], {"frame": 0.04, "segment": 1.0})
    assert add_published_differences(table, paper).published_difference.isna().all()


def test_data_of_ones_own_have_no_claims_and_no_published_numbers(tmp_path):
    folder, files = write_study(tmp_path, own=True)
    assert read_table(files["claims"]).empty
    for name in ("table3", "table4", "comparisons", "event_comparisons"):
        table = read_table(files[name])
        columns = [column for column in table if column.startswith("published")]
        assert columns
        assert table[columns].isna().all(axis=None), name
    given = {"audio": "mine/audio", "annotations": "mine/list.tsv", "folds": 4}
    page = page_of((folder, files), data={**PAPER["data"], "own": given})
    answer, *others = page.badges
    assert answer == "badge better"
    assert "Do soft scene labels beat one-hot ones on these data? better" in page.text
    assert others == []
    assert "so its claims get no verdicts here" in page.text
    for published in ("Published", "published value", "stars", "+3.80", "(58.87)", "192 minutes"):
        assert published not in page.text, published
    assert not any("ublished" in caption or "stars" in caption for caption in page.tables)
    rows = page.rows("Pairs that a claim or a control is judged by")
    cells = rows["MTL with soft labels, beta = 1, T = 1 vs MTL, alpha = 0.0001"]
    assert (len(cells), cells[6]) == (7, "12 in 4 folds")


def test_events_say_over_how_many_runs_they_are_and_in_how_many_absent(page):
    for caption in ("F-score (%) of each event", "Error rate (the event"):
        rows = page.rows(caption)
        assert [rows[event][-1] for event in EVENTS] == ["0 of 12", "3 of 12", "0 of 12"]


def test_the_page_says_what_the_papers_data_are_not(study, page):
    assert "The paper has 192 minutes, the authors' published list 166" in page.text
    assert "clips that the networks were trained on" in page.text
    assert "192 minutes" not in page_of(study, synthetic=True).text


def test_controls_have_a_sentence_and_their_differences(study, page):
    assert "F-score: Shuffled, beta = 1, T = 1 does not explain the gain" in page.text
    assert "Error rate: Shuffled, beta = 1, T = 1 does not explain the gain" in page.text
    assert "controls" in page.ids
    table = read_table(study[1]["controls"]).set_index("score")
    _, *rows = next(
        tables[0] for caption, tables in page.tables.items() if "of the controls" in caption
    )
    pairs = ["soft labels vs one-hot", "control vs one-hot", "soft labels vs control",
             "control vs no scene branch"]  # fmt: skip
    keys = ("gain", "control_hard", "soft_control", "control_baseline")
    for score, own, scale, digits in (
        ("f_score", rows[:4], 100, 2), ("error_rate", rows[4:], 1, 4)
    ):  # fmt: skip
        assert [row[2] for row in own] == pairs
        shown = [row[3].replace(MINUS, "-") for row in own]
        assert shown == [f"{table.loc[score, key] * scale:+.{digits}f}" for key in keys]
        assert [row[5] for row in own] == ["12"] * 4
        share = f"{table.share[score]:.0%}".replace("-", MINUS)
        assert [row[6] for row in own] == ["", share, "", ""]


ONE_SEED = [(fold, 0) for fold in (1, 2, 3)]


def test_of_one_seed_in_each_fold_controls_have_the_interval_over_folds(study, tmp_path):
    scores = scores_of(MEANS, ONE_SEED)
    scores["method"] = scores.method.replace("Soft", "MTL with soft labels")
    chosen = choose_variants([Variant(**each) for each in VARIANTS])
    table = explain_gain(scores, chosen)
    write_table(table, tmp_path / "controls.tsv")
    page = page_of((study[0], study[1] | {"controls": tmp_path / "controls.tsv"}))
    (caption,) = [each for each in page.tables if "of the controls" in each]
    assert "95% interval within folds (with one seed per fold, over folds)" in caption
    rows = page.tables[caption][0][1:5]
    place = scores.set_index(["method", "alpha", "temperature"]).sort_index()
    values = {
        each: place.loc[(name, each.weights.get("alpha", np.nan),
                         each.weights.get("temperature", np.nan))].f_score.to_numpy() * 100
        for each, name in ((SOFT, "MTL with soft labels"), (LIGHT, "MTL"),
                           (SHUFFLED, "Shuffled"), (CRNN, "CNN-BiGRU"))
    }  # fmt: skip
    pairs = [(SOFT, LIGHT), (SHUFFLED, LIGHT), (SOFT, SHUFFLED), (SHUFFLED, CRNN)]
    for cells, (one, other) in zip(rows, pairs, strict=True):
        apart = values[one] - values[other]
        low, high = stats.t.interval(0.95, 2, apart.mean(), stats.sem(apart))
        assert cells[4].replace(MINUS, "-") == f"[{low:+.2f}, {high:+.2f}]"
        assert cells[5] == "3"


def test_controls_that_are_all_inconclusive_alike_are_told_once(study):
    row = {"control": ["One", "One", "Two", "Two"], "score": ["f_score", "error_rate"] * 2,
           "verdict": "inconclusive"}  # fmt: skip
    table = pd.DataFrame(row)
    why = ": inconclusive, as soft labels show no clear gain over one-hot scenes: it includes zero."
    table["sentence"] = table.control + why
    assert control_sentences(table) == [f"All 2 controls, by both scores{why}"]
    table.loc[3, "sentence"] = "Two: inconclusive, as it does not clearly differ."
    assert control_sentences(table) == [
        f"F-score: One{why}", f"Error rate: One{why}", f"F-score: Two{why}",
        "Error rate: Two: inconclusive, as it does not clearly differ.",
    ]  # fmt: skip
    assert control_sentences(table[:0]) == []


def test_pairs_without_a_difference_at_any_event_are_counted(study, tmp_path):
    table = read_table(study[1]["event_comparisons"])
    bounds = ["low", "high", "fold_low", "fold_high"]
    write_table(table.assign(**dict.fromkeys(bounds, np.nan)), tmp_path / "events.tsv")
    page = page_of((study[0], study[1] | {"event_comparisons": tmp_path / "events.tsv"}))
    assert "No difference found at any event in any of the 8 pairs that are compared." in page.text
    assert not any("each event." in caption for caption in page.tables)


def test_other_metrics_say_whether_the_gain_needs_thresholds(study, page):
    """In these scores all metrics rise with the F-score, but PSDS 1 falls."""
    said = (
        "Whether the gain of soft labels over one-hot ones survives when thresholds play no part "
        "is inconclusive: average precision better, PSDS 1 worse, PSDS 2 better."
    )
    assert said in page.text
    apart = read_table(study[1]["field_comparisons"]).set_index(["metric", "against_method"])
    row = apart.loc[("psds_1", "MTL")]
    pair = "MTL with soft labels, beta = 1, T = 1 vs MTL, alpha = 0.0001"
    cells = page.rows(f"Other metrics: {pair}")["PSDS, scenario 1"]
    shown = [f"{100 * row.difference:+.2f}", f"[{100 * row.low:+.2f}, {100 * row.high:+.2f}]"]
    assert cells[:2] == [each.replace("-", MINUS) for each in shown]
    assert cells[3] == "worse"
    means = page.rows("Other metrics: mean over folds and seeds")
    assert means["Scene accuracy of clips"][0] == MISSING, "of CNN-BiGRU"
    assert means["Scene accuracy of clips"][1] == "50.00"


def test_the_best_method_of_each_event_is_marked(study, page):
    html = (study[0] / "report.html").read_text(encoding="utf-8")
    rows = page.rows("F-score (%) of each event")
    table = read_table(study[1]["table4"])
    own = table[(table.convention == "frame") & (table.threshold == "adaptive")]
    (car,) = own[(own.event == "car") & (own.beta == 1) & (own.temperature == 1)
                 & (own.method == "MTL with soft labels")].itertuples()  # fmt: skip
    mean, spread = 100 * car.f_score_mean, 100 * car.f_score_std
    assert rows["car"][-2] == f"{mean:.2f} ± {spread:.2f} (58.87)"
    assert rows["Events it is best at"] == ["0", "0", "0", "0", "2", ""], "nobody detects drawers"
    assert page.rows("Error rate (the event")["Events it is best at"][-2] == "2"
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
    assert list(best_of(values, better)) == expected


def test_what_was_run_is_counted(page):
    assert "2 recordings, 3.0 minutes, 3 rows of annotation (published list)" in page.text
    assert (
        "72 students: 6 methods with weights, folds 1, 2, 3, 4, seeds 0, 1, 2; 1 teacher"
        in page.text
    )
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
    assert table["1, home"] == ["7", "0.100", "0.700", "0.150", "0.050"]
    softness = page.rows("Mean largest posterior")
    assert softness["1, trained on"] == ["7", "0.9951", "0.0200", "100.0%"]
    assert softness["1, not seen"] == ["9", "0.8000", "0.5000", "77.8%"]
    assert any("uniform ones 0.25 and 1.3863." in caption for caption in page.tables)


@pytest.mark.parametrize(("largest", "told"), [(0.9899, False), (0.9901, True)])
def test_soft_labels_that_are_nearly_one_hot_are_called_so(study, tmp_path, largest, told):
    table = read_table(study[1]["softness"])
    write_table(table.assign(largest_posterior=[largest, 0.5]), tmp_path / "softness.tsv")
    page = page_of((study[0], study[1] | {"softness": tmp_path / "softness.tsv"}))
    words = f"Nearly one-hot at T = 1 (mean largest posterior {largest})."
    assert (words in page.text) == told
    assert ("can hardly differ from one-hot ones" in page.text) == told


def test_a_study_without_teachers_has_a_page_without_them(study):
    page = page_of(study, without=("confusions", "confusion", "soft_labels", "soft_map"))
    assert "teachers" not in page.ids
    assert "Soft labels: what" not in page.text
    assert len(page.images) == 4


def test_names_cannot_break_the_page(study):
    """Names of methods are the user's own text; a run's are not, but stand for them here."""
    page = page_of(study, run="<script>alert(1)</script>")
    assert "run “<script>alert(1)</script>”" in page.text, "shown as text, and closed as opened"
    assert "<script" not in (study[0] / "report.html").read_text(encoding="utf-8")


def test_the_configuration_stands_resolved_on_the_page(study, page):
    shown = page.rows("Resolved configuration")
    assert shown["student.learning_rate"] == ["0.0002"]
    assert shown["features.bands"] == ["64"]
    assert shown["synthetic"] == ["none"]
    other = page_of(study, features={**PAPER["features"], "bands": 40})
    assert other.rows("Resolved configuration")["features.bands"] == ["40"]


def test_pairs_of_events_without_a_difference_are_one_sentence(study, tmp_path):
    table = read_table(study[1]["event_comparisons"])
    pair = (table.method == "MTL") & (table.alpha == 0.0001)
    table.loc[pair, ["low", "high", "fold_low", "fold_high"]] = np.nan
    write_table(table, tmp_path / "events.tsv")
    page = page_of((study[0], study[1] | {"event_comparisons": tmp_path / "events.tsv"}))
    assert "No difference found at any event: MTL, alpha = 0.0001 vs CNN-BiGRU." in page.text
    assert "F-score better at 0, worse at 0; error rate better at 0, worse at 0" not in page.text
    assert page.text.count(": F-score better at") == 7


def test_open_choices_are_a_table_and_a_figure_where_they_are_compared(study, page):
    assert "Open choices" not in page.text
    folder, files = study
    no, settings = np.nan, {"convention": "frame", "threshold": "adaptive", "score": "f_score"}
    bounds = ("low", "high", "fold_low", "fold_high")
    numbers = {
        "difference": [0.041, no], "low": [no, no], "high": [no, no], "fold_low": [-0.5, no],
        "fold_high": [0.6, no], "pairs": [4, 0], "folds": [4, 0], "moved": [-0.0123, no],
        "moved_low": [no, no], "moved_high": [no, no], "moved_fold_low": [-0.03, no],
        "moved_fold_high": [0.01, no], "largest_posterior": [0.98765, 0.5], "entropy": [0.1, 1.0],
        "accuracy": [0.995, 0.25],
    }  # fmt: skip
    assert {*bounds, *(f"moved_{bound}" for bound in bounds)} < numbers.keys()
    table = pd.DataFrame({
        "run": ["mine", "other"], "varies": ["teacher.epochs = 3", "clips.frames = 250"],
        "comparison": "Soft vs MTL", "verdict": ["reproduced", "inconclusive"],
        "reason": ["", "the configuration lacks MTL"], **numbers,
    }).assign(**settings)  # fmt: skip
    write_table(table, folder / "sensitivity.tsv")
    shown = {"sensitivity": folder / "sensitivity.tsv", "sensitivity_plot": files["fig3"]}
    found = page_of((folder, files | shown))
    rows = found.rows("Difference of the F-scores in points, and the labels")
    assert rows["teacher.epochs = 3"] == [
        "+4.10", f"[{MINUS}50.00, +60.00]", f"{MINUS}1.23", f"[{MINUS}3.00, +1.00]",
        "0.9877", "0.1000", "99.5%", "reproduced",
    ]  # fmt: skip
    assert rows["clips.frames = 250 (run other)"] == [
        *[MISSING] * 4, "0.5000", "1.0000", "25.0%", "the configuration lacks MTL"
    ]  # fmt: skip
    assert len(found.images) == 7
    assert {"#sensitivity", "tables/sensitivity.tsv"} <= set(found.links)
