"""Gather the recordings that the explorer will show; deleted ones are fetched again."""

from pathlib import Path

from download_job import source_of
from job import run_job
from softscene.core.tsv import read_table
from softscene.data.archives import read_registry
from softscene.data.fetching import gather_recordings
from softscene.explorer.page import chosen_recordings


def main(snakemake) -> None:
    given, params = snakemake.input, snakemake.params
    wanted = chosen_recordings(given.folds, params.number)
    for name, table, audio, target in zip(
        params.datasets, given.recordings, params.audio, snakemake.output, strict=True
    ):
        known = read_table(table)
        gather_recordings(
            known=known[known.recording.isin(wanted)],
            audio=Path(audio),
            registered=lambda name=name: read_registry(params.registry).datasets[name],
            source=source_of(snakemake),
            cache=Path(params.cache),
            destination=Path(target),
        )


if __name__ == "__main__":
    run_job(main, snakemake)
