"""Evaluation of one student: the time of its job's process, on a fold of the paper's size.

Drawn annotations in the paper's number and length of recordings, and probabilities that follow
them as a network's do: in runs, with misses and false alarms.
"""

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from softscene.config.labels import read_labels
from softscene.config.reading import read_schema
from softscene.core.files import replacing_hdf5
from softscene.core.tsv import read_table, write_table
from softscene.corpus.sample_annotations import draw_annotations, plan_recordings
from softscene.data.splits import DEVELOPMENT, EVALUATION
from softscene.evaluation.thresholds import grid, sweep
from softscene.features.activity import recording_activity
from softscene.features.store import sources_of, write_proved

from tests.benchmark.report import RECORDINGS, ROOT, SECONDS, Figure, publish, run

SETTINGS = read_schema(ROOT / "config.yaml")["evaluation"]
LABELS = ROOT / "resources" / "labels.yaml"
EVENTS = read_labels(LABELS).events
HOP, RATE = 882, 44100
SCRIPTS = ROOT / "workflow_scripts"
TIMES = 5  # of which the fastest counts
IMPORTS = """
import json, sys
from evaluate_student import main
from job import run_job
from snakemake.iocontainers import InputFiles, OutputFiles, Params, Wildcards
"""
JOB = (
    IMPORTS
    + """
from pathlib import Path
from types import SimpleNamespace

folder, labels, settings = sys.argv[1:]
names = ("sweep", "recordings", "events", "scene_logits")
tables = {name: f"{folder}/{name}.tsv" for name in names}
files = {**tables, "probabilities": f"{folder}/probabilities.h5", "labels": labels}
results = ("thresholds", "events", "class_wise", "overall", "field_metrics", "parameters")
run_job(main, SimpleNamespace(
    input=InputFiles(fromdict=files),
    output=OutputFiles(fromdict={name: f"{folder}/made/{name}.tsv" for name in results}),
    params=Params(fromdict={"evaluation": json.loads(settings)}),
    wildcards=Wildcards(fromdict={}),
    log=[f"{folder}/log"],
))
"""
)


def make(folder):
    """A fold's files; gives the processor seconds of the development part's sweep, and its frames.

    Which recording is evaluated in which fold is drawn, too.
    """
    plan = plan_recordings(RECORDINGS, SECONDS, seed=1)
    statistics = pd.read_csv(ROOT / "resources" / "event_statistics.tsv", sep="\t")
    drawn = draw_annotations(statistics, RECORDINGS, SECONDS, seed=1)
    columns = {"path": "recording", "event_start_time": "onset", "event_end_time": "offset"}
    events = drawn.rename(columns={**columns, "event_label": "event", "scene_label": "scene"})
    write_table(events, folder / "events.tsv")
    recordings = pd.DataFrame(
        {
            "recording": plan.path,
            "part": np.where(plan.fold == 1, EVALUATION, DEVELOPMENT),
            "frames": np.floor(plan.seconds * RATE / HOP).astype(int),
        }
    )
    write_table(recordings, folder / "recordings.tsv")
    rng, by_recording = np.random.default_rng(0), dict(tuple(events.groupby("recording")))
    pairs = {DEVELOPMENT: {}, EVALUATION: {}}
    for row in recordings.itertuples():
        truth = recording_activity(by_recording[row.recording], EVENTS, row.frames, HOP / RATE)
        pairs[row.part][row.recording] = truth, imitate(truth, rng)
    with replacing_hdf5(folder / "probabilities.h5") as store:
        for name, (_, values) in pairs[EVALUATION].items():
            facts = {"hop_length": HOP, "sample_rate": RATE} | sources_of(folder / "events.tsv")
            write_proved(store, name, values, facts, compression="gzip", shuffle=True)
    start = time.process_time()
    counts = sweep(pairs[DEVELOPMENT].values(), grid(**SETTINGS["adaptive_thresholds"]), EVENTS)
    seconds = time.process_time() - start
    write_table(counts, folder / "sweep.tsv")
    columns = ["scene", *(f"logit_{scene}" for scene in read_labels(LABELS).scenes)]
    write_table(pd.DataFrame(columns=columns), folder / "scene_logits.tsv")
    frames = recordings.groupby("part").frames.sum()
    return seconds, frames[DEVELOPMENT], frames[EVALUATION]


def imitate(truth, rng):
    """Probabilities of an activity, frames x events: smooth noise, higher where it is active."""
    window = np.hanning(75) / np.sqrt((np.hanning(75) ** 2).sum())
    noise = rng.standard_normal(truth.shape)
    smooth = np.stack([np.convolve(each, window, "same") for each in noise.T], axis=1)
    return (1 / (1 + np.exp(3.5 - 4.0 * truth - smooth))).astype(np.float32)


def main(folder):
    seconds, development, evaluated = make(folder)
    (folder / "made").mkdir()
    whole, imports = [], []
    for _ in range(TIMES):  # in turn, as other work on the machine comes and goes
        whole.append(run(["-c", JOB, folder, LABELS, json.dumps(SETTINGS)], cwd=SCRIPTS))
        imports.append(run(["-c", IMPORTS], cwd=SCRIPTS))
    cpu, imported = (min(each.cpu for each in runs) for runs in (whole, imports))
    detected = len(read_table(folder / "made" / "events.tsv"))
    publish(
        "evaluation",
        [
            Figure("frames of the evaluation part", evaluated, ""),
            Figure("events detected, three thresholds", detected, ""),
            Figure("whole process", min(each.wall for each in whole), "s"),
            Figure("of these, processor", cpu, "s", at_most=15),
            Figure("of these, import", imported, "s"),
            Figure("peak memory", max(each.memory for each in whole), "MiB"),
            Figure(f"sweep of {development} development frames, processor", seconds, "s"),
        ],
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
