"""Synthesise a corpus in the format of TUT's data sets."""

from pathlib import Path

from job import run_job
from softscene.corpus.mirror import make_corpus


def main(snakemake) -> None:
    make_corpus(
        destination=Path(snakemake.output.registry).parent,
        registry=snakemake.input.registry,
        labels=snakemake.input.labels,
        event_statistics=snakemake.input.events,
        scene_statistics=snakemake.input.scenes,
        event_sounds=snakemake.input.sounds,
        workers=snakemake.threads,
        heldout=snakemake.params.get("heldout", False),
        **snakemake.params.corpus,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
