"""Draw the losses of the compared methods and of the teachers over the epochs."""

from job import run_job
from softscene.report.figures import plot_learning_curves


def main(snakemake) -> None:
    students = snakemake.input.students
    runs = len(students) // len(snakemake.params.titles)
    plot_learning_curves(
        histories={
            title: students[i * runs : (i + 1) * runs]
            for i, title in enumerate(snakemake.params.titles)
        },
        teachers=snakemake.input.teachers,
        results=dict(snakemake.output.items()),
        synthetic=snakemake.params.synthetic,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
