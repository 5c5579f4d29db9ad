# What a run costs, from the benchmarks of its jobs: `snakemake estimate`, and a line at the start.
from softscene.costs import ORDER, TRAININGS, Stage, costs, planned_jobs, survey
from softscene.estimate import forecast


rule estimate:
    # No input: what has run so far is looked up, and nothing is made for it. No output and no
    # benchmark: it runs each time.
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
        datasets=DATASETS,
        stages=lambda wildcards: {name: vars(stage) for name, stage in stages().items()},
        machine=lambda wildcards: (workflow.cores, limits()),
        labels=LABELS,
        scene_statistics=own("resources/scene_statistics.tsv"),
        published=own("resources/published_table3.csv"),
        clips=expand(f"{RESULTS}/folds/fold-{{fold}}/clips.tsv", fold=config["folds"]),
    script:
        "../workflow_scripts/estimate.py"


def stages():
    """What the estimate needs to know of each rule."""
    found = {}
    for name in ORDER:
        if SYNTHETIC or name != "make_corpus":
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


def limits():
    """What a user limits: ``--resources mem_mb=60000 gpu=1``."""
    given = workflow.global_resources
    return {key: given[key] for key in ("mem_mb", "gpu") if isinstance(given.get(key), int)}


def makes_nothing():
    """Whether only the estimate was asked for."""
    return {job.rule.name for job in workflow.dag.needrun_jobs()} <= {"estimate"}


def tell_costs():
    """Before trainings: a line, and what the terminal's time left starts from."""
    todo = list(workflow.dag.needrun_jobs())
    if not any(job.rule.name in TRAININGS for job in todo):
        return
    jobs, paths = planned_jobs(config, DATASETS, stages()), {str(job.benchmark) for job in todo}
    left = [job for job in jobs if str(job.path(job.stage.benchmark)) in paths]
    found = costs(jobs, survey(jobs, config))
    line, expected = forecast(left, found, workflow.cores, limits())
    if expected:
        targets = {job.rule.name: 0.0 for job in todo}  # rules that only name files take no time
        expected = {"event": "costs", **expected, "seconds": targets | expected["seconds"]}
    logger.info(line, extra=expected)
