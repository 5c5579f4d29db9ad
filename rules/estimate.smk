# What a run costs, from the benchmarks of finished jobs; can be asked at any time.


rule estimate:
    # No input that would have to be made: it only looks at what has run. No output and no
    # benchmark, so that it runs each time.
    input:
        labels=LABELS,
        own=own_audio if OWN else [],
        scene_statistics=workflow_path("resources/scene_statistics.tsv"),
        published=PAPER_TABLE3,
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
        datasets=DATASETS,
        stages=lambda wildcards: {name: vars(stage) for name, stage in stages().items()},
        machine=lambda wildcards: (cores(), limits()),
        clips=expand(FOLD_FILES["clips"], fold=config["folds"]),
    script:
        "../workflow_scripts/estimate.py"
