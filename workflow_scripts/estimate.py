"""Print what the run costs: the jobs of a dry run, at what finished ones took."""

import logging
import sys
import time

from job import run_job
from snakemake import api
from snakemake.logging import logger
from softscene import costs, training_benchmark


def needed_jobs(snakefile, settings, targets, cores):
    """What a dry run tells loggers of; jobs without a benchmark only name files."""
    records, handler = [], logging.Handler()
    handler.emit = records.append
    with api.SnakemakeApi(api.OutputSettings(dryrun=True)) as dry_run:
        logger.addHandler(handler)
        given = api.ResourceSettings(cores=cores), api.ConfigSettings(**settings)
        dag = api.DAGSettings(targets=targets, force_incomplete=True)
        dry_run.workflow(*given, snakefile=snakefile).dag(dag).execute_workflow("dryrun")
    return [costs.NeededJob.of(job) for job in records if getattr(job, "benchmark", None)]


def main(snakemake) -> None:
    start = time.process_time()  # of what each job loads before it does anything
    config, dry_run = snakemake.params.config, snakemake.params.run
    finished, left_out = costs.read_finished(snakemake.params.folder, config)
    known = needed_jobs(*dry_run), finished, dry_run[-1]
    unknown = costs.RunCost(*known).unknown_trainings
    measured = training_benchmark.measure(unknown, config, snakemake.input, start)
    text = costs.RunCost(*known, measured, start).text(left_out)
    print(text)
    terminal = sys.__stdout__  # on one there may be a bar below: what is left of it is taken away
    terminal.write(("\x1b[J" if terminal.isatty() else "") + text)


if __name__ == "__main__":
    run_job(main, snakemake)
