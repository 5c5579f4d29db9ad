"""Fetch one TUT data set: its annotations and the recordings needed."""

from pathlib import Path

from download_job import source_of
from job import run_job
from softscene.core.tsv import write_table
from softscene.data.annotations import read_published
from softscene.data.archives import read_registry
from softscene.data.fetching import discard_cache, fetch_meta, fetch_recordings


def main(snakemake) -> None:
    registry = read_registry(snakemake.input.registry)
    dataset = registry.datasets[snakemake.wildcards.dataset]
    source = source_of(snakemake)
    cache = Path(snakemake.params.cache)
    listed = read_published(f"{snakemake.input.annotations}/{registry.annotations.main}").recording
    wanted = [name for name in listed.unique() if name.startswith(f"{dataset.name}/")]
    if meta := snakemake.output.get("meta"):
        fetch_meta(dataset, source, cache, Path(meta))
    recordings = fetch_recordings(dataset, wanted, source, cache, Path(snakemake.output.audio))
    write_table(recordings, snakemake.output.recordings)
    discard_cache(dataset, cache)


if __name__ == "__main__":
    run_job(main, snakemake)
