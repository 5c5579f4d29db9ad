# Annotations: the authors' list and the one merged from TUT's own, checked and audited; Table 1.


if not OWN:

    rule merge_annotations:
        input:
            annotations=f"{DATA}/annotations",
            meta=expand(f"{DATA}/{{dataset}}/meta", dataset=DATASETS),
            recordings=expand(f"{DATA}/{{dataset}}/recordings.tsv", dataset=DATASETS),
            labels=LABELS,
        output:
            events=f"{RESULTS}/annotations/events.tsv",
            published=f"{RESULTS}/annotations/published.tsv",
            merged=f"{RESULTS}/annotations/merged.tsv",
            changes=f"{RESULTS}/annotations/changes.tsv",
            parameters=f"{RESULTS}/annotations/parameters.json",
        log:
            "<logs>/merge_annotations.log",
        benchmark:
            "<benchmarks>/merge_annotations.tsv"
        localrule: True
        conda:
            "../envs/environment.yaml"
        threads: 1
        resources:
            mem_mb=grown(1000),
            runtime=10,
        params:
            source=config["annotations"]["source"],
            overrun=config["annotations"]["overrun"],
            datasets=DATASETS,
        script:
            "../workflow_scripts/merge_annotations.py"

    rule audit_annotations:
        input:
            changes=f"{RESULTS}/annotations/changes.tsv",
            published=f"{RESULTS}/annotations/published.tsv",
            merged=f"{RESULTS}/annotations/merged.tsv",
            code=library_files("audit_annotations"),
        output:
            audit=f"{RESULTS}/annotations/audit.tsv",
            parameters=f"{RESULTS}/annotations/audit_parameters.json",
        log:
            "<logs>/audit_annotations.log",
        benchmark:
            "<benchmarks>/audit_annotations.tsv"
        localrule: True
        conda:
            "../envs/environment.yaml"
        threads: 1
        resources:
            mem_mb=grown(500),
            runtime=10,
        params:
            tolerance=config["annotations"]["tolerance"],
        script:
            "../workflow_scripts/audit_annotations.py"


rule make_table1:
    input:
        events=f"{RESULTS}/annotations/events.tsv",
        labels=LABELS,
        code=library_files("make_table1"),
    output:
        tsv=f"{RESULTS}/tables/table1.tsv",
        md=f"{RESULTS}/tables/table1.md",
        html=report(
            f"{RESULTS}/tables/table1.html",
            caption="report/table1.rst",
            category="Tables",
            labels={"table": "1: events in scenes"},
        ),
    log:
        "<logs>/make_table1.log",
    benchmark:
        "<benchmarks>/make_table1.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(500),
        runtime=10,
    params:
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/make_table1.py"
