"""The whole DAG, small: what it makes, what it makes again, and how it fails."""

import base64
import hashlib
import io
import json
import re
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import soundfile
from safetensors.numpy import load_file
from softscene.core.tsv import read_table
from softscene.data.annotations import read_published

from tests.checkout import SMALL
from tests.conftest import datasets

STUDENTS = [
    "crnn/alpha-none_beta-none_T-none/fold-1_seed-0",
    "mtl/alpha-0.01_beta-none_T-none/fold-1_seed-0",
    "soft/alpha-none_beta-1.0_T-2.0/fold-1_seed-0",
]
CHAIN = {
    "make_table3": 1, "make_table4": 1, "plot_figure3": 1, "compare_methods": 1, "make_report": 1,
    "plot_claims": 1, "export_detector": 1,
}  # fmt: skip
FIGURES = ("fig3", "claims", "table1", "learning_curves", "confusion", "soft_labels")
CURVES = {"plot_learning_curves": 1}
OF_TEACHERS = {"plot_confusion": 1, "plot_soft_labels": 1}


def only(rules):
    return {"predict_student": 1, "evaluate_student": 1, "train_student": 1, **CHAIN} | rules


def test_every_result_of_the_readme_is_there(finished):
    for name in [
        "annotations/events.tsv",
        "annotations/audit.tsv",
        "features.h5",
        "tables/table1.tsv",
        "tables/table3.tsv",
        "tables/table4.tsv",
        "tables/table1.md",
        "tables/table3.md",
        "tables/table4.md",
        "figures/fig3.pdf",
        "figures/fig3.png",
        "figures/fig3_wide.pdf",
        "figures/fig3_wide.png",
        "figures/table1.pdf",
        "figures/table1.png",
        "figures/learning_curves.pdf",
        "figures/learning_curves.png",
        "figures/claims.pdf",
        "figures/claims.png",
        "figures/confusion.pdf",
        "figures/confusion.png",
        "figures/soft_labels.pdf",
        "figures/soft_labels.png",
        "tables/softness.tsv",
        "tables/table3_intervals.tsv",
        "tables/comparisons.tsv",
        "tables/event_comparisons.tsv",
        "tables/claims.tsv",
        "tables/controls.tsv",
        "tables/field_metrics.tsv",
        "tables/field_comparisons.tsv",
        "tables/field_metrics.md",
        "tables/soft_labels.tsv",
        "report.html",
        "detector.safetensors",
        "folds/fold-1/recordings.tsv",
        "folds/fold-1/clips.tsv",
        "folds/fold-1/statistics.tsv",
        "teachers/fold-1_seed-0/weights.safetensors",
        "teachers/fold-1_seed-0/history.tsv",
        "teachers/fold-1_seed-0/scene_accuracy.tsv",
        "soft_labels/fold-1_seed-0.tsv",
    ]:
        assert finished.path(name).stat().st_size > 0, name
    for student in STUDENTS:
        for name in ("weights.safetensors", "history.tsv", "parameters.json"):
            assert finished.path("students", student, name).stat().st_size > 0
        for name in ("probabilities.h5", "events.tsv", "thresholds.tsv", "scene_logits.tsv"):
            assert finished.path("predictions", student, name).stat().st_size > 0


def test_the_terminal_tells_how_far_it_is(finished):
    assert re.search(r"\[ *\d+/\d+ +100 %\]", finished.printed), finished.printed
    end, where = finished.printed.splitlines()[-2:]
    assert "jobs done in" in end
    assert where == (
        "see results/small/report.html, results/small/tables and results/small/figures/fig3.png"
    )
    assert len(finished.printed.splitlines()) < 40, "quiet enough to read"


def test_a_second_run_does_nothing(finished):
    done = finished.snakemake()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout


def test_weights_and_tables_do_not_depend_on_the_number_of_cores(finished, on_one_core):
    """A whole second run, in another folder and one job at a time, to the last bit."""
    for name in [f"students/{student}/weights.safetensors" for student in STUDENTS] + [
        "teachers/fold-1_seed-0/weights.safetensors",
        *(f"tables/table{n}.{form}" for n in (1, 3, 4) for form in ("tsv", "md")),
        "soft_labels/fold-1_seed-0.tsv",
        "folds/fold-1/statistics.tsv",
        *(f"figures/{name}.{form}" for form in ("png", "pdf") for name in FIGURES),
        *(f"tables/{name}.tsv" for name in ("comparisons", "event_comparisons", "claims")),
    ]:
        a, b = (
            hashlib.sha256(checkout.path(name).read_bytes()).hexdigest()
            for checkout in (finished, on_one_core)
        )
        assert a == b, name
    first, second = (datasets(checkout.path("features.h5")) for checkout in (finished, on_one_core))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_crnn_and_students_with_a_scene_branch_are_different_networks(finished):
    weights = [load_file(finished.path("students", s, "weights.safetensors")) for s in STUDENTS]
    assert not any(name.startswith("scene.") for name in weights[0])
    assert any(name.startswith("scene.") for name in weights[1])
    assert not np.array_equal(weights[1]["scene.output.weight"], weights[2]["scene.output.weight"])


def test_features_hold_every_annotated_recording_with_its_parameters(finished):
    events = read_table(finished.path("annotations/events.tsv"))
    with h5py.File(finished.path("features.h5")) as store:
        for recording, rows in events.groupby("recording"):
            data = store[recording]
            assert data.dtype == np.float32
            assert data.shape == (data.attrs["samples"] // 882, 64)
            assert data.attrs["scene"] == rows.scene.iloc[0]
        for name, value in {"sample_rate": 44100, "hop_length": 882, "n_fft": 2048}.items():
            assert store.attrs[name] == value
        assert len(datasets(finished.path("features.h5"))) == events.recording.nunique()


def test_no_recording_is_in_both_parts_and_clips_cover_all_frames(finished):
    table = read_table(finished.path("folds/fold-1/recordings.tsv"))
    assert table.recording.is_unique
    assert set(table.part) == {"development", "evaluation"}
    clips = read_table(finished.path("folds/fold-1/clips.tsv"))
    assert clips.groupby("recording").frames.sum().to_dict() == dict(
        zip(table.recording, table.frames, strict=True)
    )


def test_soft_labels_are_logits_of_every_development_clip_of_a_second_or_more(finished):
    soft = read_table(finished.path("soft_labels/fold-1_seed-0.tsv"))
    clips = read_table(finished.path("folds/fold-1/clips.tsv"))
    own = clips[(clips.part == "development") & (clips.frames >= 50)]
    assert list(soft["clip"]) == list(own["clip"])
    logits = soft.filter(like="logit_")
    assert logits.shape[1] == 4
    assert (logits.sum(axis=1) - 1).abs().min() > 1e-6, "logits and not posteriors"


def test_event_lists_and_scores_follow_from_probabilities_and_thresholds(finished, labels):
    """The stored F-score again, from the stored files alone and with plain loops."""
    folder = finished.path("predictions", STUDENTS[0])
    thresholds = read_table(folder / "thresholds.tsv").set_index("event")
    listed = read_table(folder / "events.tsv")
    reference = read_table(finished.path("annotations/events.tsv"))
    hits = detected = wanted = 0
    with h5py.File(folder / "probabilities.h5") as store:
        for recording in reference.recording[reference.recording.isin(listed.recording)].unique():
            probabilities = store[recording][:]
            for i, event in enumerate(store.attrs["events"]):
                found = probabilities[:, i] >= np.float32(thresholds.adaptive[event])
                rows = reference[(reference.recording == recording) & (reference.event == event)]
                truth = np.zeros(len(found), bool)
                for row in rows.itertuples():
                    truth[int(np.floor(row.onset / 0.02)) : int(np.ceil(row.offset / 0.02))] = True
                own = listed[
                    (listed.threshold == "adaptive")
                    & (listed.recording == recording)
                    & (listed.event == event)
                ]
                seconds = (own.offset - own.onset).sum()
                beside = 2e-6 * len(own)  # either end may lie a microsecond beside its frame
                assert seconds == pytest.approx(found.sum() * 0.02, abs=beside + 1e-9)
                hits += (found & truth).sum()
                detected += found.sum()
                wanted += truth.sum()
    overall = read_table(finished.path("evaluation", STUDENTS[0], "overall.tsv"))
    row = overall[(overall.convention == "frame") & (overall.threshold == "adaptive")].iloc[0]
    evaluated = read_table(finished.path("folds/fold-1/recordings.tsv"))
    silent = set(evaluated.recording[evaluated.part == "evaluation"]) - set(listed.recording)
    assert not silent, "every recording has some detection, so that the loop above saw all"
    assert row.f_score == pytest.approx(2 * hits / (detected + wanted), abs=1e-12)


def test_table_3_has_the_columns_and_rows_of_the_issue(finished):
    table = read_table(finished.path("tables/table3.tsv"))
    assert list(table.columns) == [
        "method",
        "alpha",
        "beta",
        "temperature",
        "convention",
        "threshold",
        "f_score_mean",
        "f_score_std",
        "error_rate_mean",
        "error_rate_std",
        "runs",
        "published_f_score",
        "published_error_rate",
    ]
    assert len(table) == 3 * 2 * 3
    assert set(table.convention) == {"frame", "segment"}
    assert set(table.threshold) == {"fixed", "adaptive", "oracle"}
    crnn = table[(table.method == "CNN-BiGRU") & (table.convention == "frame")]
    assert (crnn.published_f_score == 0.4217).all()
    assert (crnn.published_error_rate == 0.756).all()
    assert table[table.convention == "segment"].published_f_score.isna().all()
    table4 = read_table(finished.path("tables/table4.tsv"))
    assert len(table4) == 3 * 2 * 3 * 25
    assert "Synthetic corpus" in finished.path("tables/table3.md").read_text(encoding="utf-8")


def test_the_audit_has_file_line_and_reason_and_the_lists_agree(finished):
    audit = read_table(finished.path("annotations/audit.tsv"))
    assert {"list", "action", "file", "line", "reason"} <= set(audit.columns)
    assert not (audit.action == "contradicted").any(), "the corpus does not contradict itself"
    published, merged = (
        read_table(finished.path(f"annotations/{name}.tsv")) for name in ("published", "merged")
    )
    assert len(published) == len(merged)
    renamed = audit[audit.action == "changed"]
    assert set(renamed.event) <= {
        "car passing by", "children shouting", "object impact", "people speaking"
    }  # fmt: skip
    assert len(renamed) > 0
    lists = finished.path("data/annotations/meta/meta_development.txt")
    assert len(read_published(lists)) == len(published) + (audit.action == "dropped").sum()


def test_resolved_parameters_lie_beside_each_student(finished):
    resolved = json.loads(finished.path("students", STUDENTS[2], "parameters.json").read_text())
    objective = {"loss": "soft", "weight": 1.0, "temperature": 2.0, "events": "mean"}
    assert resolved["scene_objective"] == objective
    assert resolved["training"] == {"epochs": 2, "batch_size": 8, "learning_rate": 0.002}
    assert resolved["seed"] == 0


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("beta: [1.0]", "beta: [1.0, 0.5]", only({})),
        ("temperature: [2.0]", "temperature: [3.0]", only({**CURVES, "plot_soft_labels": 1})),
        ("alpha: [0.01]", "alpha: [0.010]", {}),
        ("seed: 3", "seed: 3  # a comment", {}),
        ("seeds: [0]", "seeds: [0, 1]", only(
            {"train_teacher": 1, "dump_soft_labels": 1, "train_student": 3, "predict_student": 3,
             "evaluate_student": 3, **CURVES, **OF_TEACHERS}
        )),
        ("run: small", "download: {attempts: 7, mode: full}\nrun: small", {}),
        ("run: small", "compute: {device: cpu}\nrun: small", {}),
        ("run: small", "annotations: {tolerance: 0.5}\nrun: small",
            {"audit_annotations": 1, "make_report": 1}),
        ("channels: 4", "gru_units: 16\n  channels: 4", only(
            {"train_student": 3, "predict_student": 3, "evaluate_student": 3, **CURVES})),
        ("channels: 4", "fused: false\n  channels: 4", only(
            {"train_teacher": 1, "dump_soft_labels": 1, "train_student": 3, "predict_student": 3,
             "evaluate_student": 3, **CURVES, **OF_TEACHERS})),
        ("scene_channels: [4, 2]", "scene_channels: [4, 3]", only(
            {"train_student": 2, "predict_student": 2, "evaluate_student": 2, **CURVES})),
        ("run: small", "evaluation: {fixed_threshold: 0.4}\nrun: small",
            {"evaluate_student": 3, **CHAIN}),
        ("teacher: {epochs: 1", "teacher: {epochs: 2", only(
            {"train_teacher": 1, "dump_soft_labels": 1, **CURVES, **OF_TEACHERS})),
    ],
)  # fmt: skip
def test_a_changed_key_runs_what_depends_on_it_and_nothing_else(
    finished, tmp_path, old, new, expected
):
    text = (finished.folder / SMALL).read_text()
    assert old in text
    changed = tmp_path / "changed.yaml"
    changed.write_text(text.replace(old, new))
    assert finished.planned(config=str(changed)) == expected


def shown(checkout):
    """What the explorer holds; sounds as their samples, as an Ogg file has a number by chance."""
    page = checkout.path("explorer.html").read_text(encoding="utf-8")
    found = [json.loads(text) for text in re.findall(r'"application/json"[^>]*>([^<]*)<', page)]
    for each in found[1:]:
        sound = base64.b64decode(each["sound"].split(",")[1])
        each["sound"] = soundfile.read(io.BytesIO(sound))
    return found


def test_sound_that_was_deleted_is_fetched_for_the_explorer_alone(scratch):
    """Nothing is made again while recordings.tsv says what the sound is; of another corpus, all."""
    page = {"fetch_sound": 1, "make_explorer": 1}
    assert scratch.planned("explorer") == page
    done = scratch.snakemake("explorer")
    assert done.returncode == 0, done.stdout
    made = shown(scratch)
    assert len(made) == 5, "a study of four recordings"
    for folder in scratch.path("data").glob("*/audio"):
        shutil.rmtree(folder)
    assert scratch.planned("all", "explorer") == {}
    scratch.path("explorer.html").unlink()
    assert scratch.planned("all", "explorer") == page
    done = scratch.snakemake("explorer")
    assert done.returncode == 0, done.stdout
    for one, other in zip(shown(scratch), made, strict=True):
        np.testing.assert_equal(one, other)
    assert not list(scratch.path().rglob("*.wav")), "it is gone again"
    assert scratch.planned("all", "explorer") == {}

    config = scratch.folder / SMALL
    config.write_text(config.read_text().replace("seed: 3", "seed: 4"))
    all_again = scratch.planned()
    assert scratch.planned("explorer")["train_student"] == 3
    done = scratch.snakemake("--until", "download_dataset")
    assert done.returncode == 0, done.stdout
    rest = scratch.planned()
    assert rest == {
        rule: jobs for rule, jobs in all_again.items()
        if rule not in ("make_corpus", "download_annotations", "download_dataset")
    }  # fmt: skip
    assert rest["train_student"] == 3
    assert rest["merge_annotations"] == rest["extract_features"] == 1


def test_changed_plotting_code_makes_only_the_plots_again(scratch):
    code = scratch.folder / "workflow_scripts/softscene/report/figure3.py"
    code.write_text(code.read_text() + "# changed\n")
    assert scratch.planned("figures") == {"plot_figure3": 1}
    assert scratch.planned() == {"plot_figure3": 1, "make_report": 1}
    assert scratch.planned("tables") == {}


def test_the_merged_list_can_feed_the_workflow_and_the_audit_tells_the_difference(scratch):
    """One row less in TUT's own list of a street recording, and the whole way to events.tsv."""
    lists = scratch.path("data/TUT-sound-events-2017-development/meta")
    changed = next(path for path in sorted(lists.rglob("*.ann")) if used(scratch, path))
    first, *rest = changed.read_text().splitlines(keepends=True)
    changed.write_text("".join(rest))
    wanted = [f"results/small/annotations/{name}.tsv" for name in ("events", "audit")]
    done = scratch.snakemake(
        *wanted, "--forcerun", "merge_annotations",
        "--config", "annotations={source: merged}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    events, published = (
        read_table(scratch.path(f"annotations/{name}.tsv")) for name in ("events", "published")
    )
    assert len(events) == len(published) - 1
    audit = read_table(scratch.path("annotations/audit.tsv"))
    (row,) = audit[audit.action == "contradicted"].itertuples()
    assert row.reason == "not in TUT's own list"
    assert row.file == "meta_development.txt"
    assert f"{row.onset:.6f}\t{row.offset:.6f}" in first
    assert row.recording.endswith(f"{changed.stem}.wav")


def used(checkout, path):
    """Whether the published list has the recording of an event list."""
    return f"{path.stem}.wav" in checkout.path("annotations/events.tsv").read_text()


def test_bad_rows_of_the_list_in_use_stop_the_job_with_file_and_line(scratch):
    path = scratch.path("data/annotations/meta/meta_development.txt")
    lines = path.read_text().splitlines()
    bad = lines[1].replace(lines[1].split("\t")[4], "no such event")
    path.write_text("\n".join([*lines, bad]) + "\n")
    done = scratch.snakemake("--forcerun", "merge_annotations")
    assert done.returncode != 0
    assert f"meta_development.txt, line {len(lines) + 1}:" in done.stdout
    assert "'no such event': unknown event label" in done.stdout
    assert "Traceback" not in done.stdout


def test_the_workflow_runs_in_another_folder(finished, tmp_path):
    done = finished.snakemake(
        "-n", "--quiet", "--directory", str(tmp_path), config=str(finished.folder / SMALL)
    )
    assert done.returncode == 0, done.stdout
    assert "make_corpus" in done.stdout


def test_jobs_use_the_library_beside_the_snakefile(scratch):
    """And not an installed one: here, a copy whose plots refuse to be made."""
    code = scratch.folder / "workflow_scripts/softscene/report/figure3.py"
    code.write_text(code.read_text() + "\nraise SystemExit('the copy was used')\n")
    done = scratch.snakemake("figures")
    assert done.returncode != 0
    assert "the copy was used" in done.stdout


def test_a_failed_job_shows_the_end_of_its_log_and_leaves_no_half_made_file(scratch):
    recording = next(scratch.path("data").glob("*/audio/**/*.wav"))
    recording.write_bytes(recording.read_bytes()[:50_000])
    done = scratch.snakemake("--forcerun", "extract_features")
    assert done.returncode != 0
    assert "AudioError: recordings cannot be used:" in done.stdout
    assert f"{recording.name}: is cut: its header promises " in done.stdout
    assert "Traceback" not in done.stdout
    assert not scratch.path("features.h5").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("studnet: {epochs: 3}", ["studnet: no such key; is 'student' meant?"]),
        ("seeds: [0, 0]", ["seeds: [0, 0] given", "different whole numbers"]),
        ("compute: {threads: two}", ["compute.threads: 'two' given, integer expected"]),
        (
            "teacher: {epochs: 1, epochs: 2}",
            [f"{SMALL} cannot be read: line ", "'epochs' is given"],
        ),
        ("data: {folder: 'a{x}'}", ["data.folder: 'a{x}' given, a path without { }"]),
    ],
)
def test_a_bad_configuration_stops_before_any_job(fresh, line, words):
    text = (fresh.folder / SMALL).read_text()
    kept = [each for each in text.splitlines() if each.split(":")[0] != line.split(":")[0]]
    (fresh.folder / SMALL).write_text("\n".join([*kept, line]))
    done = fresh.snakemake()
    assert done.returncode != 0
    for word in words:
        assert word in done.stdout
    assert "Traceback" not in done.stdout
    assert not (fresh.folder / "results/small").exists()


def test_a_broken_config_yaml_is_told_with_its_line(fresh):
    path = fresh.folder / "config.yaml"
    text = path.read_text()
    path.write_text(f"{text}mine: [1\n")
    done = fresh.snakemake("-n")
    path.write_text(text)
    assert done.returncode != 0
    line = len(text.splitlines()) + 1
    assert f"config.yaml cannot be read: line {line + 1}, column 1: expected" in done.stdout
    assert f"begins in line {line})" in done.stdout
    assert "Traceback" not in done.stdout


def test_real_data_needs_the_users_consent(fresh):
    done = fresh.snakemake(config=None)
    assert done.returncode != 0
    for word in ("download.accept_licence", "SOFTSCENE_ACCEPT_LICENCE", "non-commercial"):
        assert word in done.stdout
    assert "Traceback" not in done.stdout
    assert not list((fresh.folder / "results").glob("data/*"))
    planned = fresh.planned(config=None)
    assert planned["train_student"] == 21 * 4 * 3
    assert planned["train_teacher"] == 4 * 3


def test_without_internet_the_mirror_is_named(fresh):
    done = fresh.snakemake(
        "results/data/annotations", "--config", "download={attempts: 1}", config=None,
        SOFTSCENE_ACCEPT_LICENCE="yes", https_proxy="http://127.0.0.1:9",
    )  # fmt: skip
    assert done.returncode != 0
    assert "download.mirror" in done.stdout


def test_the_paper_runs_from_a_mirror_with_its_real_checksums(fresh, authors_lists, tmp_path):
    """The annotations' job, real lists and real SHA-256; a changed list is refused by its name."""
    mirror = tmp_path / "mirror"
    shutil.copytree(authors_lists, mirror / "metadata_SEDandASC01")
    given = ["--config", f"download={{mirror: {mirror}, accept_licence: true, attempts: 1}}"]
    done = fresh.snakemake("results/data/annotations", *given, config=None)
    assert done.returncode == 0, done.stdout
    fetched = fresh.folder / "results/data/annotations/meta/meta_development.txt"
    assert fetched.read_bytes() == (authors_lists / "meta/meta_development.txt").read_bytes()

    shutil.rmtree(fetched.parents[1])
    changed = mirror / "metadata_SEDandASC01/meta/meta_development.txt"
    changed.chmod(0o644)
    changed.write_text(changed.read_text().replace("car", "cat", 1))
    done = fresh.snakemake("results/data/annotations", *given, config=None)
    assert done.returncode != 0
    assert "meta_development.txt" in done.stdout
    assert "0407db2496b69c5f2107ebd3c41d0d01e706ac7e869e423a3dc794058b37d9cd" in done.stdout
    assert not fetched.exists()


def test_means_in_table_3_are_over_runs(finished):
    table = read_table(finished.path("tables/table3.tsv"))
    for row in table.itertuples():
        kind = {"CNN-BiGRU": 0, "MTL": 1, "MTL with soft labels": 2}[row.method]
        overall = read_table(finished.path("evaluation", STUDENTS[kind], "overall.tsv"))
        own = overall[
            (overall.convention == row.convention) & (overall.threshold == row.threshold)
        ].iloc[0]
        assert row.f_score_mean == own.f_score
        assert row.error_rate_mean == own.error_rate
        assert row.runs == 1
        assert pd.isna(row.f_score_std)
