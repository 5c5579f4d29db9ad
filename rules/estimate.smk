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
