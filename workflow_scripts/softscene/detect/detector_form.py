"""What a detector file holds: its format's number, and whether a file is of this format."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from softscene.config.checks import faults
from softscene.config.reading import read_schema
from softscene.models.networks import NetworkParameters, Student

FORMAT = 2  # raised with each change of the file's content or of its meaning
SCHEMA = Path(__file__).with_name("detector.schema.yaml")
LENGTHS = {"mean": "bands", "deviation": "bands", "thresholds": "events"}  # of a student's arrays
SHOWN = 3  # most faults reported


def make_network(size: Mapping[str, Any]) -> Student:
    """An untrained network of a student's sizes."""
    given = {key: value for key, value in size.items() if key != "scene_branch"}
    given["scene_channels"] = tuple(given["scene_channels"])
    return Student(NetworkParameters(**given), scene_branch=size["scene_branch"])


def form_faults(facts: Any, tensors: Mapping[str, Tensor]) -> list[str]:
    """Say what keeps a file from being a detector of this format; the first few faults.

    Parameters
    ----------
    facts
        The file's metadata: any JSON value.
    tensors
        Its arrays: of each student STUDENT/network/..., STUDENT/mean and STUDENT/deviation (of
        each band), and STUDENT/thresholds (of each event).
    """
    written = facts.get("format") if isinstance(facts, Mapping) else None
    if isinstance(written, int) and written != FORMAT:
        return [f"it is of format {written}, and this version reads format {FORMAT}"]
    found = faults(facts, read_schema(SCHEMA)) or list(_contradictions(facts))
    found = found or list(_array_faults(facts, tensors))
    more = len(found) - SHOWN
    return found[:SHOWN] + ([f"and {more} more"] if more > 0 else [])


def _contradictions(facts: Mapping[str, Any]) -> Iterator[str]:
    """Numbers that a schema allows, but that do not fit each other."""
    features = facts["features"]
    if not features["fmin"] < features["fmax"] <= features["sample_rate"] / 2:
        yield f"features.fmax: {features['fmax']} Hz is not from fmin to half of sample_rate"
    if features["n_fft"] < features["frame_length"]:
        yield f"features.n_fft: {features['n_fft']} is less than frame_length"
    expected = {
        "bands": features["bands"],
        "frames": facts["clip_frames"],
        "events": len(facts["events"]),
        "scenes": len(facts["scenes"]),
    }
    for name, size in facts["students"].items():
        for key, value in expected.items():
            if size[key] != value:
                yield f"students.{name}.{key}: {size[key]} given, {value} expected"


def _array_faults(facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Iterator[str]:
    expected, told = dict(_expected_arrays(facts)), set()
    for name in sorted(expected.keys() | tensors.keys()):
        fault = _array_fault(tensors.get(name), expected.get(name), name.rpartition("/")[2])
        student, network, _ = name.partition("/network/")
        if fault and not network:
            yield f"the array {name} {fault}"
        elif fault and student not in told:  # one message for a whole network
            told.add(student)
            yield (
                f"the weights of {student} do not fit the workflow's network, and a detector "
                "can hold no other; name another method in 'detector' and export it again "
                f"({name} {fault})"
            )


def _array_fault(found: Tensor | None, expected: Tensor | None, part: str) -> str | None:
    if found is None:
        return "is missing"
    if expected is None:
        return "is no student's"
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return f"is {_form(found)}, {_form(expected)} expected"
    return _value_fault(found.double().numpy(), part)


def _value_fault(values: np.ndarray, part: str) -> str | None:
    if not np.isfinite(values).all():
        return "has values that are not finite"
    if part == "deviation" and (values <= 0).any():
        return "has values that are not above 0"
    if part == "thresholds" and ((values < 0) | (values > 1)).any():
        return "has values outside 0 to 1"
    return None


def _form(tensor: Tensor) -> str:
    return f"{' x '.join(map(str, tensor.shape)) or '1'} {tensor.dtype}".replace("torch.", "")


def _expected_arrays(facts: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Name and an array without values for each that a detector of these facts has."""
    with torch.device("meta"):  # sizes only: a wrong number must not fill the memory
        for name, size in facts["students"].items():
            for key, value in make_network(size).state_dict().items():
                yield f"{name}/network/{key}", value
            for part, length in LENGTHS.items():
                yield f"{name}/{part}", torch.empty(size[length], dtype=torch.float64)
