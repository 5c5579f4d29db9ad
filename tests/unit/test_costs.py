"""What a run costs: its jobs, its benchmarks, and schedules against closed forms."""

import json
import math
from collections import Counter

import numpy as np
import pytest
import soundfile
import torch
from softscene import probe
from softscene.config.study import with_controls
from softscene.costs import Cost, costs, read_benchmark, survey, unknown_trainings
from softscene.estimate import (
    Machine,
    columns,
    duration,
    estimate_text,
    forecast,
    machines,
    studies,
    study_row,
)
from softscene.features.clips import Clips
from softscene.plan import ORDER, Job, Stage, only_rows, planned_jobs, still_to_do
from softscene.schedule import core_seconds, wall_seconds

from tests.conftest import PAPER, ROOT

DATASETS = ["sounds-2016", "sounds-2017", "scenes-2016"]
PUBLISHED = ROOT / "resources/published_table3.csv"
HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
ROW = "{}\t0:00:13\t{}\t833.04\t368.65\t410.73\t0.04\t0.02\t85.22\t11.83\n"


def job(name, *after, rule="train_student", loss="hard", **stage):
    return Job(name, rule, {}, Stage(**stage), loss, after)


def wall(jobs, seconds, **capacity):
    given = seconds if isinstance(seconds, dict) else {each.name: seconds for each in jobs}
    return wall_seconds(jobs, given, capacity)


def longest_chain(jobs, seconds):
    """Wall time of the longest chain of jobs that wait for each other: what no machine beats."""
    ends = {}
    for each in jobs:
        start = max((ends.get(name, 0) for name in each.after), default=0)
        ends[each.name] = start + seconds[each.name]
    return max(ends.values())


# --- Schedules


@pytest.mark.parametrize(("jobs", "cores"), [(1, 1), (7, 1), (7, 2), (252, 64), (3, 8)])
def test_equal_jobs_go_in_rounds(jobs, cores):
    assert wall([job(str(i)) for i in range(jobs)], 10.0, threads=cores) == 10 * -(-jobs // cores)


def test_a_chain_takes_its_sum_on_any_machine():
    chain = [job("a"), job("b", "a"), job("c", "b")]
    seconds = {"a": 1.0, "b": 20.0, "c": 300.0}
    for cores in (1, 2, 64):
        assert wall(chain, seconds, threads=cores) == 321
    assert longest_chain(chain, seconds) == 321


def test_students_wait_for_their_own_teacher_and_for_no_other():
    # Two cores. Teachers 10 and 30 s side by side; the first one's five students of 20 s: one at a
    # time beside the second teacher (10-30), then with its own student, six in all: 30-50-70-90.
    jobs = [job("t1"), job("t2"), *(job(f"a{i}", "t1") for i in range(5)), job("b", "t2")]
    seconds = {each.name: 20.0 for each in jobs} | {"t1": 10.0, "t2": 30.0}
    assert wall(jobs, seconds, threads=2) == 90
    assert wall(jobs, seconds, threads=1) == 160
    assert wall(jobs, seconds, threads=64) == longest_chain(jobs, seconds) == 50


def test_what_is_limited_decides_how_many_run_at_once():
    jobs = [job(str(i), mem_mb=12000, gpu=1) for i in range(6)]
    assert wall(jobs, 10.0, threads=8) == 10
    assert wall(jobs, 10.0, threads=8, mem_mb=30000) == 30
    assert wall(jobs, 10.0, threads=8, mem_mb=5000) == 60, "more than there is: one at a time"
    assert wall(jobs, 10.0, threads=8, gpu=1) == 60
    assert wall(jobs, 10.0, threads=8, gpu=2) == 30


def test_a_job_of_more_threads_than_cores_takes_them_all():
    jobs = [job("wide", threads=8), job("a"), job("b")]
    assert wall(jobs, 10.0, threads=2) == 20
    assert wall(jobs, 10.0, threads=9) == 20
    assert wall(jobs, 10.0, threads=10) == 10
    assert core_seconds(jobs, {each.name: 10.0 for each in jobs}) == 100


def second_by_second(jobs, seconds, cores):
    """The same rule once more, by looking at every second."""
    left, now, running = dict(seconds), 0, []
    while left:
        for each in jobs:
            waits = [name for name in each.after if name in left]
            fits = len(running) < cores
            if each.name in left and each.name not in running and not waits and fits:
                running.append(each.name)
        now += 1
        for name in running:
            left[name] -= 1
        running = [name for name in running if left[name] > 0]
        left = {name: rest for name, rest in left.items() if rest > 0}
    return now


@pytest.mark.parametrize("seed", range(20))
def test_any_graph_is_scheduled_as_second_by_second_and_within_the_bounds(seed):
    rng = np.random.default_rng(seed)
    jobs = [
        job(str(i), *{str(k) for k in rng.integers(0, i, size=rng.integers(0, 3))} if i else ())
        for i in range(40)
    ]
    seconds = {each.name: int(rng.integers(1, 30)) for each in jobs}
    cores = int(rng.integers(1, 9))
    taken = wall(jobs, seconds, threads=cores)
    assert taken == second_by_second(jobs, seconds, cores)
    chain, share = longest_chain(jobs, seconds), core_seconds(jobs, seconds) / cores
    assert max(chain, share) <= taken <= share + chain


# --- Jobs


def test_the_paper_has_the_jobs_that_it_describes():
    jobs = planned_jobs(PAPER, DATASETS, PUBLISHED)
    count = Counter(each.rule for each in jobs)
    assert count["train_teacher"] == count["dump_soft_labels"] == 4 * 3
    students = (1 + 5 + 5 * 3) * 4 * 3
    assert [count[f"{verb}_student"] for verb in ("train", "predict", "evaluate")] == [students] * 3
    assert (count["make_corpus"], count["download_dataset"], count["make_fold"]) == (0, 3, 4)
    assert len({each.name for each in jobs}) == len(jobs)
    table3 = Counter(
        each.rule for each in planned_jobs(only_rows(PAPER, PUBLISHED), DATASETS, PUBLISHED)
    )
    assert (table3["train_student"], table3["train_teacher"]) == (4 * 12, 12)


def test_a_job_waits_for_those_that_it_reads_and_for_no_others():
    jobs = {each.name: each for each in planned_jobs(PAPER, DATASETS, PUBLISHED)}
    soft = jobs["train_student soft none 1.0 2.0 3 1"]
    assert soft.after == ("make_fold 3", "dump_soft_labels 3 1")
    assert jobs["train_student mtl 0.01 none none 3 1"].after == ("make_fold 3",)
    assert jobs["dump_soft_labels 3 1"].after == ("train_teacher 3 1",)
    assert len(jobs["make_table3"].after) == 252


def test_no_teacher_without_a_student_that_learns_from_it():
    methods = {key: PAPER["methods"][key] for key in ("crnn", "mtl")}
    jobs = planned_jobs({**PAPER, "methods": methods}, DATASETS, PUBLISHED)
    assert not [each for each in jobs if each.rule in ("train_teacher", "dump_soft_labels")]


def test_controls_wait_for_the_labels_that_they_learn():
    controls = ["smoothed", "shuffled", "cross_fitted", "scene_mean"]
    methods = with_controls({**PAPER, "controls": controls})
    found = planned_jobs({**PAPER, "methods": methods}, DATASETS, PUBLISHED)
    jobs, count = {each.name: each for each in found}, Counter(each.rule for each in found)
    rules = ["smooth_labels 1.0", "shuffle_labels", "join_held_out_labels", "average_labels 1.0"]
    for control, rule in zip(controls, rules, strict=True):
        student = jobs[f"train_student {control} none 1.0 1.0 2 1"]
        assert student.after == ("make_fold 2", f"{rule} 2 1")
        evaluated = f"evaluate_student {control} none 1.0 1.0 2 1"
        assert evaluated in jobs["make_table3"].after
        assert evaluated not in jobs["export_detector"].after, "no detector is made of controls"
    assert len(jobs["export_detector"].after) == 252
    parts = [f"dump_held_out_labels 2 1 {part}" for part in (1, 2, 3, 4)]
    assert jobs["join_held_out_labels 2 1"].after == tuple(parts)
    assert jobs["train_inner_teacher 2 1 3"].after == ("make_inner_fold 2 3",)
    assert (count["make_inner_fold"], count["train_inner_teacher"]) == (4 * 4, 4 * 3 * 4)
    methods = {"crnn": methods["crnn"], "cross_fitted": methods["cross_fitted"]}
    alone = planned_jobs({**PAPER, "methods": methods}, DATASETS, PUBLISHED)
    assert "train_teacher" not in {each.rule for each in alone}, "its own teachers do"


def test_curves_are_not_drawn_of_methods_of_ones_own():
    """They stand for no method of the paper, as in rules/report.smk."""
    focal = {**PAPER["methods"]["mtl"], "name": "Focal", "code": "methods/focal.py"}
    methods = {"focal": focal, **{key: PAPER["methods"][key] for key in ("crnn", "mtl")}}
    jobs = planned_jobs({**PAPER, "methods": methods}, DATASETS, PUBLISHED)
    (curves,) = [each for each in jobs if each.rule == "plot_learning_curves"]
    drawn = {name.split()[1] for name in curves.after if name.startswith("train_student")}
    assert drawn == {"crnn", "mtl"}
    methods = {"focal": focal}
    jobs = planned_jobs({**PAPER, "methods": methods}, DATASETS, PUBLISHED)
    assert [each.after for each in jobs if each.rule == "plot_learning_curves"] == [()]


def test_data_of_ones_own_are_imported_and_not_downloaded():
    own = {"audio": "sound", "annotations": "events.tsv", "folds": 2}
    jobs = planned_jobs({**PAPER, "data": {**PAPER["data"], "own": own}}, DATASETS, PUBLISHED)
    assert [each.name for each in jobs][:3] == ["import_data", "make_table1", "extract_features"]
    assert jobs[2].after == ("import_data",)


def test_rows_that_are_not_configured_are_not_counted():
    methods = {**PAPER["methods"], "mtl": {**PAPER["methods"]["mtl"], "alpha": [0.5, 1]}}
    kept = only_rows({**PAPER, "methods": methods}, PUBLISHED)["methods"]
    assert kept["mtl"]["alpha"] == [1]
    assert (kept["soft"]["beta"], kept["soft"]["temperature"]) == ([1.0], [1.0])
    methods["mtl"] = {**methods["mtl"], "alpha": [0.5]}
    assert "mtl" not in only_rows({**PAPER, "methods": methods}, PUBLISHED)["methods"]


def test_what_is_left_is_what_targets_lack_and_what_follows():
    jobs = planned_jobs({**PAPER, "folds": [1], "seeds": [0]}, DATASETS, PUBLISHED)
    names = {each.name for each in jobs}
    student = "student mtl 0.01 none none 1 0"

    def left(*lost):
        return {each.name for each in still_to_do(jobs, names - set(lost))}

    last = {"compare_methods", "plot_claims", "make_report", "export_detector"}
    behind = {f"evaluate_{student}", "make_table3", "make_table4", "plot_figure3", *last}
    assert left() == set()
    assert left(f"train_{student}") == set(), "nothing lacks its weights"
    assert left(f"evaluate_{student}") == set(), "the tables are there"
    assert left("make_table4") == {"make_table4", "make_report"}
    drawn = "train_student mtl 0.0001 none none 1 0"
    assert "plot_learning_curves" in {each.name for each in still_to_do(jobs, names, [drawn])}
    assert {each.name for each in still_to_do(jobs, names, [f"train_{student}"])} == behind | {
        f"train_{student}", f"predict_{student}"
    }  # fmt: skip
    assert left(f"evaluate_{student}", "make_table4") == behind
    lost = (f"train_{student}", f"predict_{student}", f"evaluate_{student}", "make_table3")
    assert left(*lost) == behind | {f"train_{student}", f"predict_{student}"}
    assert {each.name for each in still_to_do(jobs, [])} == names


# --- Benchmarks


SMALL = {
    **PAPER,
    "folds": [1],
    "seeds": [0, 1, 2],
    "methods": {"mtl": {"name": "MTL", "scene_loss": "hard", "alpha": [1.0]},
                "soft": {"name": "Soft", "scene_loss": "soft", "beta": [1.0],
                         "temperature": [1.0]}},
}  # fmt: skip
NETWORK = {**PAPER["network"], "bands": 64, "frames": 500, "events": 25, "scenes": 4}


@pytest.fixture
def run(tmp_path):
    """A run's plan, and a way to make a student's files."""

    def make(seed, seconds="13.5", text=None, log="done", epochs=300, rss="471.0", **network):
        files = {name: tmp_path / f"mtl_{seed}.{name}" for name in ("tsv", "log", "safetensors")}
        parameters = tmp_path / f"mtl_{seed}" / "parameters.json"
        parameters.parent.mkdir(exist_ok=True)
        files["tsv"].write_text(HEADER + ROW.format(seconds, rss) if text is None else text)
        files["log"].write_text(log)
        files["safetensors"].touch()
        training = {**PAPER["student"], "epochs": epochs}
        found = {"training": training, "network": NETWORK | network, "threads": 1, "seed": seed}
        parameters.write_text(json.dumps(found))
        return parameters

    place = f"{tmp_path}/{{method}}_{{seed}}"
    make.stage = Stage(
        benchmark=f"{place}.tsv",
        log=f"{place}.log",
        outputs=[f"{place}.safetensors", f"{place}/parameters.json"],
    )
    make.jobs = planned_jobs(SMALL, DATASETS, PUBLISHED, {"train_student": make.stage})
    make.survey = lambda: survey(
        [each for each in make.jobs if each.rule == "train_student"], SMALL
    )
    make.hard = lambda seen: costs(make.jobs, seen)["train_student", "hard"]
    return make


def test_a_benchmark_of_snakemake_is_read(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(HEADER + ROW.format("13.32", "471.47"))
    assert read_benchmark(path) == (13.32, 471.47)
    path.write_text(HEADER + "0.21\t0:00:00" + 8 * "\tNA" + "\n")  # too short to be looked at
    assert read_benchmark(path) == (0.21, None)


@pytest.mark.parametrize(
    "text",
    ["", "\n", HEADER, HEADER[:20], HEADER + "13.3", (HEADER + ROW.format("13.3", "4"))[:-2],
     HEADER + ROW.format("nan", "4"), HEADER + ROW.format("-", "4"), "a\tb\n1\t2\n",
     "\x00" * 100],
)  # fmt: skip
def test_a_bad_benchmark_is_named_and_the_others_count(run, text):
    run(0, "10.0")
    run(1, text=text)
    run(2, "30.0")
    seen = run.survey()
    (problem,) = seen.problems
    assert "mtl_1.tsv: " in problem
    assert (run.hard(seen).seconds, run.hard(seen).source) == (20, "2 jobs")
    assert len(seen.done) == 3


def test_bytes_that_are_no_text_are_named_too(run):
    run(0)
    run(1)
    (run.jobs[0].path(run.stage.benchmark.format(method="mtl", seed=1))).write_bytes(b"\xff\xfe")
    assert len(run.survey().problems) == 1


def test_the_median_of_finished_jobs_and_their_largest_memory(run):
    for seed, seconds in enumerate(("10.0", "11.0", "90.0")):
        run(seed, seconds, rss=str(100 + seed))
    cost = run.hard(run.survey())
    assert (cost.seconds, cost.mem_mb, cost.source) == (11, 102, "3 jobs")
    found = costs(run.jobs, run.survey())
    assert found["train_student", "soft"].seconds == 11
    assert found["train_student", "soft"].source == "as hard"
    assert unknown_trainings(found) == {("train_teacher", "")}


def test_a_training_that_went_on_from_a_checkpoint_does_not_count(run):
    run(0, "100.0")
    run(1, "2.0", log="going on after epoch 290, from results/x\ndone in 1 s")
    seen = run.survey()
    assert (run.hard(seen).seconds, seen.resumed, len(seen.done)) == (100, 1, 2)


def test_other_numbers_of_epochs_are_converted_and_are_still_to_do(run):
    run(0, "7.0", epochs=30)
    seen = run.survey()
    assert run.hard(seen).seconds == pytest.approx(70)
    assert not seen.done


def test_what_never_finished_is_left_with_all_that_follows_though_older_results_are_there(run):
    """As a method more in a finished run: the tables are there, and were made without it."""
    run(0)
    run(1)
    seen = run.survey()
    soft = {f"train_student soft none 1.0 1.0 1 {seed}" for seed in range(3)}
    assert seen.new == {"train_student mtl 1.0 none none 1 2"} | soft
    seen.new -= soft
    seen.done |= {each.name for each in run.jobs} - seen.new
    text = estimate_text("mine", {"all": run.jobs}, seen, costs(run.jobs, seen), machines(1, {}))
    left = {cells[0]: cells[2] for line in text.splitlines() if len(cells := line.split()) > 3}
    for rule in ("predict_student", "evaluate_student", "make_table3", "make_report"):
        assert left[rule] == "1"
    assert left["make_fold"] == left["train_teacher"] == "0"


def test_a_benchmark_of_who_knows_how_many_epochs_does_not_count(run):
    """Snakemake removes results before a job begins again, and leaves its old benchmark."""
    run(0, "7.0").unlink()
    run(1, "30.0")
    assert (run.hard(run.survey()).seconds, run.hard(run.survey()).source) == (30, "1 job")


@pytest.mark.parametrize("size", [{"channels": 8}, {"frames": 250}, {"bands": 40}])
def test_trainings_of_another_network_neither_count_nor_are_done(run, size):
    run(0, "7.0", **size)
    seen = run.survey()
    assert not seen.done
    assert run.hard(seen).source == "not known"


def test_damaged_parameters_are_named(run):
    run(0).write_text('{"training": {"epo')
    seen = run.survey()
    assert "parameters.json: no parameters of a training" in seen.problems[0]


# --- The estimate


def test_the_studies_of_given_numbers():
    """Seconds an epoch -> Table 3 and all, by hand: 12 teachers, then equal students."""
    seconds = dict.fromkeys([(rule, "") for rule in ORDER], 0) | {("train_teacher", ""): 10 * 300}
    seconds |= {("train_student", loss): 60 * 300 for loss in ("none", "hard", "soft")}
    found = {group: Cost(each, None, "given") for group, each in seconds.items()}
    on = [Machine(str(n), {"threads": n}) for n in (12, 64)]
    on.append(Machine("gpu", {"threads": 64, "gpu": 1}))
    stages = {rule: Stage(gpu=1) for rule in ("train_teacher", "train_student")}
    both = studies(PAPER, DATASETS, PUBLISHED, stages)
    rows = [study_row(name, jobs, found, on) for name, jobs in both.items()]
    work = [12 * 10 * 300 + students * 60 * 300 for students in (252, 48)]
    teachers, students = 3000, 18000
    assert rows[0][2:4] == [f"{work[0] / 3600:,.1f}", duration(teachers + 21 * students)]
    assert rows[1][2:4] == [f"{work[1] / 3600:,.1f}", duration(teachers + 4 * students)]
    # 64 cores: beside the teachers 52 students that need none, 36 of Table 3; the last 12 after.
    assert rows[1][4] == duration(teachers + students)
    assert [row[5] for row in rows] == [duration(seconds) for seconds in work]


def test_the_text_says_what_is_from_where(run):
    run(0, "3600.0")
    run(1, text="s")
    seen = run.survey()
    seen.done |= {each.name for each in run.jobs[:9]}  # up to the fold
    found = costs(run.jobs, seen, {("train_teacher", ""): 1800.0}, start=3.0)
    planned = studies(SMALL, DATASETS, PUBLISHED, {"train_student": run.stage})
    text = estimate_text("mine", planned, seen, found, machines(1, {}), ["a note"])
    rows = {" ".join(line.split()) for line in text.splitlines()}
    assert "train_teacher 3 3 1,800.0 1.50 probed" in rows
    assert "train_student (hard) 3 1 3,600.0 1.00 0.5 GB 1 job" in rows
    assert "train_student (soft) 3 3 3,600.0 3.00 0.5 GB as hard" in rows
    assert "make_fold 1 0 3.0 0.00 start only" in rows
    assert "predict_student 6 6 3.0 0.01 start only" in rows
    assert "a note" in rows
    assert "mtl_1.tsv: no benchmark, or only the beginning of one" in text
    # Trainings of 1.5 + 1 + 3 hours, and 3 s for 3 soft labels, 6 x 2 scores, 3 tables, 6 figures,
    # the page, the detector.
    left = duration(5.5 * 3600 + 3 * (3 + 12 + 3 + 6 + 2))
    assert any(row.startswith(f"left of mine 33 5.5 {left} ") for row in rows), text


def test_the_line_before_a_run_gives_numbers_only_where_it_knows_all_trainings(run):
    run(0, "3600.0")
    seen = run.survey()
    found = costs(run.jobs, seen)
    line, expected = forecast(still_to_do(run.jobs, seen.done), found, 2, {})
    assert expected == {}
    assert "not known" in line
    left = [each for each in run.jobs if each.rule == "train_student"][1:]
    line, expected = forecast(left, found, 2, {})
    assert line.startswith("estimate: 3 h 0 min on 2 cores, 5.0 core-hours")
    assert expected == {"seconds": {"train_student": 3600}, "at_once": pytest.approx(5 / 3)}
    assert math.isclose(forecast(left, found, 8, {})[1]["at_once"], 5)


def test_machines_are_this_one_and_three_to_compare():
    assert [each.name for each in machines(2, {})] == ["2 cores", "8 cores", "64 cores"]
    limited = machines(8, {"mem_mb": 60000, "gpu": 1})
    assert [each.capacity for each in limited] == [
        {"threads": 8, "mem_mb": 60000, "gpu": 1},
        *({"threads": n, "gpu": 1} for n in (2, 8, 64)),
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (99.4, "99 s"), (100, "2 min"), (3569, "59 min"), (3571, "1 h 0 min"),
     (86369, "23 h 59 min"), (86371, "1 d 0 h"), (777600, "9 d 0 h")],
)  # fmt: skip
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_columns_stand_below_each_other():
    assert columns([["", "n"], ["abc", "1"], ["d", "10"]]) == "       n\nabc    1\nd     10"


# --- The probe


def test_clips_of_an_epoch():
    statistics = ROOT / "resources/scene_statistics.tsv"
    # home 217.6 s, residential 210 s, city 243.5 s, office 30 s: 22, 21, 25 and 3 clips each
    clips = (10 * 22 + 12 * 21 + 12 * 25 + 78 * 3) * 3 / 4
    assert probe.development_clips(PAPER, statistics, []) == round(clips)
    synthetic = {"annotations": None, "recordings": {"home": 6, "office": 2},
                 "seconds": {"home": 30.0, "office": 12.0}}  # fmt: skip
    assert probe.development_clips({**PAPER, "synthetic": synthetic}, statistics, []) == round(16.5)


def test_clips_of_data_of_ones_own(tmp_path):
    for name, seconds in (("a", 10.0), ("b", 25.0), ("c", 0.5)):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(int(44100 * seconds)), 44100)
    own = sorted(tmp_path.iterdir())
    given = {**PAPER, "folds": [1, 2, 3]}  # 1, 3 and no clips, of which two folds develop
    assert probe.development_clips(given, "not read", [], own) == round((1 + 3 + 0) * 2 / 3)
    given = {**given, "clips": {"frames": 500, "shortest_trained": 0.5}}
    assert probe.development_clips(given, "not read", [], own) == round((1 + 3 + 1) * 2 / 3)


def test_clips_of_folds_that_are_made(tmp_path):
    for fold, number in ((1, 5), (2, 8)):
        rows = ["part\tshort", *["development\tFalse"] * number, "development\tTrue"]
        rows += ["evaluation\tFalse"] * 3
        (tmp_path / f"{fold}.tsv").write_text("\n".join(rows))
    made = [tmp_path / "1.tsv", tmp_path / "2.tsv"]
    assert probe.development_clips(PAPER, "not read", made) == 6  # 6.5, to even


def test_the_probe_foretells_a_training(one_thread):
    """Seconds of real trainings of twenty epochs, in processor time, against the probe's."""
    network = {**PAPER["network"], "channels": 8, "scene_channels": [8, 4], "gru_units": 8}
    training = {"epochs": 20, "batch_size": 8, "learning_rate": 0.001}
    config = {**PAPER, "network": network, "teacher": training, "student": training}
    groups = {("train_teacher", ""), ("train_student", "hard"), ("train_student", "soft")}
    found, device = probe.probe(groups, config, 24, (25, 4), start=0)
    assert device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert found["train_student", "hard"] == found["train_student", "soft"]
    rng = np.random.default_rng(1)
    clips = Clips(None, rng.normal(size=(24, 500, 64)).astype(np.float32), np.full(24, 500),
                  rng.random((24, 500, 25)) < 0.1, rng.integers(4, size=24))  # fmt: skip
    watch = probe.Stopwatch(probe.time.process_time)
    size = probe.NetworkParameters.configured(network, (500, 64), (25, 4))
    given = probe.TrainingParameters(**training)
    for group in (("train_teacher", ""), ("train_student", "hard")):
        probe._train(*group, clips, size, given, torch.device(device), watch)
        assert 0.5 < found[group] / (watch.times[-1] - watch.times[0]) < 2
