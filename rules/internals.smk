# All uses of Snakemake's undocumented internals (tested with 9.27). If a newer Snakemake breaks the
# workflow, look here first.
import sys

# Whether another workflow uses this one as a module.
MODULE = workflow.modifier
IN_MODULE = not MODULE.is_main_snakefile()
# Whether this process plans the run; each job reads these files again in a process of its own.
PLANNING = workflow.is_main_process


def placed(path):
    """The path of a rule's file, with the prefix that a module's user gives. Snakemake adds it to
    inputs, outputs, logs and benchmarks by itself, and to nothing else."""
    return str(MODULE.path_modifier.replace_prefix(path))


def called(rule):
    """What a rule of this file's workflow is called in the main one, and so in jobs."""
    return MODULE.modify_rulename(rule)


def given_on_command_line():
    """What ``--config`` says, unchanged."""
    return {} if IN_MODULE else workflow.config_settings.config


def configuration_files():
    """The files of ``--configfile``; in a module, they are its user's."""
    return [] if IN_MODULE else workflow.configfiles


def asked_for(target):
    """Whether a target was typed; from ``sys.argv``, as Snakemake sets its targets later."""
    return target in sys.argv and not IN_MODULE


def needed_jobs():
    """The jobs that are still to run; only known in the hooks."""
    return list(workflow.dag.needrun_jobs())


def needed_rules():
    """Names of the rules of the jobs that are still to run."""
    return {job.rule.name for job in needed_jobs()}


def is_dry_run():
    return workflow.dryrun


def runs_here():
    """Whether jobs run on this machine; on a cluster, they may outlive this process."""
    return workflow.local_exec


def may_run_here():
    """The same while these files are read, before Snakemake knows: a cluster always has --jobs."""
    return workflow.resource_settings.nodes is None


def limited(resource, most):
    """Let running jobs have so much of a resource in total, or what ``--resources`` says; gives it."""
    if resource in workflow.global_resources:
        return workflow.global_resources[resource].value
    if workflow.scheduler is None:  # later it is too late
        workflow.register_resource(resource, most)
    return most


def look_for_jobs_when_one_ends():
    """In ``onstart``: let the scheduler not look for jobs to start at other times, unless
    ``--max-jobs-per-timespan`` is given. With that limit, also the default one of 100 a second, each
    look with jobs waiting for cores leads to another a second later, so that there is one more look a
    second for each job that ends (snakemake/snakemake#3744)."""
    limiter = workflow.scheduler.job_rate_limiter
    if limiter and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def cores(threads):
    """Cores to run on; on a cluster, ``threads`` for each job that may run at a time."""
    return workflow.cores if runs_here() else workflow.nodes * threads


def dry_run():
    """What a dry run of this run needs to be given: its Snakefile, and its configuration."""
    given = workflow.config_settings
    settings = {"config": dict(given.config), "configfiles": list(given.configfiles)}
    return workflow.main_snakefile, settings


def tells_each_job():
    """Whether the user asked for more output than usual: ``--printshellcmds`` or ``--verbose``."""
    given = workflow.output_settings
    return given.printshellcmds or given.verbose


def finished_rules():
    """Names of the rules of finished jobs; in ``onsuccess`` and ``onerror``."""
    return {job.rule.name for job in workflow.dag.finished_jobs}
