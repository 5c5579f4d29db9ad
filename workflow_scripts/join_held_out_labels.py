"""Join what teachers say of the clips that they did not see."""

from job import run_job
from softscene.training.controls import join_held_out_labels


def main(snakemake) -> None:
    join_held_out_labels(
        clips=snakemake.input.clips,
        held_out=snakemake.input.held_out,
        labels=snakemake.input.labels,
        target=snakemake.output[0],
    )


if __name__ == "__main__":
    run_job(main, snakemake)
