"""Draw the teachers' confusion matrix."""

from job import run_job
from softscene.report.figures import plot_confusion


def main(snakemake) -> None:
    plot_confusion(
        snakemake.input.confusions, dict(snakemake.output.items()), snakemake.params.synthetic
    )


if __name__ == "__main__":
    run_job(main, snakemake)
