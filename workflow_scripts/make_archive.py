"""Write the finished run as one file to publish, with all that checks it and no sound."""

from pathlib import Path

from job import run_job
from softscene.archive.contents import ArchivedRun
from softscene.archive.package import make_archive
from softscene.report.provenance import require_run


def main(snakemake) -> None:
    target = Path(snakemake.output[0])
    run = ArchivedRun(
        workflow=Path(snakemake.scriptdir).parent,
        results=target.parent,
        **dict(snakemake.params.items()),
    )
    files = dict(snakemake.input.items())
    variants = [each for i, each in enumerate(run.variants) if each not in run.variants[:i]]
    require_run(run.configuration, variants, files)
    make_archive(run, files, target)


if __name__ == "__main__":
    run_job(main, snakemake)
