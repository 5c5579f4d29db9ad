"""Choose thresholds for a student, list what it detects, and score it."""

from job import run_job
from softscene.config.labels import read_labels
from softscene.core.origins import note_parameters
from softscene.evaluation.field_metrics import write_field_metrics
from softscene.evaluation.scoring import evaluate_student


def main(snakemake) -> None:
    same = {
        **{name: snakemake.input[name] for name in ("probabilities", "recordings", "events")},
        "labels": read_labels(snakemake.input.labels),
        "results": dict(snakemake.output.items()),
        "student": dict(snakemake.wildcards.items()),
    }
    sweep = snakemake.input.sweep
    evaluate_student(development_sweep=sweep, **same, **snakemake.params.evaluation)
    write_field_metrics(scene_logits=snakemake.input.scene_logits, **same)
    used = {"evaluation": snakemake.params.evaluation}
    note_parameters(snakemake.output.parameters, used)


if __name__ == "__main__":
    run_job(main, snakemake)
