"""Measure the teachers' soft labels for each T: their mean per true scene, and their softness."""

from job import run_job
from softscene.analysis.softness import mean_posteriors, measure_softness
from softscene.config.labels import read_labels
from softscene.core.tsv import write_table
from softscene.report.figures import plot_soft_labels


def main(snakemake) -> None:
    scenes = read_labels(snakemake.input.labels).scenes
    temperatures = snakemake.params.temperatures
    table = mean_posteriors(snakemake.input.soft_labels, temperatures, scenes)
    logits = {
        "development": snakemake.input.soft_labels,
        "evaluation": snakemake.input.evaluation_logits,
    }
    results = dict(snakemake.output.items())
    write_table(table, results.pop("tsv"))
    write_table(measure_softness(logits, temperatures, scenes), results.pop("softness"))
    plot_soft_labels(table, results, snakemake.params.synthetic)


if __name__ == "__main__":
    run_job(main, snakemake)
