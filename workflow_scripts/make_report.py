"""Write the report of the run."""

from pathlib import Path

from job import run_job
from softscene.provenance import require_configured
from softscene.report import Study, make_report


def main(snakemake) -> None:
    study = Study(folder=str(Path(snakemake.scriptdir).parent), **dict(snakemake.params.items()))
    files = dict(snakemake.input.items())
    require_configured(study.configuration, study.kinds, files)
    make_report(study, files, target=snakemake.output[0])


if __name__ == "__main__":
    run_job(main, snakemake)
