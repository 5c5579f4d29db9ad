"""Draw Table 1 as a heat map."""

from job import run_job
from softscene.report.figures import plot_table1


def main(snakemake) -> None:
    plot_table1(snakemake.input.table1, dict(snakemake.output.items()), snakemake.params.synthetic)


if __name__ == "__main__":
    run_job(main, snakemake)
