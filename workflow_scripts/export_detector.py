"""Write the best or the configured students, with everything they need, to one file."""

from job import run_job
from softscene.config.labels import read_labels
from softscene.config.variants import Variant
from softscene.detect.detector import StudentFiles, best_variant, export_detector


def main(snakemake) -> None:
    given, wanted = snakemake.input, snakemake.params
    variants = [Variant(**each) for each, _, _ in wanted.students]
    chosen = wanted.chosen or best_variant(list(zip(variants, given.scores, strict=True)))
    students = [
        StudentFiles(
            variant,
            f"fold-{fold}_seed-{seed}",
            *files,
            origin={**variant.wildcards, "fold": str(fold), "seed": str(seed)},
        )
        for variant, (_, fold, seed), *files in zip(
            variants,
            wanted.students,
            given.weights,
            given.parameters,
            given.statistics,
            given.thresholds,
            strict=True,
        )
        if variant.folder == chosen
    ]
    about = {**wanted.about, "method": students[0].variant.name}
    export_detector(students, read_labels(given.labels), snakemake.output[0], about)


if __name__ == "__main__":
    run_job(main, snakemake)
