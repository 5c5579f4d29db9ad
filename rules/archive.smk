# A finished run as one file to publish; only made on demand: snakemake archive.


ALL_FOLDS = [*STUDY.folds, *STUDY.heldout]


rule make_archive:
    # Commit and versions in it are those of the moment, as in the report.
    input:
        **OF_CONFIGURATION,
        **(OF_HELDOUT if STUDY.heldout else {}),
        results=[
            rules.tables.input,
            rules.figures.input,
            rules.make_report.output,
            rules.compare_methods.output,
            rules.plot_soft_labels.output.tsv if STUDY.temperatures else [],
            rules.plot_soft_labels.output.softness if STUDY.temperatures else [],
            rules.export_detector.output if STUDY.detecting else [],
            rules.sensitivity.input if SENSITIVITY else [],
            rules.heldout.input if STUDY.heldout else [],
            [
                of_students(f"{RESULTS}/evaluation/{STUDENT}/{table}.tsv", folds=ALL_FOLDS)
                for table in ("overall", "class_wise", "field_metrics")
            ],
            of_students(f"{RESULTS}/predictions/{STUDENT}/events.tsv", STUDY.chosen),
            of_students(f"{RESULTS}/predictions/{STUDENT}/thresholds.tsv", STUDY.chosen),
        ],
        overall=of_students(f"{RESULTS}/evaluation/{STUDENT}/overall.tsv"),
        means=f"{RESULTS}/tables/table3_intervals.tsv",
        table4=f"{RESULTS}/tables/table4.tsv",
        detector=f"{RESULTS}/detector.safetensors" if STUDY.detecting else [],
        recordings=[*RECORDINGS, *(HELDOUT_RECORDINGS if STUDY.heldout else [])],
        lists_in_use=[
            f"{RESULTS}/annotations/events.tsv",
            HELDOUT_EVENTS if STUDY.heldout else [],
        ],
        given=(
            [each for each in (OWN["annotations"], OWN["folds"]) if isinstance(each, str)]
            if OWN
            else (
                [*given_lists(), *(given_lists(HELDOUT_PUBLISHED) if STUDY.heldout else [])]
                if SYNTHETIC
                else []
            )
        ),
        audio=own_audio if OWN else [],
        labels=LABELS,
        custom=[method["code"] for method in config["methods"].values() if "code" in method],
        registries=[
            workflow_path("resources/archives.yaml"),
            workflow_path("resources/archives_heldout.yaml") if STUDY.heldout else [],
        ],
        terms=workflow_path("resources/data_terms.txt"),
        default=workflow_path("config.yaml"),
        workflow=lambda wildcards: workflow_files(workflow_path(".")),
    output:
        f"{RESULTS}/archive.zip",
    log:
        "<logs>/make_archive.log",
    benchmark:
        "<benchmarks>/make_archive.tsv"
    localrule: True
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(2000),
        runtime=30,
    params:
        name=config["run"],
        configuration=SHOWN | {key: config[key] for key in ("detector", "methods")},
        variants=[vars(variant) for variant, fold, seed in STUDY.runs()],
        places=[(fold, seed) for variant, fold, seed in STUDY.runs()],
        datasets=DATASETS if DOWNLOADED else [],
        tested_on=HELDOUT_DATASETS if DOWNLOADED and STUDY.heldout else [],
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/make_archive.py"


rule archive:
    """The finished run as one file to publish: results/<run>/archive.zip."""
    input:
        rules.make_archive.output,
