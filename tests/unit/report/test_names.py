"""Names of events, scenes, recordings and methods, whatever they look like, through the library."""

import csv
import os
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from softscene.analysis.comparisons import compare_methods
from softscene.analysis.field_comparisons import compare_field_metrics
from softscene.analysis.softness import mean_posteriors, measure_softness
from softscene.config.checks import faults
from softscene.config.labels import SCHEMA as LABEL_SCHEMA
from softscene.config.labels import read_labels
from softscene.config.reading import read_schema
from softscene.config.variants import Variant
from softscene.core.errors import DownloadError
from softscene.core.tsv import TEXT, read_table, write_table
from softscene.data import own_data
from softscene.detect.detection import detect
from softscene.detect.detector import StudentFiles, best_variant, export_detector, load_detector
from softscene.detect.events import Options
from softscene.detect.recordings import RESULTS
from softscene.evaluation import tables
from softscene.evaluation.field_metrics import write_field_metrics
from softscene.evaluation.prediction import predict_student
from softscene.evaluation.scoring import evaluate_student
from softscene.features.clips import FoldFiles
from softscene.features.extraction import extract_features
from softscene.features.folds import make_fold
from softscene.features.store import FeatureParameters
from softscene.report import figures
from softscene.report.figure3 import plot_figure3
from softscene.report.forest import plot_claims
from softscene.report.page import ReportedRun, make_report
from softscene.report.provenance import describe_data
from softscene.training.jobs import Fold, dump_soft_labels, train_student, train_teacher
from softscene.training.parameters import SceneObjective, TrainingParameters

from tests.conftest import PAPER, ROOT, SCHEMA

PUBLISHED = {name: ROOT / "resources" / f"published_{name}.csv" for name in ("table3", "table4")}
WORDS = ["None", "NA", "null", "nan", "n/a", "#N/A", "", "0", "001", "1e3", "True", "inf", '"a']
# What a name may hold: no control characters, as the schemas say; no half of a surrogate pair.
NAMES = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs", "Cc"]))
FLOATS = st.floats() | st.just(float("nan"))
WHOLE = st.integers(-(2**63), 2**63 - 1)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(NAMES, NAMES, FLOATS, WHOLE), min_size=1), scene=NAMES)
def test_a_table_is_read_back_as_it_was_written(tmp_path, rows, scene):
    names = ["event", "method", f"logit_{scene}", "clips"]
    table = pd.DataFrame(rows, columns=names).astype({names[2]: float, "clips": "int64"})
    write_table(table, tmp_path / "a.tsv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.tsv"), table, check_exact=True)


def test_names_have_no_control_characters():
    labels = read_schema(LABEL_SCHEMA)
    for name in ("a\tb", "a\nb", "a\x1b[2J", "\x9b2J", "a\x7f"):
        assert faults({"scenes": [name], "events": ["a"]}, labels)
        assert faults({"scenes": ["a"], "events": [name]}, labels)
        methods = PAPER["methods"] | {"crnn": {"name": name, "scene_loss": "none"}}
        assert len(faults(PAPER | {"methods": methods}, SCHEMA)) == 1
    assert not faults({"scenes": ["None", "Größe|<$_\\"], "events": ["1", "é 🚗"]}, labels)


def test_a_message_does_not_steer_a_terminal():
    error = DownloadError.of("HTTP 404 \x1b]0;PWNED\x07:", ["x\x1b[31m.wav", "two"])
    assert str(error) == "HTTP 404 ?]0;PWNED?:\n  x?[31m.wav\n  two"


# --- A whole study in small

SETS = {
    "words": (["None", "nan"], ["NA", "null"], ["None", "NA", "nan"],
              ["NA", "null", "None", "nan"]),
    "numbers": (["1", "001"], ["0", "1"], ["1", "2", "3"], ["00", "01", "007", "1e3"]),
    "booleans": (["True", "False"], ["inf", "-inf"], ["True", "False", "inf"],
                 ["True", "False", "T", "F"]),
    "columns": (["event", "scene"], ["scene", "clips", "event", "all"], ["all", "method", "_mean"],
                ["recording", "scene", "path", "all"]),
    "marks": (["car|truck <script>x</script>", "$\\foo$ _a_ *b* `c`"],
              ["street|`ro`ad\\", '"_$\\bar{$'], ["CRNN|<b>&amp;", "_MTL $\\bar$", "soft [x](y)"],
              ['"a.wav', "b|$_.wav", "<i>.wav", "ü.wav"]),
}  # fmt: skip
FEATURES = {**PAPER["features"], "sample_rate": 8000, "frame_length": 320, "hop_length": 160,
            "n_fft": 512, "fmax": 4000.0}  # fmt: skip
RATE, CLIP = 8000, 64
PLACE = {"fold": "1", "seed": "0"}
SIZES = {"channels": 4, "scene_channels": [4, 2], "gru_units": 4, "dense_units": 4, "dropout": 0.1}
GRID = {"lowest": 0.3, "highest": 0.7, "step": 0.1}
OBJECTIVES = {
    "none": SceneObjective("none", 0.0, 1.0),
    "hard": SceneObjective("hard", 0.01, 1.0),
    "soft": SceneObjective("soft", 1.0, 1.0),
}
VARIANTS = {  # their methods' names are each study's own
    "none": Variant("crnn", "", "none"),
    "hard": Variant("mtl", "", "hard", alpha="0.01"),
    "soft": Variant("soft", "", "soft", beta="1.0", temperature="1.0"),
}


def make_data(folder, events, scenes, recordings):
    rng = np.random.default_rng(1)
    rows = []
    for scene in scenes:
        for i, name in enumerate(recordings):
            path = f"{scenes.index(scene)}{name}" if i else f"{scenes.index(scene)}/{name}"
            path = path if scene != scenes[0] else name  # the first scene's have the bare names
            (folder / "audio" / path).parent.mkdir(parents=True, exist_ok=True)
            sound = rng.normal(0, 0.1, RATE * 2)
            soundfile.write(folder / "audio" / path, sound, RATE, format="WAV")
            for k, event in enumerate(events):
                rows.append((path, scene, 0.1 * (k + i), 0.1 * (k + i) + 1.0, event))
    lines = "".join(f"{p}\t{s}\t{a:.2f}\t{b:.2f}\t{e}\n" for p, s, a, b, e in rows)
    header = "path\tscene_label\tevent_start_time\tevent_end_time\tevent_label\n"
    (folder / "list.tsv").write_text(header + lines, encoding="utf-8")
    labels = yaml.safe_dump({"scenes": scenes, "events": events}, allow_unicode=True)
    (folder / "labels.yaml").write_text(labels, encoding="utf-8")
    return rows


@pytest.fixture(scope="module", params=SETS)
def study(request, tmp_path_factory):
    """Everything from the list to the detector, by the calls that the rules' scripts make."""
    events, scenes, methods, recordings = SETS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    rows = make_data(folder, events, scenes, recordings)
    labels, parameters = read_labels(folder / "labels.yaml"), FeatureParameters(**FEATURES)
    made = {name: folder / f"{name}.tsv" for name in ("events", "audit", "recordings")}
    own_data.import_data(
        folder / "audio", folder / "list.tsv", 2, folder / "labels.yaml",
        made | {"annotations": folder / "annotations"}, RATE, 0.5,
    )  # fmt: skip
    extract_features(
        {made["recordings"]: folder / "audio"}, made["events"], folder / "f.h5", parameters
    )
    fold = {name: folder / "fold" / f"{name}.tsv" for name in ("recordings", "clips", "statistics")}
    lists = [
        folder / "annotations" / "crossvaridation" / f"meta_fold01_{part}.txt"
        for part in ("development", "evaluation")
    ]
    make_fold(
        *lists, made["events"], [made["recordings"]], folder / "f.h5", fold, CLIP, 1.0, parameters
    )
    files = FoldFiles(
        folder / "f.h5", fold["clips"], fold["statistics"], made["events"], parameters
    )
    scores = train(folder, Fold(PLACE, files, folder / "labels.yaml", CLIP, SIZES), fold, labels)
    names = dict(zip(("crnn", "mtl", "soft"), methods, strict=True))
    found = SimpleNamespace(
        folder=folder, labels=labels, rows=rows, methods=methods, names=names, scores=scores
    )
    compare(found)
    return found


def train(folder, job, fold, labels):
    """Teacher and students of all kinds; gives a folder for each loss."""
    compute, training = (1, "cpu"), TrainingParameters(epochs=1, batch_size=8, learning_rate=0.01)
    results = ("history", "accuracy", "confusion", "logits", "parameters", "weights")
    teacher = {name: folder / "teacher" / f"{name}.tsv" for name in results}
    train_teacher(job, training, 0, compute, teacher)
    soft = folder / "soft.tsv"
    dump_soft_labels(job, teacher["weights"], compute, soft)
    for loss, objective in OBJECTIVES.items():
        student = {**VARIANTS[loss].wildcards, **PLACE}
        job = replace(job, wildcards=student)
        own = {name: folder / loss / f"{name}.tsv" for name in ("history",)}
        own |= {name: folder / loss / name for name in ("weights", "parameters", "probabilities")}
        train_student(job, objective, soft if loss == "soft" else None, training, 0, compute, own)
        own |= {name: folder / loss / f"{name}.tsv" for name in ("sweep", "scene_logits")}
        predict_student(job, own["weights"], loss, GRID, compute, own)
        names = ("thresholds", "events", "class_wise", "overall", "field_metrics")
        evaluated = {name: folder / loss / f"{name}.tsv" for name in names}
        known = fold["recordings"], folder / "events.tsv", labels, evaluated
        evaluate_student(
            own["probabilities"], own["sweep"], *known, PAPER["evaluation"]["conventions"], 0.5,
            GRID, student,
        )  # fmt: skip
        write_field_metrics(own["probabilities"], own["scene_logits"], *known, student)
    return {loss: folder / loss for loss in OBJECTIVES}


def compare(study):
    """Tables, figures and the page of the report."""
    folder, conventions = study.folder, PAPER["evaluation"]["conventions"]
    variants = [vars(each) | {"name": study.names[each.method]} for each in VARIANTS.values()]
    losses = dict(zip(("crnn", "mtl", "soft"), VARIANTS, strict=True))
    forms = ("tsv", "md", "html")
    results = {n: {form: folder / f"table{n}.{form}" for form in forms} for n in (1, 3, 4)}
    tables.write_table1(folder / "events.tsv", study.labels, results[1], False)
    overall, each = (
        [str(path / name) for path in study.scores.values()]
        for name in ("overall.tsv", "class_wise.tsv")
    )
    table3 = tables.make_table3(tables.runs_of(variants, overall), PUBLISHED["table3"], conventions)
    tables.write_table3(table3, results[3], conventions, False)
    table4 = tables.make_table4(tables.runs_of(variants, each), PUBLISHED["table4"], conventions)
    tables.write_table4(table4, results[4], conventions, False)
    methods = {
        key: {"name": study.names[key], "scene_loss": losses[key]} for key in study.names
    }  # fmt: skip
    made = ("means", "comparisons", "events", "claims", "controls")
    compare_methods(
        overall, each, variants, [(1, 0)] * 3, PUBLISHED,
        {name: folder / "tables" / f"{name}.tsv" for name in made}, conventions, False,
    )  # fmt: skip
    field = [str(path / "field_metrics.tsv") for path in study.scores.values()]
    of_field = ("field_means", "field_comparisons")
    results = {name: folder / "tables" / f"{name}.tsv" for name in of_field}
    results["field_page"] = folder / "field_metrics.md"
    compare_field_metrics(field, variants, [(1, 0)] * 3, results, False)
    means = mean_posteriors([folder / "soft.tsv"], [1.0], study.labels.scenes)
    write_table(means, folder / "tables" / "soft_labels.tsv")
    logits = {
        "development": [folder / "soft.tsv"],
        "evaluation": [folder / "teacher" / "logits.tsv"],
    }
    softness = measure_softness(logits, [1.0], study.labels.scenes)
    write_table(softness, folder / "tables" / "softness.tsv")
    study.figures = draw(study)
    study.configuration = {**PAPER, "methods": methods}
    files = {name: folder / "tables" / f"{name}.tsv" for name in (*made, *of_field)}
    files |= {"event_comparisons": files.pop("events"), "events": folder / "events.tsv",
              "soft_labels": folder / "tables" / "soft_labels.tsv",
              "softness": folder / "tables" / "softness.tsv",
              "table3": folder / "table3.tsv", "table4": folder / "table4.tsv",
              "recordings": [folder / "fold" / "recordings.tsv"], "audit": folder / "audit.tsv",
              "default": ROOT / "config.yaml",
              "confusions": [folder / "teacher" / "confusion.tsv"]}  # fmt: skip
    files |= {name: folder / f"{name}.png" for name in
              ("forest", "fig3", "table1_map", "confusion", "soft_map", "curves")}  # fmt: skip
    make_report(
        ReportedRun(study.configuration, variants, str(folder), str(folder / "benchmarks"), False),
        files,
        folder / "report.html",
    )


def draw(study):
    """All figures, kept open: name -> its texts, read when it is written."""
    folder, kept, close = study.folder, {}, plt.close
    students = [
        figures.StudentHistory(study.names[each.method], loss, [study.scores[loss] / "history.tsv"])
        for loss, each in VARIANTS.items()
    ]
    posteriors = read_table(folder / "tables" / "soft_labels.tsv")
    teacher = folder / "teacher"
    plots = {
        "forest": lambda to: plot_claims(folder / "tables" / "claims.tsv", to, False),
        "fig3": lambda to: plot_figure3(folder / "table3.tsv", to, False),
        "table1_map": lambda to: figures.plot_table1(folder / "table1.tsv", to, False),
        "confusion": lambda to: figures.plot_confusion([teacher / "confusion.tsv"], to, False),
        "soft_map": lambda to: figures.plot_soft_labels(posteriors, to, False),
        "curves": lambda to: figures.plot_learning_curves(
            students, [teacher / "history.tsv"], to, False
        ),
    }
    for name, plot in plots.items():
        plt.close = lambda figure, name=name: kept.update({name: texts_of(figure)}) or close(figure)
        try:
            plot({"png": folder / f"{name}.png", "pdf": folder / f"{name}.pdf"})
        finally:
            plt.close = close
    return kept


def texts_of(figure):
    """What a figure's texts say that are not empty; that it was drawn says that none is TeX."""
    found = [text for text in figure.findobj(plt.Text) if text.get_text()]
    assert not any(text.get_parse_math() or text.get_usetex() for text in found)
    return [text.get_text() for text in found]


def test_every_table_has_the_names_and_is_written_again_the_same(study, tmp_path):
    known = {
        "event": {*study.labels.events, ""},
        "scene": {*study.labels.scenes, ""},
        "recording": {row[0] for row in study.rows},
        "method": set(study.methods),
        "against_method": set(study.methods),
    }
    seen = {name: set() for name in known}
    for path in study.folder.rglob("*.tsv"):
        if path.name in ("list.tsv", "weights.tsv", "parameters.tsv"):
            continue
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        table = read_table(path)
        for name, column in zip(header, zip(*rows, strict=True), strict=False):
            if name in known:
                assert list(table[name]) == list(column)
                assert set(column) <= known[name], path
                seen[name] |= set(column)
            elif name == "short":
                assert set(column) <= {"True", "False"}, path
            elif name not in TEXT | {"threshold"}:
                assert all(cell == "" or float(cell) is not None for cell in column), (path, name)
        write_table(table, tmp_path / "again.tsv")
        assert (tmp_path / "again.tsv").read_bytes() == path.read_bytes()
    assert len(seen["against_method"]) == 2
    known["against_method"] = seen["against_method"]
    assert seen == known, "all names were met"


def test_events_are_those_of_the_list(study):
    found = read_table(study.folder / "events.tsv")
    assert [tuple(row) for row in found.round(2).itertuples(index=False)] == [
        (path, scene, round(onset, 2), round(offset, 2), event)
        for path, scene, onset, offset, event in study.rows
    ]


def test_the_detector_is_of_the_best_method_and_finds_the_same_names(study, tmp_path):
    scores = {}
    for loss, folder in study.scores.items():
        with (folder / "overall.tsv").open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if (row["convention"], row["threshold"]) == ("frame", "adaptive"):
                    scores[VARIANTS[loss].folder] = float(row["f_score"])
    overall = {VARIANTS[loss]: folder / "overall.tsv" for loss, folder in study.scores.items()}
    for best in VARIANTS.values():  # whichever is the best, it is found
        changed = {each: tmp_path / each.folder / "overall.tsv" for each in overall}
        for each, path in overall.items():
            write_table(read_table(path).assign(f_score=0.1 + 0.1 * (each == best)), changed[each])
        assert best_variant([*changed.items()]) == best.folder
    chosen = best_variant([*overall.items()])
    assert scores[chosen] == max(scores.values())
    loss = next(loss for loss, each in VARIANTS.items() if each.folder == chosen)
    own = study.scores[loss]
    files = StudentFiles(
        VARIANTS[loss], "fold-1_seed-0", own / "weights", own / "parameters",
        study.folder / "fold" / "statistics.tsv", own / "thresholds.tsv",
        {**VARIANTS[loss].wildcards, **PLACE},
    )  # fmt: skip
    about = {"run": "x", "method": study.names[VARIANTS[loss].method], "synthetic": False,
             "clip_frames": CLIP, "features": FEATURES}  # fmt: skip
    export_detector([files], study.labels, tmp_path / "d.safetensors", about)
    detector = load_detector(tmp_path / "d.safetensors", torch.device("cpu"))
    results = {key: tmp_path / f"a{ending}" for key, ending in RESULTS.items()}
    detect(study.folder / "audio" / study.rows[0][0], detector, results, Options(threshold=0.0))
    assert set(read_table(results["tsv"]).event) == set(study.labels.events)
    assert list(read_table(results["scenes"]).scene) == list(study.labels.scenes)
    assert results["picture"].stat().st_size > 10_000, "and draws them"


def test_a_row_of_all_scenes_takes_no_scene_s_place(study):
    events, recordings = study.folder / "events.tsv", [study.folder / "fold" / "recordings.tsv"]
    table = describe_data(events, recordings, 0.02)
    assert sorted(table.scene[:-1]) == sorted(study.labels.scenes)
    assert table.recordings.iloc[-1] == table.recordings[:-1].sum() == len(recordings_of(study))
    accuracy = read_table(study.folder / "teacher" / "accuracy.tsv")
    assert list(accuracy.scene) == [*study.labels.scenes, ""]
    assert accuracy.clips.iloc[-1] == accuracy.clips[:-1].sum() > 0


def recordings_of(study):
    return {row[0] for row in study.rows}


# --- What is shown


class Page(HTMLParser):
    """The tables of a page: lists of rows of cells, and its headings; scripts are noted."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.headings, self.tags, self._text = [], [], set(), None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th", "h2"):
            self._text = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.tables[-1][-1].append(self._text)
        elif tag == "h2":
            self.headings.append(self._text)
        if tag in ("td", "th", "h2"):
            self._text = None

    def handle_data(self, data):
        if self._text is not None:
            self._text += data


def shown(folder, name):
    """The page as HTML, and the Markdown as a reader with all of HTML would show it."""
    raw = MarkdownIt("commonmark", {"html": True}).enable(["table"])
    return [
        Page((folder / f"{name}.html").read_text(encoding="utf-8")),
        Page(raw.render((folder / f"{name}.md").read_text(encoding="utf-8"))),
    ]


def test_table_1_has_each_count_under_its_scene_and_beside_its_event(study):
    for page in shown(study.folder, "table1"):
        (header, *rows) = page.tables[0]
        assert header == ["event", *study.labels.scenes]
        assert [row[0] for row in rows] == list(study.labels.events)
        for event, *cells in rows:
            for scene, cell in zip(study.labels.scenes, cells, strict=True):
                count = sum(row[1] == scene and row[4] == event for row in study.rows)
                assert cell == f"{count} ({count:.1f} s)"
        assert "script" not in page.tags


def test_tables_3_and_4_have_each_score_in_its_column(study):
    headline = {}
    for loss, folder in study.scores.items():
        with (folder / "overall.tsv").open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if (row["convention"], row["threshold"]) == ("frame", "adaptive"):
                    score = f"{float(row['f_score']):.2%}".replace("%", " %")
                    error = f"{float(row['error_rate']):.4f}"
                    headline[study.names[VARIANTS[loss].method]] = (score, error, "1")
    for page in shown(study.folder, "table3"):
        header, *rows = page.tables[0]
        columns = [header.index(name) for name in ("F-score", "error rate", "runs")]
        assert {row[0]: tuple(row[i] for i in columns) for row in rows} == headline
        assert page.tags.isdisjoint({"script", "b", "a"})
    for page in shown(study.folder, "table4"):
        assert [title.split(", ")[0] for title in page.headings] == list(study.methods)
        for table in page.tables:
            assert table[0] == ["event", "F-score", "error rate", "runs", "absent"]
            assert [row[0] for row in table[1:]] == list(study.labels.events)
            assert {len(row) for row in table} == {5}
        assert page.tags.isdisjoint({"script", "b", "a", "em"})


@settings(deadline=None)
@given(name=NAMES)
def test_a_name_in_markdown_is_read_as_it_is(name):
    escaped = tables.as_markdown(name)
    page = Page(
        MarkdownIt("commonmark", {"html": True})
        .enable(["table"])
        .render(f"## x {escaped} y\n\n| a | b |\n| - | - |\n| x {escaped} y | 1 |\n")
    )
    plain = f"x {''.join(sign if sign.isprintable() else '?' for sign in name)} y"
    assert page.headings == [plain]
    assert page.tables[0][1] == [plain, "1"]


def test_the_report_s_page_has_names_as_text(study):
    page = Page((study.folder / "report.html").read_text(encoding="utf-8"))
    assert "script" not in page.tags
    cells = {cell for table in page.tables for row in table for cell in row}
    assert {*study.labels.events, *(n.replace("_", " ") for n in study.labels.scenes)} <= cells
    confusion = [table for table in page.tables if table[0][0] == "scene"]
    assert confusion[0][0][1:] == [name.replace("_", " ") for name in study.labels.scenes]


def test_figures_draw_names_as_they_are(study):
    found = {name: [text.replace("\n", " ") for text in drawn] for name, drawn in
             study.figures.items()}  # fmt: skip
    scenes = {scene.replace("_", " ") for scene in study.labels.scenes}
    assert set(study.labels.events) | scenes <= set(found["table1_map"])
    assert scenes <= set(found["soft_map"])
    assert scenes <= set(found["confusion"])
    assert set(study.methods) <= set(found["curves"])
    one, *others = study.methods
    assert one in found["fig3"]
    assert all(any(text.startswith(f"{name} (") for text in found["fig3"]) for name in others)
    assert not [each for each in found.items() if "mathdefault" in str(each)]


# --- Whatever the environment says

DRAW = """
import sys
from softscene.report.figures import plot_table1
plot_table1(sys.argv[1], {"png": sys.argv[2]}, False)
"""
BAD = "text.usetex: True\nbackend: QtAgg\nfont.size: 30\nsavefig.dpi: 50\nlines.linewidth: 9\n"


def test_a_figure_is_the_same_whatever_matplotlib_is_told(tmp_path):
    counts = [("car", "home", 3, 1.0), ("fan", "home", 0, 0.0)]
    write_table(
        pd.DataFrame(counts, columns=["event", "scene", "count", "duration"]), tmp_path / "t.tsv"
    )
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "matplotlibrc").write_text(BAD)
    (tmp_path / "plain").mkdir()
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MPL")}
    clean.pop("MATPLOTLIBRC", None)
    environments = {
        "plain": clean,
        "notebook": clean | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        "word": clean | {"MPLBACKEND": "Qt4Agg"},
        "settings": clean | {"MATPLOTLIBRC": str(tmp_path / "bad" / "matplotlibrc")},
        "folder": clean,
    }
    pictures = {}
    for name, environment in environments.items():
        target = tmp_path / f"{name}.png"
        subprocess.run(
            [sys.executable, "-c", DRAW, str(tmp_path / "t.tsv"), str(target)],
            env=environment, check=True, cwd=tmp_path / ("bad" if name == "folder" else "plain"),
        )  # fmt: skip
        pictures[name] = target.read_bytes()
    assert len(set(pictures.values())) == 1
