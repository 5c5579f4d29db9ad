"""Many recordings, one after the other or in several processes."""

import logging
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import psutil
import soundfile
from tqdm import tqdm

from softscene.core.errors import AudioError, SoftSceneError, printable
from softscene.core.gpus import ran_out
from softscene.core.processes import end_with
from softscene.data.ffmpeg import is_foreign
from softscene.detect.detector import Detector, load_detector
from softscene.detect.events import Options
from softscene.detect.facts import Found, Json, read_facts, state_of
from softscene.detect.recordings import too_long
from softscene.training.runtime import prepare

BAR = "{desc}: {percentage:3.0f} %|{bar}| {elapsed} gone, {remaining} left"
LOSSY = (".mp2", ".mp3", ".oga", ".ogg", ".opus")  # their length is not in a header
LOSSY_RATE = 16_000  # bytes per second that are assumed of them, 128 kbit/s
KILLED = (
    "its process was killed, most likely because memory ran out; use fewer --jobs, and "
    "--skip-existing to keep what is done"
)


@dataclass(frozen=True)
class Task:
    """A recording: its name, its file, and the target of each result."""

    name: str
    path: Path
    targets: Mapping[str, Path]


@dataclass(frozen=True)
class Outcome:
    """What became of a recording: its facts, or why it has none."""

    name: str
    facts: Json | None = None
    problem: str = ""
    skipped: bool = False


@dataclass(frozen=True)
class Work:
    """What to do with each recording; can be sent to another process.

    Attributes
    ----------
    detect
        :func:`.detection.detect`, or one that also makes a page.
    source, students, threads, device
        Of the detector.
    options
        How events are made of posteriors.
    skip_existing
        Whether to keep results that the same file, students and options have made.
    """

    detect: Callable[..., Found]
    source: Path
    students: tuple[str, ...]
    threads: int
    device: str
    options: Options
    skip_existing: bool = False

    def detector(self) -> Detector:
        """The detector, loaded."""
        device = prepare(self.threads, self.device, "--device")
        return load_detector(self.source, device, self.students)


class Counter:
    """How many recordings are done, and how long the others will take, by their length.

    Parameters
    ----------
    tasks
        All recordings.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.number, self.all = 0, len(tasks)
        self._seconds = {task.name: _seconds(task.path) for task in tasks}
        self._done, self._part = 0.0, 0.0  # of finished recordings, and of the present one
        self._start = time.monotonic()
        self._bar = tqdm(
            total=sum(self._seconds.values()), desc=self._count(), bar_format=BAR, delay=0.1,
            disable=None, leave=False,
        )  # fmt: skip

    def _count(self) -> str:
        return f"{self.number} of {self.all}"

    def advance(self, name: str, seconds: float, total: float) -> None:
        """Count further seconds of a recording of ``total`` seconds."""
        own = self._seconds[name]
        self._part = min(self._part + own * seconds / total, own)
        self._show()

    def finish(self, outcome: Outcome) -> str:
        """Count a recording, and say how many there are and how much time is left."""
        self.number, self._part = self.number + 1, 0.0
        own = self._seconds[outcome.name]
        if outcome.skipped:  # takes no time, which says nothing about the others
            self._bar.total -= own
            self._seconds[outcome.name] = 0
        else:
            self._done += own
        self._bar.set_description_str(self._count(), refresh=False)
        self._show()
        left = sum(self._seconds.values()) - self._done
        if self.number == self.all or not self._done:
            return self._count()
        seconds = (time.monotonic() - self._start) * left / self._done
        return f"{self._count()}, {tqdm.format_interval(seconds)} left"

    def _show(self) -> None:
        self._bar.update(self._done + self._part - self._bar.n)

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._bar.close()


def _seconds(path: Path) -> float:
    """About how long a recording is; 0 if it cannot be used. Decodes nothing."""
    if not os.path.isfile(path):  # noqa: PTH113 - is_file() raises where a name is too long
        return 0
    if path.suffix.lower() not in LOSSY and not is_foreign(path):
        with suppress(soundfile.SoundFileError, OSError):
            return soundfile.info(os.fsencode(path)).duration
    return path.stat().st_size / LOSSY_RATE


def detect_all(
    tasks: Sequence[Task], work: Work, detector: Detector, jobs: int, counter: Counter
) -> Iterator[Outcome]:
    """Yield what becomes of each recording, in the order in which they are done.

    Parameters
    ----------
    tasks
        The recordings.
    work
        What to do with them.
    detector
        That of ``work``, for use in this process.
    jobs
        Processes; results do not depend on their number.
    counter
        Follows the recordings of this process while they are read.
    """
    jobs = min(jobs, len(tasks))
    if jobs > 1:
        yield from _in_processes(tasks, work, jobs)
        return
    for task in tasks:
        yield process(
            task, work, detector, lambda *step, name=task.name: counter.advance(name, *step)
        )


def process(
    task: Task,
    work: Work,
    detector: Detector,
    advance: Callable[[float, float], object] = lambda seconds, total: None,
) -> Outcome:
    """Write a recording's results; whatever goes wrong becomes its problem."""
    try:
        if fault := too_long(task.name):
            raise AudioError(f"{task.path}: {fault}")
        if work.skip_existing and (facts := _existing(task, work, detector)):
            return Outcome(task.name, facts, skipped=True)
        work.detect(task.path, detector, task.targets, work.options, advance)
        return Outcome(task.name, read_facts(task.targets["facts"]))
    except Exception as error:  # the others are still to be done
        return Outcome(task.name, problem=_reason(task.name, error))


def _existing(task: Task, work: Work, detector: Detector) -> Json | None:
    """Facts of a recording all of whose results are there, made of the same."""
    if not task.path.is_file() or not all(target.is_file() for target in task.targets.values()):
        return None
    return read_facts(task.targets["facts"], state_of(task.path, detector, work.options))


def _reason(name: str, error: Exception) -> str:
    """The message for a failure; for an unexpected one, with its place in the code."""
    if isinstance(error, SoftSceneError):
        return str(error)
    if isinstance(error, OSError):
        return f"{name}: {error}"
    if ran_out(error):
        return f"{name}: the GPU's memory ran out; use fewer --jobs, or --device cpu"
    place, words = traceback.extract_tb(error.__traceback__)[-1], str(error).replace("\n", " ")
    return (
        f"{name}: this should not have happened, please report it: {type(error).__name__}: {words} "
        f"({Path(place.filename).name}, line {place.lineno})"
    )


# --- Several processes


def _in_processes(tasks: Sequence[Task], work: Work, jobs: int) -> Iterator[Outcome]:
    # Started afresh: a fork of a process that has used CUDA or threads may hang.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (os.getpid(),))
    try:
        futures = {pool.submit(_process, task, work): task for task in tasks}
        for future in as_completed(futures):
            yield _outcome(future, futures[future])
    except BaseException:
        for child in psutil.Process().children():  # interrupted: what is begun is taken back
            with suppress(psutil.Error):
                child.send_signal(signal.SIGINT)
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def _outcome(future: "Future[Outcome]", task: Task) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        return Outcome(task.name, problem=f"{task.path}: {KILLED}")


def _begin(boss: int) -> None:
    """Set up a process that works for ``boss``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # while it has nothing to do
    end_with([boss])
    log_plainly()


def _process(task: Task, work: Work) -> Outcome:
    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C comes twice
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        return process(task, work, _loaded(work))
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@cache
def _loaded(work: Work) -> Detector:
    return work.detector()


class _Plain(logging.Formatter):
    """The bare message, like the other output."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), keep="\n")


def log_plainly() -> None:
    """Let warnings look like the other output; they may quote names of files."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Plain())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
