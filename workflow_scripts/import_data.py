"""Check the user's own data, and write the same files as the download rules."""

from job import run_job
from softscene.core.origins import note_parameters
from softscene.data.own_data import import_data


def main(snakemake) -> None:
    folds = snakemake.params.folds
    import_data(
        audio=snakemake.params.audio,
        annotations=snakemake.input.annotations,
        folds=folds if isinstance(folds, int) else snakemake.input.folds,
        labels=snakemake.input.labels,
        results=dict(snakemake.output.items()),
        sample_rate=snakemake.params.sample_rate,
        overrun=snakemake.params.overrun,
    )
    used = {"annotations": {"overrun": snakemake.params.overrun}, "data": {"own": {"folds": folds}}}
    note_parameters(snakemake.output.parameters, used)


if __name__ == "__main__":
    run_job(main, snakemake)
