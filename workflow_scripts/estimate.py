"""Print what the run will cost: the jobs of a dry run, at the cost of finished ones."""

import sys
import time
from logging.handlers import BufferingHandler

from job import run_job
from snakemake import api
from snakemake.logging import logger
from softscene import costs, training_benchmark
from softscene.core.errors import ConfigurationError


def needed_jobs(snakefile, settings, targets, cores):
    """The jobs that a dry run logs; those without a benchmark do no work and are left out."""
    told, dag = BufferingHandler(10**9), api.DAGSettings(targets=targets, force_incomplete=True)
    with api.SnakemakeApi(api.OutputSettings(dryrun=True, printshellcmds=True)) as dry_run:
        logger.addHandler(told)
        given = api.ResourceSettings(cores=cores), api.ConfigSettings(**settings)
        try:
            dry_run.workflow(*given, snakefile=snakefile).dag(dag).execute_workflow("dryrun")
        except Exception as error:
            raise ConfigurationError(f"estimate: {targets} given: {error}") from error
        return [costs.NeededJob.of(job) for job in told.buffer if getattr(job, "benchmark", None)]


def main(snakemake) -> None:
    given, start = snakemake.params, time.process_time()
    epochs = costs.epochs_of(given.config)
    finished, left_out = costs.read_finished(given.folder, given.config)
    known = needed_jobs(*given.run, given.cores), finished, given.cores
    left = costs.RunCost(*known).unknown_trainings
    measured = training_benchmark.measure(left, given.config, snakemake.input, start)
    print(text := costs.RunCost(*known, measured, start, epochs).text(left_out))
    sys.__stdout__.write(("\x1b[J" if sys.__stdout__.isatty() else "") + text)  # take a bar away


if __name__ == "__main__":
    run_job(main, snakemake)
