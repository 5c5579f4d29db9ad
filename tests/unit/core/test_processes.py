"""Who outlives whom, and who may work on what."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from softscene.core.errors import BusyError
from softscene.core.processes import ancestors, announce, announced, claim, claimant, lives

from tests.conftest import ROOT
from tests.signals import heeding

JOB = """
import subprocess, sys, time
from softscene.core.processes import ancestors, end_with
subprocess.Popen(["sleep", "3600"])
end_with(ancestors("boss"), every=0.1)
print("ready", flush=True)
time.sleep(3600)
"""
BOSS = """
import subprocess, sys
middle = subprocess.Popen(["sh", "-c", f"{sys.executable} job.py; true"])
middle.wait()
"""
CLAIM = """
import sys, time
from softscene.core.processes import claim
kept = claim(sys.argv[1], "results/x")
print("ready", flush=True)
time.sleep(3600)
"""


def start(*command, cwd):
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}
    process = subprocess.Popen(command, cwd=cwd, env=environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def wait_until_gone(processes, seconds=120):
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_a_job_ends_with_the_one_that_it_works_for_and_takes_its_own_along(tmp_path):
    """The boss is killed outright; between it and the job stands a shell, which lives on."""
    (tmp_path / "boss").write_text(BOSS)
    (tmp_path / "job.py").write_text(JOB)
    boss = start(sys.executable, "boss", cwd=tmp_path)
    below = psutil.Process(boss.pid).children(recursive=True)
    assert {"sh", "sleep"} <= {process.name() for process in below}
    boss.kill()
    boss.wait()
    wait_until_gone(below)


def test_a_job_goes_on_while_its_boss_lives(tmp_path):
    (tmp_path / "boss").write_text(BOSS)
    (tmp_path / "job.py").write_text(JOB)
    boss = start(sys.executable, "boss", cwd=tmp_path)
    below = psutil.Process(boss.pid).children(recursive=True)
    time.sleep(1)
    assert all(process.is_running() for process in below)
    for process in below:
        process.kill()
    boss.wait()


def test_a_job_that_begins_after_its_boss_has_died_ends_at_once(tmp_path):
    """As one does whose Snakemake is killed while it still imports."""
    environ = {}
    announce(environ)
    assert announced(environ) == [os.getpid()]
    assert announced({}) == []
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    job = JOB.replace('ancestors("boss")', "announced(os.environ)").replace(
        "ancestors", "announced"
    )
    (tmp_path / "job.py").write_text(f"import os\n{job}")
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts"),
               "SOFTSCENE_SNAKEMAKE": str(gone.pid)}  # fmt: skip
    started = time.monotonic()
    job = subprocess.run([sys.executable, "job.py"], cwd=tmp_path, env=environ, check=False)
    assert job.returncode == -signal.SIGKILL
    assert time.monotonic() - started < 20


def test_a_process_lives_until_it_ends_and_a_zombie_does_not(monkeypatch):
    """Whatever the clock says: its start is not asked for, as a step of the clock moves it."""
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: pytest.fail("asked"))
    assert lives(os.getpid())
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert lives(process.pid)
    process.kill()
    end = time.monotonic() + 10
    while lives(process.pid):  # a zombie until it is waited for
        assert time.monotonic() < end
    assert psutil.pid_exists(process.pid)
    process.wait()
    assert not lives(process.pid)


MOVED = """
cp /proc/stat stat && mount --bind stat /proc/stat || { echo refused; exit; }
echo "$$" && exec "$0" boss
"""


def test_a_step_of_the_clock_ends_nothing(tmp_path):
    """Linux tells a process's start from that of the machine, which a step of the clock moves."""
    (tmp_path / "boss").write_text(BOSS)
    (tmp_path / "job.py").write_text(JOB)
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}
    try:
        boss = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", MOVED, sys.executable],
            cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    except OSError as error:
        pytest.skip(f"needs unshare: {error}")
    with boss:
        if not boss.stdout.readline().strip().isdecimal():
            pytest.skip(f"needs the right to mount: {boss.stderr.read()}")
        assert boss.stdout.readline() == "ready\n"
        below = psutil.Process(boss.pid).children(recursive=True)
        before = (tmp_path / "stat").read_text()
        (booted,) = re.findall(r"^btime (\d+)$", before, re.MULTILINE)
        text = before.replace(f"btime {booted}", f"btime {int(booted) + 10}")
        (tmp_path / "stat").write_text(text)
        assert f"btime {int(booted) + 10}" in Path(f"/proc/{boss.pid}/root/proc/stat").read_text()
        time.sleep(1)  # the job looks ten times
        assert all(process.is_running() for process in below)
        assert {"sh", "sleep"} <= {process.name() for process in below}
        boss.kill()
        wait_until_gone(below)


def test_ancestors_are_those_that_run_the_program_and_not_those_that_name_it():
    assert ancestors("no-such-program") == []
    found = subprocess.run(
        ["sh", "-c", f"{sys.executable} - --of snakemake <<'END'\n"
         "from softscene.core.processes import ancestors\nprint(len(ancestors('snakemake')))\nEND"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout == "0\n"


def test_a_claim_names_its_holder_and_ends_with_it(tmp_path):
    path = tmp_path / "run" / ".running"
    assert claimant(path) is None
    first = start(sys.executable, "-c", CLAIM, str(path), cwd=tmp_path)
    assert f"process {first.pid} on " in claimant(path)
    expected = rf"(?s)results/x is being made by process {first.pid} on .* since \d{{4}}-.*stop it"
    with pytest.raises(BusyError, match=expected):
        claim(path, "results/x")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert claimant(path) is None
    with claim(path, "results/x"):
        assert f"process {os.getpid()} on " in claimant(path)


SNAKEFILE = """
from softscene.core.processes import end_tidily_on_hangup
onstart: end_tidily_on_hangup()
rule slow:
    output: "a"
    shell: "sleep 3600; touch {output}"
"""


@pytest.mark.parametrize("before", [[], ["nohup"]])
def test_a_closed_terminal_ends_a_run_as_ctrl_c_does_and_not_under_nohup(tmp_path, before):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        heeding(*before, sys.executable, "-m", "snakemake", "--cores", "1"),
        cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")},
    ) as run:  # fmt: skip
        os.close(theirs)
        me = psutil.Process(run.pid)
        end = time.monotonic() + 60
        while not (
            below := [each for each in me.children(recursive=True) if each.name() == "sleep"]
        ):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert list((tmp_path / ".snakemake").glob("locks/*"))
        os.close(ours)
        for _ in range(2):  # by the shell, and by the terminal itself
            os.killpg(run.pid, signal.SIGHUP)
        if before:
            time.sleep(1)
            assert run.poll() is None
            assert all(each.is_running() for each in below)
            os.killpg(run.pid, signal.SIGINT)
        assert run.wait(600) == 1
    wait_until_gone(below)
    assert not list((tmp_path / ".snakemake").glob("locks/*"))
