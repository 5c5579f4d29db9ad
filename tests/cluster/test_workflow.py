"""The small workflow on a real Slurm of two nodes: what it asks for, what it survives."""

import re

import pytest

from tests.checkout import SMALL, STUDENT, WEIGHTS, only_weights, result_hashes, wait_for

pytestmark = pytest.mark.cluster

# What this cluster needs: it has no accounting database, and two cores a node; and be quick.
HERE = [
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=1",
    "--max-threads=2",
    "--default-resources=slurm_partition=main",
]


def run_on(cluster, checkout, *args):
    """Start the workflow on the cluster, as docs/cluster.md says."""
    profile = ["--workflow-profile=profiles/slurm"]
    return checkout.start(*profile, *HERE, *args, cores=None, **cluster.environment)


def printed(checkout):
    return (checkout.folder / "printed.txt").read_text()


def finish(process, checkout):
    assert process.wait(600) == 0, printed(checkout)


def jobs_of(cluster, since, *states):
    """Jobs that were submitted after ``since`` of them, by the rule in their comment."""
    return cluster.jobs(*states)[since:]


@pytest.fixture
def submitted(cluster):
    """How many jobs the cluster has seen before."""
    return len(cluster.jobs())


def test_the_results_on_two_nodes_are_those_of_a_local_run(cluster, submitted, finished, fresh):
    """To the last bit; each job asks for what its rule says, and seconds are not queued singly."""
    finish(run_on(cluster, fresh), fresh)
    assert result_hashes(fresh) == result_hashes(finished)
    jobs = jobs_of(cluster, submitted)
    assert {job.state for job in jobs} == {"COMPLETED"}
    assert {job.node for job in jobs} == {"n1", "n2"}
    assert {job.gpus for job in jobs} == {0}
    assert {job.partition for job in jobs} == {"main"}
    rules = {re.match(r"(?:rule_)?(.*?)(?:_wildcards.*)?$", job.comment)[1] for job in jobs}
    assert rules == {
        "make_corpus", "extract_features", "train_teacher", "dump_soft_labels", "train_student",
        "score_evaluate_student_predict_student",
    }  # fmt: skip
    asked = {rule: {j.memory_mb for j in jobs if rule in j.comment} for rule in rules}
    assert asked["train_teacher"] == {3000}
    assert asked["train_student"] == {4000}
    assert {j.cpus for j in jobs if "train" in j.comment} == {1}


def start_training(cluster, checkout, *args):
    """Start trainings on the cluster; gives snakemake, and the job of ``STUDENT``, at work."""
    known = {job.id for job in cluster.jobs()}
    process = run_on(cluster, checkout, *args)
    wait_for(checkout.path("checkpoints", "students", f"{STUDENT}.safetensors").exists)
    running = [job for job in cluster.jobs("RUNNING") if job.id not in known]
    (job,) = [job for job in running if "train_student_wildcards_soft" in job.comment]
    return process, job


def log_of_student(checkout):
    path = checkout.path("logs", "train_student", f"{STUDENT}.log")
    return path.read_text() if path.exists() else ""


LOST = "a Slurm job or node is lost"


@pytest.mark.fault(LOST, "`scancel` of a student's job while it trains")
def test_a_cancelled_job_is_run_again(cluster, longer, undisturbed, seen):
    process, job = start_training(cluster, longer)
    cluster.run("scancel", job.id)
    finish(process, longer)
    assert "failed and is tried again" in printed(longer)
    assert int(re.search(r"resuming after epoch (\d+)", log_of_student(longer))[1]) >= 1
    assert result_hashes(longer) == undisturbed
    seen("resumed from its checkpoint; all results equal")


@pytest.mark.fault(LOST, "a node is killed while a student trains there")
def test_the_jobs_of_a_lost_node_run_on_another(cluster, longer, undisturbed, seen):
    process, job = start_training(cluster, longer)
    try:
        cluster.stop_node(job.node, hard=True)
        finish(process, longer)
    finally:
        cluster.start_node(job.node)
    (ended,) = [each for each in cluster.jobs() if each.id == job.id]
    assert (ended.state, ended.restarts) == ("COMPLETED", 1)
    assert ended.node not in ("", job.node)
    assert int(re.search(r"resuming after epoch (\d+)", log_of_student(longer))[1]) >= 1
    assert result_hashes(longer) == undisturbed
    seen("resumed on the other node; all results equal")


@pytest.mark.fault(
    "Snakemake is killed", "SIGKILL where it runs, while a Slurm job trains a student"
)
def test_jobs_that_outlive_snakemake_give_way_to_those_of_the_next_run(
    cluster, longer, undisturbed, seen
):
    """Slurm's jobs go on when Snakemake is gone, and the next one cannot know of them."""
    process, job = start_training(cluster, longer, "--force", WEIGHTS)
    process.kill()
    process.wait()
    assert longer.snakemake("--unlock").returncode == 0
    cluster.run("scontrol", "suspend", job.id)  # it would be done before the next one starts
    again = run_on(cluster, longer, WEIGHTS)
    wait_for(lambda: len(cluster.jobs("RUNNING")) > 0)
    wait_for(lambda: "resuming after epoch" in log_of_student(longer))
    cluster.run("scontrol", "resume", job.id)
    finish(again, longer)
    cluster.wait_until(lambda: not cluster.jobs("RUNNING"), 60, "the first job ends too")
    (first,) = [each for each in cluster.jobs() if each.id == job.id]
    assert first.state == "FAILED"
    assert only_weights(result_hashes(longer)) == only_weights(undisturbed)
    seen(
        "after `make unlock` the same command resumes; the first run's job notices and stops; "
        "equal weights"
    )


@pytest.mark.fault("memory runs out", "students that ask Slurm for 200 MB and need more")
def test_what_is_killed_for_want_of_memory_is_tried_again_with_more(
    cluster, submitted, longer, undisturbed, seen
):
    rules = longer.folder / "rules/student.smk"
    text = rules.read_text()
    assert "grown(4000)" in text
    rules.write_text(text.replace("grown(4000)", "grown(200)"))
    finish(run_on(cluster, longer, "--force", WEIGHTS), longer)
    jobs = jobs_of(cluster, submitted)
    assert [job.memory_mb for job in jobs] == [200, 300, 450, 675][: len(jobs)]
    assert [job.state for job in jobs][-1] == "COMPLETED"
    assert {job.state for job in jobs[:-1]} <= {"OUT_OF_MEMORY", "FAILED", "CANCELLED"}
    assert len(jobs) > 1
    assert only_weights(result_hashes(longer)) == only_weights(undisturbed)
    seen("killed by Slurm, retried with half as much again until it fits; equal weights")


def test_jobs_ask_for_one_gpu_where_the_configuration_says_so(cluster, submitted, longer):
    """This cluster's GPU is none: the job gets there, and says what it misses."""
    config = longer.folder / SMALL
    config.write_text(config.read_text().replace("compute: {", "compute: {device: cuda, "))
    process = run_on(cluster, longer, "--force", WEIGHTS, "--retries=0")
    assert process.wait(120) != 0
    (job,) = jobs_of(cluster, submitted)
    assert (job.gpus, job.node, job.state) == (1, "n1", "FAILED")
    assert "PyTorch sees no CUDA device here" in printed(longer)
    assert "Traceback" not in printed(longer)


def test_what_slurm_refuses_is_said_in_its_own_words(cluster, fresh):
    nowhere = "--default-resources=slurm_partition=nowhere"
    process = run_on(cluster, fresh, "--retries=1", nowhere)
    assert process.wait(120) != 0
    said = "invalid partition specified: nowhere"
    assert printed(fresh).count(said) == 2, "for the try and the one after it"
    assert max(map(len, printed(fresh).splitlines())) < 200
