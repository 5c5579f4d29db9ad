"""Compare the methods in pairs over (fold, seed), and judge the paper's claims."""

from job import run_job
from softscene.analysis.comparisons import compare_methods
from softscene.analysis.field_comparisons import compare_field_metrics


def main(snakemake) -> None:
    results = dict(snakemake.output.items())
    compare_methods(
        overall=snakemake.input.overall,
        class_wise=snakemake.input.class_wise,
        published={name: snakemake.input[name] for name in ("table3", "table4")},
        results=results,
        **dict(snakemake.params.items()),
    )
    of_runs = {name: snakemake.params[name] for name in ("variants", "places", "synthetic")}
    compare_field_metrics(snakemake.input.field_metrics, results=results, **of_runs)


if __name__ == "__main__":
    run_job(main, snakemake)
