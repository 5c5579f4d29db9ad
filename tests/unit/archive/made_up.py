"""A made-up finished run of downloaded data, and its archive."""

import itertools
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from softscene.analysis.intervals import collect_pairs, table_of_means
from softscene.archive.contents import ArchivedRun, workflow_files
from softscene.archive.package import make_archive
from softscene.config.variants import Variant
from softscene.core.tsv import write_table
from softscene.evaluation.tables import SETTING, Run, make_table3, make_table4

from tests.conftest import PAPER, ROOT
from tests.unit.detect.tiny_detector import make_detector

DATASETS = ["TUT-sound-events-2016-development", "TUT-sound-events-2017-development"]
VARIANTS = [
    Variant("crnn", "CNN-BiGRU", "none"),
    Variant("soft", "Soft *labels* | new", "soft", beta="1.0", temperature="1.0"),
]
PLACES = list(itertools.product([1, 2], [0, 7]))
SETTINGS = list(itertools.product(["frame", "segment"], ["adaptive", "oracle", "fixed"]))
CONVENTIONS = {"frame": 0.02, "segment": 1.0}
COUNTS = ["true_positives", "false_positives", "false_negatives"]


def write_scores(folder, events, rng):
    """Scores of a student, by the definitions of the paper; the first event is always absent."""
    sums, by_event = [], []
    for setting in SETTINGS:
        tp, fp, fn = counts = rng.integers(1, 99, (3, len(events)))
        tp[0] = fn[0] = 0
        reference = (tp + fn).sum()
        with np.errstate(invalid="ignore"):
            scores = [2 * tp / (2 * tp + fp + fn), (fp + fn) / reference]
        columns = dict(zip([*COUNTS, "f_score", "error_rate"], [*counts, *scores], strict=True))
        by_event.append(pd.DataFrame({"event": events, **columns}).assign(**at(setting)))
        tp, fp, fn = counts.sum(axis=1)
        swapped = min(fp, fn) // 2
        sums.append({
            **at(setting), "true_positives": tp, "false_positives": fp, "false_negatives": fn,
            "substitutions": swapped, "deletions": fn - swapped, "insertions": fp - swapped,
            "f_score": 2 * tp / (2 * tp + fp + fn),
            "error_rate": (fn + fp - swapped) / reference,
        })  # fmt: skip
    write_table(pd.DataFrame(sums), folder / "overall.tsv")
    write_table(pd.concat(by_event), folder / "class_wise.tsv")


def at(setting):
    return dict(zip(SETTING, setting, strict=True))


def make_run(folder, labels, data="downloaded"):
    """Write the results of a run called tiny; gives it, and its files by what they are.

    Its data were downloaded, or are synthetic, or own.
    """
    synthetic = data == "synthetic"
    rng = np.random.default_rng(5)
    students = [(variant, *place) for variant in VARIANTS for place in PLACES]
    places = [f"evaluation/{each.folder}/fold-{fold}_seed-{seed}" for each, fold, seed in students]
    for place in places:
        write_scores(folder / place, labels.events, rng)
    overall, by_event = (
        [
            Run(variant, folder / place / f"{name}.tsv")
            for (variant, *_), place in zip(students, places, strict=True)
        ]
        for name in ("overall", "class_wise")
    )
    published = [ROOT / f"resources/published_table{number}.csv" for number in (3, 4)]
    tables = {
        "table3": make_table3(overall, published[0], CONVENTIONS),
        "table4": make_table4(by_event, published[1], CONVENTIONS),
        "means": table_of_means(collect_pairs(overall, PLACES * len(VARIANTS)), SETTING),
    }
    for name, table in tables.items():
        write_table(table, folder / "tables" / f"{name}.tsv")
    (folder / "report.html").write_text("<h1>Report</h1>", encoding="utf-8")
    detector = make_detector(folder, labels, synthetic=synthetic)
    recordings = pd.DataFrame(
        {"recording": ["a/b.wav"], "archive": ["b.zip"], "bytes": [12], "crc32": ["0012abcd"]}
    )
    write_table(recordings, folder / "recordings.tsv")
    (folder / "events.tsv").write_text("secret annotations", encoding="utf-8")
    results = [path for path in folder.rglob("*.*") if path.parent.name in ("tables", *places)]
    results += [folder / place / "class_wise.tsv" for place in places]
    code = folder / "my cöde.py"
    code.write_text("# a loss", encoding="utf-8")
    soft = {**PAPER["methods"]["soft"], "code": str(code)}
    methods = {"crnn": PAPER["methods"]["crnn"], "soft": soft}
    run = ArchivedRun(
        name="tiny", workflow=ROOT, results=folder,
        configuration={**PAPER, "seeds": [0, 7], "methods": methods},
        variants=[vars(variant) for variant, *_ in students],
        places=[place for _, *place in students],
        datasets=DATASETS if data == "downloaded" else [], synthetic=synthetic,
    )  # fmt: skip
    files = {
        "workflow": workflow_files(ROOT),
        "results": [str(path) for path in [*sorted(results), folder / "report.html", detector]],
        "overall": [str(each.scores) for each in overall],
        "detector": str(detector),
        "means": str(folder / "tables/means.tsv"),
        "table4": str(folder / "tables/table4.tsv"),
        "recordings": [str(folder / "recordings.tsv")],
        "given": [],
        "audio": [],
        "lists_in_use": [str(folder / "events.tsv")],
        "labels": str(ROOT / "resources/labels.yaml"),
        "registries": [str(ROOT / "resources/archives.yaml")],
        "terms": str(ROOT / "resources/data_terms.txt"),
        "default": str(ROOT / "config.yaml"),
    }
    return run, files


def make(folder, labels, data="downloaded"):
    """Write a run and its archive."""
    run, files = make_run(folder / "run", labels, data)
    make_archive(run, files, folder / "archive.zip")
    return folder / "archive.zip"


def contents(archive):
    """Name -> bytes of each file."""
    with zipfile.ZipFile(archive) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def entities(archive):
    """@id -> what the description says of it."""
    graph = json.loads(contents(archive)["ro-crate-metadata.json"])["@graph"]
    assert len(graph) == len({each["@id"] for each in graph})
    return {each["@id"]: each for each in graph}


def write(archive, files):
    """Write an archive of these files."""
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return Path(archive)
