"""Write the report of the run."""

from pathlib import Path

from job import run_job
from softscene.report.page import ReportedRun, make_report
from softscene.report.provenance import require_run


def main(snakemake) -> None:
    study = ReportedRun(
        folder=str(Path(snakemake.scriptdir).parent), **dict(snakemake.params.items())
    )
    files = dict(snakemake.input.items())
    require_run(study.configuration, study.variants, files)
    make_report(study, files, target=snakemake.output[0])


if __name__ == "__main__":
    run_job(main, snakemake)
