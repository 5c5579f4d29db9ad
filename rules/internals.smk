# All that the workflow asks of Snakemake's inside, where Snakemake documents no way to ask (tried
# with 9.27). If a newer Snakemake breaks it, this file is where to look.
import sys

# Whether another workflow uses this one as a module.
MODULE = workflow.modifier
IN_MODULE = not MODULE.is_main_snakefile()


def placed(path):
    """Where a rule's file lies: with the prefix that a module's user gives. Snakemake puts it before
    inputs, outputs, logs and benchmarks by itself, and before nothing else."""
    return str(MODULE.path_modifier.replace_prefix(path))


def called(rule):
    """What a rule of this file's workflow is called in the main one, and so in jobs."""
    return MODULE.modify_rulename(rule)


def given_on_command_line():
    """What ``--config`` says, as it stands there."""
    return {} if IN_MODULE else workflow.config_settings.config


def asked_for(target):
    """Whether a target was typed, also while this is read: Snakemake tells its targets later."""
    return target in sys.argv and not IN_MODULE


def needed_jobs():
    """The jobs that are still to run; in the hooks, when Snakemake knows them."""
    return list(workflow.dag.needrun_jobs())


def runs_here():
    """Whether jobs run on this machine; a cluster's outlive this process, as they should."""
    return workflow.local_exec


def cores(threads):
    """Cores that there are; of a cluster, those of as many trainings as may be there at a time."""
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


def finished_jobs():
    """The jobs that this run has finished; in ``onsuccess`` and ``onerror``."""
    return list(workflow.dag.finished_jobs)
