"""The output: permanent lines and, on a terminal, a progress bar below them."""

import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from softscene.core.errors import printable

from .estimate import Job, TimeLeft

INTERVAL, SILENCE = 10.0, 300.0  # seconds between lines in a file, with and without news
TAIL = 2**12  # bytes at a log's end that are searched for its progress
ROWS = 4  # running jobs shown on a terminal


def clock_text(seconds: float | None) -> str:
    """``02:10`` or ``1:02:10``; ``--:--`` for an unknown time."""
    known = seconds is not None
    return str(timedelta(seconds=round(seconds))).removeprefix("0:") if known else "--:--"


def label(rule: str, wildcards: Mapping[str, str], short: bool = False) -> str:
    """Name a job by its rule and wildcards; if ``short``, only numbers keep their name."""
    words = [rule]
    for name, value in wildcards.items():
        if name != "run" and value != "none":
            bare = short and not re.fullmatch(r"[-+\d.]+(e[-+]?\d+)?", value)
            words.append(value if bare else f"{name}={value}")
    return " ".join(words)


def log_tail(path: str, lines: int = 25) -> str:
    """Return a heading and the last lines of a log, as a terminal would show them."""
    try:
        text = Path(path).read_bytes()[-(2**16) :].decode("utf-8", errors="replace")
    except OSError as error:
        return f"  {path}: no log ({error.strerror})"
    text = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)", "", text).rstrip()
    # A progress bar overwrites its line again and again: only its last state is of use.
    last = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")[-lines:]]
    return f"  the end of {path}:\n    " + "\n    ".join(last) if text else f"  {path} is empty"


def count_text(number: int, noun: str = "job") -> str:
    """``1 job`` or ``2 jobs``."""
    return f"{number} {noun}" + "s" * (number != 1)


def progress(job: Job, now: float) -> str:
    """Progress of a running job from the last such line of its log: ``12 of 300 epochs``.

    Empty if there is none, or the log is from an earlier try.
    """
    begun = time.time() - (now - job.since)
    for path in map(Path, job.logs):
        with suppress(OSError), path.open("rb") as file:
            if path.stat().st_mtime < begun:
                continue
            file.seek(max(0, path.stat().st_size - TAIL))
            text = file.read(TAIL).decode("utf-8", errors="replace")
            if found := re.findall(r": +\d+ % \(([\w.]+ of [\w.]+(?: \w+)?)\), ", text):
                return found[-1]
    return ""


class Screen:
    """Write to a terminal with a bar at its bottom, or to a file with a line now and then.

    The cursor waits above the bar. So other processes' output overwrites the bar, which is then
    redrawn below it; :class:`rich.live.Live` would erase their last lines.
    """

    def __init__(self, stream: TextIO, colour: bool = True) -> None:
        self.live = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        colours = "auto" if self.live and colour else None
        self._console = Console(file=stream, force_terminal=self.live, color_system=colours)
        self._stream, self._drawn = stream, False
        self._last, self._shown = time.monotonic(), (0,)

    def print(self, text: str, style: str = "") -> None:
        """Write permanent text."""
        self.clear()
        self._console.print(Text(printable(text, keep="\n\t"), style=style), soft_wrap=True)

    def clear(self) -> None:
        """Remove the bar and show the cursor again."""
        if self._drawn:
            self._write("\r\x1b[J\x1b[?25h")
            self._drawn = False

    def show(self, run: TimeLeft) -> None:
        """Draw the bar, or write a line if one is due."""
        if self.live:
            return self._draw(run)
        state, now = (run.done, *run.running), time.monotonic()
        end = run.done == run.total != self._shown[0]
        if end or now - self._last >= (SILENCE if state == self._shown else INTERVAL):
            self._last, self._shown = now, state
            self.print(self._line(run))

    def _line(self, run: TimeLeft) -> str:
        done = f"{run.done:>{len(str(run.total))}}/{run.total} {100 * run.done // run.total:>3} %"
        left = f", about {clock_text(run.left)} left" if run.done < run.total else ""
        jobs = list(run.running.values())
        now = f"; now: {label(jobs[0].rule, jobs[0].wildcards)}" if jobs else ""
        far = f", {text}" if jobs and (text := progress(jobs[0], run.clock())) else ""
        more = f" (+{len(jobs) - 1} more)" if len(jobs) > 1 else ""
        return f"[{done}] {clock_text(run.gone)} gone{left}{now}{far}{more}"

    def _draw(self, run: TimeLeft) -> None:
        done = f"{run.done}/{run.total}  {100 * run.done // run.total} %"
        times = f"{clock_text(run.gone)} gone, about {clock_text(run.left)} left"
        bar, space = Table.grid(padding=(0, 2)), self._console.width - len(done + times) - 6
        bar.add_row(ProgressBar(run.total, run.done, width=max(5, min(40, space))), done, times)
        jobs, clock = list(run.running.values()), run.clock()
        rows = max(1, min(ROWS, self._console.height - 4))
        shown = jobs if len(jobs) <= rows else jobs[: rows - 1]
        now = [
            "  ".join(
                ["", label(job.rule, job.wildcards, short=True), clock_text(clock - job.since)]
            )
            + (f"  {far}" if (far := progress(job, clock)) else "")
            for job in shown
        ]
        if len(jobs) > len(shown):
            now.append(f"  (+{len(jobs) - len(shown)} more)")
        with self._console.capture() as drawn:
            parts = [Text(), bar, *map(Text, map(printable, now))]
            self._console.print(*parts, no_wrap=True, overflow="ellipsis", sep="\n")
        text = drawn.get()
        self._write(f"\r\x1b[J\x1b[?25l{text}\x1b[{text.count(chr(10))}A")
        self._drawn = True

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
