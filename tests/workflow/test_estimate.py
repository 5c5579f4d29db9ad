"""`snakemake estimate`, before anything ran, in the middle and after; the line at the start."""

import re
import shutil
import statistics
from collections import Counter

import pytest
from softscene.core.tsv import read_table

from tests.checkout import SMALL, STUDENT, wait_for

TRAINED = ("students", "predictions", "evaluation", "tables")
ROW = r"^ *([a-z_0-9]+) +(?:([a-z]\w*) +)?(\d+) +([\d,.]+) +([\d,.]+) +(\S.*)$"
TOTAL = r"^(\d+) jobs left, ([\d,.]+) core-hours, ((?:\d+ days?, )?[\d:]+) on (\d+) cores$"


def number(text):
    """As printed, with commas between thousands: how many there are depends on the machine."""
    return float(text.replace(",", ""))


class Printed:
    """What an estimate printed: ``rows``, (rule, method) -> left, seconds, core-hours, from."""

    def __init__(self, text):
        self.text = text
        found = re.findall(ROW, text, re.MULTILINE)
        self.rows = {
            (rule, method): (int(left), number(seconds), number(hours), source)
            for rule, method, left, seconds, hours, source in found
        }
        self.left = Counter()
        for (rule, _), row in self.rows.items():
            self.left[rule] += row[0]
        self.left = +self.left
        ((self.jobs, self.hours, self.time, self.cores),) = re.findall(TOTAL, text, re.MULTILINE)
        assert int(self.jobs) == self.left.total()


def estimate(checkout, *args, config=SMALL, cores=2):
    done = checkout.snakemake("estimate", *args, config=config, cores=cores)
    assert done.returncode == 0, done.stdout
    return Printed(done.stdout)


def files(checkout):
    return {path.name for path in (checkout.folder / "results").rglob("*") if path.is_file()}


def took(checkout, rule):
    """Seconds of a rule's jobs, by Snakemake's own files."""
    found = [*checkout.path("benchmarks", rule).rglob("*.tsv")]
    found = found or [checkout.path("benchmarks", f"{rule}.tsv")]
    return [float(read_table(path).s[0]) for path in found]


def test_before_anything_ran_it_measures_and_makes_nothing(fresh):
    found = estimate(fresh)
    assert found.left == fresh.planned()
    for method in ("crnn", "mtl", "soft"):
        left, seconds, _, source = found.rows["train_student", method]
        assert (left, source) == (1, "measured")
        assert seconds > found.rows["make_fold", ""][1] > 0
    assert found.rows["train_teacher", ""][3] == "measured"
    assert found.rows["make_fold", ""][3] == "start only"
    assert files(fresh) == {".gitignore", "estimate.log"}


def test_it_needs_no_consent_and_downloads_nothing(fresh):
    """The paper's own configuration, as somebody would ask who has just cloned it."""
    found = estimate(fresh, config=None, cores=8)
    assert found.left["train_student"] == 21 * 4 * 3
    assert found.rows["train_student", "soft"][0] == 180
    assert found.rows["train_student", "soft"][3] == "measured"
    assert found.cores == "8"
    hours, minutes, seconds = map(int, re.findall(r"\d+", found.time)[-3:])
    days = int(found.time.split()[0]) if "day" in found.time else 0
    shown = days * 24 + hours + minutes / 60 + seconds / 3600
    assert shown == pytest.approx(number(found.hours) / 8, rel=0.01)
    assert "non-commercial" not in found.text
    assert files(fresh) == {".gitignore", "estimate.log"}


def test_after_a_run_it_gives_what_snakemake_measured(finished):
    found = estimate(finished)
    assert found.left == {}
    assert (found.jobs, found.hours, found.time) == ("0", "0.0", "0:00:00")
    assert "measured" not in {row[3] for row in found.rows.values()}
    seconds = {}
    for (rule, _), row in found.rows.items():
        seconds.setdefault(rule, []).append(row[1])
    for rule in ("make_corpus", "download_dataset", "train_teacher"):
        expected = statistics.median(took(finished, rule))
        assert seconds[rule] == [pytest.approx(expected, abs=0.006)]
    for rule in ("train_student", "predict_student"):  # one of each method
        assert sorted(seconds[rule]) == pytest.approx(sorted(took(finished, rule)), abs=0.006)
    assert found.rows["download_dataset", ""][3] == "3 finished"


def test_bad_benchmarks_and_resumed_trainings_are_told(scratch):
    benchmark = scratch.path("benchmarks/make_fold/fold-1.tsv")
    benchmark.write_text(benchmark.read_text()[:90])
    log = scratch.path("logs/train_student", f"{STUDENT}.log")
    log.write_text("resuming after epoch 1, from a checkpoint\n" + log.read_text())
    for name in ("folds", "students/soft", "predictions", "evaluation", "tables"):
        shutil.rmtree(scratch.path(name))
    found = estimate(scratch)
    named = "results/small/benchmarks/make_fold/fold-1.tsv: no benchmark, or only the beginning"
    assert named in found.text
    assert f"{STUDENT}.tsv: its training is not finished" in found.text
    assert found.rows["make_fold", ""][3] == "start only"
    assert found.rows["train_student", "soft"][3] == "other methods"


def test_a_training_that_went_on_from_a_checkpoint_is_left_out(scratch):
    log = scratch.path("logs/train_student", f"{STUDENT}.log")
    log.write_text("resuming after epoch 1, from a checkpoint\n" + log.read_text())
    found = estimate(scratch)
    assert "benchmarks left out: 1\n" in found.text
    assert f"{STUDENT}.tsv: its training was resumed from a checkpoint" in found.text
    assert ("train_student", "soft") not in found.rows


@pytest.mark.parametrize(
    "lost",
    [
        ["evaluation/crnn", "tables/table3.tsv"],
        ["features.h5", "folds", "teachers", *TRAINED],
    ],
)
def test_what_is_left_is_what_snakemake_would_do(scratch, lost):
    for name in lost:
        path = scratch.path(name)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert estimate(scratch).left == scratch.planned()


MORE = "methods: {more: {name: More, scene_loss: hard, alpha: [0.5]}}\n"


@pytest.mark.parametrize(
    ("text", "trained"),
    [
        (MORE, {"train_student": 1}),
        ("methods: {soft: null}\n", {}),
        ("seeds: [0, 1]\n", {"train_student": 3, "train_teacher": 1}),
        ("student: {epochs: 4, batch_size: 8, learning_rate: 0.002}\n", {"train_student": 3}),
    ],
    ids=["new method", "removed method", "new seed", "changed parameters"],
)
def test_a_changed_configuration_of_a_finished_run_is_seen(finished, tmp_path, text, trained):
    mine = tmp_path / "mine.yaml"
    mine.write_text(text)
    args = ["--configfile", SMALL, str(mine)]
    planned = finished.planned(*args, config=None)
    found = estimate(finished, *args, config=None)
    assert found.left == planned
    assert planned["make_table3"] == 1
    assert {rule: n for rule, n in found.left.items() if rule.startswith("train_")} == trained
    if "more" in text:
        assert found.rows["train_student", "more"][3] == "other methods"
    if "epochs: 4" in text:  # of two epochs before
        before = took(finished, f"train_student/{STUDENT.split('/', maxsplit=1)[0]}")
        assert found.rows["train_student", "soft"][1] == pytest.approx(2 * before[0], abs=0.01)


def test_a_target_only_and_other_options_are_seen(finished):
    targets = ("results/small/tables/table4.tsv", "figures")
    more = ("methods={mtl: {alpha: [0.02]}}", f"estimate='{' '.join(targets)}'")
    found = estimate(finished, "--config", *more)
    assert found.left == finished.planned(*targets, "--config", *more)
    assert found.left["train_student"] == 1
    assert "make_report" not in found.left
    assert estimate(finished, "--config", "estimate=explorer").left["make_explorer"] == 1


def test_a_target_that_is_none_is_told(finished):
    done = finished.snakemake("estimate", "--config", "estimate=tabels")
    assert done.returncode != 0
    log = finished.path("logs/estimate.log").read_text()
    assert "ConfigurationError: estimate: ['tabels'] given: No rule to produce tabels" in log


def test_the_line_before_trainings_is_what_the_jobs_took_last_time(scratch):
    """Students again. Two cores need at least half of all seconds, and at most all of them."""
    for weights in scratch.path("students").rglob("weights.*"):
        weights.unlink()
    for name in TRAINED[1:]:
        shutil.rmtree(scratch.path(name))
    planned = scratch.planned()
    assert planned["train_student"] == 3
    again = sum(sum(took(scratch, rule)) for rule in planned)
    done = scratch.snakemake()
    assert done.returncode == 0, done.stdout
    (foretold,) = re.findall(r"^estimate: (.*)$", done.stdout, re.MULTILINE)
    jobs, _, time, cores = re.fullmatch(TOTAL, foretold).groups()
    assert (int(jobs), cores) == (sum(planned.values()), "2")
    hours, minutes, seconds = map(int, time.split(":"))
    assert again / 2 - 1 <= hours * 3600 + minutes * 60 + seconds <= again + 1
    assert "--:--" not in done.stdout, "a time left from the first line on"


def test_without_trainings_there_is_no_line(scratch):
    table = scratch.path("tables/table4.tsv")
    table.unlink()
    done = scratch.snakemake("results/small/tables/table4.tsv")
    assert done.returncode == 0, done.stdout
    assert table.exists()
    assert "estimate:" not in done.stdout


def test_it_can_be_asked_while_the_run_is_under_way(longer):
    """And leaves the run alone: neither its lock nor its claim stands in the way."""
    other = type(longer)(longer.folder)
    running = longer.start(f"results/small/students/{STUDENT}/weights.safetensors")
    printed = longer.folder / "printed.txt"
    wait_for(lambda: "train_student" in printed.read_text())
    wait_for(lambda: any(longer.path("checkpoints").rglob("*.safetensors")))
    aside = printed.rename(longer.folder / "run.txt")
    found = estimate(other)
    assert "is being made by process" in found.text
    assert found.rows["train_student", "mtl"][0] == 1, "of other parameters"
    assert running.wait(600) == 0, aside.read_text()
