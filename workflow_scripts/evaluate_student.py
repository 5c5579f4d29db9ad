"""Choose thresholds for a student, list what it detects, and score it."""

from job import run_job
from softscene.config.labels import read_labels
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


if __name__ == "__main__":
    run_job(main, snakemake)
