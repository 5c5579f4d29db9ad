"""Shared by the scripts of network jobs."""

from typing import Any

from softscene.core.loading import without

# What PyTorch's compiler knows of each operation: half a second, and never used here. Custom code
# may use it, so Fold.custom_code loads it.
with without("torch._meta_registrations"):
    import torch  # noqa: F401

from softscene.features.clips import FoldFiles
from softscene.features.store import FeatureParameters
from softscene.training.jobs import Fold, Saving


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


def checkpoint_of(snakemake: Any) -> Saving:
    """Where and how often a training saves and shows its progress."""
    settings = snakemake.resources
    return Saving(
        snakemake.params.checkpoint,
        float(settings.checkpoint_seconds),
        bool(settings.tensorboard),
    )


def compute_of(snakemake: Any) -> tuple[int, str]:
    """Threads and device of a network job."""
    return snakemake.params.threads, snakemake.resources.device
