"""The jobs of a run, done or not, and what each waits for; the rules, as the estimate sees them."""

import csv
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from softscene.config.controls import CONTROLS
from softscene.config.variants import canonical, choose, variants_of

_FOLD, _TEACHER = ("fold",), ("fold", "seed")
_STUDENT = ("method", "alpha", "beta", "temperature", "fold", "seed")
ORDER: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "make_corpus": ((), ()),
    "import_data": ((), ()),
    "download_annotations": ((), ("make_corpus",)),
    "download_dataset": (("dataset",), ("download_annotations",)),
    "merge_annotations": ((), ("download_dataset",)),
    "audit_annotations": ((), ("merge_annotations",)),
    "make_table1": ((), ("import_data", "merge_annotations")),
    "extract_features": ((), ("import_data", "merge_annotations")),
    "make_fold": (_FOLD, ("extract_features",)),
    "train_teacher": (_TEACHER, ("make_fold",)),
    "dump_soft_labels": (_TEACHER, ("train_teacher",)),
    "make_inner_fold": (("fold", "part"), ("make_fold",)),
    "train_inner_teacher": ((*_TEACHER, "part"), ("make_inner_fold",)),
    "dump_held_out_labels": ((*_TEACHER, "part"), ("train_inner_teacher",)),
    "make_control_labels": (
        ("control", "temperature", *_TEACHER), ("dump_soft_labels", "dump_held_out_labels"),
    ),
    "train_student": (_STUDENT, ("make_fold", "dump_soft_labels", "make_control_labels")),
    "predict_student": (_STUDENT, ("train_student",)),
    "evaluate_student": (_STUDENT, ("predict_student",)),
    "make_table3": ((), ("evaluate_student",)),
    "make_table4": ((), ("evaluate_student",)),
    "plot_figure3": ((), ("make_table3",)),
    "compare_methods": ((), ("evaluate_student",)),
    "plot_claims": ((), ("compare_methods",)),
    "plot_table1": ((), ("make_table1",)),
    "plot_learning_curves": ((), ("train_teacher", "train_student")),
    "plot_confusion": ((), ("train_teacher",)),
    "plot_soft_labels": ((), ("dump_soft_labels",)),
    "make_report": (
        (),
        ("import_data", "extract_features", "train_teacher", "train_student",
         "audit_annotations", "make_table4", "plot_figure3", "compare_methods", "plot_table1",
         "plot_learning_curves", "plot_confusion", "plot_soft_labels", "plot_claims"),
    ),
    "export_detector": ((), ("evaluate_student",)),
}  # fmt: skip
"""Rule -> the wildcards of its jobs, and the rules before it.

A job waits for those jobs of a rule before it whose wildcards agree with its own; students only for
the labels that they learn.
"""
_DOWNLOADS = ("download_annotations", "download_dataset", "merge_annotations", "audit_annotations")
_OF_SOME = {"plot_learning_curves": "train_student", "export_detector": "evaluate_student"}
"""Rule -> the students' jobs that it waits for, but not for those of all students."""
_OF_TEACHERS = ("plot_confusion", "plot_soft_labels")
TRAININGS = {
    "train_teacher": "teacher",
    "train_inner_teacher": "teacher",
    "train_student": "student",
}
"""Rule -> the key of the configuration that says how long it trains."""
TARGETS = (
    "import_data",
    "audit_annotations",
    "make_table1",
    "make_table3",
    "make_table4",
    "plot_figure3",
    "plot_claims",
    "plot_table1",
    "plot_learning_curves",
    "plot_confusion",
    "plot_soft_labels",
    "make_report",
    "export_detector",
)
"""What a run is for: what is missing elsewhere is made where one of these lacks it."""

Group = tuple[str, str]
"""Rule and, of a student's training, its scene loss: such jobs are taken to cost the same."""
LIKE: dict[Group, Group] = {
    ("train_student", "hard"): ("train_student", "soft"),
    ("train_student", "soft"): ("train_student", "hard"),
    ("train_inner_teacher", ""): ("train_teacher", ""),
}
"""Training -> another of the same network."""


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
    config: Mapping[str, Any],
    datasets: Sequence[str],
    published: str | Path,
    stages: Mapping[str, Stage] | None = None,
) -> list[Job]:
    """All jobs of a run, done or not, each behind those that it waits for.

    Parameters
    ----------
    config
        The checked configuration, its controls among the methods.
    datasets
        Names of the data sets that are downloaded.
    published
        The published Table 3, by which it is chosen whose learning curves are drawn.
    stages
        Rule -> what its jobs share; a rule that is not there needs a core and no memory.
    """
    runs = _runs(config, published)
    jobs: dict[str, dict[tuple[str, ...], Job]] = {}
    for rule, (names, _) in ORDER.items():
        stage = (stages or {}).get(rule, Stage())
        jobs[rule] = {}
        for values, run in _places(rule, names, config, runs, datasets).items():
            wildcards = dict(zip(names, values, strict=True))
            after = tuple(job.name for job in _earlier(rule, wildcards, run, runs, jobs))
            loss = run["loss"] if rule == "train_student" else ""
            jobs[rule][values] = Job(" ".join([rule, *values]), rule, wildcards, stage, loss, after)
    return [job for each in jobs.values() for job in each.values()]


def _runs(config: Mapping[str, Any], published: str | Path) -> list[dict[str, Any]]:
    """Of each student: wildcards, loss, the labels it learns, and which of ``_OF_SOME`` want it."""
    runs, kinds = [], variants_of(config["methods"])
    drawn = set(choose(kinds, published))
    exported = {each for each in kinds if not each.is_control}
    for kind in kinds:
        what = {"loss": kind.loss, "soft": kind.loss == "soft" and not kind.is_control}
        what["labels"] = kind.control_wildcards if kind.is_control else None
        what |= {"plot_learning_curves": kind in drawn, "export_detector": kind in exported}
        for fold, seed in itertools.product(config["folds"], config["seeds"]):
            runs.append({**kind.wildcards, "fold": str(fold), "seed": str(seed), **what})
    return runs


def _places(
    rule: str,
    names: Sequence[str],
    config: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    datasets: Sequence[str],
) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """Of each job of a rule: the values of its wildcards, and a student that it is made for."""
    own, synthetic = config["data"]["own"] is not None, config["synthetic"] is not None
    if (rule in (*_DOWNLOADS, "plot_claims") and own) or (rule == "import_data" and not own):
        return {}
    if rule == "make_corpus" and not synthetic:
        return {}
    if names == ("dataset",):
        return {(name,): {} for name in datasets}
    if rule in _TEACHING:  # a teacher is trained where a student learns from it
        runs = [run for run in runs if rule in _labelling(run)]
    if rule == "make_control_labels":
        runs = [{**run, **run["labels"]} for run in runs]
    if rule in _OF_TEACHERS and not any(run["soft"] for run in runs):
        return {}
    if not names:
        return {(): {}}
    parts = range(1, config["control_settings"]["parts"] + 1) if "part" in names else [None]
    every = ({**run, "part": str(part)} for run in runs for part in parts)
    return {tuple(run[name] for name in names): run for run in every}


def _before(rule: str | None) -> set[str]:
    """A rule and all before it."""
    return {rule}.union(*(_before(each) for each in ORDER[rule][1])) if rule else set()


_TEACHING = _before("make_control_labels") - _before("make_fold")


def _labelling(run: Mapping[str, Any]) -> set[str]:
    """The rules that make the labels that a student learns, and all before them."""
    if run["soft"]:
        return _before("dump_soft_labels")
    if not run["labels"]:
        return set()
    return {"make_control_labels", *_before(_source(run["labels"]["control"]))}


def _source(control: str) -> str:
    return "dump_held_out_labels" if CONTROLS[control].held_out else "dump_soft_labels"


def _earlier(
    rule: str,
    wildcards: Mapping[str, str],
    run: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    jobs: Mapping[str, Mapping[tuple[str, ...], Job]],
) -> list[Job]:
    """The jobs that one waits for."""
    before = ORDER[rule][1]
    if rule == "train_student":
        before = ["make_fold", *["dump_soft_labels"] * run["soft"]]
        before += ["make_control_labels"] if run["labels"] else []
    if rule == "make_control_labels":
        before = [_source(wildcards["control"])]
    shared = wildcards | (run.get("labels") or {}) if rule == "train_student" else wildcards
    found = [job for each in before for job in _agreeing(jobs[each], each, shared)]
    if rule in _OF_SOME:
        wanted = {tuple(each[name] for name in _STUDENT) for each in runs if each[rule]}
        others = jobs[_OF_SOME[rule]].keys() - wanted
        found = [job for job in found if tuple(job.wildcards.values()) not in others]
    return found


def _agreeing(
    jobs: Mapping[tuple[str, ...], Job], rule: str, wildcards: Mapping[str, str]
) -> Iterator[Job]:
    """The jobs of a rule whose wildcards are these, as far as they share them."""
    names = ORDER[rule][0]
    if wildcards.keys() >= set(names):  # one at most, and looked up: there may be thousands
        found = jobs.get(tuple(wildcards[name] for name in names))
        return iter([found] if found else [])
    return (
        job
        for job in jobs.values()
        if all(wildcards.get(name, value) == value for name, value in job.wildcards.items())
    )


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
