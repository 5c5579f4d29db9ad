"""What a run costs: its jobs, and what each takes by the benchmarks of those that are finished."""

import csv
import itertools
import json
import math
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from softscene.config import canonical, student_kinds

_FOLD, _TEACHER = ("fold",), ("fold", "seed")
_STUDENT = ("method", "alpha", "beta", "temperature", "fold", "seed")
ORDER: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "make_corpus": ((), ()),
    "download_annotations": ((), ("make_corpus",)),
    "download_dataset": (("dataset",), ("download_annotations",)),
    "merge_annotations": ((), ("download_dataset",)),
    "audit_annotations": ((), ("merge_annotations",)),
    "make_table1": ((), ("merge_annotations",)),
    "extract_features": ((), ("merge_annotations",)),
    "make_fold": (_FOLD, ("extract_features",)),
    "train_teacher": (_TEACHER, ("make_fold",)),
    "dump_soft_labels": (_TEACHER, ("train_teacher",)),
    "train_student": (_STUDENT, ("make_fold", "dump_soft_labels")),
    "predict_student": (_STUDENT, ("train_student",)),
    "evaluate_student": (_STUDENT, ("predict_student",)),
    "make_table3": ((), ("evaluate_student",)),
    "make_table4": ((), ("evaluate_student",)),
    "plot_figure3": ((), ("make_table3",)),
}
"""Rule -> the wildcards of its jobs, and the rules before it.

A job waits for those jobs of a rule before it whose wildcards agree with its own.
"""
TRAININGS = {"train_teacher": "teacher", "train_student": "student"}
"""Rule -> the key of the configuration that says how long it trains."""
TARGETS = ("audit_annotations", "make_table1", "make_table3", "make_table4", "plot_figure3")
"""What a run is for: what is missing elsewhere is made where one of these lacks it."""
RESUMED = "going on after epoch"  # in the log of a training: its benchmark is of the last try only
UNCOUNTED = ("epochs", "learning_rate")  # do not change what an epoch costs
LIKE = {"hard": "soft", "soft": "hard"}  # scene losses of one and the same network

Group = tuple[str, str]
"""Rule and, of a student's training, its scene loss: such jobs are taken to cost the same."""


@dataclass(frozen=True)
class Stage:
    """What a rule's jobs have in common; paths have their wildcards in braces.

    Attributes
    ----------
    benchmark, log, outputs
        Paths; none for jobs that are only counted.
    threads, mem_mb, gpu
        What a job occupies.
    """

    benchmark: str = ""
    log: str = ""
    outputs: Sequence[str] = ()
    threads: int = 1
    mem_mb: int = 0
    gpu: int = 0


@dataclass(frozen=True)
class Job:
    """A job of a run.

    Attributes
    ----------
    name
        Rule and wildcards: no other job has it.
    rule, wildcards, stage
        What it is.
    loss
        The scene loss of a student's training, else empty.
    after
        Names of the jobs that it waits for.
    """

    name: str
    rule: str
    wildcards: Mapping[str, str]
    stage: Stage
    loss: str = ""
    after: tuple[str, ...] = ()

    @property
    def group(self) -> Group:
        """Jobs that are taken to cost the same."""
        return self.rule, self.loss

    def path(self, pattern: str) -> Path:
        """A path of the job."""
        return Path(pattern.format(**self.wildcards))


def planned_jobs(
    config: Mapping[str, Any], datasets: Sequence[str], stages: Mapping[str, Stage] | None = None
) -> list[Job]:
    """All jobs of a run, done or not, each behind those that it waits for.

    Parameters
    ----------
    config
        The checked configuration.
    datasets
        Names of the data sets that are downloaded.
    stages
        Rule -> what its jobs share; a rule that is not there needs a core and no memory.
    """
    runs = [
        {**vars(kind), "fold": str(fold), "seed": str(seed)}
        for kind in student_kinds(config["methods"])
        for fold, seed in itertools.product(config["folds"], config["seeds"])
    ]
    runs = [{**run, "loss": config["methods"][run["method"]]["scene_loss"]} for run in runs]
    jobs: dict[str, list[Job]] = {}
    for rule, (names, before) in ORDER.items():
        stage = (stages or {}).get(rule, Stage())
        jobs[rule] = [
            _job(rule, wildcards, stage, loss, itertools.chain(*(jobs[each] for each in before)))
            for wildcards, loss in _wildcards(rule, names, config, runs, datasets)
        ]
    return list(itertools.chain(*jobs.values()))


def _wildcards(
    rule: str,
    names: Sequence[str],
    config: Mapping[str, Any],
    runs: Sequence[Mapping[str, str]],
    datasets: Sequence[str],
) -> list[tuple[dict[str, str], str]]:
    """The wildcards, and the scene loss, of each job of a rule."""
    if rule == "make_corpus" and config["synthetic"] is None:
        return []
    if names == ("dataset",):
        return [({"dataset": name}, "") for name in datasets]
    if names == _TEACHER:  # a teacher is trained where a student learns from it
        runs = [run for run in runs if run["loss"] == "soft"]
    if not names:
        return [({}, "")]
    found = {
        tuple(run[name] for name in names): run["loss"] if rule == "train_student" else ""
        for run in runs
    }
    return [(dict(zip(names, values, strict=True)), loss) for values, loss in found.items()]


def _job(
    rule: str, wildcards: Mapping[str, str], stage: Stage, loss: str, before: Iterable[Job]
) -> Job:
    after = [
        job.name
        for job in before
        if all(wildcards.get(name, value) == value for name, value in job.wildcards.items())
        and (rule, job.rule, loss == "soft") != ("train_student", "dump_soft_labels", False)
    ]
    return Job(" ".join([rule, *wildcards.values()]), rule, wildcards, stage, loss, tuple(after))


def only_rows(config: Mapping[str, Any], published: str | Path) -> dict[str, Any]:
    """The configuration of a published table's rows alone, as far as they are configured.

    Parameters
    ----------
    config
        The checked configuration.
    published
        CSV with ``method`` (its name), ``alpha``, ``beta`` and ``temperature``.
    """
    with Path(published).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    methods = {}
    for key, method in config["methods"].items():
        own = [row for row in rows if row["method"] == method["name"]]
        kept = {
            name: [value for value in method[name] if canonical(value) in _numbers(own, name)]
            for name in ("alpha", "beta", "temperature")
            if name in method
        }
        if own and all(kept.values()):
            methods[key] = {**method, **kept}
    return {**config, "methods": methods}


def _numbers(rows: Sequence[Mapping[str, str]], name: str) -> set[str]:
    return {canonical(float(row[name])) for row in rows if row[name]}


@dataclass(frozen=True)
class Cost:
    """What a job of a group takes.

    Attributes
    ----------
    seconds
        Wall time.
    mem_mb
        The largest resident memory that was seen in MiB, if any was.
    source
        Where the seconds are from.
    """

    seconds: float
    mem_mb: float | None
    source: str


@dataclass
class Survey:
    """What is there of a run's jobs.

    Attributes
    ----------
    done
        Names of the jobs whose results are there.
    changed
        Names of the trainings whose results are there, but of other parameters.
    seconds, mem_mb
        Group -> of each usable benchmark; trainings at the configured number of epochs.
    resumed
        Trainings whose benchmark is of their last part only, so that it was left out.
    problems
        Files that cannot be used, and why.
    """

    done: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    seconds: dict[Group, list[float]] = field(default_factory=lambda: defaultdict(list))
    mem_mb: dict[Group, list[float]] = field(default_factory=lambda: defaultdict(list))
    resumed: int = 0
    problems: list[str] = field(default_factory=list)


def survey(jobs: Iterable[Job], config: Mapping[str, Any]) -> Survey:
    """Look at the files of jobs: which are done, and what they took.

    A job is done if its outputs are there and, of a training, are of the configured parameters.
    What Snakemake makes again for another reason, such as a newer input, is not seen.
    """
    seen = Survey()
    for job in jobs:
        wanted, found = _parameters(job, config), _found_parameters(job, seen)
        if all(job.path(each).exists() for each in job.stage.outputs):
            (seen.done if _agree(found, wanted) else seen.changed).add(job.name)
        known = found is not None or not wanted  # of how many epochs a benchmark is
        if known and _agree(found, wanted, but=UNCOUNTED) and (taken := _benchmark(job, seen)):
            seconds, mem_mb = taken
            if wanted:
                seconds *= wanted["training"]["epochs"] / found["training"]["epochs"]
            seen.seconds[job.group].append(seconds)
            seen.mem_mb[job.group] += [mem_mb] if mem_mb is not None else []
    return seen


def still_to_do(
    jobs: Sequence[Job], done: Collection[str], changed: Collection[str] = ()
) -> list[Job]:
    """The jobs that a run would start: what its targets lack, and what follows from what is made.

    Parameters
    ----------
    jobs
        Each behind those that it waits for.
    done
        Names of the jobs whose results are there.
    changed
        Names of jobs that are done again in any case.
    """
    todo = set(changed)
    before = None
    while todo != before:
        before = set(todo)
        lacking = {name for job in jobs if job.name in todo for name in job.after}
        for job in reversed(jobs):
            if job.name not in done and (job.rule in TARGETS or job.name in lacking):
                todo.add(job.name)
                lacking.update(job.after)
        for job in jobs:
            if not todo.isdisjoint(job.after):
                todo.add(job.name)
    return [job for job in jobs if job.name in todo]


def _parameters(job: Job, config: Mapping[str, Any]) -> dict[str, Any]:
    """What ``parameters.json`` of a training should hold."""
    if job.rule not in TRAININGS:
        return {}
    keys = ["channels", "dropout"]
    if job.rule == "train_student":
        keys += ["gru_units", "dense_units"] + ["scene_channels"] * (job.loss != "none")
    clip = {"frames": config["clips"]["frames"], "bands": config["features"]["bands"]}
    return {
        "training": config[TRAININGS[job.rule]],
        "network": clip | {key: config["network"][key] for key in keys},
        "threads": config["compute"]["threads"],
    }


def _found_parameters(job: Job, seen: Survey) -> dict[str, Any] | None:
    """The parameters of a finished training; None where they are not there."""
    for pattern in job.stage.outputs:
        path = job.path(pattern)
        if path.name == "parameters.json" and path.exists():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
                if not found["training"]["epochs"] > 0:
                    raise ValueError("no epochs")
            except (OSError, ValueError, TypeError, KeyError) as error:
                seen.problems.append(f"{path}: no parameters of a training ({error!r})")
            else:
                return found
    return None


def _agree(found: Any, wanted: Mapping[str, Any], but: Sequence[str] = ()) -> bool:
    """Whether all that is wanted is found; where nothing is found, nothing contradicts."""
    if found is None:
        return True
    return isinstance(found, Mapping) and all(
        _agree(found.get(key, {}), value, but) if isinstance(value, Mapping) else
        found.get(key) == value
        for key, value in wanted.items()
        if key not in but
    )  # fmt: skip


def _benchmark(job: Job, seen: Survey) -> tuple[float, float | None] | None:
    """Seconds, and MiB if they were seen, of a finished job."""
    path = job.path(job.stage.benchmark) if job.stage.benchmark else None
    if path is None or not path.is_file():
        return None
    try:
        taken = read_benchmark(path)
    except (OSError, ValueError) as error:
        seen.problems.append(f"{path}: {error}")
        return None
    log = job.path(job.stage.log)
    if job.rule in TRAININGS and log.is_file() and RESUMED in log.read_text(errors="replace"):
        seen.resumed += 1
        return None
    return taken


def read_benchmark(path: str | Path) -> tuple[float, float | None]:
    """Wall time in s, and largest resident memory in MiB if it was seen, of a benchmark file.

    Raises
    ------
    ValueError
        It is not what Snakemake writes, or only its beginning: a header and a row, tab-separated.
    """
    text = Path(path).read_text(encoding="utf-8")
    header, *rows = [line.split("\t") for line in text.splitlines()] or [[]]
    if not rows or len(rows[-1]) != len(header) or not text.endswith("\n"):
        raise ValueError("no benchmark, or only the beginning of one")
    row = dict(zip(header, rows[-1], strict=True))
    if not {"s", "max_rss"} <= row.keys():
        raise ValueError(f"no benchmark: its columns are {', '.join(header)}")
    seconds = float(row["s"])
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"{row['s']} s")
    return seconds, None if row["max_rss"] == "NA" else float(row["max_rss"])


def costs(
    jobs: Iterable[Job], seen: Survey, probed: Mapping[Group, float] | None = None, start: float = 0
) -> dict[Group, Cost]:
    """What a job of each group takes.

    In this order: the median of the group's finished jobs; that of trainings of the same network;
    what was probed; at least the start of a process.

    Parameters
    ----------
    jobs
        Whose groups.
    seen
        What is there of the jobs.
    probed
        Group -> seconds, from :func:`softscene.probe.probe`.
    start
        Seconds until a job has started; 0 where they are not known.
    """
    found = {}
    for rule, loss in dict.fromkeys(job.group for job in jobs):
        own, like = (rule, loss), (rule, LIKE.get(loss, loss))
        largest = max(seen.mem_mb.get(own) or seen.mem_mb.get(like, []), default=None)
        if times := seen.seconds.get(own):
            found[own] = Cost(statistics.median(times), largest, _plural(len(times), "job"))
        elif times := seen.seconds.get(like):
            found[own] = Cost(statistics.median(times), largest, f"as {like[1]}")
        elif seconds := (probed or {}).get(own):
            found[own] = Cost(seconds, None, "probed")
        else:
            found[own] = Cost(start, None, "start only" if start else "not known")
    return found


def unknown_trainings(found: Mapping[Group, Cost]) -> set[Group]:
    """Trainings of which nothing is known."""
    weak = ("start only", "not known")
    return {group for group, cost in found.items() if group[0] in TRAININGS and cost.source in weak}


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)
