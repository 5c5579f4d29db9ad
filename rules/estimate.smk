# What the run costs: printed at any time, and in a line before trainings begin.


rule estimate:
    """How many jobs are left, and what they cost: core-hours, and time on these cores."""

    # No input that is made, no output and no benchmark: it runs each time, and nothing for it.
    input:
        labels=LABELS,
        own=own_audio if OWN else [],
        scenes=workflow_path("resources/scene_statistics.tsv"),
    log:
        "<logs>/estimate.log",
    conda:
        "../envs/environment.yaml"
    threads: config["compute"]["threads"]
    resources:
        mem_mb=grown(4000),
        runtime=10,
    params:
        config=config,
        folder=placed(RESULTS),
        run=lambda wildcards: (*dry_run(), config["estimate"].split()),
        cores=lambda wildcards: cores(config["compute"]["threads"]),
    script:
        "../workflow_scripts/estimate.py"


def tell_costs():
    """Before trainings: a line, and what the terminal's time left starts from."""
    jobs = needed_jobs()
    names = {job.rule.name for job in jobs}
    if not names.isdisjoint(map(called, ("train_teacher", "train_inner_teacher", "train_student"))):
        from softscene import costs  # slow to load

        left = [costs.NeededJob.of(job) for job in jobs if job.benchmark]
        finished, _ = costs.read_finished(placed(RESULTS), config)
        cost = costs.RunCost(left, finished, cores(config["compute"]["threads"]))
        if cost.unknown_trainings:
            logger.info(f"{len(left)} jobs left; `snakemake estimate` measures what they take")
        else:
            logger.info(f"estimate: {cost}", extra=cost.progress(names))
