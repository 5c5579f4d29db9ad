"""Write an inner teacher's logits of the clips that were held out."""

from job import run_job
from network_job import compute_of, fold_of
from softscene.data.splits import EVALUATION
from softscene.training.jobs import dump_soft_labels


def main(snakemake) -> None:
    dump_soft_labels(
        fold_of(snakemake),
        snakemake.input.weights,
        compute_of(snakemake),
        snakemake.output[0],
        part=EVALUATION,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
