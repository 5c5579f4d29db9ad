# The report: paired comparisons, all figures but Fig. 3, and the page.


rule compare_methods:
    input:
        overall=of_students(f"{RESULTS}/evaluation/{STUDENT}/overall.tsv"),
        class_wise=of_students(f"{RESULTS}/evaluation/{STUDENT}/class_wise.tsv"),
        field_metrics=of_students(f"{RESULTS}/evaluation/{STUDENT}/field_metrics.tsv"),
        table3=PAPER_TABLE3,
        table4=workflow_path("resources/published_table4.csv"),
        code=library_files("compare_methods"),
    output:
        means=f"{RESULTS}/tables/table3_intervals.tsv",
        comparisons=f"{RESULTS}/tables/comparisons.tsv",
        events=f"{RESULTS}/tables/event_comparisons.tsv",
        claims=f"{RESULTS}/tables/claims.tsv",
        controls=f"{RESULTS}/tables/controls.tsv",
        field_means=f"{RESULTS}/tables/field_metrics.tsv",
        field_comparisons=f"{RESULTS}/tables/field_comparisons.tsv",
        field_page=f"{RESULTS}/tables/field_metrics.md",
    log:
        "<logs>/compare_methods.log",
    benchmark:
        "<benchmarks>/compare_methods.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        variants=[vars(variant) for variant, fold, seed in STUDY.runs()],
        places=[(fold, seed) for variant, fold, seed in STUDY.runs()],
        conventions=config["evaluation"]["conventions"],
        synthetic=SYNTHETIC,
        own=bool(OWN),
    script:
        "../workflow_scripts/compare_methods.py"


rule plot_claims:
    input:
        claims=f"{RESULTS}/tables/claims.tsv",
        code=library_files("plot_claims"),
        style=workflow_path("workflow_scripts/softscene/report/softscene.mplstyle"),
    output:
        pdf=f"{RESULTS}/figures/claims.pdf",
        png=report(
            f"{RESULTS}/figures/claims.png",
            caption="report/claims.rst",
            category="Figures",
            labels={"figure": "Claims: paired differences"},
        ),
    log:
        "<logs>/plot_claims.log",
    benchmark:
        "<benchmarks>/plot_claims.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/plot_claims.py"


rule plot_table1:
    input:
        table1=f"{RESULTS}/tables/table1.tsv",
        code=library_files("plot_table1"),
        style=workflow_path("workflow_scripts/softscene/report/softscene.mplstyle"),
    output:
        pdf=f"{RESULTS}/figures/table1.pdf",
        png=report(
            f"{RESULTS}/figures/table1.png",
            caption="report/table1.rst",
            category="Figures",
            labels={"figure": "Table 1: events in scenes"},
        ),
    log:
        "<logs>/plot_table1.log",
    benchmark:
        "<benchmarks>/plot_table1.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/plot_table1.py"


rule plot_learning_curves:
    input:
        students=of_students(f"{RESULTS}/students/{STUDENT}/history.tsv", STUDY.shown),
        teachers=of_teachers(f"{RESULTS}/teachers/{TEACHER}/history.tsv"),
        code=library_files("plot_learning_curves"),
        style=workflow_path("workflow_scripts/softscene/report/softscene.mplstyle"),
    output:
        pdf=f"{RESULTS}/figures/learning_curves.pdf",
        png=report(
            f"{RESULTS}/figures/learning_curves.png",
            caption="report/learning_curves.rst",
            category="Figures",
            labels={"figure": "Learning curves"},
        ),
    log:
        "<logs>/plot_learning_curves.log",
    benchmark:
        "<benchmarks>/plot_learning_curves.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        # A function, because Snakemake would look for wildcards in the strings of a list.
        titles=lambda wildcards: [Name(each.title) for each in STUDY.shown],
        losses=[each.loss for each in STUDY.shown],
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/plot_learning_curves.py"


rule plot_confusion:
    input:
        confusions=of_teachers(f"{RESULTS}/teachers/{TEACHER}/confusion.tsv"),
        code=library_files("plot_confusion"),
        style=workflow_path("workflow_scripts/softscene/report/softscene.mplstyle"),
    output:
        pdf=f"{RESULTS}/figures/confusion.pdf",
        png=report(
            f"{RESULTS}/figures/confusion.png",
            caption="report/confusion.rst",
            category="Figures",
            labels={"figure": "Teachers: confusion"},
        ),
    log:
        "<logs>/plot_confusion.log",
    benchmark:
        "<benchmarks>/plot_confusion.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/plot_confusion.py"


rule plot_soft_labels:
    input:
        soft_labels=of_teachers(SOFT_LABELS),
        evaluation_logits=of_teachers(f"{RESULTS}/teachers/{TEACHER}/evaluation_logits.tsv"),
        labels=LABELS,
        code=library_files("plot_soft_labels"),
        style=workflow_path("workflow_scripts/softscene/report/softscene.mplstyle"),
    output:
        tsv=f"{RESULTS}/tables/soft_labels.tsv",
        softness=f"{RESULTS}/tables/softness.tsv",
        pdf=f"{RESULTS}/figures/soft_labels.pdf",
        png=report(
            f"{RESULTS}/figures/soft_labels.png",
            caption="report/soft_labels.rst",
            category="Figures",
            labels={"figure": "Teachers: mean soft labels"},
        ),
    log:
        "<logs>/plot_soft_labels.log",
    benchmark:
        "<benchmarks>/plot_soft_labels.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        temperatures=STUDY.temperatures,
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/plot_soft_labels.py"


OF_TEACHERS = {
    "confusions": of_teachers(f"{RESULTS}/teachers/{TEACHER}/confusion.tsv"),
    "confusion": f"{RESULTS}/figures/confusion.png",
    "soft_labels": f"{RESULTS}/tables/soft_labels.tsv",
    "softness": f"{RESULTS}/tables/softness.tsv",
    "soft_map": f"{RESULTS}/figures/soft_labels.png",
}
# The paper claims nothing about other data.
OF_CLAIMS = {} if OWN else {"forest": f"{RESULTS}/figures/claims.png"}
OF_SENSITIVITY = {
    "sensitivity": f"{RESULTS}/tables/sensitivity.tsv",
    "sensitivity_plot": f"{RESULTS}/figures/sensitivity.png",
}
# Beside the cross-validation's; make_report checks each with the configuration.
OF_HELDOUT = {
    "heldout_table3": f"{RESULTS}/tables/table3_heldout.tsv",
    "heldout_means": f"{RESULTS}/tables/table3_intervals_heldout.tsv",
    "heldout_claims": f"{RESULTS}/tables/claims_heldout.tsv",
    "heldout_audit": f"{RESULTS}/heldout/audit.tsv",
    "heldout_lists": f"{RESULTS}/heldout/parameters.json",
    "heldout_events": HELDOUT_EVENTS,
    "heldout_features": HELDOUT_FEATURES,
    "heldout_recordings": f"{RESULTS}/folds/fold-{HELDOUT}/recordings.tsv",
    "heldout_folds": [f"{RESULTS}/folds/fold-{HELDOUT}/parameters.json"],
    "heldout_teachers": of_teachers(
        f"{RESULTS}/teachers/{TEACHER}/parameters.json", STUDY.teaching, STUDY.heldout
    ),
    "heldout_students": of_students(
        f"{RESULTS}/students/{STUDENT}/parameters.json", folds=STUDY.heldout
    ),
    "heldout_evaluations": of_students(
        f"{RESULTS}/evaluation/{STUDENT}/parameters.json", folds=STUDY.heldout
    ),
}
# What notes of which configuration it was made, to be compared with this one.
OF_CONFIGURATION = {
    "features": f"{RESULTS}/features.h5",
    "students": of_students(f"{RESULTS}/students/{STUDENT}/parameters.json"),
    "teachers": of_teachers(f"{RESULTS}/teachers/{TEACHER}/parameters.json", STUDY.teaching),
    "lists": f"{RESULTS}/annotations/parameters.json",
    "audits": [] if OWN else f"{RESULTS}/annotations/audit_parameters.json",
    "folds": expand(f"{RESULTS}/folds/fold-{{fold}}/parameters.json", fold=config["folds"]),
    "evaluations": of_students(f"{RESULTS}/evaluation/{STUDENT}/parameters.json"),
    "events": f"{RESULTS}/annotations/events.tsv",
}
# Keys that change no result rerun nothing, so they are not shown on the page.
UNSHOWN = {"download", "explorer", "detector", "detection", "input", "estimate"}
SHOWN = by_name({key: value for key, value in config.items() if key not in UNSHOWN})
SHOWN["compute"] = {key: config["compute"][key] for key in ("threads", "precision")}


rule make_report:
    # Commit, machine, versions and times on the page are those of the moment; they are not inputs.
    input:
        **(OF_TEACHERS if STUDY.temperatures else {}),
        **OF_CLAIMS,
        **(OF_SENSITIVITY if SENSITIVITY else {}),
        **(OF_HELDOUT if STUDY.heldout else {}),
        **OF_CONFIGURATION,
        table3=f"{RESULTS}/tables/table3.tsv",
        table4=f"{RESULTS}/tables/table4.tsv",
        means=f"{RESULTS}/tables/table3_intervals.tsv",
        comparisons=f"{RESULTS}/tables/comparisons.tsv",
        event_comparisons=f"{RESULTS}/tables/event_comparisons.tsv",
        claims=f"{RESULTS}/tables/claims.tsv",
        controls=f"{RESULTS}/tables/controls.tsv",
        field_means=f"{RESULTS}/tables/field_metrics.tsv",
        field_comparisons=f"{RESULTS}/tables/field_comparisons.tsv",
        fig3=f"{RESULTS}/figures/fig3.png",
        table1_map=f"{RESULTS}/figures/table1.png",
        curves=f"{RESULTS}/figures/learning_curves.png",
        audit=f"{RESULTS}/annotations/audit.tsv",
        recordings=expand(f"{RESULTS}/folds/fold-{{fold}}/recordings.tsv", fold=config["folds"]),
        default=workflow_path("config.yaml"),
        code=library_files("make_report"),
        template=workflow_path("workflow_scripts/softscene/report/report.html.j2"),
    output:
        f"{RESULTS}/report.html",
    log:
        "<logs>/make_report.log",
    benchmark:
        "<benchmarks>/make_report.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        configuration=SHOWN,
        variants=[vars(variant) for variant in STUDY.variants],
        benchmarks=placed(f"{RESULTS}/benchmarks"),
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/make_report.py"


rule figures:
    """All figures, as PDF and PNG."""
    input:
        rules.plot_figure3.output,
        rules.plot_table1.output,
        rules.plot_learning_curves.output,
        [] if OWN else rules.plot_claims.output,
        rules.plot_sensitivity.output if SENSITIVITY else [],
        [rules.plot_confusion.output, rules.plot_soft_labels.output] if STUDY.temperatures else [],
