"""Check the authors' second list, and add its rows to the list in use."""

from job import run_job
from softscene.core.origins import note_parameters
from softscene.data.annotations import SECOND_LIST
from softscene.data.merging import add_heldout_list


def main(snakemake) -> None:
    add_heldout_list(
        events=snakemake.input.events,
        annotations=f"{snakemake.input.annotations}/{SECOND_LIST}",
        recordings=snakemake.input.recordings,
        labels=snakemake.input.labels,
        results=dict(snakemake.output.items()),
        overrun=snakemake.params.overrun,
    )
    used = {"overrun": snakemake.params.overrun}
    note_parameters(snakemake.output.parameters, {"annotations": used})


if __name__ == "__main__":
    run_job(main, snakemake)
