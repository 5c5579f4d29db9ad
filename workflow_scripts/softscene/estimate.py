"""The estimate as text: what was done, what is left, and what Table 3 and Fig. 3 cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from softscene.costs import Cost, Group, Job, Survey, unknown_trainings
from softscene.schedule import core_seconds, wall_seconds

CORES = (2, 8, 64)
"""Of the machines that are compared."""
HOW = """\
seconds each: the median of so many finished jobs; "probed": some steps on random numbers, done just now with
the configured networks; "as soft": as trainings with that scene loss, which have the same network; "start only":
nothing is known but what it takes to start a process, so it takes longer. core-hours: seconds x threads.
Times: the jobs in their order on so many cores, each when those it waits for are done and there is room."""


@dataclass(frozen=True)
class Machine:
    """Where a run is computed: its name, and what there is of it (see ``wall_seconds``)."""

    name: str
    capacity: Mapping[str, float]


def machines(cores: int, limits: Mapping[str, float]) -> list[Machine]:
    """This one, with what the run is limited to, and those to compare it with."""
    limited = "".join(f", {key} {value:g}" for key, value in limits.items())
    here = Machine(f"{cores} cores{limited}", {"threads": cores, **limits})
    gpu = {key: value for key, value in limits.items() if key == "gpu"}
    others = [
        Machine(f"{n} cores", {"threads": n, **gpu}) for n in CORES if n != cores or set(limits) - {"gpu"}
    ]
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


def job_seconds(jobs: Sequence[Job], found: Mapping[Group, Cost]) -> dict[str, float]:
    """The wall time of each job."""
    return {job.name: found[job.group].seconds for job in jobs}


def study_row(
    name: str, jobs: Sequence[Job], found: Mapping[Group, Cost], on: Sequence[Machine]
) -> list[str]:
    """A row of the second table: jobs, core-hours, and the time on each machine."""
    seconds = job_seconds(jobs, found)
    times = [duration(wall_seconds(jobs, seconds, machine.capacity)) for machine in on]
    return [name, str(len(jobs)), f"{core_seconds(jobs, seconds) / 3600:,.1f}", *times]


def rule_rows(jobs: Sequence[Job], seen: Survey, found: Mapping[Group, Cost]) -> list[list[str]]:
    """A row of the first table for each group."""
    total = Counter(job.group for job in jobs)
    done = Counter(job.group for job in jobs if job.name in seen.done)
    rows = []
    for group, cost in found.items():
        threads = next(job.stage.threads for job in jobs if job.group == group)
        left = (total[group] - done[group]) * threads * cost.seconds / 3600
        memory = "" if cost.mem_mb is None else f"{cost.mem_mb / 1000:,.1f} GB"
        known = cost.source != "not known"
        rows.append([
            f"{group[0]} {f'({group[1]})' if group[1] else ''}", str(total[group]), str(done[group]),
            f"{cost.seconds:,.1f}" if known else "?", f"{left:,.2f}" if known else "?", memory,
            cost.source,
        ])  # fmt: skip
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
    studies: Mapping[str, Sequence[Job]],
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
    studies
        What is computed -> its jobs, from nothing; the run itself first.
    seen, found
        What is there, and what a job takes.
    on
        The machines.
    notes
        Further lines.
    """
    jobs = next(iter(studies.values()))
    left = [job for job in jobs if job.name not in seen.done]
    heading = ["scene loss in brackets", "jobs", "done", "seconds each", "core-hours left", "memory", "from"]
    rules = columns([heading, *rule_rows(jobs, seen, found)], words=(0, 6))
    times = [study_row(f"left of {name}", left, found, on)]
    times += [study_row(f"{each}, from nothing", own, found, on) for each, own in studies.items()]
    table = columns([["", "jobs", "core-hours", *(machine.name for machine in on)], *times])
    more = list(notes)
    if seen.resumed:
        more.append(f"left out: {seen.resumed} benchmarks of trainings that went on from a checkpoint")
    if seen.problems:
        more.append("\n  ".join(["left out, as they cannot be used:", *seen.problems]))
    done = f"run {name}: {len(jobs) - len(left)} of {len(jobs)} jobs done"
    return "\n\n".join([done, rules, table, "\n".join([HOW, *more])]) + "\n"


def estimate_line(
    left: Sequence[Job], found: Mapping[Group, Cost], cores: int, limits: Mapping[str, float]
) -> str:
    """The estimate of what is left, in a line."""
    if unknown_trainings({job.group: found[job.group] for job in left}):
        return (
            "estimate: not known before trainings of each kind have finished once; "
            "`snakemake estimate`, with the options of this command, measures what they cost"
        )
    seconds = job_seconds(left, found)
    wall = wall_seconds(left, seconds, {"threads": cores, **limits})
    return (
        f"estimate: {duration(wall)} on {cores} cores, "
        f"{core_seconds(left, seconds) / 3600:,.1f} core-hours, by the jobs that have finished; "
        "`snakemake estimate`, with the options of this command, tells more"
    )
