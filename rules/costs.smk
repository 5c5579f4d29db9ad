# Time and core-hours of a run before it starts, from the benchmarks of finished jobs.
from softscene.costs import costs, survey
from softscene.estimate import forecast
from softscene.plan import ORDER, TRAININGS, Stage, planned_jobs


def stages():
    """What the estimate needs to know of each rule."""
    found, there = {}, {rule.name for rule in workflow.rules}
    for name in ORDER:
        if name in there:
            made = getattr(rules, name)
            needs = made.rule.resources
            found[name] = Stage(
                benchmark=str(made.benchmark),
                log=str(made.log[0]),
                outputs=[str(path) for path in made.output],
                threads=needs["_cores"].evaluate(None).value,
                mem_mb=needs["mem_mb"].evaluate(None, attempt=1).value,
                gpu=needs["gpu"].value if "gpu" in needs else 0,
            )
    return found


def benchmarks(wildcards):
    """Rule -> the benchmark files of its jobs in this run, done or not; but not the report's own."""
    found = {}
    for job in planned_jobs(config, DATASETS, PAPER_TABLE3, stages()):
        found.setdefault(job.rule, []).append(str(job.path(job.stage.benchmark)))
    found.pop("make_report")
    return found


def cores():
    """Cores that there are; of a cluster, those of as many trainings as may be there at a time."""
    cluster = not workflow.local_exec
    return workflow.nodes * config["compute"]["threads"] if cluster else workflow.cores


def limits():
    """What a user limits: ``--resources mem_mb=60000 gpu=1``."""
    given = {key: each.value for key, each in workflow.global_resources.items()}
    return {key: given[key] for key in ("mem_mb", "gpu") if given.get(key) is not None}


def makes_nothing():
    """Whether only the estimate was asked for."""
    return {job.rule.name for job in workflow.dag.needrun_jobs()} <= {"estimate"}


def tell_costs():
    """Print the expected cost before trainings, and give it to the terminal for its time left."""
    todo = list(workflow.dag.needrun_jobs())
    if not any(job.rule.name in TRAININGS for job in todo):
        return
    jobs = planned_jobs(config, DATASETS, PAPER_TABLE3, stages())
    paths = {str(job.benchmark) for job in todo}
    left = [job for job in jobs if str(job.path(job.stage.benchmark)) in paths]
    found = costs(jobs, survey(jobs, config))
    line, expected = forecast(left, found, cores(), limits())
    if expected:
        targets = {job.rule.name: 0.0 for job in todo}  # rules that only name files take no time
        expected = {"event": "costs", **expected, "seconds": targets | expected["seconds"]}
    logger.info(line, extra=expected)
