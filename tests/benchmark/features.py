"""Features: a core's speed beside plain librosa's, speed-up over cores, and memory.

Noise in the paper's number and length of recordings; a few files under many names.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import librosa
import numpy as np
import pandas as pd
import soundfile
from softscene.config.reading import read_schema
from softscene.features.extraction import extract_features, log_mel, read_mono
from softscene.features.store import FeatureParameters
from threadpoolctl import threadpool_limits

from tests.benchmark.report import RECORDINGS, ROOT, SECONDS, Figure, child, publish, run

PARAMETERS = FeatureParameters(**read_schema(ROOT / "config.yaml")["features"])
RATE = PARAMETERS.sample_rate
LOADING = "from softscene.features import extraction; extraction.librosa.feature.melspectrogram"
TIMES = 3  # of which the fastest counts
PAPER = sum(RECORDINGS.values())


def make(folder, share):
    """Recordings in the paper's proportions; gives the seconds of all of them."""
    (folder / "audio").mkdir(exist_ok=True)
    names, rng = [], np.random.default_rng(0)
    for scene, number in RECORDINGS.items():
        sound = folder / f"{scene}.wav"
        if not sound.exists():
            noise = rng.uniform(-0.5, 0.5, (round(SECONDS[scene] * RATE), 2))
            soundfile.write(sound, noise, RATE, subtype="PCM_24")
        for i in range(round(number * share)):
            names.append((f"{scene}{i}.wav", scene, round(SECONDS[scene] * RATE)))
            (folder / "audio" / names[-1][0]).unlink(missing_ok=True)
            (folder / "audio" / names[-1][0]).hardlink_to(sound)
    table = pd.DataFrame(names, columns=["recording", "scene", "frames"])
    table = table.sample(frac=1, random_state=0)  # long and short ones mixed
    table[["recording", "scene"]].to_csv(folder / "events.tsv", sep="\t", index=False)
    table[["recording", "frames"]].to_csv(folder / "recordings.tsv", sep="\t", index=False)
    return table.frames.sum() / RATE


def extract(folder, workers):
    """In a process of its own: seconds, and peak memory (MiB) of it and of a worker."""
    _ = librosa.feature.melspectrogram  # loaded before the start, and told apart
    start = time.monotonic()
    audio = {folder / "recordings.tsv": folder / "audio"}
    extract_features(audio, folder / "events.tsv", folder / "x.h5", PARAMETERS, workers)
    status = Path("/proc/self/status").read_text()
    own = float(status.partition("VmHWM:")[2].split()[0])
    return {
        "seconds": time.monotonic() - start,
        "cpu": getrusage(RUSAGE_CHILDREN).ru_utime + getrusage(RUSAGE_CHILDREN).ru_stime,
        "parent": own / 1024,
        "worker": getrusage(RUSAGE_CHILDREN).ru_maxrss / 1024,
    }


def compare(folder):
    """Processor seconds of one recording in one thread: plain librosa's, and ours."""
    p = PARAMETERS
    sound = folder / "home.wav"

    def plain():
        samples, _ = librosa.load(sound, sr=None, mono=True)
        mel = librosa.feature.melspectrogram(
            y=samples[p.hop_length // 2 :], sr=p.sample_rate, n_fft=p.n_fft,
            win_length=p.frame_length, hop_length=p.hop_length, n_mels=p.bands, fmin=p.fmin,
            fmax=p.fmax,
        )  # fmt: skip
        return np.log(np.maximum(mel, p.floor)).T

    def ours():
        return log_mel(read_mono(sound, p.sample_rate), p)

    best = {"plain": np.inf, "ours": np.inf}
    with threadpool_limits(1):
        # librosa's first windows lack the half hop that is cut off
        assert np.allclose(plain()[2 : len(ours())], ours()[2:], atol=1e-4)
        for _ in range(5):
            for name, compute in (("plain", plain), ("ours", ours)):
                start = time.process_time()
                compute()
                best[name] = min(best[name], time.process_time() - start)
    return best


def main(folder):
    seconds = make(folder, 1)
    cores = len(os.sched_getaffinity(0))
    core = child("features", "compare", folder)
    runs = {1: [], cores: []}
    for _ in range(TIMES):  # in turn, as other work on the machine comes and goes
        for workers, each in runs.items():
            each.append(child("features", "extract", folder, workers))
    one, all_cores = (min(each["seconds"] for each in runs[n]) for n in (1, cores))
    busy = [min(each["cpu"] for each in runs[n]) for n in (1, cores)]
    loading = min(run(["-c", LOADING]).wall for _ in range(TIMES))
    memory = {}
    for share in (0.25, 1, 4):
        make(folder, share)
        memory[round(PAPER * share)] = child("features", "extract", folder, cores)
    few, many = min(memory), max(memory)
    publish(
        "features",
        [
            Figure("one core, plain librosa", SECONDS["home"] / core["plain"], "x real time"),
            Figure("one core", SECONDS["home"] / core["ours"], "x real time"),
            Figure("one core beside plain librosa", core["plain"] / core["ours"], "", at_least=1),
            Figure(f"{PAPER} recordings, {cores} workers", all_cores, "s"),
            Figure("the same, x real time", seconds / all_cores, "x real time"),
            Figure("the same, share of the ideal", one / cores / all_cores, "", at_least=0.9),
            Figure("processor time, 1 worker", busy[0], "s"),
            Figure(f"processor time, {cores} workers", busy[1], "s"),
            Figure("loading librosa before that", loading, "s"),
            *(Figure(f"peak, {n} recordings", memory[n]["parent"], "MiB") for n in memory),
            Figure(
                f"{many} recordings beside {few}",
                memory[many]["parent"] / memory[few]["parent"], "", at_most=1.25,
            ),
            Figure("peak of a worker", memory[many]["worker"], "MiB"),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["extract", folder, workers]:
            print(json.dumps(extract(Path(folder), int(workers))))
        case ["compare", folder]:
            print(json.dumps(compare(Path(folder))))
        case _:
            with tempfile.TemporaryDirectory() as folder:
                main(Path(folder))
