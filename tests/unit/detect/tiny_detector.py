"""A detector of untrained, small students, written as a run writes it."""

import json

import numpy as np
import pandas as pd
import torch
from softscene.config.variants import Variant
from softscene.core.tsv import write_table
from softscene.detect.detector import StudentFiles, export_detector
from softscene.models.networks import NetworkParameters, Student
from softscene.training.weights import save_network

from tests.conftest import PAPER

SIZE = {"channels": 4, "scene_channels": (3, 2), "gru_units": 4, "dense_units": 4}
NAMES = ("fold-1_seed-0", "fold-2_seed-7")


def make_network(seed, scene_branch):
    torch.manual_seed(seed)
    network = Student(NetworkParameters(**SIZE), scene_branch=scene_branch)
    with torch.no_grad():  # posteriors on both sides of the thresholds, for each event
        network.event.output.weight.mul_(8)
    return network.eval()


def student_files(folder, number, name, scene_branch, labels):
    place = folder / name
    rng = np.random.default_rng(number)
    variant = Variant("soft", "Soft", "soft", beta="1.0", temperature="1.0")
    fold, seed = name.split("_")
    origin = {**variant.wildcards, "fold": fold[5:], "seed": seed[5:]}
    save_network(make_network(number, scene_branch), place / "weights.safetensors", origin)
    made = {
        "network": {**vars(NetworkParameters()), **SIZE},
        "scene_objective": {"loss": "soft" if scene_branch else "none"},
    }
    (place / "parameters.json").write_text(json.dumps(made))
    statistics = {"band": range(64), "mean": rng.normal(-9, 1, 64), "std": rng.uniform(2, 4, 64)}
    write_table(pd.DataFrame(statistics), place / "statistics.tsv")
    thresholds = {"event": labels.events, "fixed": 0.5, "adaptive": rng.uniform(0.4, 0.6, 25)}
    write_table(pd.DataFrame(thresholds), place / "thresholds.tsv")
    paths = [
        place / f"{file}"
        for file in ("weights.safetensors", "parameters.json", "statistics.tsv", "thresholds.tsv")
    ]
    return StudentFiles(variant, name, *paths, origin)


def make_detector(folder, labels, scene_branches=(True, True), synthetic=True):
    """Write ``detector.safetensors`` into a folder; one student for each of the branches."""
    students = [
        student_files(folder, number, name, branch, labels)
        for number, (name, branch) in enumerate(zip(NAMES, scene_branches, strict=True))
    ]
    about = {
        "run": "tiny", "method": "Soft", "synthetic": synthetic, "clip_frames": 500,
        "features": PAPER["features"],
    }  # fmt: skip
    export_detector(students, labels, folder / "detector.safetensors", about)
    return folder / "detector.safetensors"
