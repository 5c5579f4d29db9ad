"""Log-mel features: from WAV files to ``features.h5``."""

import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import librosa
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from softscene.core.errors import AudioError, SoftSceneError
from softscene.core.files import partial_beside, replacing_hdf5
from softscene.core.processes import fork_pool
from softscene.core.progress import Progress
from softscene.core.tsv import read_table
from softscene.data.audio import Recording
from softscene.features.store import FeatureParameters, FeatureStore, sources_of, write_proved

BLOCK = 500  # frames computed at a time
AHEAD = 16  # recordings per worker that are in progress or wait to be written


def log_mel(samples: np.ndarray, parameters: FeatureParameters) -> np.ndarray:
    """Logarithm of the mel energies of a mono signal.

    Frame i covers the time from i to i + 1 hops; its window is centred on the middle of that time.
    The signal is padded with zeros at both ends. For the number of frames see :func:`frame_count`.

    Parameters
    ----------
    samples
        Mono signal, float32, one sample or more.
    parameters
        How to compute them.

    Returns
    -------
    ndarray
        Frames x bands, float32, natural logarithm.
    """
    return np.concatenate(list(log_mel_blocks([samples], parameters)))


def log_mel_blocks(
    blocks: Iterable[np.ndarray], parameters: FeatureParameters
) -> Iterator[np.ndarray]:
    """:func:`log_mel` of a signal that comes in blocks of any size, the same to the last bit.

    Frames are always computed ``BLOCK`` at a time, as the last bits of a matrix product depend on
    its shape.

    Parameters
    ----------
    blocks
        Mono signal, float32.
    parameters
        How to compute them.

    Yields
    ------
    ndarray
        Frames x bands, float32: ``BLOCK`` frames; only the last may have fewer.
    """
    hop, n_fft, window = parameters.hop_length, parameters.n_fft, parameters.frame_length
    # Where the first transform begins, often before the signal; librosa centres the window in it.
    first = (hop - window) // 2 - (n_fft - window) // 2
    skipped, whole = max(first, 0), (BLOCK - 1) * hop + n_fft
    waiting = [np.zeros(max(-first, 0), np.float32)]
    samples, size, done = 0, len(waiting[0]) - skipped, 0
    for block in blocks:
        waiting.append(block)
        samples, size = samples + len(block), size + len(block)
        while size >= max(whole, BLOCK * hop):
            joined = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
            yield _log_mel_frames(joined[skipped:][:whole], BLOCK, parameters)
            waiting, done = [joined[BLOCK * hop :]], done + BLOCK
            size -= BLOCK * hop
    joined = np.concatenate([*waiting, np.zeros(n_fft + hop, np.float32)])[skipped:]
    left = frame_count(samples, parameters) - done
    for start in range(0, left, BLOCK):
        frames = min(BLOCK, left - start)
        own = joined[start * hop :][: (frames - 1) * hop + n_fft]
        yield _log_mel_frames(own, frames, parameters)


def _log_mel_frames(samples: np.ndarray, frames: int, parameters: FeatureParameters) -> np.ndarray:
    """The first ``frames`` frames, frames x bands; frame i begins at sample i * hop."""
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=parameters.sample_rate,
        n_fft=parameters.n_fft,
        win_length=parameters.frame_length,
        hop_length=parameters.hop_length,
        window=parameters.window,
        n_mels=parameters.bands,
        fmin=parameters.fmin,
        fmax=parameters.fmax,
        power=2.0,
        center=False,
    )
    return np.log(np.maximum(mel[:, :frames].T, parameters.floor)).astype(np.float32)


def frame_count(samples: int, parameters: FeatureParameters) -> int:
    """Frames of a signal: one for each whole hop, and at least one if there is a sample."""
    return max(samples // parameters.hop_length, min(samples, 1))


def read_mono(path: str | Path, sample_rate: int) -> np.ndarray:
    """Read a whole recording as the mean of its channels, float32 in -1 .. 1.

    Raises
    ------
    AudioError
        As :class:`softscene.data.audio.Recording` and its ``mono`` do.
    """
    with Recording(path, sample_rate) as recording:
        return np.concatenate(list(recording.mono()))


def _extract(job: tuple[str, int, FeatureParameters, Path]) -> SoftSceneError | None:
    """Write one recording's features, or return its error, so that all are reported at once."""
    path, samples, parameters, target = job
    try:
        with Recording(path, parameters.sample_rate) as recording, target.open("wb") as file:
            for rows in log_mel_blocks(recording.mono(), parameters):
                if not np.isfinite(rows).all():
                    where = recording.done / recording.rate
                    raise AudioError(f"{path}: its features before {where:.2f} s are not finite")
                file.write(np.ascontiguousarray(rows))
        if recording.done != samples:
            raise AudioError(
                f"{path}: has {recording.done} samples, {samples} expected; has it changed since "
                "it was downloaded or imported?"
            )
    except SoftSceneError as error:
        return error
    return None


@dataclass(frozen=True)
class KnownFeatures:
    """A feature file, with the ``events`` and tables of ``recordings`` that it was made from."""

    features: str | Path
    events: str | Path
    recordings: Sequence[str | Path]

    def names(self) -> list[str]:
        """Its recordings."""
        return list(read_table(self.events).recording.unique())

    def copy(self, store: h5py.File, parameters: FeatureParameters) -> None:
        """Copy all of its data sets, which must have been made with these parameters."""
        sources = sources_of(self.events, self.recordings)
        samples = pd.concat([read_table(each) for each in self.recordings]).set_index("recording")
        with FeatureStore(self.features, parameters, sources) as made:
            for name in self.names():
                values, scene = made.read(name)
                facts = {"scene": scene, "samples": samples.frames[name]}
                write_proved(store, name, values, facts)


def extract_features(
    audio: Mapping[str | Path, str | Path],
    events: str | Path,
    target: str | Path,
    parameters: FeatureParameters,
    workers: int = 1,
    known: KnownFeatures | None = None,
) -> None:
    """Write ``features.h5``: a data set for each annotated recording, named as the recording.

    Parameters
    ----------
    audio
        Table of downloaded recordings (``recording``, ``frames``) -> their folder.
    events
        ``events.tsv``; only its recordings are used.
    target
        The HDF5 file. Its attributes are the parameters and what it was made from; those of each
        data set are its scene and number of samples.
    parameters
        How to compute them.
    workers
        Processes; the result does not depend on it.
    known
        Features that were made before: they are copied, and their recordings need not be there.

    Raises
    ------
    AudioError
        Lists every recording that is missing or damaged.
    FeatureError
        The known features are damaged, or were made with other parameters or from other data.
    """
    scenes = read_table(events).drop_duplicates("recording").set_index("recording").scene
    tables = [*(known.recordings if known else ()), *audio]
    copied = known.names() if known else []
    # the longest first, so that no worker starts a long one when the others are done
    recordings = locate(audio, scenes.drop(copied)).sort_values(
        "frames", ascending=False, kind="stable"
    )
    progress = Progress("features", len(recordings), "recording")
    problems = []
    with replacing_hdf5(target) as store, _folder_beside(Path(target)) as folder:
        store.attrs.update(asdict(parameters) | sources_of(events, tables))
        if known:
            known.copy(store, parameters)
        jobs = [
            (row.path, row.frames, parameters, folder / str(number))
            for number, row in enumerate(recordings.itertuples())
        ]
        results = _map(jobs, workers)
        for row, (*_, made), fault in zip(recordings.itertuples(), jobs, results, strict=True):
            if fault:
                problems.append(str(fault))
            else:
                values = np.memmap(made, np.float32, "r").reshape(-1, parameters.bands)
                facts = {"scene": scenes[row.Index], "samples": row.frames}
                write_proved(store, row.Index, values, facts)
            made.unlink(missing_ok=True)
            progress.advance()
        if problems:
            raise AudioError.of("recordings cannot be used:", problems)


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """Make a temporary folder, as features of long recordings may not fit in memory."""
    folder = partial_beside(target.with_suffix(".recordings"))
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def locate(audio: Mapping[str | Path, str | Path], scenes: pd.Series) -> pd.DataFrame:
    """``path`` and ``frames`` (samples) of each recording in the index of ``scenes``."""
    tables = [
        read_table(table).assign(path=lambda rows, root=folder: f"{root}/" + rows.recording)
        for table, folder in audio.items()
    ]
    found = pd.concat(tables).set_index("recording")
    missing = [name for name in scenes.index if name not in found.index]
    if missing:
        raise AudioError.of("annotated recordings were not downloaded:", missing)
    return found.loc[scenes.index]


def _map(jobs: list, workers: int) -> Iterator[SoftSceneError | None]:
    """Results in the order of the jobs; only a limited number of them waits on disk."""
    _ = librosa.feature.melspectrogram  # loaded before the fork, so that each process has it
    with threadpool_limits(1), fork_pool(workers, "extract_features") as pool:
        ahead: deque[Future] = deque()
        for job in jobs:
            ahead.append(pool.submit(_extract, job))
            if len(ahead) == AHEAD * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
