"""Split the recordings of a fold into parts and clips."""

from job import run_job
from softscene.core.origins import note_parameters
from softscene.features.folds import make_fold
from softscene.features.store import FeatureParameters


def main(snakemake) -> None:
    folder = f"{snakemake.input.annotations}/crossvaridation"  # the authors spell it so
    name = f"{folder}/meta_fold0{snakemake.wildcards.fold}"
    make_fold(
        development=f"{name}_development.txt",
        evaluation=f"{name}_evaluation.txt",
        events=snakemake.input.events,
        tables=snakemake.input.tables,
        features=snakemake.input.features,
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
