"""Average the teachers' soft labels over each true scene, for each T, and draw them."""

from job import run_job
from softscene.config.labels import read_labels
from softscene.core.tsv import write_table
from softscene.report.figures import mean_posteriors, plot_soft_labels


def main(snakemake) -> None:
    scenes = read_labels(snakemake.input.labels).scenes
    table = mean_posteriors(snakemake.input.soft_labels, snakemake.params.temperatures, scenes)
    results = dict(snakemake.output.items())
    write_table(table, results.pop("tsv"))
    plot_soft_labels(table, results, snakemake.params.synthetic)


if __name__ == "__main__":
    run_job(main, snakemake)
