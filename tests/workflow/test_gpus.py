"""GPUs in the workflow, on a machine that says that it has some: how many jobs run at a time."""

import os
import re
import subprocess
import sys

import pytest
from softscene.core.processor import WITHOUT_BFLOAT16, lacks_bfloat16

from tests import fake_gpus
from tests.conftest import ROOT
from tests.fake_gpus import CARD

# A loss for which the GPU is full while other jobs are there.
FULL = """
import os
import torch
from softscene.core.gpus import ALONE
from softscene.models import losses

def event_loss(y, targets, lengths):
    if ALONE not in os.environ:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
    return losses.event_loss(y, targets, lengths)
"""
SOFT = "soft/alpha-none_beta-1.0_T-2.0"
TINY = """
include: "{internals}"

limited("gpu", 2)

rule all:
    input: expand("{{n}}.made", n=range(6))

rule use_it:
    output: "{{n}}.made"
    resources: gpu=1
    shell: "echo + >> used; sleep 0.5; echo - >> used; touch {{output}}"
"""
USE_IT = "train_teacher|dump_soft_labels|train_student|predict_student"


@pytest.fixture
def cards(tmp_path_factory):
    """``cards(*memory)``: environment variables of a machine with cards of so many MiB."""

    def environ(*memory):
        folder = tmp_path_factory.mktemp("machine")
        programs = fake_gpus.say(folder / "bin", *(f"Fake, {mib}" for mib in memory))
        pytorch = fake_gpus.pytorch(folder / "python")
        return {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": f"{pytorch}:{os.environ.get('PYTHONPATH', '')}",
        }

    return environ


def planned(checkout, environ, *args, **options):
    """What a dry run that lists its jobs prints; it cannot load PyTorch."""
    done = checkout.snakemake("-n", "--printshellcmds", *args, **options, **environ)
    assert done.returncode == 0, done.stdout
    return done.stdout


def asking(text):
    """Rule -> whether its jobs ask for a GPU, of what a dry run lists."""
    jobs = re.findall(r"^rule (\w+):\n((?: {4}.*\n)+)", text, re.MULTILINE)
    return {rule: ", gpu=1" in facts for rule, facts in jobs}


def test_trainings_ask_for_shares_of_the_cards_that_there_are(fresh, cards):
    text = planned(fresh, cards(8188, 8188), cores=16, terminal=False)
    assert "2 GPUs (Fake), shared by jobs at a time: 4 (compute.per_gpu)" in text
    asked = asking(text)
    assert {rule for rule in asked if asked[rule]} == set(USE_IT.split("|"))
    given = ("--resources", "gpu=3", "--config", "compute={per_gpu: 40}")
    text = planned(fresh, cards(8188, 8188), *given, terminal=False)
    assert "shared by jobs at a time: 3 " in text, "what the user says"
    text = planned(fresh, cards(8188), *given[2:], terminal=False)
    assert "1 GPU (Fake), shared by jobs at a time: 40 (compute.per_gpu)" in text


def test_nothing_asks_for_a_gpu_without_one_on_a_cluster_and_on_cpus(fresh, cards):
    one = cards(8188)
    cpu = planned(fresh, one, "--config", "compute={device: cpu}", terminal=False)
    cluster = planned(fresh, one, "--executor=slurm", "--jobs=9", cores=None, terminal=False)
    for text in (cpu, cluster, planned(fresh, cards(), terminal=False)):
        assert "GPU" not in text
        assert len(asking(text)) > 20
        assert not any(asking(text).values())
    whole = ("--config", "compute={device: cuda}", "--executor=slurm", "--jobs=9")
    text = planned(fresh, one, *whole, cores=None, terminal=False)
    assert sum(asking(text).values()) == 4, "a cluster gives each job one of its own"
    assert "GPU" not in text


def test_bfloat16_on_a_processor_without_it_is_warned_of(fresh, cards):
    """Whatever this machine's processor is; a GPU has it."""
    given = "--config", "compute={precision: bfloat16}"
    warned = WITHOUT_BFLOAT16 in planned(fresh, cards(), *given, terminal=False)
    assert warned == lacks_bfloat16()
    assert WITHOUT_BFLOAT16 not in planned(fresh, cards(8188), *given, terminal=False)


@pytest.mark.parametrize(("given", "most"), [((), 2), (("--resources", "gpu=3"), 3)])
def test_snakemake_runs_no_more_jobs_at_a_time_than_share_the_cards(tmp_path, given, most):
    snakefile = TINY.format(internals=ROOT / "rules" / "internals.smk")
    (tmp_path / "Snakefile").write_text(snakefile)
    command = [sys.executable, "-m", "snakemake", "--cores", "8", *given]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    steps = (tmp_path / "used").read_text().split()
    running = [steps[:end].count("+") - steps[:end].count("-") for end in range(len(steps) + 1)]
    assert len(steps) == 12
    assert max(running) == most


def test_no_more_jobs_run_at_a_time_than_share_the_card(fresh, cards, tmp_path):
    """On eight cores, and with more students than a card of 8 GB has places; one needs it alone."""
    (fresh.folder / "full.py").write_text(FULL)
    environ = cards(8188) | {"TMPDIR": str(tmp_path)}
    full = ("--config", "methods={soft: {code: full.py}}")
    names = "crnn/alpha-none_beta-none_T-none", "mtl/alpha-0.01_beta-none_T-none", SOFT
    students = [f"results/small/students/{name}/fold-1_seed-0/history.tsv" for name in names]
    done = fresh.snakemake(*students, *full, cores=8, terminal=False, **environ)
    assert done.returncode == 0, done.stdout
    assert "1 GPU (Fake), shared by jobs at a time: 2 (compute.per_gpu)" in done.stdout
    running, most = set(), 0
    events = rf"rule ({USE_IT}):\n(?:    .*\n)*?    jobid: (\d+)\n|Finished jobid: (\d+)"
    for _, begun, ended in re.findall(events, done.stdout):
        running = running | {begun} if begun else running - {ended}
        most = max(most, len(running))
    assert running == set()
    assert most == 2
    logs = {path: path.read_text() for path in fresh.path("logs").rglob("*.log")}
    used = [path for path, text in logs.items() if f"on GPU {CARD.format(0)}" in text]
    assert len(used) == 1 + 1 + 3, "teacher, soft labels, students"
    (again,) = [path for path, text in logs.items() if "with the GPU for itself" in text]
    assert "train_student/soft" in str(again)
    assert done.stdout.count("compute.per_gpu below 2 avoids this") == 1
