"""Train an event detector: CRNN, MTL, or MTL with soft labels."""

from job import run_job
from network_job import checkpoint_of, compute_of, fold_of
from softscene.training.jobs import train_student
from softscene.training.parameters import SceneObjective, TrainingParameters


def main(snakemake) -> None:
    train_student(
        fold=fold_of(snakemake),
        objective=SceneObjective(**snakemake.params.objective),
        soft_labels=snakemake.input.get("soft_labels"),
        parameters=TrainingParameters(**snakemake.params.training),
        seed=int(snakemake.wildcards.seed),
        compute=compute_of(snakemake),
        results=dict(snakemake.output.items()),
        checkpoint=checkpoint_of(snakemake),
    )


if __name__ == "__main__":
    run_job(main, snakemake)
