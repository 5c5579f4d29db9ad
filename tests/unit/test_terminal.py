"""The terminal output: TimeLeft and Screen alone, and the logger in real runs of Snakemake."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from snakemake_logger_plugin_softscene import screen
from snakemake_logger_plugin_softscene.estimate import Job, TimeLeft
from snakemake_logger_plugin_softscene.screen import Screen, clock_text, label, log_tail, progress
from softscene.core.progress import Progress

SOURCES = Path(__file__).parents[2] / "workflow_scripts"

TRAIN = """
    onstart: print("printed by others")
    rule all:
        input: expand("{method}_{alpha}_{run}.txt", method="mtl", alpha=[0.01, 0.1], run="demo"),
            "none_0.5_demo.txt"
    rule train:
        output: "{method}_{alpha}_{run}.txt"
        shell: "sleep .4; touch {output}"
"""
FAIL = """
    rule all:
        input: "7.txt", "lazy.txt", "own.txt"
    rule bad:
        output: "{fold,[0-9]}.txt"
        log: "{fold}.log", "{fold}_other.log"
        retries: 1
        shell: "for i in $(seq 100); do echo line $i; done > {log[0]}; : > {log[1]}; exit 1"
    rule lazy:
        output: "lazy.txt"
        log: "lazy.log"
        shell: "echo done nothing > {log}"
    rule own:
        output: "own.txt"
        log: "own.log"
        run: raise ValueError("in a run directive")
"""
CHATTER = ["Select jobs", "Building DAG", "reason", "Using shell", "Provided cores", "Complete log"]


def command(*arguments):
    return [sys.executable, "-m", "snakemake", "--logger", "softscene", *map(str, arguments)]


def environment(**more):
    return {**os.environ, "PYTHONPATH": str(SOURCES), "FORCE_COLOR": "1", **more}


def execute(folder, snakefile, *arguments):
    """Run a workflow with the logger; its standard error is not a terminal."""
    source = folder / "Snakefile"
    if not source.exists():  # runs at the same time share it
        source.write_text(textwrap.dedent(snakefile))
    return subprocess.run(
        command("--cores", 2, *arguments),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture
def snakemake(tmp_path):
    return partial(execute, tmp_path)


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """What a run writes of whose three jobs each fails in a way of its own."""
    ran = execute(tmp_path_factory.mktemp("failures"), FAIL, "--keep-going", "--latency-wait", 0)
    assert (ran.returncode, ran.stdout) == (1, "")
    return ran.stderr


@pytest.fixture
def interruptible():
    """Have what a test starts take interrupts, which a shell's background jobs (``&``) ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def on_terminal(tmp_path, interruptible):
    """Run a workflow on a pseudo terminal; ``interrupt`` it when it has written that text."""

    def run(snakefile, *arguments, interrupt=None):
        (tmp_path / "Snakefile").write_text(textwrap.dedent(snakefile))
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            command(*arguments),
            cwd=tmp_path,
            env=environment(TERM="xterm", COLUMNS="90", LINES="24"),
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        written = b""
        while piece := read(ours):
            written += piece
            if interrupt and re.search(interrupt, written):
                os.killpg(process.pid, signal.SIGINT)
                interrupt = None
        os.close(ours)
        return process.wait(600), written.decode()

    return run


def read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # it is closed on the other side
        return b""


@pytest.fixture
def clock():
    def tell():
        return tell.now

    tell.now = 0.0
    return tell


@pytest.fixture
def run(clock):
    """Four jobs a and two b, two at a time, after 22 s; a1 to a3 took 10, 14 and 10 s."""
    run = TimeLeft({"a": 4, "b": 2}, clock)
    times = [(0, "a1", None), (0, "a2", None), (10, "a3", "a1"), (14, "a4", "a2"), (20, "b1", "a3")]
    for clock.now, begins, ends in times:
        if ends:
            run.end(ends)
        run.start(begins, begins[0], {"fold": begins[1], "run": "demo"})
    clock.now = 22
    return run


def test_time_left_of_rules_with_and_without_finished_jobs(run):
    # Mean of a, and of b for want of its own: 34 s / 3. One a and two b are left, of which a4 has
    # run 8 s and b1 2 s: 34 s - 10 s. Two ran at a time: (34 s + 10 s) / 22 s.
    assert run.left == pytest.approx(24 / 2)
    assert (run.done, run.total, run.gone) == (3, 6, 22)


def test_time_left_uses_each_rule_s_own_mean(run, clock):
    clock.now = 24
    run.end("a4")
    clock.now = 25
    run.end("b1")
    assert run.left == pytest.approx(5 / (49 / 25))  # one b of 5 s; 49 s of jobs in 25 s


def test_time_left_does_not_fall_below_zero_for_a_slow_job(run, clock):
    clock.now = 1000  # a4 and b1 took far longer than the mean: only the second b counts
    concurrency = (34 + 986 + 980) / 1000
    assert run.left == pytest.approx(34 / 3 / concurrency)


def test_a_failed_job_is_still_to_be_done(run, clock):
    failed = run.end("a4", finished=False)
    assert (failed.rule, failed.since, run.done) == ("a", 14, 3)
    assert run.left == pytest.approx((34 - 2) / 2)  # nothing of it counts, but it kept a core busy
    assert run.end("a4", finished=False) is None


def test_time_left_is_known_at_once_from_earlier_runs(clock):
    run = TimeLeft({"a": 4, "b": 2, "all": 1}, clock)
    run.expect({"a": 10, "b": 5, "all": 0}, at_once=2)
    assert run.left == (4 * 10 + 2 * 5) / 2
    run.start(0, "a")
    run.start(1, "b")
    clock.now = 4
    assert run.left == (50 - 4 - 4) / 2
    run.end(0)
    run.end(1)  # of this run, a took 4 s and b 4 s: that counts from now on
    assert run.left == (3 * 4 + 4) / 2
    run.start(2, "a")
    clock.now = 6
    run.end(2)  # two at a time until 4 s, then one: 10 s of work in 6 s; a's mean is 3 s
    assert run.left == pytest.approx((2 * 3 + 4) / (10 / 6))


def test_what_is_not_expected_keeps_the_time_unknown(clock):
    run = TimeLeft({"a": 4, "b": 2}, clock)
    run.expect({"a": 10}, at_once=2)
    assert run.left is None
    for jobid in range(4):
        run.start(jobid, "a")
        clock.now += 20
        run.end(jobid)
    assert run.left == 2 * 20  # of b nothing is known: the mean of all


def test_time_left_is_unknown_at_first(clock):
    run = TimeLeft({"a": 10}, clock)
    for jobid in range(3):
        assert run.left is None
        run.start(jobid, "a")
        run.end(jobid)
    assert run.left == 0  # three jobs that took no time


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "--:--"), (0, "00:00"), (129.6, "02:10"), (3730, "1:02:10")]
)
def test_clock_text(seconds, text):
    assert clock_text(seconds) == text


def test_label_leaves_out_what_says_nothing():
    wildcards = {"run": "demo", "method": "mtl", "alpha": "0.01", "lr": "1e-3", "init": "none"}
    assert label("train", wildcards) == "train method=mtl alpha=0.01 lr=1e-3"
    assert label("train", wildcards, short=True) == "train mtl alpha=0.01 lr=1e-3"


def test_log_tail_is_what_a_terminal_would_show(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"first\n10 %\r20 %\r\n\x1b[31mred\x1b[0m \xff\nlast\n\n")
    assert log_tail(str(log), 3).splitlines() == [
        f"  the end of {log}:",
        "    20 %",
        "    red \N{REPLACEMENT CHARACTER}",
        "    last",
    ]
    log.write_text("\n")
    assert "is empty" in log_tail(str(log))
    assert "no log (No such file" in log_tail(str(tmp_path / "none"))


HOSTILE = "x\x1b]0;PWNED\x07\x1b]52;c;aGk=\x1b\\\x1b[2J\x1b[31m\x9b2J\x90q.wav"


def test_control_characters_of_logs_messages_and_names_do_not_reach_a_terminal(
    tmp_path, run, monkeypatch
):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    (tmp_path / "log").write_text(f"no audio: {HOSTILE}\n\x1b]0;cut off", encoding="utf-8")
    stream = Terminal()
    shown = Screen(stream, colour=False)
    tail = log_tail(str(tmp_path / "log"))
    shown.print(tail)
    shown.print(f"WorkflowError: {HOSTILE}")
    (job, *_) = run.running
    run.start(job, "predict", {"recording": HOSTILE})
    shown.show(run)
    written = stream.getvalue()
    assert "no audio: x?2J?q.wav" in written, "colours and titles are taken away, the rest is named"
    assert written.count("q.wav") == 3
    # What Screen itself writes to draw its bar, and nothing else.
    own = re.sub(r"\r\x1b\[J|\x1b\[\?25[lh]|\x1b\[\d+A|\n", "", written)
    assert own.isprintable(), own


def test_a_running_training_shows_its_epochs(tmp_path, run, clock, monkeypatch, caplog):
    """What the library writes to a log is what the screen reads from it."""
    log, stream = tmp_path / "train.log", io.StringIO()
    told = Progress("training, mtl", 300, "epoch", interval=0)
    with caplog.at_level("INFO"):
        for _ in range(12):
            told.advance(note="loss 0.1")
    log.write_text(caplog.text)
    (job, *_) = run.running
    run.start(job, "train", {"alpha": "0.1"}, ["missing.log", str(log)])
    clock.now += 600  # the log was written in that time
    monkeypatch.setattr(screen, "INTERVAL", 0)
    shown = Screen(stream)
    shown.show(run)
    assert stream.getvalue().endswith("; now: train alpha=0.1, 12 of 300 epochs (+1 more)\n")
    shown.live = True
    shown.show(run)
    assert "  train alpha=0.1  10:00  12 of 300 epochs\n" in stream.getvalue()


def test_progress_of_an_earlier_try_is_not_shown(tmp_path):
    log = tmp_path / "train.log"
    log.write_text("12:00:00 training, mtl: 100 % (300 of 300 epochs), 00:10 gone\n")
    job = Job("train", {}, [str(log)], since=1000.0)
    assert progress(job, now=1060.0) == "300 of 300 epochs"
    os.utime(log, (time.time() - 61, time.time() - 61))
    assert progress(job, now=1060.0) == ""


@pytest.mark.parametrize(
    ("unit", "total", "says"),
    [("epoch", 30, "10 of 30 epochs"), ("epoch", 1, "1 of 1 epoch"), ("s", 30, "10 of 30 s"),
     ("B", 3000, "10.0 of 3.00k"), ("recording", 12, "10 of 12 recordings")],
)  # fmt: skip
def test_progress_is_counted_in_its_unit(unit, total, says, caplog, tmp_path):
    with caplog.at_level("INFO"):
        Progress("work", total, unit, interval=0).advance(min(10, total))
    assert f"({says}), " in caplog.text
    (tmp_path / "log").write_text(caplog.text)
    assert progress(Job("work", {}, [str(tmp_path / "log")], since=0.0), now=60.0) == says


def test_one_job_is_not_jobs(snakemake):
    ran = snakemake('rule all:\n    output: "a"\n    shell: "touch a"')
    start, _, end = ran.stderr.splitlines()
    assert start == "1 job: 1 all"
    assert end.startswith("1 job done in 00:0")


def test_a_finished_run_says_where_to_look(snakemake):
    tells = 'onsuccess: logger.info("see results", extra={"event": "results"})'
    ran = snakemake(TRAIN.replace('onstart: print("printed by others")', tells))
    assert ran.stderr.splitlines()[-2].startswith("4 jobs done in 00:0")
    assert ran.stderr.splitlines()[-1] == "see results"


def test_lines_of_a_file(run, clock, monkeypatch):
    stream = io.StringIO()
    shown = Screen(stream)
    shown.show(run)
    assert not stream.getvalue()  # ten seconds are not over
    monkeypatch.setattr(screen, "INTERVAL", 0)
    shown.show(run)
    shown.show(run)  # nothing new
    expected = "[3/6  50 %] 00:22 gone, about 00:12 left; now: a fold=4 (+1 more)\n"
    assert stream.getvalue() == expected
    monkeypatch.setattr(screen, "INTERVAL", 10)
    for jobid in ("a4", "b1", "b2"):
        run.end(jobid)
        shown.show(run)
    assert stream.getvalue() == expected + "[6/6 100 %] 00:22 gone\n"


def test_the_workflow_may_say_what_jobs_take(snakemake):
    tells = 'onstart: logger.info("an estimate", extra={"event": "costs", "at_once": 1,'
    tells += ' "seconds": {"train": 100.0, "all": 0.0}})'
    slow = textwrap.dedent(TRAIN).replace("sleep .4", "sleep 11")
    ran = snakemake(slow.replace('onstart: print("printed by others")', tells))
    assert ran.returncode == 0
    start, line, whole = ran.stderr.splitlines()[:3]
    assert (start, line) == ("4 jobs: 3 train, 1 all", "an estimate")
    times = re.match(r"\[0/4   0 %\] 00:(\d\d) gone, about 0(\d):(\d\d) left", whole)
    gone, minutes, seconds = map(int, times.groups())
    # Of 300 s two jobs have done at most what is gone; each time is rounded.
    assert 300 - 2 * gone - 2 <= 60 * minutes + seconds < 300


def test_success_of_parallel_jobs(snakemake):
    ran = snakemake(TRAIN)
    assert ran.returncode == 0
    assert ran.stdout == "printed by others\n"
    start, whole, end = ran.stderr.splitlines()
    assert start == "4 jobs: 3 train, 1 all"
    assert whole.startswith("[4/4 100 %]")
    assert end.startswith("4 jobs done in 00:0")


def test_until_counts_only_what_is_done_until_there(snakemake):
    ran = snakemake(TRAIN, "--until", "train")
    assert ran.returncode == 0
    start, whole, end = ran.stderr.splitlines()
    assert start == "3 jobs: 3 train"
    assert whole.startswith("[3/3 100 %]")
    assert end.startswith("3 jobs done in 00:0")


def test_failure_tells_each_try_and_shows_the_end_of_the_log_once(failures):
    lines = failures.splitlines()
    assert lines.count("bad fold=7 failed and is tried again") == 1
    assert lines.count("bad fold=7 failed") == 1
    assert [line for line in lines if line.startswith("    line ")] == [
        f"    line {i}" for i in range(76, 101)
    ]
    assert "  the end of 7.log:" in lines
    assert "  7_other.log is empty" in lines
    assert "\x1b" not in failures


def test_missing_output_is_a_failure(failures):
    assert "lazy failed\n  the end of lazy.log:\n    done nothing\n" in failures


def test_error_in_a_process_of_its_own(failures):
    assert "ValueError" in failures
    assert "in a run directive" in failures
    assert "own failed\n  own.log is empty\n" in failures


def test_only_the_main_process_tells_how_the_run_goes(failures):
    assert failures.startswith("4 jobs: ")
    assert failures.endswith("stopped: 0 of 4 jobs done, 3 failed\n")
    assert [failures.count(text) for text in (" jobs: ", "stopped: ")] == [1, 1]


def test_dry_run_tells_why(snakemake):
    ran = snakemake(TRAIN, "-n", "-p")
    lines = ran.stderr.splitlines()
    assert "train method=mtl alpha=0.1: Missing output files: mtl_0.1_demo.txt" in lines
    assert "train alpha=0.5: Missing output files: none_0.5_demo.txt" in lines
    assert "sleep .4; touch none_0.5_demo.txt" in lines
    table = [line.split() for line in lines[-4:]]
    assert table == [["rule", "jobs"], ["train", "3"], ["all", "1"], ["total", "4"]]
    assert (ran.returncode, ran.stdout) == (0, "")


def test_quiet_dry_run_only_counts(snakemake):
    quiet = snakemake(TRAIN, "-n", "--quiet").stderr
    assert [line.split() for line in quiet.split("\n")[2:4]] == [["train", "3"], ["all", "1"]]
    assert "Missing" not in quiet


def test_nothing_to_be_done(snakemake, tmp_path):
    (tmp_path / "a.txt").touch()
    ran = snakemake('rule all:\n    input: "a.txt"')
    assert ran.stderr.startswith("Nothing to be done")
    assert ran.stderr.count("\n") == 1


def test_error_of_the_workflow_is_its_message_alone(snakemake):
    ran = snakemake('raise WorkflowError("rate: -1 is given,\\n  > 0 is expected")\n')
    assert (ran.returncode, ran.stderr) == (1, "rate: -1 is given,\n  > 0 is expected\n")


def test_other_commands_print_what_they_print(snakemake, tmp_path):
    (tmp_path / "a.txt").touch()
    options = ["--unlock"], ["--lint"], ["--summary"], ["--report", "report.zip"]
    with ThreadPoolExecutor() as pool:
        runs = pool.map(lambda option: snakemake('rule all:\n    input: "a.txt"', *option), options)
    unlock, lint, summary, report = runs
    assert "Unlocked working directory." in unlock.stderr
    assert "in a good condition" in lint.stderr
    assert summary.stdout.startswith("output_file\t")
    assert "Report created." in report.stderr


def test_bar_on_a_terminal(on_terminal):
    status, written = on_terminal(TRAIN, "--cores", 2)
    assert status == 0
    for text in ("0/4  0 %", "2/4  50 %", "4/4  100 %", "about --:-- left", "train mtl alpha=0.1"):
        assert text in written
    assert not [text for text in CHATTER if text in written]
    bar, _, end = written.rpartition("\x1b[?25h")  # the cursor is shown again
    assert "\x1b[?25l" in bar
    assert end.startswith("4 jobs done in 00:0")


def test_interrupt_gives_the_cursor_back(on_terminal):
    snakefile = 'rule slow:\n    output: "a"\n    shell: "sleep 50; touch a"'
    status, written = on_terminal(snakefile, "--cores", 1, interrupt=rb"slow  00:0[1-9]")
    assert status == 1
    assert "Terminating processes" in written
    assert "\x1b[?25l" not in written.rpartition("\x1b[?25h")[2]
    assert "stopped: 0 of 1 job done" in written.rpartition("\x1b[?25h")[2]
