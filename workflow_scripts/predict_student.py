"""Compute a student's event probabilities."""

from job import run_job
from network_job import compute_of, fold_of
from softscene.evaluation.prediction import predict_student


def main(snakemake) -> None:
    predict_student(
        fold=fold_of(snakemake),
        weights=snakemake.input.weights,
        scene_loss=snakemake.params.scene_loss,
        thresholds=snakemake.params.thresholds,
        compute=compute_of(snakemake),
        results=dict(snakemake.output.items()),
    )


if __name__ == "__main__":
    run_job(main, snakemake)
