"""The estimate as text: what was done, what is left, and what Table 3 and Fig. 3 cost."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from softscene.costs import Cost, Survey, unknown_trainings
from softscene.plan import Group, Job, Stage, only_rows, planned_jobs, still_to_do
from softscene.schedule import core_seconds, wall_seconds

CORES = (2, 8, 64)
"""Of the machines that are compared."""
HOW = """\
seconds each  the median of so many finished jobs; "as soft": of those with that scene loss, which
              have the same network; "as train_teacher": of those, which have more clips; "probed":
              some steps on random numbers, done just now; "start only": it takes longer, but only
              the start of a process is known
core-hours    seconds x threads
times         on so many cores, each job as soon as those it waits for are done and there is room
left          what the results lack; changed code or inputs are seen by `snakemake -n` only"""


@dataclass(frozen=True)
class Machine:
    """Where a run is computed: its name, and what there is of it (see ``wall_seconds``)."""

    name: str
    capacity: Mapping[str, float]


def machines(cores: int, limits: Mapping[str, float]) -> list[Machine]:
    """The one at hand, with what the run is limited to, and those to compare it with."""
    limited = "".join(f", {key} {value:g}" for key, value in limits.items())
    here = Machine(f"{cores} cores{limited}", {"threads": cores, **limits})
    gpu = {key: value for key, value in limits.items() if key == "gpu"}
    same = cores if gpu == limits else None
    others = [Machine(f"{n} cores", {"threads": n, **gpu}) for n in CORES if n != same]
    return [here, *others]


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``5 h 10 min``, ``3 d 4 h``."""
    minutes = round(seconds / 60)
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h"


def studies(
    config: Mapping[str, Any],
    datasets: Sequence[str],
    published: str | Path,
    stages: Mapping[str, Stage] | None = None,
) -> dict[str, list[Job]]:
    """What may be computed -> its jobs: all of the configuration first, then Table 3's own rows.

    Parameters
    ----------
    config, datasets, stages
        As for :func:`softscene.plan.planned_jobs`.
    published
        The published Table 3.
    """
    rows = only_rows(config, published)
    found = {"all tables and Fig. 3": planned_jobs(config, datasets, published, stages)}
    if rows["methods"]:
        found["Table 3's published rows"] = planned_jobs(rows, datasets, published, stages)
    return found


def _job_seconds(jobs: Sequence[Job], found: Mapping[Group, Cost]) -> dict[str, float]:
    """The wall time of each job."""
    return {job.name: found[job.group].seconds for job in jobs}


def study_row(
    name: str, jobs: Sequence[Job], found: Mapping[Group, Cost], on: Sequence[Machine]
) -> list[str]:
    """A row of the second table: jobs, core-hours, and the time on each machine."""
    seconds = _job_seconds(jobs, found)
    times = [duration(wall_seconds(jobs, seconds, machine.capacity)) for machine in on]
    return [name, str(len(jobs)), f"{core_seconds(jobs, seconds) / 3600:,.1f}", *times]


def _rule_rows(
    jobs: Sequence[Job], left: Sequence[Job], found: Mapping[Group, Cost]
) -> list[list[str]]:
    """A row of the first table for each group."""
    total, todo = (Counter(job.group for job in each) for each in (jobs, left))
    rows = []
    for group, cost in found.items():
        threads = next(job.stage.threads for job in jobs if job.group == group)
        hours = todo[group] * threads * cost.seconds / 3600
        memory = "" if cost.mem_mb is None else f"{cost.mem_mb * 2**20 / 1e9:,.1f} GB"
        known = cost.source != "not known"
        numbers = [f"{cost.seconds:,.1f}", f"{hours:,.2f}"] if known else ["?", "?"]
        name = f"{group[0]} ({group[1]})" if group[1] else group[0]
        rows.append([name, str(total[group]), str(todo[group]), *numbers, memory, cost.source])
    return rows


def columns(rows: Sequence[Sequence[str]], words: Sequence[int] = (0,)) -> str:
    """Rows below each other; columns of ``words`` stand left, those of numbers right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "   ".join(
            f"{cell:{'<' if i in words else '>'}{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def estimate_text(
    name: str,
    planned: Mapping[str, Sequence[Job]],
    seen: Survey,
    found: Mapping[Group, Cost],
    on: Sequence[Machine],
    notes: Sequence[str] = (),
) -> str:
    """The whole estimate.

    Parameters
    ----------
    name
        Of the run.
    planned
        From :func:`studies`.
    seen, found
        What is there, and what a job takes.
    on
        The machines.
    notes
        Further lines.
    """
    jobs = next(iter(planned.values()))
    left = still_to_do(jobs, seen.done, seen.changed | seen.new)
    heading = ["", "jobs", "left", "seconds each", "core-hours left", "memory", "from"]
    rules = columns([heading, *_rule_rows(jobs, left, found)], words=(0, 6))
    times = [study_row(f"left of {name}", left, found, on)]
    times += [study_row(f"{each}, from nothing", own, found, on) for each, own in planned.items()]
    table = columns([["", "jobs", "core-hours", *(machine.name for machine in on)], *times])
    more = list(notes)
    if seen.resumed:
        more.append(f"trainings left out, as they went on from a checkpoint: {seen.resumed}")
    if seen.problems:
        more.append("\n  ".join(["left out, as they cannot be used:", *seen.problems]))
    done = f"run {name}: {len(jobs) - len(left)} of {len(jobs)} jobs are done"
    return "\n\n".join([done, rules, table, "\n".join([HOW, *more])]) + "\n"


def forecast(
    left: Sequence[Job], found: Mapping[Group, Cost], cores: int, limits: Mapping[str, float]
) -> tuple[str, dict[str, Any]]:
    """The estimate of what is left, in a line; and for the progress of the run.

    Returns
    -------
    tuple
        The line; and ``seconds`` of a mean job of each rule and how many run ``at_once``, or
        nothing where trainings are to come of which nothing is known.
    """
    if unknown_trainings({job.group: found[job.group] for job in left}):
        return (
            "estimate: not known before trainings of each kind have finished once; "
            "`snakemake estimate`, with the options of this command, measures what they cost"
        ), {}
    seconds = _job_seconds(left, found)
    wall = wall_seconds(left, seconds, {"threads": cores, **limits})
    by_rule: dict[str, list[float]] = defaultdict(list)
    for job in left:
        by_rule[job.rule].append(seconds[job.name])
    expected = {
        "seconds": {rule: statistics.mean(each) for rule, each in by_rule.items()},
        "at_once": sum(seconds.values()) / wall if wall else 1.0,
    }
    hours = core_seconds(left, seconds) / 3600
    return (
        f"estimate: {duration(wall)} on {cores} cores, {hours:,.1f} core-hours, by the jobs that "
        "have finished; `snakemake estimate`, with the options of this command, tells more"
    ), expected
