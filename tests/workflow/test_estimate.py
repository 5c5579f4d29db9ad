"""`snakemake estimate`, before anything ran, in the middle and behind; the line at the start."""

import re
import shutil
import statistics
from collections import Counter

import pytest
from softscene.config.reading import read_yaml
from softscene.config.study import with_controls
from softscene.core.tsv import read_table
from softscene.plan import planned_jobs

from tests.checkout import SMALL, STUDENT, TARGETS, wait_for
from tests.conftest import PAPER, ROOT

TABLE3 = ROOT / "resources/published_table3.csv"
TRAINED = ("students", "predictions", "evaluation", "tables")
DATASETS = [
    "TUT-sound-events-2016-development",
    "TUT-sound-events-2017-development",
    "TUT-acoustic-scenes-2016-development",
]


def estimate(checkout, *args, config=SMALL):
    """Its table of rules, rule -> cells; and all that was printed."""
    done = checkout.snakemake("estimate", *args, config=config)
    assert done.returncode == 0, done.stdout
    lines = (re.split(r"  +", line.strip()) for line in done.stdout.splitlines())
    return {cells[0]: cells[1:] for cells in lines if len(cells) > 2}, done.stdout


def files(checkout):
    return {path.name for path in (checkout.folder / "results").rglob("*") if path.is_file()}


def configured(checkout, name):
    """The configuration that a file makes of config.yaml."""
    given = read_yaml(checkout.folder / name, "configuration")
    merged = dict(PAPER)
    for key, value in given.items():
        merged[key] = {**merged[key], **value} if isinstance(merged[key], dict) else value
    for key, method in merged["methods"].items():
        merged["methods"][key] = {**PAPER["methods"][key], **method}
    merged["methods"] = with_controls(merged)
    return merged


@pytest.mark.parametrize("config", [SMALL, None, "configs/demo.yaml", "configs/controls.yaml"])
def test_jobs_and_what_they_wait_for_are_those_of_the_dag(finished, tmp_path, config):
    """All pairs of jobs of which one must end before the other begins, counted by their rules."""
    done = finished.snakemake("--dag", "--forceall", config=config, cores=None)
    rules = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)', done.stdout, re.MULTILINE))
    before = {number: set() for number in rules}
    for first, then in re.findall(r"^\s*(\d+) -> (\d+)", done.stdout, re.MULTILINE):
        before[then].add(first)
    ours = planned_jobs(configured(finished, config) if config else PAPER, DATASETS, TABLE3)
    names = {job.name: job.rule for job in ours}
    expected = ordered_pairs({job.name: set(job.after) for job in ours}, names)
    counted = {rule: n for rule, n in Counter(rules.values()).items() if rule not in TARGETS}
    assert counted == Counter(names.values())
    found = ordered_pairs(before, rules)
    assert {pair: n for pair, n in found.items() if pair[1] not in TARGETS} == expected


def ordered_pairs(before, rules):
    """How often a job of a rule must end before one of another rule begins."""
    known = {}

    def all_before(name):
        if name not in known:
            known[name] = set(before[name]).union(*map(all_before, before[name]))
        return known[name]

    return Counter((rules[each], rules[name]) for name in rules for each in all_before(name))


def test_before_anything_ran_it_measures_and_makes_nothing(fresh):
    rows, printed = estimate(fresh)
    for kind, jobs in (("teacher", 1), ("student (none)", 1), ("student (hard)", 1)):
        cells = rows[f"train_{kind}"]
        assert cells[:2] == [str(jobs), str(jobs)]
        assert float(cells[2]) > 0
        assert cells[-1] == "probed"
    assert "run small: 0 of 31 jobs are done" in printed
    assert rows["make_fold"][-1] == "start only"
    assert "for 27 clips an epoch" in printed  # 3/4 of 4 x (2 + 2 + 3 + 2)
    assert files(fresh) == {".gitignore", "estimate.log"}


def test_it_needs_no_consent_and_downloads_nothing(fresh):
    """The paper's own configuration, as somebody would ask who has just cloned it."""
    rows, printed = estimate(fresh, config=None)
    assert rows["train_student (soft)"][:2] == ["180", "180"]
    assert rows["train_student (soft)"][-1] == "probed"
    assert rows["Table 3's published rows, from nothing"][0] == "190"
    assert "non-commercial" not in printed
    assert files(fresh) == {".gitignore", "estimate.log"}


def test_behind_a_run_it_gives_what_snakemake_measured(finished):
    rows, printed = estimate(finished)
    assert "run small: 31 of 31 jobs are done" in printed
    assert "probed on" not in printed
    assert rows["left of small"][:3] == ["0", "0.0", "0 s"]
    for rule, jobs in (("predict_student", 3), ("make_corpus", 1), ("download_dataset", 3)):
        found = [
            read_table(path).s[0]
            for path in finished.path("benchmarks").rglob("*.tsv")
            if path.relative_to(finished.path("benchmarks")).parts[0].removesuffix(".tsv") == rule
        ]
        seconds = f"{statistics.median(found):,.1f}"
        assert rows[rule][:3] == [str(jobs), "0", seconds]
        assert rows[rule][-1] == ("1 job" if jobs == 1 else f"{jobs} jobs")


def test_bad_benchmarks_and_resumed_trainings_are_told(scratch):
    benchmark = scratch.path("benchmarks/make_fold/fold-1.tsv")
    benchmark.write_text(benchmark.read_text()[:90])
    log = scratch.path("logs/train_student", f"{STUDENT}.log")
    log.write_text("going on after epoch 1, from a checkpoint\n" + log.read_text())
    rows, printed = estimate(scratch)
    named = "results/small/benchmarks/make_fold/fold-1.tsv: no benchmark, or only the beginning"
    assert named in printed
    assert "trainings left out, as they went on from a checkpoint: 1\n" in printed
    assert rows["make_fold"][-1] == "start only"
    assert rows["train_student (soft)"][-1] == "as hard"


@pytest.mark.parametrize(
    "lost",
    [
        ["students/mtl", "tables/table4.md"],
        ["evaluation/crnn", "tables/table3.tsv"],
        ["soft_labels", "students", "predictions/soft", "evaluation", "tables"],
        ["features.h5", "folds", "teachers", *TRAINED],
    ],
)
def test_what_is_left_is_what_snakemake_would_do(scratch, lost):
    for name in lost:
        path = scratch.path(name)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    rows, _ = estimate(scratch)
    left = Counter()
    for name, cells in rows.items():
        if "_" in name.split()[0] and cells[1] != "0":
            left[name.split()[0]] += int(cells[1])
    assert left == scratch.planned()


def test_a_new_method_in_a_finished_run_is_left_to_do(finished, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("methods: {more: {name: More, scene_loss: hard, alpha: [0.5]}}\n")
    args = ["--configfile", SMALL, str(mine)]
    planned = finished.planned(*args, config=None)
    assert planned["train_student"] == 1
    rows, printed = estimate(finished, *args, config=None)
    left = Counter()
    for name, cells in rows.items():
        if "_" in name.split()[0] and cells[1] != "0":
            left[name.split()[0]] += int(cells[1])
    assert left == planned
    assert f"run small: {34 - sum(planned.values())} of 34 jobs are done" in printed


def test_changed_parameters_of_a_training_are_seen(scratch):
    config = scratch.folder / SMALL
    config.write_text(config.read_text().replace("student: {epochs: 2", "student: {epochs: 4"))
    before = float(read_table(scratch.path("benchmarks/train_student", f"{STUDENT}.tsv")).s[0])
    rows, _ = estimate(scratch)
    assert rows["train_student (soft)"][1] == "1"
    assert float(rows["train_student (soft)"][2]) == pytest.approx(2 * before, abs=0.06)


def test_the_line_before_trainings_is_what_the_jobs_took_last_time(scratch):
    """Students again. Two cores need at least half of all seconds, and at most all of them."""
    for weights in scratch.path("students").rglob("weights.*"):
        weights.unlink()
    for name in TRAINED[1:]:
        shutil.rmtree(scratch.path(name))
    planned, took = scratch.planned(), Counter()
    for path in scratch.path("benchmarks").rglob("*.tsv"):
        rule = path.relative_to(scratch.path("benchmarks")).parts[0].removesuffix(".tsv")
        took[rule] += read_table(path).s[0]
    again = sum(took[rule] for rule in planned)
    assert planned["train_student"] == 3
    assert again > took["train_student"] > 0
    done = scratch.snakemake()
    assert done.returncode == 0, done.stdout
    (foretold,) = re.findall(r"^estimate: (\d+) (s|min) on 2 cores", done.stdout, re.MULTILINE)
    rounding = {"s": 0.5, "min": 30}[foretold[1]]
    seconds = int(foretold[0]) * {"s": 1, "min": 60}[foretold[1]]
    assert again / 2 - rounding <= seconds <= again + rounding
    assert "--:--" not in done.stdout, "a time left from the first line on"


def test_without_trainings_there_is_no_line(scratch):
    shutil.rmtree(scratch.path("tables"))
    done = scratch.snakemake()
    assert done.returncode == 0, done.stdout
    assert "estimate:" not in done.stdout


def test_it_can_be_asked_while_the_run_is_under_way(longer):
    """And leaves the run alone: neither its lock nor its claim stands in the way."""
    other = type(longer)(longer.folder)
    running = longer.start(f"results/small/students/{STUDENT}/weights.safetensors")
    printed = longer.folder / "printed.txt"
    wait_for(lambda: "train_student" in printed.read_text())
    wait_for(lambda: any(longer.path("checkpoints").rglob("*.safetensors")))
    aside = printed.rename(longer.folder / "run.txt")
    rows, text = estimate(other)
    assert "is being made by process" in text
    assert rows["train_student (hard)"][:2] == ["1", "1"], "of other parameters"
    assert running.wait(600) == 0, aside.read_text()
