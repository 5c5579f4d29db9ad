# What the run costs: printed at any time, and in a line before trainings begin.


rule estimate:
    # No input that is made, no output and no benchmark: it runs each time, and nothing for it.
    input:
        labels=LABELS,
        own=own_audio if OWN else [],
        scenes=workflow_path("resources/scene_statistics.tsv"),
    log:
        f"{RESULTS}/logs/estimate.log",
    conda:
        "../envs/environment.yaml"
    threads: config["compute"]["threads"]
    resources:
        mem_mb=grown(4000),
        runtime=10,
    params:
        config=config,
        folder=RESULTS,
        run=lambda wildcards: (*this_run().dry_run, this_run().cores),
    script:
        "../workflow_scripts/estimate.py"


def tell_costs():
    """Before trainings: a line, and what the terminal's time left starts from."""
    jobs = list(this_run().jobs())
    names = {job.rule.name for job in jobs}
    if any(name.startswith("train_") for name in names):
        from softscene import costs  # slow to load

        left = [costs.NeededJob.of(job) for job in jobs if job.benchmark]
        cost = costs.RunCost(left, costs.read_finished(RESULTS, config)[0], this_run().cores)
        if cost.unknown_trainings:
            logger.info(f"{len(left)} jobs left; `snakemake estimate` measures what they take")
        else:
            logger.info(f"estimate: {cost}", extra=cost.progress(names))
