"""Draw the paired differences that the paper's claims are judged by."""

from job import run_job
from softscene.report.forest import plot_claims


def main(snakemake) -> None:
    plot_claims(snakemake.input.claims, dict(snakemake.output.items()), snakemake.params.synthetic)


if __name__ == "__main__":
    run_job(main, snakemake)
