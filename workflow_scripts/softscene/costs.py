"""What a run costs: the jobs still to run, timed by those that have finished."""

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from softscene.config.overrides import student_settings, teachers_of
from softscene.core.errors import ResultError
from softscene.core.progress import RESUMING
from softscene.report.provenance import other_parameters, read_benchmark, trained_with

START = "start only"
HOW = f"""\
seconds: the median of finished jobs; measured: from a few training steps on random numbers, now;
  {START}: the time a process takes to start; the job itself takes longer
time: approximate; core-hours / cores, or the longest chain of jobs that wait for each other, if
  that is more; limits set by --resources are ignored"""
# Rule, and a student's method or a teacher's wildcard; its jobs are assumed to cost the same.
Group = tuple[str, str]


class NeededJob(NamedTuple):
    """A job that Snakemake would run, with the paths of its files."""

    group: Group
    cores: int
    inputs: Sequence[str]
    outputs: Sequence[str]

    @classmethod
    def of(cls, job: Any) -> "NeededJob":
        """Make one from a Snakemake job, or from what Snakemake passes to a logger about a job."""
        return cls(group_of(str(job.benchmark)), job.threads, tuple(job.input), tuple(job.output))


def group_of(benchmark: str) -> Group:
    """Group of ``results/RUN/benchmarks/RULE...``; a student's job has ``RULE/METHOD/...``.

    That of a teacher with overrides has ``RULE/TEACHER/...``.

    A job of another workflow, which has this one as a module, is a group of its own.
    """
    path = re.search(r"results/[^/]+/benchmarks/([^/.]+)[/.](?:([^/]*)/)?", benchmark)
    if not path:
        return benchmark, ""
    named = path[1].endswith(("_student", "_teacher"))
    return path[1], (path[2] or "") if named else ""


def read_finished(folder: str | Path, config: Mapping[str, Any]) -> tuple[dict, list[str]]:
    """Group -> seconds of each finished job in ``results/RUN``; and why benchmarks were left out.

    Times of trainings are scaled to the configured epochs; only configured methods count.
    """
    found, left_out, folder = defaultdict(list), [], Path(folder)
    for path in sorted(folder.glob("benchmarks/**/*.tsv")):
        rule, method = group = group_of(str(path))
        if _is_configured(rule, method, config):
            try:
                ratio = _epochs_ratio(folder, path, method, config) if "train_" in rule else 1
                found[group].append(ratio * read_benchmark(path)["s"])
            except ResultError as error:
                left_out.append(str(error))
    return found, left_out


def epochs_of(config: Mapping[str, Any]) -> dict[Group, int]:
    """Epochs of the trainings of each group."""
    teachers = {key.rstrip("/"): each for key, each in teachers_of(config).items()}
    students = {method: student_settings(config, method) for method in config["methods"]}
    groups = {"train_teacher": teachers, "train_inner_teacher": teachers, "train_student": students}
    return {
        (rule, name): each.training["epochs"]
        for rule, settings in groups.items()
        for name, each in settings.items()
    }


def _is_configured(rule: str, method: str, config: Mapping[str, Any]) -> bool:
    if method and rule.endswith("_teacher"):
        return f"{method}/" in teachers_of(config)
    return not method or method in config["methods"]


def _epochs_ratio(folder: Path, path: Path, method: str, config: Mapping[str, Any]) -> float:
    """Configured epochs divided by the epochs of the benchmarked training."""
    rule, place = str(path.relative_to(folder / "benchmarks").with_suffix("")).split("/", 1)
    parameters = folder / f"{rule.removeprefix('train_')}s" / place / "parameters.json"
    log = folder / "logs" / rule / f"{place}.log"
    if not parameters.exists():  # Snakemake deletes results before a job runs again
        raise ResultError(f"{path}: its training is not finished")
    if log.is_file() and RESUMING in log.read_text(errors="replace"):
        raise ResultError(f"{path}: its training was resumed from a checkpoint")
    taught = method and rule.endswith("_teacher")
    names = {"teacher": f"{method}/"} if taught else {"method": method}
    wanted = trained_with(config, **names)
    other, epochs = other_parameters(parameters, wanted), wanted["training"]["epochs"]
    if other.keys() - {"training.epochs", "training.learning_rate"}:
        raise ResultError(f"{path}: its training had other parameters, see {parameters}")
    return epochs / other.get("training.epochs", epochs)


@dataclass(frozen=True)
class RunCost:
    """What the remaining ``jobs`` of a run take on a number of ``cores``.

    ``finished`` and ``measured`` hold seconds of each job; a process takes ``start`` to start.
    ``epochs`` are those of trainings: one is taken from another group by them.
    """

    jobs: Sequence[NeededJob]
    finished: Mapping[Group, Sequence[float]]
    cores: int
    measured: Mapping[Group, Sequence[float]] = field(default_factory=dict)
    start: float = 0
    epochs: Mapping[Group, int] = field(default_factory=dict)

    @cached_property
    def groups(self) -> pd.DataFrame:
        """For each: jobs ``left``, ``seconds`` per job, ``core-hours`` left, and their source."""
        left, cores, rows = Counter(job.group for job in self.jobs), Counter(), []
        for job in self.jobs:
            cores[job.group] += job.cores
        for group in dict.fromkeys([*left, *self.finished]):
            own = self.finished.get(group, [])
            others = [
                s * self.epochs.get(group, 1) / self.epochs.get(like, 1)
                for like in self.finished
                if like[0] == group[0]
                for s in self.finished[like]
            ]
            known = {f"{len(own)} finished": own, "other methods": others}
            known |= {"measured": self.measured.get(group), START: [self.start]}
            source = next(source for source in known if known[source])
            seconds = statistics.median(known[source])
            rows.append((*group, left[group], seconds, cores[group] * seconds / 3600, source))
        names = ["rule", "method", "left", "seconds", "core-hours", "from"]
        return pd.DataFrame(rows, columns=names).set_index(names[:2])

    @property
    def unknown_trainings(self) -> list[Group]:
        """Groups of trainings of which no time is known."""
        unknown = self.groups[self.groups["from"] == START].index
        return [group for group in unknown if group[0].startswith("train_")]

    @cached_property
    def wall(self) -> float:
        """Least time in s: work / cores, or the longest chain of jobs if that takes longer."""
        made_by = {path: job for job in self.jobs for path in job.outputs}
        seconds = self.groups.seconds.to_dict()

        @cache
        def end(job: NeededJob) -> float:
            before = {made_by[path] for path in job.inputs if path in made_by}
            return max(map(end, before), default=0) + seconds[job.group]

        work = sum(min(job.cores, self.cores) * seconds[job.group] for job in self.jobs)
        return max([work / self.cores, *map(end, self.jobs)])

    def progress(self, rules: Iterable[str]) -> dict[str, Any]:
        """For the terminal: ``seconds`` per job of each rule, or 0; number of jobs ``at_once``."""
        seconds = dict.fromkeys(rules, 0.0) | dict(self.groups.seconds.groupby("rule").mean())
        work = (self.groups.seconds * self.groups.left).sum()
        return {"event": "costs", "seconds": seconds, "at_once": (work or 1) / (self.wall or 1)}

    def __str__(self) -> str:
        """Jobs, core-hours and time, in a line."""
        hours, time = self.groups["core-hours"].sum(), timedelta(seconds=round(self.wall))
        return f"{len(self.jobs)} jobs left, {hours:,.1f} core-hours, {time} on {self.cores} cores"

    def text(self, left_out: Sequence[str]) -> str:
        """The whole estimate: a row for each group, the totals, and how they were obtained."""
        rows = self.groups.reset_index().to_string(index=False, float_format="{:,.2f}".format)
        notes = [HOW, f"benchmarks left out: {len(left_out)}", *left_out[:10]]
        return "\n\n".join([rows, str(self), "\n".join(notes)]) + "\n"
