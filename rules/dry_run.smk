# What `snakemake -n` prints: if there are many jobs, their counts and reasons instead of each job.
import logging

LISTED = 5


class WithoutJobs(logging.Filter):
    """In a dry run of many jobs, leave out each job, and the second copy of the table of counts."""

    jobs = None

    def filter(self, record):
        event = getattr(record, "event", None)
        if not is_dry_run() or event is None:
            return True
        if event == "run_info" and self.jobs is None:
            self.jobs = record.stats["total"]
        elif event == "run_info" and self.jobs > LISTED:
            del record.event, record.stats
            record.msg = f"To list each of the {self.jobs} jobs: snakemake -n --printshellcmds"
        return event not in ("job_info", "shellcmd") or self.jobs <= LISTED


# Do not change what another workflow prints that uses this one as a module.
if PLANNING and not (IN_MODULE or tells_each_job()):
    logger.addFilter(WithoutJobs())
