"""A detector: trained students, and all that is needed to use them, in one file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from softscene.config.labels import Labels
from softscene.config.variants import Variant
from softscene.core.errors import ResultError, TrainingError, how_to_remake
from softscene.core.tsv import read_numbers, read_table
from softscene.detect.detector_form import FORMAT, form_faults, make_network
from softscene.evaluation.tables import headline
from softscene.features.store import FeatureParameters
from softscene.models.networks import Student
from softscene.training.weights import digest, load_tensors, load_weights, save_tensors

FILE = "detector.safetensors"  # in a run's folder
CPU = torch.device("cpu")
ABOUT = "detector"  # the file's metadata key that describes its tensors, as JSON
OF_TRAINING = {"fused", "precision"}  # what a file does not say: it decides nothing here


@dataclass(frozen=True)
class StudentFiles:
    """A student's files in a finished run.

    Attributes
    ----------
    variant
        Its method and weights.
    name
        Among those of its variant, e.g. ``fold-1_seed-0``.
    weights, parameters, statistics, thresholds
        Its files; ``statistics`` are its fold's.
    origin
        The origin that its weights must have.
    """

    variant: Variant
    name: str
    weights: str | Path
    parameters: str | Path
    statistics: str | Path
    thresholds: str | Path
    origin: Mapping[str, str]


@dataclass(frozen=True)
class About:
    """Facts about a detector.

    Attributes
    ----------
    run, method, variant
        Where it comes from: the run, the method's name, METHOD/WEIGHTS.
    synthetic
        Whether it was trained on synthetic sound.
    events, scenes
        Names of the classes.
    clip_frames
        Frames that the networks see at a time.
    features
        How log-mel is made.
    """

    run: str
    method: str
    variant: str
    synthetic: bool
    events: tuple[str, ...]
    scenes: tuple[str, ...]
    clip_frames: int
    features: FeatureParameters

    @property
    def hop(self) -> float:
        """Seconds of a frame."""
        return self.features.hop_length / self.features.sample_rate

    @property
    def trained_on(self) -> str:
        """What to write beside every number."""
        return "synthetic sound" if self.synthetic else "recordings"


@dataclass(frozen=True)
class Member:
    """A student of a detector: its network, and its fold's standardisation.

    Attributes
    ----------
    name
        E.g. ``fold-1_seed-0``.
    network
        In evaluation mode.
    mean, deviation
        Of each band, float64.
    thresholds
        Adaptive ones, of each event.
    """

    name: str
    network: Student
    mean: np.ndarray
    deviation: np.ndarray
    thresholds: np.ndarray


@dataclass(frozen=True)
class Detector:
    """Students whose outputs are averaged.

    Attributes
    ----------
    about
        Facts about them.
    members
        The students.
    device
        Where they compute.
    checksum
        SHA-256 of all that the detector's file holds.
    """

    about: About
    members: tuple[Member, ...]
    device: torch.device
    checksum: str

    @property
    def thresholds(self) -> np.ndarray:
        """Mean over the students, of each event."""
        return np.mean([member.thresholds for member in self.members], axis=0)

    @property
    def knows_scenes(self) -> bool:
        """Whether any of the students has a scene branch."""
        return any(member.network.scene is not None for member in self.members)

    def predict(self, clips: Sequence[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
        """Posteriors of clips, averaged over the students.

        Parameters
        ----------
        clips
            Log-mel, frames x bands each; up to ``clip_frames`` frames.

        Returns
        -------
        tuple
            For each clip, posteriors s(y) of events, frames x events; and posteriors softmax(w) of
            scenes, clips x scenes, NaN if no student has a scene branch. float64.
        """
        about = self.about
        lengths = torch.tensor([len(clip) for clip in clips], device=self.device)
        events = np.zeros((len(clips), about.clip_frames, len(about.events)))
        scenes, speakers = np.zeros((len(clips), len(about.scenes))), 0
        for member in self.members:
            features = np.zeros((len(clips), about.clip_frames, len(member.mean)), np.float32)
            for row, clip in zip(features, clips, strict=True):
                row[: len(clip)] = (clip - member.mean) / member.deviation
            with torch.inference_mode():
                y, w = member.network(torch.from_numpy(features).to(self.device), lengths)
                events += torch.sigmoid(y).cpu().numpy() / len(self.members)
                if w is not None:
                    scenes += torch.softmax(w, dim=1).cpu().numpy()
                    speakers += 1
        own = [row[: len(clip)] for row, clip in zip(events, clips, strict=True)]
        return own, scenes / speakers if speakers else np.full_like(scenes, np.nan)


def best_variant(scores: Sequence[tuple[Variant, str | Path]]) -> str:
    """METHOD/WEIGHTS with the best mean F-score, in frames and with adaptive thresholds.

    It is also the best of these in Table 3, whose means are from the same files. Of several with
    exactly this mean, it is the first with a scene branch.

    Parameters
    ----------
    scores
        Of each student, its variant and its ``overall.tsv``.

    Raises
    ------
    ResultError
        None of them has an F-score.
    """
    found: dict[str, list[float]] = {}
    for variant, path in scores:
        row = headline(read_table(path))
        found.setdefault(variant.folder, []).extend(row.f_score.dropna())
    means = {folder: np.mean(values) for folder, values in found.items() if values}
    if not means:
        path = scores[0][1]
        raise ResultError(
            f"{path} and the other students' have no F-score to choose by; {how_to_remake(path)}"
        )
    sceneless = {variant.folder for variant, _ in scores if variant.loss == "none"}
    return max(means, key=lambda folder: (means[folder], folder not in sceneless))


def export_detector(
    students: Sequence[StudentFiles],
    labels: Labels,
    target: str | Path,
    about: Mapping[str, object],
) -> None:
    """Write students of one variant, and all that they need, as one file.

    Parameters
    ----------
    students
        Their files.
    labels
        Names of the classes.
    target
        The detector file: safetensors with a checksum.
    about
        ``run``, ``method``, ``synthetic``, ``clip_frames`` and ``features`` of :class:`About`.

    Raises
    ------
    ResultError
        A file of a student cannot be read, has other events, or is another student's.
    """
    tensors: dict[str, Tensor] = {}
    sizes = {}
    for student in students:
        thresholds = read_numbers(student.thresholds, ["adaptive"])
        statistics = read_numbers(student.statistics, ["mean", "std"])
        if list(thresholds.event) != list(labels.events):
            raise ResultError(
                f"{student.thresholds} is of other events than the label file; "
                + how_to_remake(student.thresholds)
            )
        made = json.loads(Path(student.parameters).read_text(encoding="utf-8"))
        size = {key: value for key, value in made["network"].items() if key not in OF_TRAINING}
        sizes[student.name] = size | {"scene_branch": made["scene_objective"]["loss"] != "none"}
        weights = _weights(student)
        tensors |= {f"{student.name}/network/{name}": value for name, value in weights.items()}
        for name, column in {
            "mean": statistics["mean"],
            "deviation": statistics["std"],
            "thresholds": thresholds["adaptive"],
        }.items():
            tensors[f"{student.name}/{name}"] = torch.tensor(column.to_numpy(float))
    facts = {
        "format": FORMAT,
        **about,
        "variant": students[0].variant.folder,
        "events": labels.events,
        "scenes": labels.scenes,
        "students": sizes,
    }
    save_tensors(tensors, target, **{ABOUT: json.dumps(facts)})


def _weights(student: StudentFiles) -> dict[str, Tensor]:
    try:
        return load_weights(student.weights, student.origin)
    except TrainingError as error:
        raise ResultError(str(error)) from error


def load_detector(
    source: str | Path, device: torch.device = CPU, only: Sequence[str] = (), fused: bool = True
) -> Detector:
    """Read what :func:`export_detector` wrote.

    Parameters
    ----------
    source
        The detector file.
    device
        Where to compute.
    only
        Names of the students to take; none means all.
    fused
        Whether the networks are fused, see :class:`NetworkParameters`; not set by the file.

    Raises
    ------
    ResultError
        The file is missing, damaged or no detector of this version, or has no such student.
    """
    if not Path(source).is_file():
        raise ResultError(
            f"there is no detector {source}; a finished run has one, results/<run>/{FILE}"
        )
    try:
        tensors, written = load_tensors(source)
        facts = json.loads(written.get(ABOUT, "null"))
    except (TrainingError, ValueError, RecursionError) as error:
        reason = str(error).removeprefix(f"{source} ")
        raise ResultError(_no_detector(source, f"({reason})")) from error
    if faults := form_faults(facts, tensors):
        raise ResultError(_no_detector(source, f"of this version: {'; '.join(faults)}"))
    sizes = facts["students"]
    if unknown := [name for name in only if name not in sizes]:
        raise ResultError(
            f"{source} has no student {', '.join(unknown)}; it has {', '.join(sizes)}"
        )
    about = About(
        **{key: facts[key] for key in ("run", "method", "variant", "synthetic", "clip_frames")},
        **{key: tuple(facts[key]) for key in ("events", "scenes")},
        features=FeatureParameters(**facts["features"]),
    )
    members = [
        _member(name, {**size, "fused": fused}, tensors, device)
        for name, size in sizes.items()
        if name in only or not only
    ]
    return Detector(about, tuple(members), device, digest(tensors, written))


def _no_detector(source: str | Path, why: str) -> str:
    """What is wrong with a file; only a run's own file can be remade."""
    path = Path(source)
    ours = path.name == FILE and path.absolute().parent.parent.name == "results"
    advice = how_to_remake(source) if ours else f"use results/<run>/{FILE} of a finished run"
    return f"{source} is no detector {why}; {advice}"


def _member(
    name: str, size: Mapping[str, object], tensors: Mapping[str, Tensor], device: torch.device
) -> Member:
    own = f"{name}/network/"
    network = make_network(size)
    network.load_state_dict(
        {key.removeprefix(own): value for key, value in tensors.items() if key.startswith(own)}
    )
    parts = (tensors[f"{name}/{part}"].numpy() for part in ("mean", "deviation", "thresholds"))
    return Member(name, network.to(device, memory_format=torch.channels_last).eval(), *parts)
