"""Compute log-mel features of every annotated recording."""

from job import run_job
from softscene.features.extraction import KnownFeatures, extract_features
from softscene.features.store import FeatureParameters


def main(snakemake) -> None:
    given = snakemake.input
    audio = zip(given.recordings, given.audio, strict=True)
    known = None
    if features := given.get("known"):
        known = KnownFeatures(features, given.known_events, given.known_recordings)
    extract_features(
        audio=dict(audio),
        events=given.events,
        target=snakemake.output[0],
        parameters=FeatureParameters(**snakemake.params.features),
        workers=snakemake.threads,
        known=known,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
