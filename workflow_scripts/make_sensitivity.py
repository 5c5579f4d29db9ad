"""Compare soft labels with one-hot scenes under each choice that the paper leaves open."""

from job import run_job
from softscene.analysis.intervals import collect_pairs
from softscene.analysis.sensitivity import add_runs, compare_choices
from softscene.config.labels import read_labels
from softscene.config.open_choices import OpenChoice
from softscene.config.variants import Variant
from softscene.core.origins import note_parameters
from softscene.core.tsv import write_table
from softscene.evaluation.tables import runs_of


def main(snakemake) -> None:
    given, wanted = snakemake.input, snakemake.params
    choices = [
        OpenChoice(varies, Variant(**soft), Variant(**hard) if hard else None)
        for varies, soft, hard in wanted.choices
    ]
    teachers = len(given.soft_labels) // len(choices)
    table = compare_choices(
        run=wanted.run,
        choices=choices,
        scores=collect_pairs(runs_of(wanted.variants, given.overall), wanted.places),
        labels=[given.soft_labels[i * teachers : (i + 1) * teachers] for i in range(len(choices))],
        scenes=read_labels(given.labels).scenes,
        own=wanted.own,
    )
    table = add_runs(table, wanted.configuration, wanted.runs)
    corpus = "synthetic" if wanted.synthetic else "recordings"
    write_table(table.assign(corpus=corpus), snakemake.output.tsv)
    note_parameters(snakemake.output.parameters, wanted.configuration)


if __name__ == "__main__":
    run_job(main, snakemake)
