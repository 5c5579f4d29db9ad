"""When the jobs of a run would be done on so many cores."""

import heapq
from collections.abc import Mapping, Sequence

from softscene.plan import Job

Seconds = Mapping[str, float]
"""Name of a job -> its wall time in s."""


def wall_seconds(jobs: Sequence[Job], seconds: Seconds, capacity: Mapping[str, float]) -> float:
    """Wall time of a list schedule.

    Whenever a job ends, all jobs are gone through in their order, and those start whose
    predecessors are done and that fit into what is free. No schedule needs less than the longest
    chain, or than the work divided by the cores; for jobs of a thread each, this one needs no more
    than the sum of both (Graham, *Bounds on multiprocessing timing anomalies*, 1969).

    Parameters
    ----------
    jobs
        Each behind those that it waits for; what is not among them is done.
    seconds
        Of each job.
    capacity
        ``threads``, and ``mem_mb`` and ``gpu`` where they are limited. A job that asks for more
        than there is takes all.
    """
    free = dict(capacity)
    waits, followers = _graph(jobs)
    place = {job.name: index for index, job in enumerate(jobs)}
    ready = [index for index, job in enumerate(jobs) if not waits[job.name]]
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        waiting = []
        for index in ready:
            needs = _needs(jobs[index], capacity)
            if free["threads"] > 0 and all(free[key] >= need for key, need in needs.items()):
                free.update({key: free[key] - need for key, need in needs.items()})
                heapq.heappush(running, (now + seconds[jobs[index].name], index))
            else:
                waiting.append(index)
        now = running[0][0]
        while running and running[0][0] == now:
            job = jobs[heapq.heappop(running)[1]]
            free.update({key: free[key] + need for key, need in _needs(job, capacity).items()})
            for name in followers[job.name]:
                waits[name] -= 1
                if not waits[name]:
                    waiting.append(place[name])
        ready = sorted(waiting)
    return now


def _needs(job: Job, capacity: Mapping[str, float]) -> dict[str, float]:
    return {key: min(getattr(job.stage, key), limit) for key, limit in capacity.items()}


def _graph(jobs: Sequence[Job]) -> tuple[dict[str, int], dict[str, list[str]]]:
    """How many jobs each waits for, and which wait for it."""
    followers: dict[str, list[str]] = {job.name: [] for job in jobs}
    waits = {}
    for job in jobs:
        before = [name for name in job.after if name in followers]
        waits[job.name] = len(before)
        for name in before:
            followers[name].append(job.name)
    return waits, followers


def core_seconds(jobs: Sequence[Job], seconds: Seconds) -> float:
    """Work: the wall time of each job, times its threads."""
    return sum(job.stage.threads * seconds[job.name] for job in jobs)
