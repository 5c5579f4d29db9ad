"""Split the recordings of a fold into parts and clips."""

from job import run_job
from softscene.core.origins import note_parameters
from softscene.features.folds import lists_of, make_fold
from softscene.features.store import FeatureParameters


def main(snakemake) -> None:
    given = snakemake.input
    development, evaluation = lists_of(
        snakemake.wildcards.fold, given.annotations, given.get("heldout") or None
    )
    make_fold(
        development=development,
        evaluation=evaluation,
        events=given.events,
        tables=given.tables,
        features=given.features,
        results=dict(snakemake.output.items()),
        clip_frames=snakemake.params.clip_frames,
        shortest_trained=snakemake.params.shortest_trained,
        standardisation=snakemake.params.standardisation,
        parameters=FeatureParameters(**snakemake.params.features),
    )
    used = {
        "frames": snakemake.params.clip_frames,
        "shortest_trained": snakemake.params.shortest_trained,
        "standardisation": snakemake.params.standardisation,
    }
    note_parameters(snakemake.output.parameters, {"clips": used})


if __name__ == "__main__":
    run_job(main, snakemake)
