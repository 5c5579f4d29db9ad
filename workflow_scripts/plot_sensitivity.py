"""Draw what each choice that the paper leaves open does to its claim."""

from job import run_job
from softscene.report.sensitivity import plot_sensitivity


def main(snakemake) -> None:
    plot_sensitivity(
        snakemake.input.sensitivity, dict(snakemake.output.items()), snakemake.params.synthetic
    )


if __name__ == "__main__":
    run_job(main, snakemake)
