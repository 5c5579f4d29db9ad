"""Merge TUT's annotation lists, check both lists, and choose one."""

from job import run_job
from softscene.core.origins import note_parameters
from softscene.data.merging import merge_lists


def main(snakemake) -> None:
    merge_lists(
        annotations=f"{snakemake.input.annotations}/meta/meta_development.txt",
        meta=dict(zip(snakemake.params.datasets, snakemake.input.meta, strict=True)),
        recordings=snakemake.input.recordings,
        labels=snakemake.input.labels,
        results=dict(snakemake.output.items()),
        source=snakemake.params.source,
        overrun=snakemake.params.overrun,
    )
    used = {key: snakemake.params[key] for key in ("source", "overrun")}
    note_parameters(snakemake.output.parameters, {"annotations": used})


if __name__ == "__main__":
    run_job(main, snakemake)
