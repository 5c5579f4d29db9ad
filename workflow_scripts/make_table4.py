"""Write Table 4 from all students' scores."""

from job import run_job
from softscene.evaluation.tables import make_table4, runs_of, write_table4


def main(snakemake) -> None:
    runs = runs_of(snakemake.params.variants, snakemake.input.scores)
    conventions = snakemake.params.conventions
    table = make_table4(runs, snakemake.input.published or None, conventions)
    results = dict(snakemake.output.items())
    write_table4(table, results, conventions, snakemake.params.synthetic)


if __name__ == "__main__":
    run_job(main, snakemake)
