"""Draw the losses of the compared methods and of the teachers over the epochs."""

from job import run_job
from softscene.report.figures import StudentHistory, plot_learning_curves


def main(snakemake) -> None:
    files, titles = snakemake.input.students, snakemake.params.titles
    runs = len(files) // len(titles)
    plot_learning_curves(
        students=[
            StudentHistory(title, loss, files[i * runs : (i + 1) * runs])
            for i, (title, loss) in enumerate(zip(titles, snakemake.params.losses, strict=True))
        ],
        teachers=snakemake.input.teachers,
        results=dict(snakemake.output.items()),
        synthetic=snakemake.params.synthetic,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
