"""Fetch the authors' annotation lists and folds."""

from pathlib import Path

from download_job import source_of
from job import run_job
from softscene.data.archives import read_registry
from softscene.data.fetching import fetch_annotations


def main(snakemake) -> None:
    registry = read_registry(snakemake.input.registry)
    fetch_annotations(registry, source_of(snakemake), Path(snakemake.output[0]))


if __name__ == "__main__":
    run_job(main, snakemake)
