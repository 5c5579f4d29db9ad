"""Results of earlier jobs that are damaged, foreign or hostile: noticed, named, never executed."""

import dataclasses
import os
import pickle

import h5py
import numpy as np
import pytest
import torch
from softscene.dataset import read_soft_labels
from softscene.errors import FeatureError, ResultError, SoftSceneError, TrainingError
from softscene.features import FeatureStore, write_proved
from softscene.files import read_table
from softscene.predictions import load_probabilities
from softscene.weights import load_network, load_tensors, save_network

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
    "weights.safetensors": lambda path: load_network(NETWORK, path, CPU),
    "checkpoint.safetensors": load_tensors,
    "soft_labels.tsv": lambda path: read_soft_labels(path, read_table(path), ("home",)),
    "features.h5": lambda path: FeatureStore(path, FEATURES),
    "probabilities.h5": lambda path: load_probabilities(path, ["a"]),
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


def read_all(path, parameters=FEATURES):
    with FeatureStore(path, parameters) as store:
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
    seen("noticed before use, named, with the command that makes it again")


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
    seen("noticed by its checksum, or in a byte that means nothing: no other value is ever read")


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
    seen("noticed before use, named with both values and the command that makes it again")


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
        load_probabilities(probabilities, ["a", "b"] if damage == "lacking" else ["a"])
    seen("noticed before use, named, with the command that makes it again")


@pytest.mark.fault(HDF5, "each byte of probabilities.h5 flipped, one by one")
def test_a_flipped_byte_of_probabilities_is_noticed_or_changes_nothing(probabilities, seen):
    content, (expected, hop) = probabilities.read_bytes(), load_probabilities(probabilities, ["a"])
    noticed = 0
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0x40
        probabilities.write_bytes(damaged)
        try:
            found = load_probabilities(probabilities, ["a"])
        except FeatureError:
            noticed += 1
            continue
        assert found[1] == hop, place
        assert np.array_equal(found[0]["a"], expected["a"]), place
    assert noticed > 4000, "the values alone have as many bytes"
    seen("noticed, or in a byte that means nothing: no other value or hop is ever read")


@pytest.mark.fault("a result is damaged", "a letter, a gap or an infinity in the soft labels")
@pytest.mark.parametrize("cell", ["0.u", "", "inf", "nan"])
def test_soft_labels_that_are_no_numbers_are_named(tmp_path, cell, seen):
    path = tmp_path / "soft_labels.tsv"
    path.write_text(f"clip\trecording\tstart\tlogit_home\n0\ta\t0\t0.5\n1\ta\t500\t{cell}\n")
    table = read_table(path)[["clip", "recording", "start"]]
    with pytest.raises(FeatureError, match=r"clip 1 .*snakemake --force .*soft_labels\.tsv"):
        read_soft_labels(path, table, ("home",))
    seen("noticed before use, with file and clip, and the command that makes it again")


@pytest.mark.fault("a result is damaged", "a byte of a weights file flipped, or its end cut off")
@pytest.mark.parametrize("damage", ["flipped", "cut", "swapped"])
def test_damaged_weights_are_named_with_what_makes_them_again(tmp_path, damage, seen):
    path = tmp_path / "weights.safetensors"
    save_network(NETWORK, path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    if damage == "swapped":
        save_network(torch.nn.Linear(4, 2), path)
    else:
        path.write_bytes(content if damage == "flipped" else content[:-5])
    with pytest.raises(TrainingError, match=r"snakemake --force .*weights\.safetensors"):
        load_network(torch.nn.Linear(3, 2), path, CPU)
    seen("noticed before use, named, with the command that makes it again")


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b'a\tb\n1\t2\t3\n4\t"5\n'])
def test_a_table_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "clips.tsv"
    for write in (lambda: path.write_bytes(content), path.unlink):
        write()
        with pytest.raises(ResultError, match=r"clips\.tsv cannot be read as a table"):
            read_table(path)
