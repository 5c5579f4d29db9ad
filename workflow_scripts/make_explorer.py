"""Make the explorer: a page to see and hear what was detected."""

import logging
from pathlib import Path

from job import run_job
from softscene.config.labels import read_labels
from softscene.explorer.page import Sources, make_explorer, shown_of
from softscene.features.store import FeatureParameters


def main(snakemake) -> None:
    given, params = snakemake.input, snakemake.params
    if params.left_out:
        left_out = ", ".join(params.left_out)
        logging.info("left out, as there are too few colours: %s; see explorer.students", left_out)
    make_explorer(
        sources=Sources(
            audio=dict(zip(given.recordings, given.audio, strict=True)),
            events=given.events,
            features=given.features,
            folds=dict(zip(params.folds, given.folds, strict=True)),
            parameters=FeatureParameters(**params.features),
        ),
        shown=shown_of(params.variants, params.seed, given.probabilities, given.thresholds),
        labels=read_labels(given.labels),
        number=params.number,
        target=snakemake.output[0],
        run=params.run,
        synthetic=params.synthetic,
        terms=Path(given.terms).read_text(encoding="utf-8") if params.terms else None,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
