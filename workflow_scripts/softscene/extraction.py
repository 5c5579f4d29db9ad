"""Log-mel features: from WAV files to ``features.h5``."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import soundfile
from threadpoolctl import threadpool_limits

from softscene.errors import AudioError, SoftSceneError
from softscene.features import FeatureParameters, sources_of, write_proved
from softscene.files import read_table, replacing_hdf5
from softscene.lifetime import fork_pool
from softscene.progress import Progress

AHEAD = 16  # recordings a worker that are under way or wait to be written


def log_mel(samples: np.ndarray, parameters: FeatureParameters) -> np.ndarray:
    """Logarithm of the mel energies of a mono signal.

    Frame i is centred on sample i * hop; there are ceil(samples / hop) frames, so that frame i
    stands for the time from i to i + 1 hops.

    Parameters
    ----------
    samples
        Mono signal, float32.
    parameters
        How.

    Returns
    -------
    ndarray
        Frames x bands, float32, natural logarithm.
    """
    padded = np.pad(samples, parameters.n_fft // 2)
    return log_mel_frames(padded, frame_count(len(samples), parameters), parameters)


def log_mel_frames(samples: np.ndarray, frames: int, parameters: FeatureParameters) -> np.ndarray:
    """:func:`log_mel` of the first ``frames`` frames; frame i begins at sample i * hop."""
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
    """Frames of a signal of so many samples."""
    return -(-samples // parameters.hop_length)


def read_mono(path: str | Path, sample_rate: int, samples: int | None = None) -> np.ndarray:
    """Read a recording as the mean of its channels, float32 in -1 .. 1.

    Parameters
    ----------
    path
        A file that ``soundfile`` reads.
    sample_rate
        Hz that it must have.
    samples
        How many samples a channel must have; ``None`` takes any number above 0.

    Raises
    ------
    AudioError
        The file is missing or unreadable, has another rate or length, or holds NaN or infinity.
    """
    if not Path(path).is_file():
        raise AudioError(f"{path}: the recording is missing")
    try:
        signal, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: cannot be read as audio: {error}") from error
    if rate != sample_rate:
        raise AudioError(f"{path}: has {rate} Hz, {sample_rate} Hz expected")
    expected = "at least 1" if samples is None else samples
    if len(signal) == 0 or (samples is not None and len(signal) != samples):
        raise AudioError(f"{path}: has {len(signal)} samples, {expected} expected; truncated?")
    if not np.isfinite(signal).all():
        where = int(np.argmin(np.isfinite(signal).all(axis=1)))
        raise AudioError(f"{path}: sample {where} is not a finite number")
    return sum(signal.T) / np.float32(signal.shape[1])  # five times as fast as their mean


def _extract(job: tuple[str, int, FeatureParameters]) -> np.ndarray | SoftSceneError:
    """One recording's features, or what is wrong with it, so that all faults can be told."""
    path, samples, parameters = job
    try:
        return log_mel(read_mono(path, parameters.sample_rate, samples), parameters)
    except SoftSceneError as error:
        return error


def extract_features(
    audio: Mapping[str | Path, str | Path],
    events: str | Path,
    target: str | Path,
    parameters: FeatureParameters,
    workers: int = 1,
) -> None:
    """Write ``features.h5``: a data set for each annotated recording, named as the recording.

    Parameters
    ----------
    audio
        Table of downloaded recordings (``recording``, ``frames``) -> folder they lie in.
    events
        ``events.tsv``; its recordings are used, others are not.
    target
        The HDF5 file; the parameters, and what it was made of, are its attributes; scene and
        samples each data set's.
    parameters
        How.
    workers
        Processes; the result does not depend on it.

    Raises
    ------
    AudioError
        Lists every recording that is missing or damaged.
    """
    scenes = read_table(events).drop_duplicates("recording").set_index("recording").scene
    # the longest first, so that no worker is left alone with one at the end
    recordings = locate(audio, scenes).sort_values("frames", ascending=False, kind="stable")
    jobs = [(row.path, row.frames, parameters) for row in recordings.itertuples()]
    progress = Progress("features", len(jobs), "recording")
    problems = []
    with replacing_hdf5(target) as store:
        store.attrs.update(asdict(parameters) | sources_of(events, list(audio)))
        for row, result in zip(recordings.itertuples(), _map(jobs, workers), strict=True):
            if isinstance(result, SoftSceneError):
                problems.append(str(result))
            else:
                facts = {"scene": scenes[row.Index], "samples": row.frames}
                write_proved(store, row.Index, result, facts)
            progress.advance()
        if problems:
            raise AudioError.of("recordings cannot be used:", problems)


def locate(audio: Mapping[str | Path, str | Path], scenes: pd.Series) -> pd.DataFrame:
    """``path`` and ``frames`` (samples) of each recording that ``scenes`` has in its index."""
    tables = [
        read_table(table).assign(path=lambda rows, root=folder: f"{root}/" + rows.recording)
        for table, folder in audio.items()
    ]
    found = pd.concat(tables).set_index("recording")
    missing = [name for name in scenes.index if name not in found.index]
    if missing:
        raise AudioError.of("annotated recordings were not downloaded:", missing)
    return found.loc[scenes.index]


def _map(jobs: list, workers: int) -> Iterator[np.ndarray | SoftSceneError]:
    """Results in the order of the jobs; only so many lie in memory, however many jobs there are."""
    _ = librosa.feature.melspectrogram  # loaded before the fork, so that each process has it
    with threadpool_limits(1), fork_pool(workers) as pool:
        ahead: deque[Future] = deque()
        for job in jobs:
            ahead.append(pool.submit(_extract, job))
            if len(ahead) == AHEAD * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
