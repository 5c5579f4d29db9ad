# What the run costs, printed on request; before trainings, a line of it is logged.


rule estimate:
    """How many jobs are left, and what they cost: core-hours, and time on these cores."""

    # No output and no benchmark: it runs each time. No job makes its input: nothing else runs.
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
