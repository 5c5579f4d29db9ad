"""Find the events and the scene of your own recording."""

from job import run_job
from softscene.core import gpus
from softscene.core.progress import Progress
from softscene.detect.detector import load_detector
from softscene.detect.events import Options
from softscene.explorer.own_page import detect_with_page
from softscene.training.runtime import prepare


def main(snakemake) -> None:
    device = prepare(snakemake.params.threads, gpus.take(snakemake.resources.device))
    detector = load_detector(snakemake.input.detector, device, fused=snakemake.params.fused)
    progress = Progress("detection", 1, "s")

    def advance(seconds: float, total: float) -> None:
        progress.total = round(total)
        progress.advance(round(seconds))

    detect_with_page(
        source=snakemake.params.recording,
        detector=detector,
        results=dict(snakemake.output.items()),
        options=Options(**snakemake.params.options),
        advance=advance,
    )


if __name__ == "__main__":
    run_job(main, snakemake)
