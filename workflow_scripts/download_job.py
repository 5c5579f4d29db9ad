"""Shared by the scripts of download jobs."""

from typing import Any

from softscene.data.transport import Source


def source_of(snakemake: Any) -> Source:
    """Where to download from, and how."""
    return Source(
        mirror=snakemake.resources.mirror or None,
        mode=snakemake.resources.mode,
        attempts=snakemake.resources.attempts,
        timeout=float(snakemake.resources.timeout),
    )
