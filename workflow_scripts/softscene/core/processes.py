"""Processes that end with those they work for, and locks that say who works on what."""

import fcntl
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import psutil

from softscene.core.errors import BusyError, ProcessError
from softscene.core.files import naming_full_disk

BOSS = "SOFTSCENE_SNAKEMAKE"
"""Environment variable with the process that all jobs on its machine work for."""


def announce(environ: MutableMapping[str, str]) -> None:
    """Tell all child processes that this one is their boss, even if it dies before they check."""
    environ[BOSS] = str(os.getpid())


def announced(environ: Mapping[str, str]) -> list[int]:
    """The announced boss, if any."""
    return [int(environ[BOSS])] if environ.get(BOSS) else []


def ancestors(program: str) -> list[int]:
    """The ancestors of this process that run ``program``, directly or through an interpreter."""
    found = []
    for process in psutil.Process().parents():
        with suppress(psutil.Error):
            if program in {Path(word).name for word in process.cmdline()[:3]}:
                found.append(process.pid)
    return found


def lives(pid: int) -> bool:
    """Whether a process with this number exists and is not a zombie.

    Numbers are reused, so it may be another process: then the caller only ends later. Start times
    are not compared, because a jump of the system clock would then end everything.
    """
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end_tidily_on_hangup() -> None:
    """Make a closed terminal interrupt this process like Ctrl-C, so that it can clean up.

    A process started with ``nohup`` keeps running.
    """

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a shell may send it twice
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, interrupt)


def end_with(bosses: Sequence[int], every: float = 1.0) -> None:
    """Kill this process and its children as soon as one of ``bosses`` is gone.

    A boss that is killed with SIGKILL cannot stop its jobs, which would keep running unnoticed.

    Parameters
    ----------
    bosses
        Process numbers.
    every
        Seconds between two checks, which a thread makes.
    """

    def watch() -> None:
        while all(map(lives, bosses)):
            time.sleep(every)
        me = psutil.Process()
        for child in me.children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
        os.kill(me.pid, signal.SIGKILL)

    if bosses:
        threading.Thread(target=watch, daemon=True).start()


@contextmanager
def fork_pool(workers: int, rule: str) -> Iterator[ProcessPoolExecutor]:
    """Processes forked from this one that do not outlive it.

    They are forked because a spawned process would run Snakemake's script again.

    Parameters
    ----------
    workers
        Number of processes.
    rule
        The job's rule, named in the error.

    Raises
    ------
    ProcessError
        One of them was killed.
    """
    context = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(workers, context, end_with, ([os.getpid()],)) as pool:
            yield pool
    except BrokenProcessPool as error:
        raise ProcessError(
            f"one of the {workers} processes of this job was killed, most likely because memory "
            "ran out. Rerun the same command with fewer processes, e.g. --set-threads "
            f"{rule}={max(1, workers // 2)}, or on a cluster with more memory, e.g. "
            f"--set-resources {rule}:mem_mb=8000"
        ) from error


def claim(path: str | Path, what: str) -> TextIO:
    """Lock ``what`` for this process alone, until the process ends for any reason.

    Parameters
    ----------
    path
        The lock file; it says who holds the lock.
    what
        Named in the error.

    Returns
    -------
    TextIO
        The lock; closing it releases it.

    Raises
    ------
    BusyError
        Another process holds it; names that process, its machine, start and command.
    """
    with naming_full_disk(path):
        return _claim(Path(path), what)


def _claim(path: Path, what: str) -> TextIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")  # the lock lasts while the file is open
    if not _lock(file, patience=1.0):
        file.seek(0)
        by = file.read().strip()
        file.close()
        raise BusyError(f"{what} is being made by {by}; wait until it has ended, or stop it")
    me = psutil.Process()
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(me.create_time()))
    file.truncate(0)
    command = " ".join(me.cmdline())
    file.write(f"process {me.pid} on {socket.gethostname()} since {since}: {command}\n")
    file.flush()
    return file


def claimant(path: str | Path) -> str | None:
    """The living process that has claimed ``path``, if any."""
    if not Path(path).is_file():
        return None
    with Path(path).open("r+", encoding="utf-8") as file:
        return None if _lock(file) else file.read().strip()


def _lock(file: TextIO, patience: float = 0.0) -> bool:
    """Try to lock a file for ``patience`` seconds, longer than :func:`claimant` may hold it."""
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.05)
        except OSError:  # a file system without locks: Snakemake's own lock must suffice
            return True
        else:
            return True
