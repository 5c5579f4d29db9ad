"""Write Table 3 from all students' scores."""

from job import run_job
from softscene.evaluation.tables import make_table3, runs_of, write_table3


def main(snakemake) -> None:
    runs = runs_of(snakemake.params.variants, snakemake.input.scores)
    conventions = snakemake.params.conventions
    table = make_table3(runs, snakemake.input.published or None, conventions)
    results = dict(snakemake.output.items())
    heldout = snakemake.params.get("heldout", False)
    write_table3(table, results, conventions, snakemake.params.synthetic, heldout=heldout)


if __name__ == "__main__":
    run_job(main, snakemake)
