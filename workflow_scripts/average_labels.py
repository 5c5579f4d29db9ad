"""Average the teacher's labels over the clips of each scene."""

from job import run_job
from softscene.training.controls import make_control_labels


def main(snakemake) -> None:
    make_control_labels(
        "scene_mean",
        clips=snakemake.input.clips,
        soft_labels=snakemake.input.soft_labels,
        labels=snakemake.input.labels,
        target=snakemake.output[0],
        temperature=float(snakemake.wildcards.temperature),
    )


if __name__ == "__main__":
    run_job(main, snakemake)
