"""What the jobs of a run take, by the benchmarks of those that are finished."""

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from softscene.plan import LIKE, TRAININGS, Group, Job

RESUMED = "going on after epoch"  # in the log of a training: its benchmark is of the last try only
UNCOUNTED = ("epochs", "learning_rate")  # do not change what an epoch costs


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
    new
        Names of the jobs that never finished: what waits for one has been made without it.
    seconds, mem_mb
        Group -> of each usable benchmark; trainings at the configured number of epochs.
    resumed
        Trainings whose benchmark is of their last part only, so that it was left out.
    problems
        Files that cannot be used, and why.
    """

    done: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)
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
        elif job.stage.benchmark and not job.path(job.stage.benchmark).exists():
            seen.new.add(job.name)
        known = found is not None or not wanted  # of how many epochs a benchmark is
        if known and _agree(found, wanted, but=UNCOUNTED) and (taken := _benchmark(job, seen)):
            seconds, mem_mb = taken
            if wanted:
                seconds *= wanted["training"]["epochs"] / found["training"]["epochs"]
            seen.seconds[job.group].append(seconds)
            seen.mem_mb[job.group] += [mem_mb] if mem_mb is not None else []
    return seen


def _parameters(job: Job, config: Mapping[str, Any]) -> dict[str, Any]:
    """What ``parameters.json`` of a training should hold."""
    if job.rule not in TRAININGS:
        return {}
    keys = ["channels", "dropout", "fused"]
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
        own = rule, loss
        like = LIKE.get(own, own)
        largest = max(seen.mem_mb.get(own) or seen.mem_mb.get(like, []), default=None)
        if times := seen.seconds.get(own):
            found[own] = Cost(statistics.median(times), largest, _plural(len(times), "job"))
        elif times := seen.seconds.get(like):
            found[own] = Cost(statistics.median(times), largest, f"as {like[1] or like[0]}")
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
