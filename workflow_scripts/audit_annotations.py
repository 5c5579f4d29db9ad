"""Audit both annotation lists: what was changed, and where they disagree."""

from job import run_job
from softscene.core.origins import note_parameters
from softscene.data.merging import audit_lists


def main(snakemake) -> None:
    audit_lists(
        changes=snakemake.input.changes,
        published=snakemake.input.published,
        merged=snakemake.input.merged,
        target=snakemake.output.audit,
        tolerance=snakemake.params.tolerance,
    )
    used = {"tolerance": snakemake.params.tolerance}
    note_parameters(snakemake.output.parameters, {"annotations": used})


if __name__ == "__main__":
    run_job(main, snakemake)
