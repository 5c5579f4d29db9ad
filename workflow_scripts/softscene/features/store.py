"""The feature file: its parameters, and reading and checking it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np

from softscene.core.errors import FeatureError, how_to_remake
from softscene.core.origins import Facts, digest_of, require_facts

Result = TypeVar("Result")


@dataclass(frozen=True)
class FeatureParameters:
    """How a log-mel spectrogram is made; see ``features`` in ``config.yaml``.

    Attributes
    ----------
    sample_rate
        Hz; every recording must have it.
    frame_length, hop_length, n_fft
        Samples.
    bands
        Mel bands between ``fmin`` and ``fmax`` (Hz).
    window
        Name of the window.
    floor
        Lower limit of a band's energy, before the logarithm.
    """

    sample_rate: int
    frame_length: int
    hop_length: int
    n_fft: int
    bands: int
    fmin: float
    fmax: float
    window: str
    floor: float


def sources_of(events: str | Path, recordings: Sequence[str | Path] = ()) -> dict[str, str]:
    """What features are made from: SHA-256 of ``events.tsv`` and of the recordings' tables."""
    found = {"events.tsv": digest_of(events)}
    if recordings:
        found["recordings.tsv"] = " ".join(map(digest_of, recordings))
    return found


class FeatureStore:
    """A finished ``features.h5``, opened for reading (a context manager).

    Parameters
    ----------
    path
        The file.
    parameters
        What it must have been made with.
    sources
        What it must have been made from: the part of :func:`sources_of` that the reader knows.

    Attributes
    ----------
    sources
        All that it was made from.

    Raises
    ------
    FeatureError
        The file is damaged, or was made with other parameters or from other data; says which,
        and how to make it again.
    """

    def __init__(
        self, path: str | Path, parameters: FeatureParameters, sources: Mapping[str, str]
    ) -> None:
        self.path = path
        self._file = read_hdf5(path, lambda: open_hdf5(path))
        try:
            made = read_hdf5(path, lambda: dict(self._file.attrs))
            require_facts(path, made, asdict(parameters) | dict(sources), FeatureError)
        except FeatureError:
            self._file.close()
            raise
        self.sources = {name: str(made[name]) for name in made if name.endswith(".tsv")}

    def __enter__(self) -> "FeatureStore":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, recording: str) -> tuple[np.ndarray, str]:
        """Frames x bands of a recording, all finite, and its scene; the checksum is verified."""
        return read_hdf5(self.path, lambda: self._proved(recording))

    def _proved(self, recording: str) -> tuple[np.ndarray, str]:
        if recording not in self._file:
            raise FeatureError(f"{self.path}: has no features of {recording}")
        data = self._file[recording]
        return read_proved(data, self.path), str(data.attrs["scene"])


def write_proved(
    store: h5py.File, name: str, values: np.ndarray, facts: Facts | None = None, **options: object
) -> None:
    """Add a data set with ``facts`` as its attributes, and the SHA-256 of both.

    HDF5's own checksums do not cover its index; data missing from the index read as zeros.
    """
    data = store.create_dataset(name, data=values, **options)
    data.attrs.update(facts or {})
    data.attrs["sha256"] = _sha256(values, facts or {})


def read_proved(data: h5py.Dataset, path: str | Path) -> np.ndarray:
    """Read what :func:`write_proved` wrote; ``OSError`` if the values or facts have changed.

    Raises
    ------
    FeatureError
        A value is not a finite number; names the file, the recording and the frame.
    """
    values, facts = data[()], dict(data.attrs)
    written = facts.pop("sha256", "never noted")
    if (found := _sha256(values, facts)) != written:
        raise OSError(f"{data.name}: SHA-256 was {written}, now it is {found}")
    if not np.isfinite(values).all():
        frame = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise FeatureError(
            f"{path}: frame {frame} of {data.name[1:]} holds values that are not finite numbers; "
            + how_to_remake(path)
        )
    return values


def _sha256(values: np.ndarray, facts: Facts) -> str:
    about = [f"{name}={facts[name]}" for name in sorted(facts)]
    found = hashlib.sha256(f"{values.dtype} {values.shape} {about}\n".encode())
    found.update(np.ascontiguousarray(values))
    return found.hexdigest()


def open_hdf5(path: str | Path) -> h5py.File:
    """Open a finished file for reading; no lock is taken, as nobody writes to it any more.

    Not every file system has locks, and another program that has the file open does no harm.
    """
    return h5py.File(path, "r", locking=False)


def read_hdf5(path: str | Path, read: Callable[[], Result]) -> Result:
    """Read from an HDF5 file; h5py's errors for a damaged file become a FeatureError."""
    try:
        return read()
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise FeatureError(f"{path} cannot be read ({error}); {how_to_remake(path)}") from error
