# What `snakemake -n` prints: for more than a few jobs their counts and reasons, and not each of them.
import logging

LISTED = 5


class WithoutJobs(logging.Filter):
    """Leave single jobs out of a dry run of many, and the table of counts that comes twice."""

    jobs = None

    def filter(self, record):
        event = getattr(record, "event", None)
        if not workflow.dryrun or event is None:
            return True
        if event == "run_info" and self.jobs is None:
            self.jobs = record.stats["total"]
        elif event == "run_info" and self.jobs > LISTED:
            del record.event, record.stats
            record.msg = f"To list each of the {self.jobs} jobs: snakemake -n --printshellcmds"
        return event not in ("job_info", "shellcmd") or self.jobs <= LISTED


# Another workflow that has this one as a module prints what it likes.
if workflow.is_main_process and not (IN_MODULE or tells_each_job()):
    logger.addFilter(WithoutJobs())
