"""Snakemake's terminal output for this project, chosen with ``--logger softscene``."""

import re
import sys
import threading
import time
from contextlib import suppress
from logging import ERROR, INFO, WARNING, LogRecord
from pathlib import Path

import snakemake
from snakemake_interface_logger_plugins.base import LogHandlerBase

from .estimate import TimeLeft
from .screen import Screen, clock_text, count_text, label, log_tail

# Of Snakemake's own messages, only these and those about slow deployments are shown.
KEPT = ("Nothing to be done", "Terminating processes", "Will exit after")
DEPLOYMENT = {"conda", "singularity"}
CHATTER = "Assuming unrestricted shared filesystem usage."
# Snakemake's frame around an error that the workflow itself raises; no use to users.
FRAME = re.compile(r'^WorkflowError in file .*:\n|\n  File ".*", line \d+, in .*$', re.MULTILINE)


# Snakemake's repetition of a script's failure: the script's log says it better.
ECHOES = ("CalledProcessError in file", "At least one job did not complete successfully")


def shorten(line: str) -> str:
    """Cut a line that is too long for a terminal."""
    return line if len(line) < 150 else line[:146] + " ..."


class LogHandler(LogHandlerBase):
    """Show on standard error how far a run is, what is running, and what went wrong."""

    writes_to_stream, writes_to_file = True, False
    has_filter, has_formatter, needs_rulegraph = True, False, False

    def __post_init__(self) -> None:
        self._quiet = {kind.name for kind in self.common_settings.quiet or ()}
        self._screen = Screen(sys.stderr, colour=not self.common_settings.nocolor)
        self._executing, self._closed = False, threading.Event()
        self._run: TimeLeft | None = None
        self._where = ""  # where the results are
        self._planned: dict[str, int] = {}  # a dry run's jobs of each rule
        self._failed: set[int] = set()
        # Messages on failed jobs, held for a moment: until it is known whether they are retried.
        self._pending: dict[int, tuple[float, str, str]] = {}

    def emit(self, record: LogRecord) -> None:
        """Write what the record means to a user, if anything."""
        try:
            event = getattr(record, "event", None) or "message"
            getattr(self, f"_on_{event}", lambda _: None)(record)
            self._refresh()
        except (Exception, SystemExit):  # rich raises the latter when a pipe is closed
            self.handleError(record)

    def close(self) -> None:
        """Remove the bar and write how the run ended; a second call does nothing."""
        with self.lock, suppress(Exception, SystemExit):
            if not self._closed.is_set():
                self._closed.set()
                self._finish()
        super().close()

    def _is_quiet(self, *kinds: str) -> bool:
        return not self._quiet.isdisjoint({"ALL", *kinds})

    def _tick(self) -> None:
        while not self._closed.wait(0.5):
            with self.lock, suppress(Exception, SystemExit):
                self._refresh()

    def _refresh(self) -> None:
        self._show_failures(older=2.0)
        if self._run and not self._is_quiet("PROGRESS") and not self._closed.is_set():
            self._screen.show(self._run)

    def _finish(self) -> None:
        self._show_failures()
        if self._planned and not self._is_quiet():
            rows = [("rule", "jobs"), *self._planned.items()]
            width = max(len(rule) for rule, _ in rows)
            self._screen.print("\n".join(["", *(f"{rule:<{width}}  {n:>6}" for rule, n in rows)]))
        if (run := self._run) and not self._is_quiet("PROGRESS"):
            failed = f", {len(self._failed)} failed" if self._failed else ""
            ended = f"stopped: {run.done} of {count_text(run.total)} done{failed}"
            done = f"{count_text(run.done)} done in {clock_text(run.gone)}{self._where}"
            self._screen.print(done if run.done >= run.total else ended)

    def _on_workflow_started(self, record: LogRecord) -> None:
        self._executing = True

    def _on_run_info(self, record: LogRecord) -> None:
        if self.common_settings.dryrun:
            self._planned = record.stats
            return
        counts = {rule: number for rule, number in record.stats.items() if rule != "total"}
        self._run = TimeLeft(counts)
        if not self._is_quiet("PROGRESS"):
            parts = [f"{counts[rule]} {rule}" for rule in sorted(counts, key=lambda r: -counts[r])]
            more = ", ..." if len(parts) > 6 else ""
            self._screen.print(f"{count_text(self._run.total)}: {', '.join(parts[:6])}{more}")
        threading.Thread(target=self._tick, daemon=True).start()

    def _on_costs(self, record: LogRecord) -> None:
        """The workflow's cost estimate, before the run starts."""
        self._run.expect(record.seconds, record.at_once)
        self._on_message(record)

    def _on_results(self, record: LogRecord) -> None:
        """Where the results are: shown after the last job."""
        self._where = f"\n{record.getMessage()}"

    def _on_job_info(self, record: LogRecord) -> None:
        if self._run:
            self._failed.discard(record.jobid)
            self._run.start(record.jobid, record.rule_name, record.wildcards, record.log)
        elif not self._is_quiet("RULES"):
            reason = "" if self._is_quiet("REASON") else ": " + " ".join(record.reason.split())
            self._screen.print(label(record.rule_name, record.wildcards) + shorten(reason))

    def _on_job_finished(self, record: LogRecord) -> None:
        self._run.end(record.job_id)

    def _on_shellcmd(self, record: LogRecord) -> None:
        command = getattr(record, "shellcmd", None) or getattr(record, "cmd", None)
        if command and self.common_settings.printshellcmds:
            self._screen.print(command.strip("\n"))

    def _on_debug_dag(self, record: LogRecord) -> None:
        if self.common_settings.debug_dag:
            self._screen.print(self.format(record))

    def _on_error(self, record: LogRecord) -> None:
        text = record.getMessage()
        if any(echo in text for echo in ECHOES):
            return
        self._screen.print(
            FRAME.sub("", text) if record.exception == "WorkflowError" else text, "red"
        )
        # Snakemake does not report a job without all its outputs as failed.
        if missing := re.search(r"^Job (\d+) +completed .* missing", text, re.MULTILINE):
            self._fail(int(missing[1]))

    def _on_group_error(self, record: LogRecord) -> None:
        tails = map(log_tail, record.aux_logs)  # its jobs' own errors follow
        self._screen.print("\n".join([f"group {record.groupid} failed", *tails]), "red")

    def _on_job_error(self, record: LogRecord) -> None:
        self._fail(record.jobid, getattr(record, "rule_msg", None))

    def _fail(self, jobid: int, why: str | None = None) -> None:
        """Note a failure; ``why`` is the reason that a cluster's executor gives."""
        if job := self._run.end(jobid, finished=False):
            name, tails = label(job.rule, job.wildcards), list(map(log_tail, job.logs))
            says = [f"  {shorten(line)}" for line in (why or "").strip().splitlines()]
            text = "\n".join([f"{name} failed", *says, *(tails or ["  it has no log"])])
            again = "\n".join([f"{name} failed and is tried again", *says])
            self._pending[jobid] = time.monotonic(), again, text
            self._failed.add(jobid)

    def _show_failures(self, older: float = 0.0) -> None:
        for jobid, (since, _, text) in list(self._pending.items()):
            if time.monotonic() - since >= older:
                del self._pending[jobid]
                self._screen.print(text, "red")

    def _on_message(self, record: LogRecord) -> None:
        text, level = record.getMessage(), record.levelno
        again = re.match(r"Trying to restart job (\d+)\.", text)
        if again and (pending := self._pending.pop(int(again[1]), None)):
            self._screen.print(pending[1], "yellow")
        elif level >= ERROR:
            self._show_failures()
            self._screen.print(text, "red")
        elif level >= WARNING or self.common_settings.verbose or self._is_wanted(record, text):
            self._screen.print(text, "yellow" if level >= WARNING else "")

    def _is_wanted(self, record: LogRecord, text: str) -> bool:
        kept = text.startswith(KEPT) or record.module in DEPLOYMENT or not self._executing
        own = Path(record.pathname).is_relative_to(Path(snakemake.__file__).parent)
        quiet = record.levelno < INFO or self._is_quiet() or text == CHATTER
        return (kept or not own) and not quiet
