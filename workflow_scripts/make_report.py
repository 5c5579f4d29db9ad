"""Write the report of the run."""

from pathlib import Path

from job import run_job
from softscene.report import Study, make_report


def main(snakemake) -> None:
    make_report(
        Study(folder=str(Path(snakemake.scriptdir).parent), **dict(snakemake.params.items())),
        files=dict(snakemake.input.items()),
        target=snakemake.output[0],
    )


if __name__ == "__main__":
    run_job(main, snakemake)
