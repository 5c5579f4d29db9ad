"""Shared by the scripts of network jobs."""

from typing import Any

from softscene.features.clips import FoldFiles
from softscene.features.store import FeatureParameters
from softscene.training.jobs import Fold


def fold_of(snakemake: Any) -> Fold:
    """The fold that a network job works on."""
    names = ("features", "clips", "statistics", "events")
    return Fold(
        # Without the empty wildcard of the usual teachers.
        wildcards={key: value for key, value in snakemake.wildcards.items() if value},
        files=FoldFiles(
            **{name: snakemake.input[name] for name in names},
            parameters=FeatureParameters(**snakemake.params.features),
        ),
        labels=snakemake.input.labels,
        clip_frames=snakemake.params.clip_frames,
        network=snakemake.params.network,
        code=snakemake.input.get("code") or None,
    )


def checkpoint_of(snakemake: Any) -> tuple[str, float]:
    """A training's checkpoint file, and the seconds between two checkpoints."""
    return snakemake.params.checkpoint, float(snakemake.resources.checkpoint_seconds)


def compute_of(snakemake: Any) -> tuple[int, str]:
    """Threads and device of a network job."""
    return snakemake.params.threads, snakemake.resources.device
