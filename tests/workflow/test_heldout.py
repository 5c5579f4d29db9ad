"""The held-out test on top of a finished run: what it adds, and that nothing else changes."""

import shutil

import numpy as np
import pytest
from softscene.archive.checking import check_archive
from softscene.core.tsv import read_table
from softscene.data.annotations import SECOND_LIST, read_published

from tests.checkout import SMALL, copy_of, result_hashes
from tests.conftest import datasets
from tests.pages import Page
from tests.reference.test_sed_eval import CONVENTIONS, sed_eval_scores
from tests.unit.archive.made_up import contents
from tests.workflow.test_numbers import MODES, row_of, until
from tests.workflow.test_small import STUDENTS

pytestmark = pytest.mark.slow

BOTH = [SMALL, "configs/heldout.yaml"]
HELDOUT = [student.replace("fold-1", "fold-heldout") for student in STUDENTS]
KEYS = ["convention", "threshold"]


@pytest.fixture(scope="module")
def tested(finished, tmp_path_factory):
    """The finished checkout, in which the held-out test has run as well; tests only look at it."""
    with copy_of(finished, tmp_path_factory.mktemp("heldout")) as checkout:
        # Features are enough: the sound of the development recordings may have been deleted.
        for audio in checkout.path("data").glob("*/audio"):
            shutil.rmtree(audio)
        checkout.before = checkout.planned(config=BOTH)
        done = checkout.snakemake(config=BOTH)
        assert done.returncode == 0, done.stdout
        yield checkout


def test_it_trains_and_downloads_nothing_of_the_cross_validation_again(tested):
    assert tested.before == {
        "make_heldout_corpus": 1, "download_heldout_list": 1, "download_heldout_dataset": 4,
        "add_heldout_list": 1, "extract_heldout_features": 1, "make_fold": 1, "train_teacher": 1,
        "dump_soft_labels": 1, "train_student": 3, "predict_student": 3, "evaluate_student": 3,
        "make_table3_heldout": 1, "compare_methods_heldout": 1, "make_report": 1,
    }  # fmt: skip
    assert tested.planned(config=BOTH) == {}
    assert tested.planned() == {"make_report": 1}


def test_results_of_the_cross_validation_are_the_same_to_the_last_bit(finished, tested):
    before, after = result_hashes(finished), result_hashes(tested)
    before = {name: each for name, each in before.items() if "/audio/" not in name}
    assert before.items() <= after.items()
    ours = {name for name in before if name.startswith("tables/")}
    assert {f"tables/{name}.tsv" for name in ("table3", "table4", "claims", "softness")} <= ours
    assert not any("heldout" in name for name in before)


def test_its_data_are_marked_apart_and_another_seed_of_the_corpus_is_refused(tested):
    marks = [tested.path(each, ".made_for.json").read_text() for each in ("data", "data/heldout")]
    assert marks[0] != marks[1]
    mark = tested.path("data/heldout/.made_for.json")
    mark.write_text(marks[0])
    done = tested.snakemake("results/small/tables/table3_heldout.tsv", "--force", config=BOTH)
    mark.write_text(marks[1])
    assert done.returncode != 0
    assert "results are of another configuration: they were made with a synthetic" in done.stdout
    assert "which is in results/small/data/heldout; this one needs" in done.stdout


def test_it_trains_on_all_development_recordings_and_evaluates_the_second_list(tested):
    listed = read_published(tested.path("data/heldout/annotations", SECOND_LIST))
    main = read_published(tested.path("data/annotations/meta/meta_development.txt"))
    fold = read_table(tested.path("folds/fold-heldout/recordings.tsv"))
    parts = {part: set(rows.recording) for part, rows in fold.groupby("part")}
    assert parts == {"development": set(main.recording), "evaluation": set(listed.recording)}
    assert not parts["development"] & parts["evaluation"]
    assert {name.split("/")[0] for name in parts["evaluation"]} == {
        "TUT-sound-events-2016-evaluation", "TUT-sound-events-2017-evaluation",
        "TUT-acoustic-scenes-2016-evaluation", "TUT-acoustic-scenes-2017-evaluation",
    }  # fmt: skip
    features, usual = (
        datasets(tested.path(name)) for name in ("heldout/features.h5", "features.h5")
    )
    assert features.keys() == set(fold.recording)
    assert all(np.array_equal(features[name], usual[name]) for name in usual)
    clips = read_table(tested.path("folds/fold-heldout/clips.tsv"))
    labels = read_table(tested.path("soft_labels/fold-heldout_seed-0.tsv"))
    trained = clips[(clips.part == "development") & (clips.frames >= 50)]
    assert list(labels["clip"]) == list(trained["clip"])
    statistics = read_table(tested.path("folds/fold-heldout/statistics.tsv"))
    every = np.concatenate([usual[name] for name in usual]).astype(float)
    np.testing.assert_allclose(statistics["mean"], every.mean(axis=0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("student", HELDOUT, ids=["crnn", "mtl", "soft"])
def test_scores_are_sed_evals(tested, labels, student):
    fold = read_table(tested.path("folds/fold-heldout/recordings.tsv"))
    fold = fold[fold.part == "evaluation"]
    reference = read_published(tested.path("data/heldout/annotations", SECOND_LIST))
    listed = read_table(tested.path("predictions", student, "events.tsv"))
    overall = read_table(tested.path("evaluation", student, "overall.tsv"))
    assert set(listed.recording) <= set(fold.recording)
    for convention, resolution in CONVENTIONS.items():
        for mode in MODES:
            here = listed[listed.threshold == mode]
            pairs = {
                row.recording: (
                    until(reference[reference.recording == row.recording], row.frames),
                    here[here.recording == row.recording],
                )
                for row in fold.itertuples()
            }
            theirs = sed_eval_scores(labels.events, pairs, resolution).results_overall_metrics()
            (row,) = row_of(overall, (convention, mode)).itertuples()
            f_score, error_rate = (
                theirs["f_measure"]["f_measure"],
                theirs["error_rate"]["error_rate"],
            )
            assert row.f_score == pytest.approx(f_score, rel=1e-12)
            assert row.error_rate == pytest.approx(error_rate, rel=1e-12)
            assert row.error_rate > 0


def test_its_tables_hold_these_scores_and_no_others(tested):
    table = read_table(tested.path("tables/table3_heldout.tsv"))
    names = ["CNN-BiGRU", "MTL", "MTL with soft labels"]
    assert len(table) == 3 * 2 * 3
    assert (table.runs == 1).all()
    assert table.published_f_score.isna().all(), "the paper has no such test"
    scores = {}
    for name, student in zip(names, HELDOUT, strict=True):
        own = read_table(tested.path("evaluation", student, "overall.tsv")).set_index(KEYS)
        shown = table[table.method == name].set_index(KEYS).loc[own.index]
        np.testing.assert_array_equal(shown.f_score_mean, own.f_score)
        np.testing.assert_array_equal(shown.error_rate_mean, own.error_rate)
        scores[name] = own.f_score[("frame", "adaptive")]
    compared = read_table(tested.path("tables/comparisons_heldout.tsv"))
    rows = compared[(compared.convention == "frame") & (compared.threshold == "adaptive")]
    (row,) = rows[
        (rows.method == names[2]) & (rows.against_method == names[1]) & (rows.score == "f_score")
    ].itertuples()
    assert row.difference == pytest.approx(scores[names[2]] - scores[names[1]], abs=1e-12)
    assert (row.pairs, row.folds) == (1, 1)
    page = tested.path("tables/table3_heldout.md").read_text(encoding="utf-8")
    assert "Synthetic corpus" in page
    assert "deviation over seeds. Trained on all development recordings" in page


def test_the_report_shows_it_beside_the_cross_validation(tested):
    page = Page(tested.path("report.html").read_text(encoding="utf-8"))
    listed = read_published(tested.path("data/heldout/annotations", SECOND_LIST))
    assert f"evaluated on {listed.recording.nunique()} synthetic recordings in the" in page.text
    assert f"{len(listed)} rows" in page.text
    assert "heldout" in page.ids
    (methods,) = [page.tables[each] for each in page.tables if "the mean of the cross" in each]
    rows = {row[0]: row[1:] for row in methods[0][2:]}
    here, usual = (
        row_of(read_table(tested.path(f"tables/{name}.tsv")), ("frame", "adaptive"))
        for name in ("table3_heldout", "table3")
    )
    assert len(rows) == len(here) == 3
    for (title, cells), own, other in zip(
        rows.items(), here.itertuples(), usual.itertuples(), strict=True
    ):
        assert title.split(",")[0] == own.method == other.method
        assert cells[0] == f"{own.f_score_mean * 100:.2f}"
        assert cells[2] == f"{other.f_score_mean * 100:.2f}"
        assert cells[3] == f"{own.error_rate_mean:.4f}"
        assert cells[5] == f"{other.error_rate_mean:.4f}"


def test_a_report_of_other_parameters_is_refused(tested):
    path = next(tested.path("students/crnn").rglob("fold-heldout_seed-0/parameters.json"))
    text = path.read_text()
    assert '"epochs": 2' in text
    path.write_text(text.replace('"epochs": 2', '"epochs": 3'))
    page = tested.path("report.html").read_bytes()
    again = ["results/small/report.html", "--force", "--allowed-rules", "make_report"]
    done = tested.snakemake(*again, config=BOTH)
    path.write_text(text)
    tested.path("report.html").write_bytes(page)  # which Snakemake has deleted
    assert done.returncode != 0
    assert "student: training.epochs is 3, the configuration says 2 (1 files" in done.stdout


def test_its_archive_has_its_tables_counts_and_inputs(tested):
    done = tested.snakemake("archive", config=BOTH)
    assert done.returncode == 0, done.stdout
    agreed, problems = check_archive(tested.path("archive.zip"))
    assert problems == []
    assert any("tables/table3.tsv: 18 rows from 3 students' counts" in each for each in agreed)
    files = contents(tested.path("archive.zip"))
    for name in (
        "tables/table3_heldout.tsv", "tables/claims_heldout.tsv",
        *(f"evaluation/{student}/{table}.tsv" for student in HELDOUT
          for table in ("overall", "class_wise", "field_metrics")),
    ):  # fmt: skip
        assert files[f"results/small/{name}"] == tested.path(name).read_bytes()
    listed = files["results/small/inputs.tsv"].decode()
    assert "annotations/events.tsv\t" in listed
    assert "heldout/events.tsv\t" in listed
