"""Results of earlier jobs that are damaged, foreign or hostile: noticed, named, never executed."""

import dataclasses
import errno
import hashlib
import os
import pickle
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from softscene.core.errors import FeatureError, ResultError, SoftSceneError, TrainingError
from softscene.core.tsv import read_numbers, read_table
from softscene.evaluation.probabilities import load_probabilities, save_probabilities
from softscene.features.clips import Clips
from softscene.features.store import FeatureStore, sources_of, write_proved
from softscene.training.soft_labels import read_soft_labels
from softscene.training.weights import load_network, load_tensors, save_network

from tests.conftest import FEATURES

CPU = torch.device("cpu")
NETWORK = torch.nn.Linear(3, 2)


class Hostile:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (os.mkdir, (str(self.mark),))


READERS = {
    "weights.safetensors": lambda path: load_network(NETWORK, path, CPU, {}),
    "checkpoint.safetensors": load_tensors,
    "soft_labels.tsv": lambda path: read_soft_labels(path, read_table(path), ("home",)),
    "features.h5": lambda path: FeatureStore(path, FEATURES, {}),
    "probabilities.h5": lambda path: load_probabilities(path, ["a"], {}),
}


@pytest.mark.fault(
    "a file holds a hostile pickle", "a pickle that makes a folder, in place of each kind of file"
)
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_hostile_pickle_is_refused_and_never_executed(name, form, tmp_path, seen):
    path, mark = tmp_path / name, tmp_path / "executed"
    write = {
        "pickle": lambda o: path.write_bytes(pickle.dumps(o)),
        "torch": lambda o: torch.save(o, path),
    }
    write[form](Hostile(mark))
    with pytest.raises(SoftSceneError, match=name):
        READERS[name](path)
    assert not mark.exists()
    if form == "pickle":
        pickle.loads(path.read_bytes())
        assert mark.exists(), "it is hostile indeed"
    seen("refused by the file's name, not executed")


@pytest.fixture
def features(tmp_path):
    """A feature file of two recordings."""
    path = tmp_path / "features.h5"
    with h5py.File(path, "w") as store:
        store.attrs.update(dataclasses.asdict(FEATURES))
        for name in ("d/a", "d/b"):
            values = np.random.default_rng(0).normal(size=(700, 64)).astype("f4")
            write_proved(store, name, values, {"scene": "home"})
    return path


def read_all(path, sources=None):
    with FeatureStore(path, FEATURES, sources or {}) as store:
        return [store.read(name) for name in ("d/a", "d/b")]


HDF5 = "an HDF5 file is damaged or of other parameters"
REMAKE = r"make it again: snakemake --force .*features\.h5"


@pytest.mark.fault(HDF5, "features.h5 cut off at 20 places, from nothing to all but a byte")
def test_a_truncated_feature_file_is_named_with_what_makes_it_again(features, seen):
    content = features.read_bytes()
    for length in np.linspace(0, len(content) - 1, 20, dtype=int):
        features.write_bytes(content[:length])
        with pytest.raises(FeatureError, match=REMAKE):
            read_all(features)
    seen("named before use, with the command that makes it again")


@pytest.mark.fault(HDF5, "a byte of the features flipped, at 200 places of features.h5")
def test_a_flipped_byte_of_the_features_is_noticed_or_changes_nothing(features, seen):
    content, expected = features.read_bytes(), read_all(features)
    noticed = 0
    for place in np.random.default_rng(1).integers(0, len(content), 200):
        damaged = bytearray(content)
        damaged[place] ^= 0x40
        features.write_bytes(damaged)
        try:
            found = read_all(features)
        except FeatureError:
            noticed += 1
            continue
        for (values, scene), (others, other) in zip(found, expected, strict=True):
            assert scene == other
            assert np.array_equal(values, others)
    assert noticed > 150
    seen("noticed by its checksum, or without effect: no other value is read")


@pytest.mark.fault(HDF5, "features.h5 made with another hop, FFT, band count or window")
@pytest.mark.parametrize(
    ("name", "value"), [("hop_length", 441), ("n_fft", 4096), ("bands", 40), ("window", "hamming")]
)
def test_features_of_other_parameters_are_named_with_both(features, name, value, seen):
    with h5py.File(features, "a") as store:
        store.attrs[name] = value
    expected = rf"(?s){REMAKE}.*{name} {value}, expected {getattr(FEATURES, name)}"
    with pytest.raises(FeatureError, match=expected):
        read_all(features)
    with h5py.File(features, "a") as store:
        del store.attrs[name]
    with pytest.raises(FeatureError, match=f"{name} is missing, expected"):
        read_all(features)
    seen("named before use, with both values and the command that makes it again")


@pytest.fixture
def probabilities(tmp_path):
    """A file of a student's probabilities, and what is read from it."""
    path = tmp_path / "probabilities.h5"
    with h5py.File(path, "w") as store:
        values = np.random.default_rng(0).random((50, 25)).astype("f4")
        hop = {"hop_length": 882, "sample_rate": 44100}
        write_proved(store, "a", values, hop, compression="gzip", shuffle=True)
    return path


@pytest.mark.fault(HDF5, "probabilities.h5 cut off, or without a recording")
@pytest.mark.parametrize("damage", ["cut", "lacking"])
def test_damaged_probabilities_are_named_with_what_makes_them_again(probabilities, damage, seen):
    if damage == "cut":
        probabilities.write_bytes(probabilities.read_bytes()[:-1000])
    with pytest.raises(FeatureError, match=r"snakemake --force .*probabilities\.h5"):
        load_probabilities(probabilities, ["a", "b"] if damage == "lacking" else ["a"], {})
    seen("named before use, with the command that makes it again")


@pytest.mark.fault(HDF5, "each byte of probabilities.h5 flipped, one by one")
def test_a_flipped_byte_of_probabilities_is_noticed_or_changes_nothing(probabilities, seen):
    content = probabilities.read_bytes()
    expected, hop = load_probabilities(probabilities, ["a"], {})
    noticed = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0x40
        probabilities.write_bytes(damaged)
        try:
            found = load_probabilities(probabilities, ["a"], {})
        except FeatureError:
            noticed += 1
            continue
        assert found[1] == hop, place
        assert np.array_equal(found[0]["a"], expected["a"]), place
    assert noticed > 4000, "the values alone have as many bytes"
    seen("noticed, or without effect: no other value or hop is read")


@pytest.mark.fault("a result is damaged", "a letter, a gap or an infinity in the soft labels")
@pytest.mark.parametrize("cell", ["0.u", "", "inf", "nan"])
def test_soft_labels_that_are_no_numbers_are_named(tmp_path, cell, seen):
    path = tmp_path / "soft_labels.tsv"
    path.write_text(f"clip\trecording\tstart\tlogit_home\n0\ta\t0\t0.5\n1\ta\t500\t{cell}\n")
    table = read_table(path)[["clip", "recording", "start"]]
    with pytest.raises(FeatureError, match=r"clip 1 .*snakemake --force .*soft_labels\.tsv"):
        read_soft_labels(path, table, ("home",))
    seen("named before use, with clip and the command that makes it again")


@pytest.mark.fault("a result is damaged", "a byte of a weights file flipped, or its end cut off")
@pytest.mark.parametrize("damage", ["flipped", "cut", "swapped"])
def test_damaged_weights_are_named_with_what_makes_them_again(tmp_path, damage, seen):
    path = tmp_path / "weights.safetensors"
    save_network(NETWORK, path, {})
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    if damage == "swapped":
        save_network(torch.nn.Linear(4, 2), path, {})
    else:
        path.write_bytes(content if damage == "flipped" else content[:-5])
    with pytest.raises(TrainingError, match=r"snakemake --force .*weights\.safetensors"):
        load_network(torch.nn.Linear(3, 2), path, CPU, {})
    seen("named before use, with the command that makes it again")


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b'a\tb\n1\t2\t3\n4\t"5\n'])
def test_a_table_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "clips.tsv"
    for write in (lambda: path.write_bytes(content), path.unlink):
        write()
        with pytest.raises(ResultError, match=r"clips\.tsv cannot be read as a table"):
            read_table(path)


@pytest.mark.fault(
    "a result is damaged", "weights and probabilities of another student, fold, seed or corpus"
)
def test_files_of_another_student_or_corpus_are_named_with_both(tmp_path, seen):
    own = {"method": "soft", "fold": "1", "seed": "0", "events.tsv": "sha256:aa"}
    weights, probabilities = tmp_path / "weights.safetensors", tmp_path / "probabilities.h5"

    def save(origin):
        save_network(NETWORK, weights, origin)
        clips = Clips(pd.DataFrame({"recording": ["a"], "frames": [4]}), *[np.zeros(1)] * 4)
        values = np.full((1, 5, 2), 0.5, np.float32)
        save_probabilities(clips, values, ("x", "y"), (882, 44100), probabilities, origin)

    readers = {
        weights: lambda: load_network(torch.nn.Linear(3, 2), weights, CPU, own),
        probabilities: lambda: load_probabilities(probabilities, ["a"], own),
    }
    save(own)
    content = [path.read_bytes() for path in readers]
    for read in readers.values():
        read()
    save(own | {"recordings.tsv": "sha256:bb"})
    for read in readers.values():
        read()
    for name, other in {"method": "mtl", "fold": "2", "seed": "1", "events.tsv": "cc"}.items():
        save(own | {name: other})
        for path, read in readers.items():
            with pytest.raises(
                SoftSceneError, match=f"data or settings; make .* --force {path} "
            ) as caught:
                read()
            assert caught.value.problems == (f"{name} {other}, expected {own[name]}",)
    save({})
    for path, read in readers.items():
        with pytest.raises(SoftSceneError, match=f"{path} was made by another version") as caught:
            read()
        assert caught.value.problems[0] == "method is missing, expected soft"
    save(own)
    assert [path.read_bytes() for path in readers] == content
    seen("refused by name, with what it holds and what was expected")


@pytest.mark.fault(HDF5, "features.h5 made of other recordings or of another list of events")
def test_features_of_other_data_are_named(features, tmp_path, seen):
    events, tables = tmp_path / "events.tsv", [tmp_path / "a.tsv", tmp_path / "b.tsv"]
    for path in (events, *tables):
        path.write_text(path.name)
    with pytest.raises(FeatureError, match=r"features\.h5 was made by another version"):
        read_all(features, sources_of(events))
    with h5py.File(features, "a") as store:
        store.attrs.update(sources_of(events, tables))
    read_all(features, sources_of(events))
    read_all(features, sources_of(events, tables))
    with FeatureStore(features, FEATURES, {}) as store:
        digest, *of_tables = (hashlib.sha256(p.read_bytes()).hexdigest() for p in (events, *tables))
        assert store.sources == {
            "events.tsv": f"sha256:{digest}",
            "recordings.tsv": " ".join(f"sha256:{each}" for each in of_tables),
        }
    for path, name in {events: "events.tsv", tables[1]: "recordings.tsv"}.items():
        path.write_text("other")
        with pytest.raises(FeatureError, match=rf"(?s){REMAKE}.*\n  {name} sha256:") as caught:
            read_all(features, sources_of(events, tables))
        assert len(caught.value.problems) == 1
        path.write_text(path.name)
    seen("named before use, with both checksums and the command that makes it again")


@pytest.mark.fault("a result is damaged", "NaN or infinity in features, probabilities, weights")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(tmp_path, value, seen):
    values = np.zeros((50, 64), np.float32)
    values[7, 3] = value
    path = tmp_path / "features.h5"
    with h5py.File(path, "w") as store:
        store.attrs.update(dataclasses.asdict(FEATURES))
        write_proved(store, "d/a", values, {"scene": "home"})
    with (
        FeatureStore(path, FEATURES, {}) as store,
        pytest.raises(FeatureError, match=rf"{path}: frame 7 of d/a holds .*not finite"),
    ):
        store.read("d/a")
    path = tmp_path / "probabilities.h5"
    with h5py.File(path, "w") as store:
        write_proved(store, "d/b", values, {"hop_length": 882, "sample_rate": 44100})
    with pytest.raises(FeatureError, match=rf"{path}: frame 7 of d/b holds .*not finite"):
        load_probabilities(path, ["d/b"], {})
    path, network = tmp_path / "weights.safetensors", torch.nn.Linear(3, 2)
    network.bias.data[1] = value
    save_network(network, path, {})
    with pytest.raises(TrainingError, match=rf"{path} holds weights .*not finite.*\n  bias$"):
        load_network(torch.nn.Linear(3, 2), path, CPU, {})
    seen("refused where it is read, with file, and recording or tensor")


def test_a_mask_of_infinities_is_a_networks_own_business(tmp_path):
    def masked():
        network = torch.nn.Linear(3, 2)
        network.register_buffer("mask", torch.tensor([0.0, -np.inf]))
        return network

    save_network(masked(), tmp_path / "weights.safetensors", {})
    found = load_network(masked(), tmp_path / "weights.safetensors", CPU, {})
    assert list(found.mask) == [0.0, -np.inf]


@pytest.mark.parametrize(("cell", "name"), [("", "nan"), ("inf", "inf"), ("u", "u")])
def test_a_table_of_numbers_that_are_none_is_named(tmp_path, cell, name):
    path = tmp_path / "statistics.tsv"
    path.write_text(f"band\tmean\tstd\n0\t1.5\t2.5\n1\t0.5\t{cell}\n")
    with pytest.raises(ResultError, match=rf"{path}, line 3: std is {name}, .*--force {path}"):
        read_numbers(path, ["mean", "std"])
    assert list(read_numbers(path, ["mean"])["mean"]) == [1.5, 0.5]
    with pytest.raises(ResultError, match=rf"{path} lacks the columns deviation;.*--force {path}"):
        read_numbers(path, ["deviation", "mean"])


LOCKER = """
import fcntl, sys, time
file = open(sys.argv[1], "r+b")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.mark.fault(HDF5, "another program has features.h5 and probabilities.h5 locked")
def test_files_that_another_program_has_locked_are_read(features, probabilities, seen):
    for path, read in {
        features: lambda: read_all(features),
        probabilities: lambda: load_probabilities(probabilities, ["a"], {}),
    }.items():
        with subprocess.Popen(
            [sys.executable, "-c", LOCKER, path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as other:  # fmt: skip
            assert other.stdout.readline() == "locked\n"
            with pytest.raises(OSError, match="unable to lock file"):
                h5py.File(path, "r")
            read()
            other.stdin.close()
    seen("read; no lock is needed")


NO_LOCKS = """
#include <errno.h>
int flock(int file, int operation) { (void)file; (void)operation; errno = ENOLCK; return -1; }
"""
OPEN = """
import sys
import h5py
from softscene.evaluation.probabilities import load_probabilities, save_probabilities

try:
    h5py.File(sys.argv[1], "r")
except OSError as error:
    print(error.errno)
print(load_probabilities(sys.argv[1], ["a"], {})[0]["a"].shape)
"""


@pytest.mark.fault(HDF5, "a disk without locks (flock fails with ENOLCK)")
@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="a C compiler is needed"
)
def test_files_are_read_where_there_are_no_locks(probabilities, tmp_path, seen):
    (tmp_path / "nolock.c").write_text(NO_LOCKS)
    library = tmp_path / "nolock.so"
    compile_it = ["cc", "-shared", "-fPIC", "-o", library, tmp_path / "nolock.c"]
    subprocess.run(compile_it, check=True)
    made = subprocess.run(
        [sys.executable, "-c", OPEN, probabilities],
        env={**os.environ, "LD_PRELOAD": str(library)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert made.stdout.split("\n")[:2] == [str(errno.ENOLCK), "(50, 25)"]
    seen("read; no lock is needed")


@pytest.mark.fault(
    "a result is damaged", "the operating system refuses to open a result (a loop of links)"
)
@pytest.mark.parametrize("name", [name for name in READERS if name != "checkpoint.safetensors"])
def test_a_file_that_cannot_be_reached_need_not_be_made_again(name, tmp_path, seen):
    path = tmp_path / name
    path.symlink_to(path)
    with pytest.raises(SoftSceneError) as caught:
        READERS[name](path)
    message = str(caught.value)
    assert "make it again" not in message
    reason = os.strerror(errno.ELOOP)
    assert f"the operating system does not let {path} be read ({reason}), so" in message
    assert "may be intact" in message
    seen("the cause is named; nothing is deleted")
