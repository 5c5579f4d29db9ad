"""Kills, in the middle of real runs: the same command goes on, to the same results."""

import re
import shutil
import time

import psutil
import pytest

from tests.checkout import (
    STUDENT,
    WEIGHTS,
    command,
    copy_of,
    jobs_below,
    only_weights,
    result_hashes,
    wait_for,
    with_longer_students,
)


@pytest.mark.fault(
    "Snakemake is killed", "SIGKILL to Snakemake alone, while each rule in turn runs"
)
def test_the_same_command_goes_on_after_snakemake_was_killed_in_any_stage(finished, fresh, seen):
    """Whenever a rule runs for the first time: its job has hardly begun, or is at work."""
    scripts, killed = rules_of(finished), []
    locks = fresh.folder / ".snakemake/locks"
    while len(killed) < len(scripts):
        run = psutil.Process(fresh.start(cores=1).pid)
        rule = wait_for(
            lambda run=run: next(iter(rules_below(run, scripts) - set(killed)), None), 300
        )
        time.sleep(0.15 * (len(killed) % 3))
        assert rule in rules_below(run, scripts)
        jobs = jobs_below(run)
        run.kill()
        run.wait()
        killed.append(rule)
        _, alive = psutil.wait_procs(jobs, timeout=120)
        assert not alive, f"{rule}: its jobs outlive Snakemake"
        if len(killed) == 1:  # whatever rule it was
            refused = fresh.snakemake()
            assert refused.returncode != 0
            assert "--unlock" in refused.stdout
            assert fresh.snakemake("--unlock").returncode == 0
            assert not locks.exists()
        else:
            shutil.rmtree(locks)
    assert set(killed) == scripts
    done = fresh.snakemake()
    assert done.returncode == 0, done.stdout
    assert result_hashes(fresh) == result_hashes(finished)
    seen(
        "its jobs end too; after unlock, the same command resumes; "
        "all results equal an undisturbed run's; no other file left"
    )


def rules_of(checkout):
    """All rules that had a job in a run."""
    return {path.name.removesuffix(".tsv") for path in checkout.path("benchmarks").iterdir()}


def rules_below(run, scripts):
    """The rules whose jobs run, from their very start."""
    called = " ".join(word for job in jobs_below(run) for word in command(job))
    return {rule for rule in scripts if f".{rule}.py" in called}


@pytest.mark.fault("a training is killed", "SIGKILL to a student's job in a real run")
def test_a_student_whose_job_is_killed_goes_on_in_the_next_run(finished, longer, tmp_path, seen):
    with copy_of(finished, tmp_path / "undisturbed") as undisturbed:
        done = with_longer_students(undisturbed).snakemake(WEIGHTS)
        assert done.returncode == 0, done.stdout
    run = longer.start("--force", WEIGHTS)
    checkpoint = longer.path("checkpoints", "students", f"{STUDENT}.safetensors")
    wait_for(checkpoint.exists)
    (job,) = jobs_below(psutil.Process(run.pid))
    job.kill()
    assert run.wait(600) != 0
    printed = (longer.folder / "printed.txt").read_text()
    assert "train_student" in printed
    assert not (longer.folder / WEIGHTS).exists()

    done = longer.snakemake(WEIGHTS)
    assert done.returncode == 0, done.stdout
    log = longer.path("logs", "train_student", f"{STUDENT}.log").read_text()
    assert int(re.search(r"resuming after epoch (\d+)", log)[1]) >= 1
    assert only_weights(result_hashes(longer)) == only_weights(result_hashes(undisturbed))
    seen("the run fails and names the job; the next one resumes; equal weights")


@pytest.mark.fault("two workflows in one folder", "a second start while the first one runs")
def test_a_second_workflow_in_the_same_folder_is_refused_by_name(finished, scratch, seen):
    (scratch.folder / WEIGHTS).unlink()
    first = scratch.start(WEIGHTS)
    (job,) = wait_for(lambda: jobs_below(psutil.Process(first.pid)))
    job.suspend()  # until all others have tried
    try:
        printed = (scratch.folder / "printed.txt").rename(scratch.folder / "first.txt")

        by = rf"results/small is being made by process {first.pid} on \S+ since .*snakemake"
        second = scratch.snakemake()
        assert second.returncode != 0
        assert re.search(by, second.stdout), second.stdout
        assert "Directory cannot be locked" in second.stdout
        watched = scratch.snakemake("-n")
        assert watched.returncode == 0, "looking is allowed"
        assert re.search(by, watched.stdout)

        assert scratch.snakemake("--unlock").returncode == 0, (
            "Snakemake lets anybody break its lock"
        )
        third = scratch.snakemake(WEIGHTS)
        assert third.returncode != 0
        assert re.search(rf"{by}.*; wait until it has ended, or stop it", third.stdout), (
            third.stdout
        )
        assert "Traceback" not in third.stdout
    finally:
        job.resume()
    assert first.wait(600) == 0, printed.read_text()
    assert result_hashes(scratch) == result_hashes(finished)
    seen(
        "refused with the first one's process, machine, start and command, even where the lock "
        "was broken; the first ends with equal results"
    )
