"""Train the scene classifier of a fold."""

from job import run_job
from network_job import checkpoint_of, compute_of, fold_of
from softscene.training.jobs import train_teacher
from softscene.training.parameters import TrainingParameters


def main(snakemake) -> None:
    train_teacher(
        fold=fold_of(snakemake),
        parameters=TrainingParameters(**snakemake.params.training),
        seed=int(snakemake.wildcards.seed),
        compute=compute_of(snakemake),
        results=dict(snakemake.output.items()),
        checkpoint=checkpoint_of(snakemake),
    )


if __name__ == "__main__":
    run_job(main, snakemake)
