"""Shuffle the teacher's labels among the clips."""

from job import run_job
from softscene.training.controls import make_control_labels


def main(snakemake) -> None:
    make_control_labels(
        "shuffled",
        clips=snakemake.input.clips,
        soft_labels=snakemake.input.soft_labels,
        labels=snakemake.input.labels,
        target=snakemake.output[0],
        seed=int(snakemake.wildcards.seed),
    )


if __name__ == "__main__":
    run_job(main, snakemake)
