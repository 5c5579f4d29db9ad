"""What a run costs: benchmarks written by hand, and sums and chains in closed form."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from softscene import training_benchmark
from softscene.costs import NeededJob, RunCost, epochs_of, group_of, read_finished
from softscene.features.clips import Clips
from softscene.models.networks import NetworkParameters
from softscene.report.provenance import read_benchmark
from softscene.training import loop
from softscene.training.parameters import SceneObjective, TrainingParameters

from tests.conftest import PAPER, ROOT

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
ROW = "{}\t0:00:13\t{}\t833.04\t368.65\t410.73\t0.04\t0.02\t85.22\t11.83\n"
NETWORK = {**PAPER["network"], "bands": 64, "frames": 500, "events": 25, "scenes": 4}
HARD, SOFT, TEACHER = ("train_student", "mtl"), ("train_student", "soft"), ("train_teacher", "")
SCENES = str(ROOT / "resources/scene_statistics.tsv")
LABELS = str(ROOT / "resources/labels.yaml")


def job(name, *after, group=HARD, cores=1):
    return NeededJob(group, cores, after, (name,))


def cost(jobs, seconds, cores=2, **more):
    return RunCost(jobs, {group: [each] for group, each in seconds.items()}, cores, **more)


# --- Sums and chains


@pytest.mark.parametrize(
    ("jobs", "cores", "seconds"),
    [(1, 1, 10), (7, 1, 70), (7, 2, 35), (252, 64, 39.375), (3, 8, 10)],
)
def test_equal_jobs_take_their_share_of_the_cores_and_no_less_than_one(jobs, cores, seconds):
    assert cost([job(str(i)) for i in range(jobs)], {HARD: 10.0}, cores).wall == seconds


def test_a_chain_takes_its_sum_on_any_machine():
    chain = [
        job("c", "b", group=("c", "")),
        job("a", group=("a", "")),
        job("b", "a", group=("b", "")),
    ]
    seconds = {("a", ""): 1.0, ("b", ""): 20.0, ("c", ""): 300.0}
    for cores in (1, 2, 64):
        assert cost(chain, seconds, cores).wall == 321


def test_no_machine_beats_the_teacher_and_then_its_student():
    teachers = [job(f"t{i}", group=TEACHER) for i in range(3)]
    students = [job(f"s{i}{k}", f"t{i}") for i in range(3) for k in range(5)]
    seconds = {TEACHER: 30.0, HARD: 100.0}
    assert cost(students + teachers, seconds, 64).wall == 130
    assert cost(students + teachers, seconds, 2).wall == (3 * 30 + 15 * 100) / 2
    assert cost(students, seconds, 64).wall == 100, "made already: nothing to wait for"


def test_a_job_of_several_threads_takes_as_many_cores_as_there_are():
    jobs = [job("wide", cores=8), job("a"), job("b")]
    assert cost(jobs, {HARD: 10.0}, 2).wall == 20
    assert cost(jobs, {HARD: 10.0}, 10).wall == 10
    assert cost(jobs, {HARD: 360.0}, 10).groups["core-hours"].sum() == pytest.approx(1)


def test_nothing_left_takes_no_time():
    nothing = cost([], {HARD: 10.0})
    assert str(nothing) == "0 jobs left, 0.0 core-hours, 0:00:00 on 2 cores"
    assert RunCost([], {}, 2).wall == 0
    assert "0 jobs left" in RunCost([], {}, 2).text([])


def test_the_sum_is_in_a_line_and_for_the_terminal():
    jobs = [
        job("a"),
        job("b"),
        job("c", group=SOFT),
        job("d", "c", group=("predict_student", "soft")),
    ]
    found = cost(jobs, {HARD: 3600.0, SOFT: 7200.0, ("predict_student", "soft"): 90.0})
    assert str(found) == "4 jobs left, 4.0 core-hours, 2:01:30 on 2 cores"
    told = found.progress(["all", "train_student"])
    assert told["seconds"] == {"all": 0, "train_student": 5400, "predict_student": 90}
    assert told["at_once"] == pytest.approx((4 * 3600 + 90) / (7200 + 90))
    assert told["event"] == "costs"


def test_what_is_not_finished_is_taken_from_other_methods_or_measured_or_the_start_alone():
    jobs = [job("a", group=SOFT), job("b", group=TEACHER), job("c", group=("make_fold", ""))]
    found = RunCost(jobs, {HARD: [1.0, 2.0, 9.0]}, 2, {TEACHER: [5.0], SOFT: [7.0]}, 3.0)
    rows = {
        group: (row["left"], row.seconds, row["from"]) for group, row in found.groups.iterrows()
    }
    assert rows == {
        SOFT: (1, 2, "other methods"),
        TEACHER: (1, 5, "measured"),
        ("make_fold", ""): (1, 3, "start only"),
        HARD: (0, 2, "3 finished"),
    }
    assert found.unknown_trainings == []
    assert RunCost(jobs, {}, 2).unknown_trainings == [SOFT, TEACHER]


def test_a_training_of_other_epochs_takes_its_share_of_the_time_of_others():
    longer, brief = ("train_teacher", ""), ("train_teacher", "epochs-10")
    soft = {**PAPER["methods"]["soft"], "teacher": {"epochs": 10}}
    epochs = epochs_of({**PAPER, "methods": {**PAPER["methods"], "soft_10": soft}})
    assert (epochs[longer], epochs[brief], epochs[HARD]) == (300, 10, 300)
    found = RunCost([job("a", group=brief)], {longer: [60.0, 90.0]}, 2, epochs=epochs)
    assert found.groups.seconds[brief] == pytest.approx(75 * 10 / 300)


def test_a_job_is_taken_from_snakemake():
    place = (
        "results/small/benchmarks/train_student/soft/alpha-none_beta-1.0_T-2.0/fold-1_seed-0.tsv"
    )
    given = SimpleNamespace(benchmark=place, threads=3, input=["x"], output=["y", "z"])
    assert NeededJob.of(given) == (SOFT, 3, ("x",), ("y", "z"))


@pytest.mark.parametrize(
    ("benchmark", "group"),
    [
        ("results/small/benchmarks/make_corpus.tsv", ("make_corpus", "")),
        ("results/small/benchmarks/make_fold/fold-1.tsv", ("make_fold", "")),
        ("results/benchmarks/benchmarks/predict_student/mtl/a/b.tsv", ("predict_student", "mtl")),
        ("/some/where/results/x/benchmarks/make_control_labels/smoothed/T-1.0/fold-1_seed-0.tsv",
         ("make_control_labels", "")),
        ("others/benchmark.tsv", ("others/benchmark.tsv", "")),
        ("results/small/benchmarks/train_teacher/fold-1_seed-0.tsv", ("train_teacher", "")),
        ("results/small/benchmarks/train_teacher/epochs-3_learning_rate-0.1/fold-1_seed-0.tsv",
         ("train_teacher", "epochs-3_learning_rate-0.1")),
    ],
)  # fmt: skip
def test_rule_and_method_are_in_a_benchmarks_path(benchmark, group):
    assert group_of(benchmark) == group


# --- Benchmarks


@pytest.fixture
def run(tmp_path):
    """A way to make a student's files; ``run.read()`` reads all that are there."""
    folder = tmp_path / "results" / "mine"

    def make(seed, seconds="13.5", text=None, log="done", epochs=300, method="mtl", **network):
        place = f"{method}/alpha-1.0_beta-none_T-none/fold-1_seed-{seed}"
        loss = PAPER["methods"].get(method, {}).get("scene_loss")
        made = {
            "training": {**PAPER["student"], "epochs": epochs}, "network": NETWORK | network,
            "threads": 1, "seed": seed, "scene_objective": {"loss": loss, "weight": 1.0},
        }  # fmt: skip
        files = {
            f"benchmarks/train_student/{place}.tsv":
                HEADER + ROW.format(seconds, "471.0") if text is None else text,
            f"logs/train_student/{place}.log": log,
            f"students/{place}/parameters.json": json.dumps(made),
        }  # fmt: skip
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        return folder / f"students/{place}/parameters.json"

    make.read = lambda: read_finished(folder, PAPER)
    return make


def test_a_benchmark_of_snakemake_is_read(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(HEADER + ROW.format("13.32", "471.47"))
    assert read_benchmark(path) == {"s": 13.32, "max_rss": 471.47, "cpu_time": 11.83}
    path.write_text(HEADER + "0.21\t0:00:00" + 8 * "\tNA" + "\n")  # too short to be looked at
    found = read_benchmark(path)
    assert found["s"] == 0.21
    assert np.isnan(found["max_rss"])


@pytest.mark.parametrize(
    "text",
    ["", "\n", HEADER, HEADER[:20], HEADER + "13.3", (HEADER + ROW.format("13.3", "4"))[:-2],
     HEADER + ROW.format("nan", "4"), HEADER + ROW.format("-", "4"), "a\tb\n1\t2\n",
     HEADER + ROW.format("-1", "4"), HEADER + ROW.format("inf", "4"), "\x00" * 100],
)  # fmt: skip
def test_a_bad_benchmark_is_named_and_the_others_count(run, text):
    run(0, "10.0")
    run(1, text=text)
    run(2, "30.0")
    finished, (problem,) = run.read()
    assert "fold-1_seed-1.tsv: no benchmark, or only the beginning of one" in problem
    assert finished == {HARD: [10, 30]}
    groups = RunCost([], finished, 1).groups
    assert (groups.seconds[HARD], groups["from"][HARD]) == (20, "2 finished")


def test_bytes_that_are_no_text_are_named_too(run):
    run(0)
    results = run(1).parent
    benchmark = Path(str(results).replace("/students/", "/benchmarks/train_student/") + ".tsv")
    assert benchmark.is_file()
    benchmark.write_bytes(b"\xff\xfe")
    finished, (problem,) = run.read()
    assert "no benchmark" in problem
    assert finished == {HARD: [13.5]}


def test_the_median_of_finished_jobs(run):
    for seed, seconds in enumerate(("10.0", "11.0", "90.0")):
        run(seed, seconds)
    assert RunCost([], run.read()[0], 1).groups.seconds[HARD] == 11


def test_a_training_that_went_on_from_a_checkpoint_does_not_count(run):
    run(0, "100.0")
    run(1, "2.0", log="resuming after epoch 290, from results/x\ndone in 1 s")
    finished, (why,) = run.read()
    assert finished == {HARD: [100]}
    assert why.endswith("fold-1_seed-1.tsv: its training was resumed from a checkpoint")


def test_other_numbers_of_epochs_are_converted(run):
    run(0, "7.0", epochs=30)
    assert run.read() == ({HARD: [pytest.approx(70)]}, [])


def test_a_training_without_results_does_not_count(run):
    """Snakemake removes results before a job begins again, and leaves its old benchmark."""
    run(0, "7.0").unlink()
    run(1, "30.0")
    finished, (why,) = run.read()
    assert finished == {HARD: [30]}
    assert "is not finished" in why


@pytest.mark.parametrize(
    "size", [{"channels": 8}, {"frames": 250}, {"bands": 40}, {"precision": "bfloat16"}]
)
def test_trainings_of_another_network_do_not_count(run, size):
    run(0, "7.0", **size)
    finished, (why,) = run.read()
    assert finished == {}
    assert "had other parameters" in why


@pytest.mark.parametrize("text", ['{"training": {"epo', "[1]", "3", '{"training": 3}'])
def test_damaged_parameters_are_named(run, text):
    run(0).write_text(text)
    finished, (why,) = run.read()
    assert finished == {}
    assert "parameters" in why


def test_methods_that_are_not_configured_are_not_looked_at(run):
    run(0, "7.0", method="removed")
    run(1, "30.0")
    assert run.read() == ({HARD: [30]}, [])


def test_what_is_left_out_is_counted_and_the_first_of_it_named():
    text = cost([job("a")], {HARD: 10.0}).text([f"file {i}: why" for i in range(25)])
    assert "benchmarks left out: 25\nfile 0: why\n" in text
    assert "file 9: why" in text
    assert "file 10: why" not in text


# --- Measured trainings


def files(own=()):
    return SimpleNamespace(scenes=SCENES, labels=LABELS, own=own)


def test_clips_of_an_epoch():
    # home 217.6 s, residential 210 s, city 243.5 s, office 30 s: 22, 21, 25 and 3 clips each
    clips = (10 * 22 + 12 * 21 + 12 * 25 + 78 * 3) * 3 / 4
    assert training_benchmark.clips_of_an_epoch(PAPER, files()) == round(clips)
    synthetic = {"annotations": None, "recordings": {"home": 6, "office": 2},
                 "seconds": {"home": 30.0, "office": 12.0}}  # fmt: skip
    config = {**PAPER, "synthetic": synthetic}
    assert training_benchmark.clips_of_an_epoch(config, files()) == round((6 * 3 + 2 * 2) * 3 / 4)


def test_clips_of_data_of_ones_own(tmp_path):
    for name, seconds in (("a", 10.0), ("b", 25.0), ("c", 0.5)):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(int(44100 * seconds)), 44100)
    own = files(sorted(tmp_path.iterdir()))
    config = {**PAPER, "folds": [1, 2, 3]}  # 1, 3 and 1 clips, of which two folds develop
    assert training_benchmark.clips_of_an_epoch(config, own) == round((1 + 3 + 1) * 2 / 3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_are_measured_in_the_configured_precision(one_thread, monkeypatch, precision):
    sizes = []
    monkeypatch.setattr(training_benchmark, "clips_of_an_epoch", lambda *_: 24)
    monkeypatch.setattr(
        training_benchmark.loop, "train_teacher", lambda _, size, *__: sizes.append(size)
    )
    config = {**PAPER, "compute": {**PAPER["compute"], "device": "cpu", "precision": precision}}
    training_benchmark.measure([TEACHER], config, files(), start=0)
    assert {size.precision for size in sizes} == {precision}


def test_measured_steps_foretell_a_training(one_thread, monkeypatch):
    """Seconds of real trainings of twenty epochs, in processor time, against what is measured."""
    monkeypatch.setattr(training_benchmark, "clips_of_an_epoch", lambda *_: 24)
    network = {**PAPER["network"], "channels": 8, "scene_channels": [8, 4], "gru_units": 8}
    given = {"epochs": 20, "batch_size": 8, "learning_rate": 0.001}
    compute = {**PAPER["compute"], "device": "cpu"}
    config = {**PAPER, "network": network, "teacher": given, "student": given, "compute": compute}
    inner = ("train_inner_teacher", "")
    found = training_benchmark.measure([TEACHER, inner, HARD, SOFT], config, files(), start=0)
    assert found[HARD] == found[SOFT]
    assert found[TEACHER] == found[inner]
    later = training_benchmark.measure([], config, files(), start=0)
    assert later == {}
    rng = np.random.default_rng(1)
    clips = Clips(None, rng.normal(size=(24, 500, 64)).astype(np.float32), np.full(24, 500),
                  rng.random((24, 500, 25)) < 0.1, rng.integers(4, size=24))  # fmt: skip
    size = NetworkParameters.configured(network, (500, 64), (25, 4))
    rest = size, TrainingParameters(**given), 0, torch.device("cpu"), "real"
    begin = time.process_time()
    loop.train_teacher(clips, *rest)
    middle = time.process_time()
    loop.train_student(clips, None, SceneObjective("hard", 1.0), *rest)
    took = {TEACHER: middle - begin, HARD: time.process_time() - middle}
    for group, seconds in took.items():
        assert 0.5 < found[group][0] / seconds < 2
