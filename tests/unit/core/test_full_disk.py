"""A full disk: what is taken for one, what is said, and what a job's log makes of it."""

import errno
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from softscene.core.errors import DownloadError, StorageError
from softscene.core.files import (
    Log,
    is_full,
    naming_full_disk,
    replacing,
    replacing_hdf5,
    write_text,
)
from softscene.core.tsv import write_table
from softscene.features.extraction import extract_features

from tests.conftest import FEATURES, ROOT
from tests.small_disk import small_disk
from tests.unit.features.test_extraction import RATE, noise, wav

FULL = "the disk is full"


def caused(error, cause=None, context=None):
    error.__context__ = context
    if cause is not None:
        error.__cause__ = cause
    return error


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")
HDF5 = "Can't decrement id ref count (file write failed: errno = 28, error message = 'No space"


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (NO_SPACE, True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError(errno.EIO, "Input/output error"), False),
        (caused(ValueError("other"), cause=NO_SPACE), True),
        (caused(AttributeError("while closing"), context=NO_SPACE), True),
        (caused(caused(DownloadError("it failed"), cause=KeyError("x")), context=NO_SPACE), False),
        (RuntimeError(f"{HDF5} left on device')"), True),
        (OSError(f"Can't write data ({HDF5[:60]}"), True),
        (OSError("Can't read data (errno = 280, error message = 'none such')"), False),
        (SafetensorError("I/O error: No space left on device (os error 28)"), True),
        (DownloadError("http://x: HTTP 507 No space left on device"), False),
        (None, False),
    ],
)
def test_what_is_taken_for_a_full_disk(error, full):
    assert is_full(error) is full


def test_errors_that_cause_each_other_are_no_endless_loop():
    first, second = ValueError("a"), ValueError("b")
    first.__context__, second.__context__ = second, first
    assert not is_full(first)


def test_message_names_the_file_what_is_free_and_what_to_do(tmp_path):
    with pytest.raises(StorageError) as raised, naming_full_disk(tmp_path / "no/such/x.tsv"):
        raise OSError(errno.ENOSPC, "No space left on device")
    for part in (str(tmp_path / "no/such/x.tsv"), "B are free in", f"{tmp_path}.", "same command"):
        assert part in str(raised.value)


def test_other_errors_stay_what_they_are(tmp_path):
    for error in (OSError(errno.EACCES, "denied"), DownloadError("HTTP 404")):
        with pytest.raises(type(error)) as raised, naming_full_disk(tmp_path / "x"):
            raise error
        assert raised.value is error


def write_features(disk, seconds):
    rows = [("r.wav", "home", 0.0, 0.5, "fan")]
    columns = ["recording", "scene", "onset", "offset", "event"]
    write_table(pd.DataFrame(rows, columns=columns), disk.parent / "events.tsv")
    wav(disk.parent / "audio", "r.wav", noise(seconds))
    table = pd.DataFrame({"recording": ["r.wav"], "frames": int(seconds * RATE)})
    write_table(table, disk.parent / "recordings.tsv")
    audio = {disk.parent / "recordings.tsv": disk.parent / "audio"}
    extract_features(audio, disk.parent / "events.tsv", disk / "x", FEATURES)


def write_rows(disk, seconds):
    write_table(pd.DataFrame({"x": np.arange(seconds * 5_000)}), disk / "x")


def write_words(disk, seconds):
    write_text(disk / "x", "word " * int(2_000 * seconds))


def write_weights(disk, seconds):
    with replacing(disk / "x") as partial:
        save_file({"x": torch.rand(int(seconds * 5_000))}, partial)


def write_probabilities(disk, seconds):
    with replacing_hdf5(disk / "x") as store:
        for number in range(int(seconds * 10)):
            store.create_dataset(f"r/{number}", data=np.random.default_rng(0).random((5, 64)))


@pytest.mark.fault(
    "the disk is full", "features, HDF5, weights, a table or text on a tmpfs that is too small"
)
@pytest.mark.parametrize(
    "write", [write_features, write_probabilities, write_weights, write_rows, write_words]
)
def test_file_that_does_not_fit_leaves_the_old_one(tmp_path, write, seen):
    with small_disk(tmp_path / "disk", "64k") as disk:
        write(disk.folder, 0.5)
        before = (disk.folder / "x").read_bytes()
        with pytest.raises(StorageError, match=FULL) as raised:
            write(disk.folder, 8)
        assert str(disk.folder / "x") in str(raised.value)
        assert [path.name for path in disk.folder.iterdir()] == ["x"]
        assert (disk.folder / "x").read_bytes() == before
        disk.resize("4m")
        write(disk.folder, 8)
        assert (disk.folder / "x").stat().st_size > 64_000
    seen("StorageError with file and free space; the old file unchanged, no other left")
    seen("with room, written")


def test_hdf5_files_are_whole_and_others_are_none(tmp_path):
    with replacing_hdf5(tmp_path / "a.h5") as store:
        store["x"] = np.arange(5)
    with h5py.File(tmp_path / "a.h5") as store:
        assert store["x"][:].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(KeyError), replacing_hdf5(tmp_path / "b.h5") as store:
        store["y"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


GROWTH = """
import sys
import numpy as np
import psutil
from softscene.features.store import write_proved
from softscene.core.files import replacing_hdf5

def taken():
    return psutil.Process().memory_info().rss / 2**20

with replacing_hdf5(sys.argv[1]) as store:
    for number in range(4):
        write_proved(store, f"few/{number}", np.full((2**19, 2), number, np.float32))
    few = taken()
    for number in range(60):
        write_proved(store, f"many/{number}", np.full((2**19, 2), number, np.float32))
    print(taken() - few)
"""


def test_hdf5_file_takes_no_more_memory_the_longer_it_gets(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, tmp_path / "x.h5"], capture_output=True, text=True,
        check=True, cwd=ROOT / "workflow_scripts",
    )  # fmt: skip
    assert (tmp_path / "x.h5").stat().st_size > 2**28, "256 MB were written"
    assert float(done.stdout) < 64, "MB"


def test_what_is_written_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr("softscene.core.files.os.fsync", lambda _: order.append("synced"))
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: order.append("renamed"))
    write_text(tmp_path / "x", "text")
    assert order == ["synced", "renamed"]


# The log of a job


def test_log_on_a_full_disk_is_incomplete_and_no_more(tmp_path):
    with small_disk(tmp_path / "disk", "8k") as disk, Log(disk.folder / "log") as log:
        log.write("first ä\n")
        assert log.complete
        (disk.folder / "other").write_bytes(b"x" * 4096)
        print("x" * 10_000, file=log)
        assert not log.complete
        (disk.folder / "other").unlink()
        log.complete = True
        print("last", file=log)
        assert log.complete
        log.close()
        text = (disk.folder / "log").read_text(encoding="utf-8")
        assert text.startswith("first ä\n")
        assert text.endswith("last\n")


JOB = """
import logging, os, sys
from types import SimpleNamespace
from job import run_job

def main(snakemake):
    logging.info("begun")
    with open(snakemake.output[0], "wb") as file:
        try:
            file.write(bytes(100_000))
        finally:
            for _ in range(3):
                logging.info("x" * 3000)
                print("to the output", "x" * 3000)

run_job(main, SimpleNamespace(log=[sys.argv[1]], output=[sys.argv[2]]))
"""


def run_script(log, output):
    return subprocess.run(
        [sys.executable, "-c", JOB, log, output], capture_output=True, text=True, check=False,
        cwd=ROOT / "workflow_scripts",
    )  # fmt: skip


@pytest.mark.fault("the disk is full", "a job's log on a tmpfs without space, or without inodes")
@pytest.mark.parametrize(("size", "unwritten"), [("16k", "output"), ("16k,nr_inodes=1", "log")])
def test_job_whose_log_is_on_the_full_disk_says_it_on_the_terminal(tmp_path, size, unwritten, seen):
    with small_disk(tmp_path / "disk", size) as disk:
        done = run_script(disk.folder / "log", disk.folder / "output")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    path = tmp_path / "disk" / unwritten
    assert line.startswith(f"StorageError: {FULL}, or a quota on it: {path} could not be written")
    assert done.stdout == ""
    seen("only StorageError on the terminal; no traceback")


def test_job_whose_log_has_room_says_it_there(tmp_path):
    with small_disk(tmp_path / "disk", "16k") as disk:
        done = run_script(tmp_path / "log", disk.folder / "output")
    assert done.returncode == 1
    assert done.stderr == ""
    assert FULL in (tmp_path / "log").read_text().splitlines()[-1]
    assert "Traceback" not in (tmp_path / "log").read_text()
