"""Write Table 1: events in scenes."""

from job import run_job
from softscene.config.labels import read_labels
from softscene.evaluation.tables import write_table1


def main(snakemake) -> None:
    write_table1(
        events=snakemake.input.events,
        labels=read_labels(snakemake.input.labels),
        results=dict(snakemake.output.items()),
        synthetic=snakemake.params.synthetic,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
