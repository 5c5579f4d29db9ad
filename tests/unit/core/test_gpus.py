"""GPUs: which there are, how jobs share them, and what happens when their memory runs out."""

import importlib.util
import json
import os
import selectors
import subprocess
import sys
import time

import pytest
import torch
from softscene.core import gpus
from softscene.core.errors import GpuMemoryError, MethodError
from softscene.core.gpus import Card

from tests import fake_gpus
from tests.conftest import ROOT
from tests.fake_gpus import CARD, H100

A, B = CARD.format(0), CARD.format(1)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without cards: of the programs on the PATH, only sh's own are left."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "driver")
    monkeypatch.setattr(gpus, "_pytorch_has_cuda", lambda: True)
    return tmp_path


def says(machine, *cards):
    fake_gpus.say(machine / "bin", *cards)
    (machine / "bin" / "cat").symlink_to("/bin/cat")


def test_cards_are_those_that_nvidia_smi_lists(machine):
    assert gpus.usable("auto") == []
    says(machine, H100, "Odd, a card's name, [N/A]")
    found = [Card(A, "NVIDIA H100 80GB HBM3", 81559), Card(B, "Odd, a card's name", None)]
    assert gpus.usable("auto") == gpus.usable("cuda") == found
    assert gpus.usable("cpu") == []


@pytest.mark.parametrize(
    "does",
    [
        "echo 'NVIDIA-SMI has failed because it could not communicate with the driver.'; exit 9",
        "printf 'No devices were found\\n\\377\\n0, , ,\\n0\\n'",
        "kill -9 $$",
        "exit 6",
    ],
)
def test_a_broken_nvidia_smi_lists_none(machine, does):
    fake_gpus.program(machine / "bin", does)
    assert gpus.usable("auto") == []
    assert gpus.usable("cuda") == [gpus.UNKNOWN], "the user says that there is one"


def test_a_hanging_nvidia_smi_is_waited_for_a_while_and_the_drivers_files_read(
    machine, monkeypatch
):
    monkeypatch.setattr(gpus, "PATIENCE", 0.2)
    fake_gpus.program(machine / "bin", "exec /bin/sleep 60")
    for place, uuid in (("0000:00:06.0", B), ("0000:00:05.0", "GPU-????????-????-????")):
        (machine / "driver" / place).mkdir(parents=True)
        (machine / "driver" / place / "information").write_text(
            f"Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 85\nGPU UUID: \t {uuid}\n"
            "Video BIOS: \t 96.00.99.00.01\nBus Location: \t 0000:00:06.0\nDevice Minor: \t 0\n"
        )
    begin = time.monotonic()
    found = gpus.usable("auto")
    assert time.monotonic() - begin < 30
    assert found == [Card("0", "NVIDIA H100 80GB HBM3"), Card(B, "NVIDIA H100 80GB HBM3")]
    assert gpus.jobs_on_each(found, "auto") == 1, "their memory is not known"


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ("0,1", ["0", "1"]),
        ("1", ["1"]),
        (" 1 , 0 ", ["1", "0"]),
        (B, [B]),
        (B[:8], []),  # both begin with it
        (A[:-1] + "0", [A]),
        ("0,7,1", ["0"]),  # CUDA stops at the first that is not there
        ("", []),
        ("-1", []),
        ("none", []),
        ("MIG-3f0a", ["MIG-3f0a"]),
    ],
)
def test_cuda_visible_devices_chooses_cards(machine, monkeypatch, chosen, names):
    says(machine, H100, "NVIDIA L4, 23034")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    found = gpus.usable("auto")
    assert [card.name for card in found] == names
    memory = {"0": 81559, A: 81559, "1": 23034, B: 23034, "MIG-3f0a": None}
    assert [card.mib for card in found] == [memory[name] for name in names]


@pytest.mark.parametrize(("cuda", "has"), [("'12.8'", True), ("None", False)])
def test_whether_pytorch_has_cuda_is_read_from_its_files(tmp_path, monkeypatch, cuda, has):
    fake = fake_gpus.pytorch(tmp_path / "fake", cuda) / "torch" / "__init__.py"
    spec = importlib.util.spec_from_file_location("torch", fake)
    monkeypatch.setattr(importlib.util, "find_spec", {"torch": spec}.get)
    assert gpus._pytorch_has_cuda() is has


def test_the_installed_pytorch_is_known_as_it_knows_itself():
    assert gpus._pytorch_has_cuda() == (torch.version.cuda is not None)


def test_auto_is_no_card_if_pytorch_cannot_use_it(machine, monkeypatch):
    says(machine, H100)
    monkeypatch.setattr(gpus, "_pytorch_has_cuda", lambda: False)
    assert gpus.usable("auto") == []
    assert [card.name for card in gpus.usable("cuda")] == [A]


@pytest.mark.parametrize(
    ("memory", "per_gpu", "jobs"),
    [
        ([81559], "auto", 4),  # at most
        ([12282], "auto", 3),
        ([8188], "auto", 2),
        ([2048], "auto", 1),
        ([None], "auto", 1),
        ([81559, 12288], "auto", 3),  # the smallest
        ([81559], 40, 40),
        ([None, 2048], 2, 2),
    ],
)
def test_jobs_on_a_card_are_configured_or_follow_from_its_memory(memory, per_gpu, jobs):
    assert gpus.jobs_on_each([Card(str(mib), "", mib) for mib in memory], per_gpu) == jobs


def test_what_jobs_are_told(machine):
    environ = {}
    gpus.announce(environ, [], 0)
    assert environ == {gpus.SHARES: ""}
    assert not gpus.are_shared(environ)
    cards = [Card(A, "x"), Card(B, "x")]
    gpus.announce(environ, cards, 3)
    assert gpus.are_shared(environ)
    told = json.loads(environ[gpus.SHARES])
    assert told[:2] == [[A, B], 2], "for three jobs, two on one of them"
    assert gpus.described(cards, 3) == "2 GPUs (x), shared by jobs at a time: 3 (compute.per_gpu)"
    gpus.announce(environ, cards, 0)
    assert not gpus.are_shared(environ), "--resources gpu=0"


@pytest.mark.parametrize(
    ("told", "device", "taken"),
    [
        (None, "auto", "auto"),  # on a cluster
        (None, "cuda", "cuda"),
        ("", "auto", "cpu"),
        ("", "cuda", "cuda"),
        ("", "cpu", "cpu"),
    ],
)
def test_a_job_without_a_card_of_this_machine(monkeypatch, told, device, taken):
    monkeypatch.delenv(gpus.SHARES, raising=False)
    if told is not None:
        monkeypatch.setenv(gpus.SHARES, told)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "as it was")
    assert gpus.take(device) == taken
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "as it was"


def test_without_locks_jobs_are_spread_by_their_numbers(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(gpus.SHARES, json.dumps(gpus.Shares([A, B], 1, str(tmp_path / "file"))))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "as it was")
    for number, card in ((10, A), (11, B), (12, A)):
        monkeypatch.setattr(os, "getpid", lambda number=number: number)
        assert gpus.take("auto") == "auto"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == card
    assert gpus._TAKEN == [], "its memory cannot be had alone"


# --- Jobs as processes of their own

HOLD = """
import logging, os, sys
from softscene.core import gpus
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
gpus.take("auto")
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    """``start(script, *args)``: a job on the cards, which tells on its output what it does."""
    shares, started = gpus.Shares([A, B], 2, str(tmp_path / "locks")), []

    def begin(script, *args, cards=(A, B), each=2):
        environ = {
            gpus.SHARES: json.dumps(shares._replace(cards=cards, each=each)),
            "PYTHONPATH": f"{ROOT / 'workflow_scripts'}:{ROOT}",
        }
        job = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, args)], env={**os.environ, **environ},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
        )  # fmt: skip
        started.append(job)
        return job

    yield begin
    for job in started:
        with job:
            job.kill()


def card_of(job):
    """The card that a job gets; it is waited for."""
    on, card = job.stdout.readline().strip(), job.stdout.readline().strip()
    assert on == f"on GPU {card}"
    return card


def require_waiting(job):
    assert job.stdout.readline() == "waiting for a place on a GPU: other jobs use all of them\n"


def test_jobs_spread_over_the_cards_and_never_more_of_them_than_there_are_places(start):
    jobs = [start(HOLD) for _ in range(4)]
    cards = [card_of(job) for job in jobs]
    assert sorted(cards) == [A, A, B, B]
    late = [start(HOLD), start(HOLD)]
    for job in late:
        require_waiting(job)
    ended = cards.index(B)
    jobs[ended].kill()  # however it ends
    (first,) = _told(late, 1)
    assert card_of(first) == B
    late.remove(first)
    jobs[cards.index(A)].stdin.close()
    assert card_of(late[0]) == A
    after = start(HOLD)
    require_waiting(after)


def test_a_job_goes_where_most_places_are_free(start):
    jobs = [start(HOLD) for _ in range(4)]
    cards = [card_of(job) for job in jobs]
    for job, card in zip(jobs, cards, strict=True):
        if card == A:
            job.kill()
            job.wait()
    assert card_of(start(HOLD)) == A
    assert card_of(start(HOLD)) == A


def _told(jobs, number):
    """The first jobs that say something."""
    with selectors.DefaultSelector() as selector:
        for job in jobs:
            selector.register(job.stdout, selectors.EVENT_READ, job)
        return [key.data for key, _ in selector.select(120)][:number]


# The training of a second; at its second epoch the GPU is full for a job that is not alone there.
TRAIN = """
import os, sys, torch
from types import SimpleNamespace
from job import run_job
from softscene.core import gpus
from softscene.training import loop
from softscene.training.checkpoints import Checkpoints
from softscene.training.parameters import SceneObjective, TrainingParameters
from softscene.training.weights import digest
from tests.unit.tiny_training import CPU, SIZE, make_clips

log, fails = sys.argv[1:]
whole = loop.seed_everything

def seed_everything(seed, epoch=0, batch=0):
    if epoch == 2 and (fails == "always" or fails == "beside" and gpus.ALONE not in os.environ):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\\nMore")
    whole(seed, epoch, batch)

def main(snakemake):
    gpus.take("auto")
    print(os.environ["CUDA_VISIBLE_DEVICES"], file=sys.__stdout__, flush=True)
    loop.seed_everything = seed_everything
    network, history = loop.train_student(
        make_clips(), None, SceneObjective("hard", 1.0), SIZE, TrainingParameters(3, 4, 0.01), 0,
        CPU, "tiny", Checkpoints(f"{log}.safetensors", {}, 0),
    )
    print(digest(network.state_dict()), file=sys.__stdout__)

run_job(main, SimpleNamespace(log=[log], output=[log]))
"""


@pytest.mark.fault("memory runs out", "a GPU's, for a training beside another job")
def test_a_job_that_runs_out_of_memory_begins_again_when_it_is_alone(start, tmp_path, seen):
    """Nobody begins on its card meanwhile; it resumes, and its weights are the same."""
    undisturbed = start(TRAIN, tmp_path / "undisturbed", "never", cards=[A])
    card, weights = undisturbed.communicate()[0].split()
    beside = start(HOLD, cards=[A])
    assert card_of(beside) == card == A
    job = start(TRAIN, tmp_path / "log", "beside", cards=[A])
    assert job.stdout.readline().strip() == A
    log = tmp_path / "log"
    begin = time.monotonic()
    while "begins again" not in log.read_text():
        assert time.monotonic() - begin < 120
        time.sleep(0.05)
    # The place that it had is free, and so is the other card.
    late = start(HOLD, cards=[A])
    require_waiting(late)
    assert card_of(start(HOLD, cards=[A, B])) == B
    beside.kill()
    assert job.communicate()[0].split() == [A, weights]
    assert job.returncode == 0
    told = log.read_text()
    assert "compute.per_gpu below 2" in told
    assert "resuming after epoch 1" in told
    assert card_of(late) == A
    seen("waits for the GPU alone; resumes from its checkpoint; equal weights")


@pytest.mark.parametrize(("each", "tried"), [(2, 2), (1, 1)])
def test_a_job_that_is_too_large_for_the_whole_card_says_what_to_set(start, tmp_path, each, tried):
    job = start(TRAIN, tmp_path / "log", "always", cards=[A], each=each)
    assert job.communicate()[0].split() == [A] * tried, "alone at once where one uses a card"
    assert job.returncode == 1
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert "GpuMemoryError" in log
    assert "CUDA out of memory. Tried to allocate 2.00 GiB. Set" in log
    for words in ("a job that had the GPU for itself", "batch_size", "network", "compute.per_gpu"):
        assert words in log, words


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_what_says_that_a_gpus_memory_ran_out(error):
    assert gpus.ran_out(error)
    with pytest.raises(MethodError) as caught:
        raise MethodError("own.py: fails") from error
    assert gpus.ran_out(caught.value)
    with pytest.raises(GpuMemoryError, match="is not enough for this job"), gpus.naming_full_gpu():
        raise error  # it shares no card: a second try would be the same


def test_other_errors_stay_as_they_are():
    for error in (RuntimeError("shapes do not fit"), MemoryError("out of memory"), ValueError()):
        with pytest.raises(type(error)) as caught, gpus.naming_full_gpu():
            raise error
        assert caught.value is error
