"""Compute log-mel features of every annotated recording."""

from job import run_job
from softscene.features.extraction import extract_features
from softscene.features.store import FeatureParameters


def main(snakemake) -> None:
    audio = zip(snakemake.input.recordings, snakemake.input.audio, strict=True)
    extract_features(
        audio=dict(audio),
        events=snakemake.input.events,
        target=snakemake.output[0],
        parameters=FeatureParameters(**snakemake.params.features),
        workers=snakemake.threads,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
