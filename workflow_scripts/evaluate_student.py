"""Choose thresholds for a student, list what it detects, and score it."""

from job import run_job
from softscene.config.labels import read_labels
from softscene.core.origins import note_parameters
from softscene.evaluation.scoring import evaluate_student


def main(snakemake) -> None:
    evaluate_student(
        probabilities=snakemake.input.probabilities,
        development_sweep=snakemake.input.sweep,
        recordings=snakemake.input.recordings,
        events=snakemake.input.events,
        labels=read_labels(snakemake.input.labels),
        results=dict(snakemake.output.items()),
        **snakemake.params.evaluation,
        student=dict(snakemake.wildcards.items()),
    )
    used = {"evaluation": snakemake.params.evaluation}
    note_parameters(snakemake.output.parameters, used)


if __name__ == "__main__":
    run_job(main, snakemake)
