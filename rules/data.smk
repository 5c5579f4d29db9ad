# Archives: from their publishers, from a mirror, or synthetic in the same form.


if SYNTHETIC:

    rule make_corpus:
        input:
            registry=workflow_path("resources/archives.yaml"),
            labels=LABELS,
            sounds=workflow_path("resources/event_sounds.tsv"),
            events=workflow_path("resources/event_statistics.tsv"),
            scenes=workflow_path("resources/scene_statistics.tsv"),
            given=given_lists(),
        output:
            registry=REGISTRY,
            annotations=mirrored_lists(),
            archives=mirrored_archives(),
        log:
            "<logs>/make_corpus.log",
        benchmark:
            "<benchmarks>/make_corpus.tsv"
        conda:
            "../envs/environment.yaml"
        threads: 8
        resources:
            mem_mb=grown(2000),
            runtime=60,
        params:
            corpus=config["synthetic"],
        script:
            "../workflow_scripts/make_corpus.py"


if OWN:

    # Own data replace all downloads and the paper's two lists.
    rule import_data:
        input:
            own_audio,
            annotations=OWN["annotations"],
            folds=OWN["folds"] if isinstance(OWN["folds"], str) else [],
            labels=LABELS,
        output:
            events=f"{RESULTS}/annotations/events.tsv",
            audit=f"{RESULTS}/annotations/audit.tsv",
            parameters=f"{RESULTS}/annotations/parameters.json",
            recordings=RECORDINGS[0],
            annotations=directory(f"{DATA}/annotations"),
        log:
            "<logs>/import_data.log",
        benchmark:
            "<benchmarks>/import_data.tsv"
        localrule: True
        conda:
            "../envs/environment.yaml"
        threads: 1
        resources:
            mem_mb=grown(1000),
            runtime=30,
        params:
            audio=AUDIO[0],
            folds=OWN["folds"],
            sample_rate=config["features"]["sample_rate"],
            overrun=config["annotations"]["overrun"],
        script:
            "../workflow_scripts/import_data.py"

else:

    rule download_annotations:
        input:
            mirrored_lists(),
            registry=REGISTRY,
        output:
            directory(f"{DATA}/annotations"),
        log:
            "<logs>/download_annotations.log",
        benchmark:
            "<benchmarks>/download_annotations.tsv"
        localrule: True
        conda:
            "../envs/environment.yaml"
        threads: 1
        resources:
            **DOWNLOAD,
            mem_mb=grown(500),
            runtime=30,
        script:
            "../workflow_scripts/download_annotations.py"

    rule download_dataset:
        input:
            lambda wildcards: mirrored(PUBLISHED.datasets[wildcards.dataset].archives),
            registry=REGISTRY,
            annotations=f"{DATA}/annotations",
        output:
            audio=directory(f"{DATA}/{{dataset}}/audio"),
            meta=directory(f"{DATA}/{{dataset}}/meta"),
            recordings=f"{DATA}/{{dataset}}/recordings.tsv",
        log:
            "<logs>/download_dataset/{dataset}.log",
        benchmark:
            "<benchmarks>/download_dataset/{dataset}.tsv"
        localrule: True
        conda:
            "../envs/environment.yaml"
        threads: 1
        resources:
            **DOWNLOAD,
            mem_mb=grown(1000),
            runtime=24 * 60,
        params:
            cache=placed(f"{DATA}/cache"),
        script:
            "../workflow_scripts/download_dataset.py"
