"""What shows a training while it runs: each epoch at its end, once, in whole lines."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest
import torch
from softscene.core.errors import StorageError, TrainingError
from softscene.core.tsv import read_table, write_table
from softscene.training.checkpoints import Checkpoints
from softscene.training.loop import train_student
from softscene.training.parameters import SceneObjective, TrainingParameters
from softscene.training.watching import LiveHistory, require_tensorboard

from tests.small_disk import small_disk
from tests.unit.tiny_training import CPU, SIZE

PARAMETERS = TrainingParameters(epochs=4, batch_size=4, learning_rate=1e-3)


def train(clips, folder, every=0.0, tensorboard=False):
    """Train a student with a checkpoint in ``folder``; gives checkpoints and history."""
    checkpoints = Checkpoints(folder / "checkpoint.safetensors", {}, every, tensorboard)
    objective = SceneObjective("hard", 0.1)
    _, history = train_student(
        clips, None, objective, SIZE, PARAMETERS, 0, CPU, "a test", checkpoints
    )
    return checkpoints, history


def seen_after_each_epoch(monkeypatch, path):
    """The texts of a live history, read at the end of each epoch."""
    texts, advance = [], "softscene.core.progress.Progress.advance"
    monkeypatch.setattr(advance, lambda *_, **__: texts.append(path.read_text()))
    return texts


def test_a_history_grows_by_a_line_each_epoch_and_ends_as_the_finished_one(
    clips, tmp_path, monkeypatch
):
    live = tmp_path / "checkpoint.history.tsv"
    texts = seen_after_each_epoch(monkeypatch, live)
    checkpoints, history = train(clips, tmp_path)
    write_table(history, tmp_path / "history.tsv")
    lines = (tmp_path / "history.tsv").read_text().splitlines(keepends=True)
    assert lines[0] == "epoch\tloss\tevent_loss\tscene_loss\n"
    assert texts == ["".join(lines[: 1 + epoch]) for epoch in range(1, 5)]
    checkpoints.clear()
    assert not live.exists()


def interrupt(monkeypatch, folder, epoch):
    """Stop a training before the end of an epoch, as Ctrl-C does."""
    reached = Checkpoints.reached

    def stopping(self, network, optimiser, history):
        if len(history) == epoch:
            raise KeyboardInterrupt
        reached(self, network, optimiser, history)

    monkeypatch.setattr(Checkpoints, "reached", stopping)


@pytest.mark.parametrize("every", [0.0, 3600.0])
def test_a_resumed_training_repeats_no_line(clips, tmp_path, every):
    """With a checkpoint of epoch 2, and without any, when all epochs are trained again."""
    _, history = train(clips, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, tmp_path, 3)
        with pytest.raises(KeyboardInterrupt):
            train(clips, tmp_path, every)
    live = tmp_path / "checkpoint.history.tsv"
    assert read_table(live).equals(history[:2])
    with pytest.MonkeyPatch.context() as patch:
        texts = seen_after_each_epoch(patch, live)
        train(clips, tmp_path, every)
    lines = [text.count("\n") - 1 for text in texts]
    assert lines == ([3, 4] if every == 0 else [1, 2, 3, 4])
    assert read_table(live).equals(history)


def test_epochs_after_the_checkpoint_are_taken_back(tmp_path):
    """They are trained again: a reader must not see them twice."""
    rows = [{"epoch": epoch, "loss": 1 / epoch} for epoch in range(1, 5)]
    live = LiveHistory(tmp_path / "history.tsv")
    live.begin([])
    for row in rows[:3]:
        live.add(row)
    again = LiveHistory(tmp_path / "history.tsv")
    again.begin(rows[:1])
    again.add(rows[1])
    assert live.path.read_text() == "epoch\tloss\n1\t1.0\n2\t0.5\n"
    again.begin([])
    again.add(rows[0])
    assert live.path.read_text() == "epoch\tloss\n1\t1.0\n"


def test_a_full_disk_is_named(tmp_path):
    with small_disk(tmp_path / "disk", "64k") as disk:
        (disk.folder / "others").write_bytes(bytes(60 * 1024))
        live = LiveHistory(disk.folder / "history.tsv")
        with pytest.raises(StorageError, match=r"history\.tsv could not be written"):
            for epoch in range(1, 10000):
                live.add({"epoch": epoch, "loss": 0.1})


class Writer:
    """In place of torch.utils.tensorboard's SummaryWriter, which needs TensorBoard."""

    made: ClassVar = []

    def __init__(self, log_dir, purge_step):
        self.given, self.values, self.flushed, self.closed = (log_dir, purge_step), [], 0, False
        Writer.made.append(self)

    def add_scalar(self, tag, scalar_value, global_step):
        self.values.append((tag, scalar_value, global_step))

    def flush(self):
        self.flushed += 1

    def close(self):
        self.closed = True


@pytest.mark.parametrize("method", ["__init__", "add_scalar", "flush", "close"])
def test_torchs_writer_takes_what_the_one_in_its_place_takes(method):
    """From its source, as it cannot be imported without TensorBoard."""
    source = Path(torch.__file__).with_name("utils") / "tensorboard/writer.py"
    (writer,) = [
        each
        for each in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(each, ast.ClassDef) and each.name == "SummaryWriter"
    ]
    (there,) = [
        each for each in writer.body if isinstance(each, ast.FunctionDef) and each.name == method
    ]
    code = getattr(Writer, method).__code__
    names = [each.arg for each in there.args.args]
    used = code.co_varnames[: code.co_argcount]
    assert [name for name in names if name in used] == list(used)
    if method != "__init__":
        assert names[: len(used)] == list(used), "those of add_scalar are given by their places"


@pytest.fixture
def fake_tensorboard(tmp_path, monkeypatch):
    """A package ``tensorboard`` on the path, and a writer that notes what it is given."""
    (tmp_path / "path/tensorboard").mkdir(parents=True)
    (tmp_path / "path/tensorboard/__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "path"))
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(Writer, "made", [])
    return Writer.made


def test_tensorboard_gets_each_loss_at_each_epoch_and_changes_nothing(
    clips, tmp_path, fake_tensorboard
):
    train(clips, tmp_path / "plain")
    checkpoints, history = train(clips, tmp_path / "shown", tensorboard=True)
    (writer,) = fake_tensorboard
    assert writer.given == (str(tmp_path / "shown/checkpoint.tensorboard"), 1)
    assert writer.values == [
        (name, getattr(row, name), row.epoch)
        for row in history.itertuples()
        for name in ("loss", "event_loss", "scene_loss")
    ]
    assert writer.flushed == PARAMETERS.epochs
    one, other = ((tmp_path / name / "checkpoint.safetensors") for name in ("plain", "shown"))
    assert one.read_bytes() == other.read_bytes()
    checkpoints.clear()
    assert writer.closed


def test_tensorboard_hides_the_epochs_that_a_resumed_training_repeats(
    clips, tmp_path, fake_tensorboard
):
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, tmp_path, 3)
        with pytest.raises(KeyboardInterrupt):
            train(clips, tmp_path, tensorboard=True)
    train(clips, tmp_path, tensorboard=True)
    first, second = fake_tensorboard
    assert first.given[1] == 1
    assert second.given == (str(tmp_path / "checkpoint.tensorboard"), 3)
    assert [step for tag, _, step in second.values if tag == "loss"] == [3, 4]


def test_tensorboard_that_is_not_installed_is_named_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr("softscene.training.watching.find_spec", lambda name: None)
    for attempt in (
        require_tensorboard,
        lambda: Checkpoints(tmp_path / "checkpoint.safetensors", {}, 0.0, tensorboard=True),
    ):
        with pytest.raises(TrainingError, match="tensorboard is not in this environment: `pip in"):
            attempt()
    Checkpoints(tmp_path / "checkpoint.safetensors", {}, 0.0)


def test_a_folder_of_tensorboards_name_is_not_tensorboard(tmp_path, monkeypatch):
    """Such as one with its event files, where the workflow is started."""
    (tmp_path / "tensorboard").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    found = importlib.util.find_spec("tensorboard")
    if found.origin is not None:
        pytest.skip("TensorBoard is installed")
    with pytest.raises(TrainingError, match="tensorboard is not in this environment"):
        require_tensorboard()
