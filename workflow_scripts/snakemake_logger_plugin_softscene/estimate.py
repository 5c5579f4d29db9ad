"""A run's progress, and the time that is left."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

ENOUGH = 3  # finished jobs before a time is given


class Job(NamedTuple):
    """A running job: its logs, and when it began."""

    rule: str
    wildcards: Mapping[str, str]
    logs: Sequence[str]
    since: float


class TimeLeft:
    """Count the jobs of a run, and estimate the time left from the finished ones.

    Parameters
    ----------
    counts
        Number of jobs of each rule.
    clock
        Returns the time in seconds.
    """

    def __init__(self, counts: Mapping[str, int], clock: Callable[[], float] = time.monotonic):
        # Not Snakemake's own total, which includes jobs that --until leaves out.
        self.total, self.done = sum(counts.values()), 0
        self.running: dict[int, Job] = {}
        self.clock, self._begin, self._busy = clock, clock(), 0.0
        self._unfinished, self._finished = Counter(counts), Counter()
        self._seconds: Counter[str] = Counter()  # that each rule's finished jobs took
        self._expected: dict[str, float] = {}
        self._at_once = 1.0

    def expect(self, seconds: Mapping[str, float], at_once: float) -> None:
        """Set the seconds of each rule's jobs in earlier runs, and how many will run at once.

        The seconds count until a job of the rule is finished, the number until some jobs are.
        """
        self._expected, self._at_once = dict(seconds), at_once

    def start(self, jobid: int, rule: str, wildcards: Mapping = {}, logs: Sequence = ()) -> None:
        """Note that a job begins, or begins again."""
        self.running[jobid] = Job(rule, wildcards, logs, self.clock())

    def end(self, jobid: int, finished: bool = True) -> Job | None:
        """Note that a job is finished, or failed, and return it (None if it was not running)."""
        self.done += finished
        if job := self.running.pop(jobid, None):
            spent = self.clock() - job.since
            self._busy += spent
            self._unfinished[job.rule] -= finished
            self._finished[job.rule] += finished
            self._seconds[job.rule] += spent * finished
        return job

    @property
    def gone(self) -> float:
        """Seconds since the run began."""
        return self.clock() - self._begin

    @property
    def left(self) -> float | None:
        """Seconds until the run is done; None while too few jobs are finished or expected."""
        known, early = +self._unfinished, self._finished.total() < ENOUGH
        if early and not known.keys() <= self._expected.keys():
            return None
        running = [
            (self._mean(job.rule), self.clock() - job.since) for job in self.running.values()
        ]
        busy = self._busy + sum(spent for _, spent in running)
        work = sum(self._mean(rule) * number for rule, number in known.items())
        work -= sum(map(min, running))
        if early:
            return work / self._at_once
        return work * self.gone / busy if busy else 0.0  # busy / gone: how many at once

    def _mean(self, rule: str = "") -> float:
        """Mean duration of a rule's finished jobs; if none, the expected one, or that of all."""
        if finished := self._finished[rule]:
            return self._seconds[rule] / finished
        total = self._finished.total()
        return self._expected.get(rule, self._seconds.total() / total if total else 0.0)
