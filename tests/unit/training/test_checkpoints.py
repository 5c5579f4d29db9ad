"""Trainings that are killed and go on, to the last bit; and what no training goes on from."""

import json
import logging
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from softscene.core.errors import StorageError, TrainingError
from softscene.training import jobs
from softscene.training.adam import Adam
from softscene.training.checkpoints import Checkpoints, identity
from softscene.training.loop import train_student, train_teacher
from softscene.training.parameters import SceneObjective, TrainingParameters
from softscene.training.weights import digest, load_tensors, save_network, save_tensors

from tests.small_disk import small_disk
from tests.unit.tiny_training import CPU, SIZE, SOFT

PARAMETERS = TrainingParameters(epochs=4, batch_size=4, learning_rate=1e-3)
STEPS = 2  # of an epoch of 7 clips
OBJECTIVES = {
    "crnn": SceneObjective(),
    "mtl": SceneObjective("hard", 0.1),
    "soft": SceneObjective("soft", 1.0, 2.0),
}


def identity_of(**changes):
    given = {"parameters": {"seed": 0}, "data": {"soft": SOFT}, "device": CPU} | changes
    return identity(given["parameters"], given["data"], given["device"], jobs.TRAINING_CODE)


def run(kind, clips, folder, every=0.0, **changes):
    """One job of a training, from its checkpoint if there is one; writes its weights."""
    checkpoints = Checkpoints(folder / "checkpoint.safetensors", identity_of(**changes), every)
    given = (SIZE, PARAMETERS, 0, CPU, "a test", checkpoints)
    if kind == "teacher":
        network, history = train_teacher(clips, *given)
    else:
        network, history = train_student(clips, SOFT, OBJECTIVES[kind], *given)
    save_network(network, folder / "weights.safetensors", {})
    history.to_csv(folder / "history.tsv", sep="\t", index=False)
    return checkpoints


def run_until_killed(kind, clips, folder, step):
    """The same in a process of its own, which gets SIGKILL before it ends its ``step``-th step."""
    steps, update = [0], Adam.step

    def counted(*args, **kwargs):
        steps[0] += 1
        if steps[0] == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return update(*args, **kwargs)

    def job():
        Adam.step = counted
        run(kind, clips, folder)

    process = multiprocessing.get_context("fork").Process(target=job)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def results(folder):
    return {name: (folder / name).read_bytes() for name in ("weights.safetensors", "history.tsv")}


@pytest.mark.fault("a training is killed", "SIGKILL in each step of each epoch of four")
@pytest.mark.parametrize("kind", ["teacher", *OBJECTIVES])
def test_a_training_killed_in_any_epoch_ends_in_the_same_bits(kind, clips, tmp_path, caplog, seen):
    whole = tmp_path / "whole"
    run(kind, clips, whole)
    for step in range(1, PARAMETERS.epochs * STEPS + 1):
        folder = tmp_path / f"killed-{step}"
        run_until_killed(kind, clips, folder, step)
        assert not (folder / "weights.safetensors").exists()
        with caplog.at_level(logging.INFO, logger="softscene"):
            caplog.clear()
            run(kind, clips, folder)
        epoch = (step - 1) // STEPS
        assert any(f"resuming after epoch {epoch}," in m for m in caplog.messages) == (epoch > 0)
        assert results(folder) == results(whole)
    seen("resumes after the last whole epoch; bit-identical weights and history")


@pytest.mark.fault("a training is killed", "SIGKILL again and again, once in each epoch")
def test_a_training_killed_many_times_ends_in_the_same_bits(clips, tmp_path, seen):
    run("soft", clips, tmp_path / "whole")
    for epoch in range(1, PARAMETERS.epochs):
        run_until_killed("soft", clips, tmp_path / "killed", STEPS + 1)
        _, facts = load_tensors(tmp_path / "killed/checkpoint.safetensors")
        assert len(json.loads(facts["history"])) == epoch
    run("soft", clips, tmp_path / "killed")
    assert results(tmp_path / "killed") == results(tmp_path / "whole")
    seen("one epoch further each time; bit-identical weights and history")


@pytest.mark.fault("the disk is full", "a tmpfs with room for only one checkpoint")
def test_a_training_goes_on_when_there_is_room_for_its_checkpoints_again(clips, tmp_path, seen):
    run("mtl", clips, tmp_path / "whole")
    size = (tmp_path / "whole/checkpoint.safetensors").stat().st_size
    with small_disk(tmp_path / "disk", f"{size * 3 // 2 // 1024}k") as disk:
        with pytest.raises(StorageError, match=r"checkpoint\.safetensors could not be written"):
            run("mtl", clips, disk.folder)
        _, facts = load_tensors(disk.folder / "checkpoint.safetensors")
        assert len(json.loads(facts["history"])) >= 1, "what was good before still is"
        names = {path.name for path in disk.folder.iterdir()}
        assert names == {f"checkpoint.{end}" for end in ("safetensors", "owner", "history.tsv")}
        disk.resize("10m")
        run("mtl", clips, disk.folder)
        assert results(disk.folder) == results(tmp_path / "whole")
    seen("named, with free space; the previous checkpoint is kept; with room, equal weights")


def test_a_checkpoint_that_was_not_used_would_be_seen(clips, tmp_path):
    """The killed training's state is indeed what the next one starts with."""
    run_until_killed("mtl", clips, tmp_path, 2 * STEPS + 1)
    path = tmp_path / "checkpoint.safetensors"
    tensors, facts = load_tensors(path)
    changed = {k: v + 0.1 if v.is_floating_point() else v for k, v in tensors.items()}
    save_tensors(changed, path, **facts)
    run("mtl", clips, tmp_path)
    run("mtl", clips, tmp_path / "whole")
    assert results(tmp_path) != results(tmp_path / "whole")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"parameters": {"seed": 1}}, "parameters"),
        ({"data": {"soft": SOFT + 1}}, "data"),
        ({"device": torch.device("cuda")}, "device"),
    ],
)
def test_another_trainings_checkpoint_is_not_gone_on_from(clips, tmp_path, caplog, changes, named):
    run("crnn", clips, tmp_path / "whole", **changes)
    run("crnn", clips, tmp_path)
    run("crnn", clips, tmp_path, **changes)
    assert f"is of another training ({named}); this one starts from the beginning" in caplog.text
    assert results(tmp_path) == results(tmp_path / "whole")


def test_changed_training_code_starts_anew():
    other = identity({}, {}, CPU, jobs.TRAINING_CODE[:-1])
    assert other["code"] != identity({}, {}, CPU, jobs.TRAINING_CODE)["code"]


DAMAGED = "a result is damaged"


@pytest.mark.fault(DAMAGED, "a checkpoint cut off, emptied, or with a byte of its facts flipped")
@pytest.mark.parametrize("damage", ["facts", "cut", "empty"])
def test_a_training_with_a_damaged_checkpoint_starts_anew(clips, tmp_path, caplog, damage, seen):
    run("crnn", clips, tmp_path / "whole")
    run("crnn", clips, tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    content = bytearray(path.read_bytes())
    content[content.index(b"loss") + 10] ^= 1
    path.write_bytes({"facts": content, "cut": content[:-10], "empty": b""}[damage])
    run("crnn", clips, tmp_path)
    assert str(path) in caplog.text
    assert "the training starts from the beginning" in caplog.text
    assert results(tmp_path) == results(tmp_path / "whole")
    seen("named in the log, not used; the training starts from the beginning: same bits")


@pytest.mark.fault(DAMAGED, "a byte of a checkpoint flipped, at 300 places of header and tensors")
def test_a_flipped_byte_of_a_checkpoint_is_noticed(clips, tmp_path, seen):
    run("crnn", clips, tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    whole, content = load_tensors(path), path.read_bytes()
    header = content.index(b"}}") + 2
    rng = np.random.default_rng(0)
    places = [*rng.integers(0, header, 150), *rng.integers(header, len(content), 150)]
    noticed = 0
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 0x04
        path.write_bytes(damaged)
        try:
            tensors, facts = load_tensors(path)
        except TrainingError:
            noticed += 1
            continue
        assert facts == whole[1], place
        assert digest(tensors) == digest(whole[0]), place
    assert noticed > 280
    seen("noticed, or without effect")


def test_of_two_jobs_of_one_training_the_later_one_goes_on(clips, tmp_path):
    """A job that outlived its Snakemake stops; its weights are not written."""
    first = Checkpoints(tmp_path / "checkpoint.safetensors", identity_of(), 0)
    second = Checkpoints(tmp_path / "checkpoint.safetensors", identity_of(), 0)
    network = torch.nn.Linear(2, 2)
    optimiser = torch.optim.Adam(network.parameters())
    first.restore(network, optimiser)
    first.reached(network, optimiser, [{"epoch": 1}])
    assert second.restore(network, optimiser) == [{"epoch": 1}]
    with pytest.raises(TrainingError, match="another job has taken over this training"):
        first.reached(network, optimiser, [{"epoch": 2}])
    with pytest.raises(TrainingError, match="another job has taken over this training"):
        first.clear()
    second.reached(network, optimiser, [{"epoch": 2}])
    second.clear()
    with pytest.raises(TrainingError, match="it was finished, or the mark was deleted"):
        first.reached(network, optimiser, [{"epoch": 2}])
    assert not list(tmp_path.iterdir())


def test_checkpoints_are_not_made_more_often_than_asked_for(clips, tmp_path):
    run("crnn", clips, tmp_path, every=3600)
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_a_digest_sees_names_types_shapes_and_values():
    value = torch.arange(6, dtype=torch.float32)
    given = [
        {"a": value},
        {"b": value},
        {"a": value.view(2, 3)},
        {"a": value.view(torch.int32)},
        {"a": value.nextafter(torch.ones(6) * 9)},
    ]
    assert len({digest(each) for each in given}) == len(given)
    columns = value.view(2, 3).t().contiguous().t()
    assert digest({"a": columns}) == digest({"a": value.view(2, 3)}), "not of the memory's layout"


def test_nothing_is_left_of_a_finished_training(clips, tmp_path):
    checkpoints = run("teacher", clips, tmp_path)
    assert {path.name for path in Path(tmp_path).iterdir()} > {"checkpoint.owner"}
    checkpoints.clear()
    assert {path.name for path in Path(tmp_path).iterdir()} == set(results(tmp_path))


def test_the_same_tensors_and_facts_are_the_same_bytes(tmp_path):
    """In whatever order they come, and although the library writes facts in any order."""
    tensors = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor([1, 2])}
    facts = {f"fact {i}": 'ü "quoted" \\ \n' * i for i in range(9)}
    written = set()
    for step in (1, -1):
        save_tensors(
            dict(list(tensors.items())[::step]), tmp_path / "a", **dict(list(facts.items())[::step])
        )
        written.add((tmp_path / "a").read_bytes())
    assert len(written) == 1
    found, said = load_tensors(tmp_path / "a")
    assert said == facts
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
