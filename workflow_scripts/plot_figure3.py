"""Draw Fig. 3."""

from job import run_job
from softscene.report.figure3 import plot_figure3


def main(snakemake) -> None:
    plot_figure3(
        snakemake.input.table3,
        dict(snakemake.output.items()),
        snakemake.params.synthetic,
        snakemake.params.left_out,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
