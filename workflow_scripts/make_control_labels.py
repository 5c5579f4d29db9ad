"""Write the soft labels of a control."""

from job import run_job
from softscene.config.variants import number_of
from softscene.training.controls import make_control_labels


def main(snakemake) -> None:
    given, wildcards = snakemake.input, snakemake.wildcards
    make_control_labels(
        wildcards.control,
        clips=given.clips,
        soft_labels=given.soft_labels,
        labels=given.labels,
        target=snakemake.output[0],
        temperature=number_of(wildcards.temperature),
        seed=int(wildcards.seed),
    )


if __name__ == "__main__":
    run_job(main, snakemake)
