"""Compare the methods in pairs over (fold, seed), and judge the paper's claims."""

from job import run_job
from softscene.analysis.comparisons import compare_methods


def main(snakemake) -> None:
    compare_methods(
        overall=snakemake.input.overall,
        class_wise=snakemake.input.class_wise,
        published={name: snakemake.input[name] for name in ("table3", "table4")},
        results=dict(snakemake.output.items()),
        **dict(snakemake.params.items()),
    )


if __name__ == "__main__":
    run_job(main, snakemake)
