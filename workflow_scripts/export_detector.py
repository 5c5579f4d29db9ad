"""Write the students that are best, or were asked for, and all that they need, as one file."""

from job import run_job
from softscene.config.labels import read_labels
from softscene.config.study import StudentKind
from softscene.detect.detector import StudentFiles, best_kind, export_detector


def main(snakemake) -> None:
    given, wanted = snakemake.input, snakemake.params
    kinds = [StudentKind(**kind) for kind, _, _ in wanted.students]
    chosen = wanted.chosen or best_kind(list(zip(kinds, given.scores, strict=True)))
    students = [
        StudentFiles(
            kind,
            f"fold-{fold}_seed-{seed}",
            *files,
            origin={**vars(kind), "fold": str(fold), "seed": str(seed)},
        )
        for kind, (_, fold, seed), *files in zip(
            kinds,
            wanted.students,
            given.weights,
            given.parameters,
            given.statistics,
            given.thresholds,
            strict=True,
        )
        if kind.folder == chosen
    ]
    about = {**wanted.about, "method": wanted.names[students[0].kind.method]}
    export_detector(students, read_labels(given.labels), snakemake.output[0], about)


if __name__ == "__main__":
    run_job(main, snakemake)
