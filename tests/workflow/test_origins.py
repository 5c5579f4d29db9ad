"""Files of another student, corpus or configuration in a run: refused by name."""

import shutil

import h5py
import pytest
from softscene.core.tsv import read_table
from softscene.features.store import sources_of

from tests.checkout import SMALL

MTL = "mtl/alpha-0.01_beta-none_T-none/fold-1_seed-0"
SOFT = "soft/alpha-none_beta-1.0_T-2.0/fold-1_seed-0"


def swap(first, second, aside):
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    for path in (first, second):
        path.touch()


def log_of(scratch, *name):
    return scratch.path("logs", *name).read_text(encoding="utf-8")


@pytest.mark.fault("a result is damaged", "weights or probabilities of two students swapped")
@pytest.mark.parametrize(
    ("folder", "name", "rule"),
    [
        ("students", "weights.safetensors", "predict_student"),
        ("predictions", "probabilities.h5", "evaluate_student"),
    ],
)
def test_swapped_files_of_two_students_are_refused(scratch, folder, name, rule, seen):
    mtl, soft = (scratch.path(folder, student, name) for student in (MTL, SOFT))
    swap(mtl, soft, scratch.folder / "aside")
    assert scratch.snakemake("--keep-going").returncode != 0
    for own, other in ((MTL, "method soft, expected mtl"), (SOFT, "method mtl, expected soft")):
        log = log_of(scratch, rule, f"{own}.log")
        assert (
            f"results/small/{folder}/{own}/{name} was made from other data or settings; make it"
            in log
        )
        assert f"\n  {other}\n" in log
        assert f"make it again: snakemake --force results/small/{folder}/{own}/{name} " in log
    seen("both jobs stop and name the file, whose it is, and what makes it again")


@pytest.mark.fault("a result is damaged", "features.h5 of another corpus, with equal names")
def test_features_of_another_corpus_are_refused(scratch, seen):
    events = scratch.path("annotations/events.tsv")
    (scratch.folder / "events.tsv").write_text(events.read_text().replace("\t0.", "\t1.", 1))
    with h5py.File(scratch.path("features.h5"), "a") as store:
        store.attrs.update(sources_of(scratch.folder / "events.tsv"))
    assert scratch.snakemake().returncode != 0
    log = log_of(scratch, "make_fold/fold-1.log")
    assert (
        "FeatureError: results/small/features.h5 was made from other data or settings; make it"
        in log
    )
    assert "\n  events.tsv sha256:" in log
    seen("the next job stops and names the file and what makes it again")


def test_a_report_of_another_configuration_is_refused_where_snakemake_notices_nothing(scratch):
    """Without .snakemake, as in a copy of the results or after a usual cure for locks."""
    shutil.rmtree(scratch.folder / ".snakemake")
    config = scratch.folder / SMALL
    given = "student: {epochs: 2, batch_size: 8, learning_rate: 0.002}"
    assert given in config.read_text()
    other = config.read_text().replace(
        given, "student: {epochs: 5, batch_size: 8, learning_rate: 0.02}"
    )
    config.write_text(other)
    assert scratch.planned() == {}
    scratch.path("report.html").unlink()
    assert scratch.planned() == {"make_report": 1}
    assert scratch.snakemake().returncode != 0
    assert not scratch.path("report.html").exists()
    log = log_of(scratch, "make_report.log")
    assert "ResultError: results are of another configuration: use that one again" in log
    assert "snakemake --forcerun train_student (" in log
    for key, made, now in (("epochs", 2, 5), ("learning_rate", 0.002, 0.02)):
        line = f"student: training.{key} is {made}, the configuration says {now} (3 files, "
        assert f"\n  {line}" in log
    config.write_text(other.replace("epochs: 5", "epochs: 2").replace("0.02}", "0.002}"))
    assert scratch.snakemake().returncode == 0
    assert scratch.path("report.html").is_file()


def test_what_only_tables_depend_on_is_compared_too(scratch):
    """Annotations, clips and evaluation leave no network's parameters."""
    shutil.rmtree(scratch.folder / ".snakemake")
    scratch.path("report.html").unlink()
    other = scratch.folder / "other.yaml"
    other.write_text(
        "annotations: {source: merged, tolerance: 0.5}\nclips: {shortest_trained: 2.0}\n"
        "evaluation: {fixed_threshold: 0.4}\n"
    )
    done = scratch.snakemake(config=[SMALL, str(other)])
    assert done.returncode != 0
    log = log_of(scratch, "make_report.log")
    for words in (
        "snakemake --forcerun audit_annotations evaluate_student make_fold merge_annotations (",
        "annotations: annotations.source is published, the configuration says merged (1 files, ",
        "audit: annotations.tolerance is 0.01, the configuration says 0.5 (1 files, ",
        "fold: clips.shortest_trained is 1.0, the configuration says 2.0 (1 files, ",
        "evaluation: evaluation.fixed_threshold is 0.5, the configuration says 0.4 (3 files, ",
    ):
        assert words in log
    forced = ["audit_annotations", "evaluate_student", "make_fold", "merge_annotations"]
    done = scratch.snakemake("--forcerun", *forced, config=[SMALL, str(other)])
    assert done.returncode == 0, done.stdout
    thresholds = read_table(scratch.path("predictions", MTL, "thresholds.tsv"))
    assert set(thresholds.fixed) == {0.4}


def test_a_report_of_another_corpus_is_refused_where_snakemake_notices_nothing(scratch):
    shutil.rmtree(scratch.folder / ".snakemake")
    config = scratch.folder / SMALL
    config.write_text(config.read_text().replace("  seed: 3\n", "  seed: 4\n"))
    scratch.path("report.html").unlink()
    assert scratch.planned() == {"make_report": 1}
    done = scratch.snakemake()
    assert done.returncode != 0
    assert "they were made with a synthetic corpus with seed 3 (" in done.stdout
    assert "; this one needs a synthetic corpus with seed 4 (" in done.stdout
    assert not scratch.path("report.html").exists()
    config.write_text(config.read_text().replace("  seed: 4\n", "  seed: 3\n"))
    assert scratch.snakemake().returncode == 0
