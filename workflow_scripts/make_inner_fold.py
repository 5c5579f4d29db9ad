"""Split a fold's development part again, with one part held out."""

from job import run_job
from softscene.features.folds import make_inner_fold
from softscene.features.store import FeatureParameters


def main(snakemake) -> None:
    make_inner_fold(
        recordings=snakemake.input.recordings,
        clips=snakemake.input.clips,
        events=snakemake.input.events,
        features=snakemake.input.features,
        results=dict(snakemake.output.items()),
        held_out=int(snakemake.wildcards.part),
        parts=snakemake.params.parts,
        standardisation=snakemake.params.standardisation,
        parameters=FeatureParameters(**snakemake.params.features),
    )


if __name__ == "__main__":
    run_job(main, snakemake)
