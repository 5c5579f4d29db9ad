"""Print what the run costs: what is left, Table 3, and all of it."""

import sys
from pathlib import Path

from job import run_job
from softscene import probe
from softscene.config.labels import read_labels
from softscene.costs import costs, survey, unknown_trainings
from softscene.estimate import estimate_text, machines, studies
from softscene.plan import Stage

TERMINAL = sys.stdout


def main(snakemake) -> None:
    start = probe.seconds_since_start()
    given, files = snakemake.params, snakemake.input
    stages = {rule: Stage(**stage) for rule, stage in given.stages.items()}
    planned = studies(given.config, given.datasets, files.published, stages)
    jobs = next(iter(planned.values()))
    seen = survey(jobs, given.config)
    found, notes = costs(jobs, seen, start=start), []
    if missing := unknown_trainings(found):
        made = [Path(path) for path in given.clips if Path(path).exists()]
        clips = probe.development_clips(given.config, files.scene_statistics, made, files.own)
        classes = read_labels(files.labels).classes
        probed, device = probe.probe(missing, given.config, clips, classes, start)
        found = costs(jobs, seen, probed, start)
        notes.append(f"probed on {device}, for {clips} clips an epoch")
    text = estimate_text(given.config["run"], planned, seen, found, machines(*given.machine), notes)
    print(text)
    # On a terminal there may be a bar below: what is left of it is taken away.
    TERMINAL.write(("\x1b[J" if TERMINAL.isatty() else "") + text)
    TERMINAL.flush()


if __name__ == "__main__":
    run_job(main, snakemake)
