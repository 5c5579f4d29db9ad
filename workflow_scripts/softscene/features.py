"""The feature file: what it was made with, and reading it."""

from dataclasses import dataclass
from pathlib import Path

import h5py

from softscene.errors import FeatureError, how_to_remake


@dataclass(frozen=True)
class FeatureParameters:
    """How a log-mel spectrogram is made; see ``features`` in ``config.yaml``.

    Attributes
    ----------
    sample_rate
        Hz, which every recording must have.
    frame_length, hop_length, n_fft
        Samples.
    bands
        Mel bands between ``fmin`` and ``fmax`` (Hz).
    window
        Name of the window.
    floor
        Least energy of a band, before the logarithm.
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


class FeatureStore:
    """A finished ``features.h5``, opened for reading (a context manager).

    Raises
    ------
    FeatureError
        The file cannot be read as HDF5.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise FeatureError(f"{path} cannot be read ({error}); {how_to_remake(path)}") from error

    def __enter__(self) -> "FeatureStore":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getitem__(self, recording: str) -> h5py.Dataset:
        """Frames x bands of a recording; ``FeatureError`` where there are none."""
        if recording not in self._file:
            raise FeatureError(f"{self.path}: has no features of {recording}")
        return self._file[recording]

    def scene(self, recording: str) -> str:
        """The recording's scene."""
        return self[recording].attrs["scene"]
