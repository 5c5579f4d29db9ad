# The report: paired comparisons, all figures but Fig. 3, and the page.
from snakemake.io import strip_wildcard_constraints
from softscene.contenders import choose, contenders_of

PAPER_TABLE3 = workflow_path("resources/published_table3.csv")
METHODS = {
    key: {name: method[name] for name in ("name", "scene_loss", "labels", "code") if name in method}
    for key, method in sorted(config["methods"].items())
}
CONTENDERS = contenders_of([vars(kind) for kind in KINDS], METHODS)
# Those that claims are about, whose curves are drawn: set by the published weights.
CHOSEN = list(choose(CONTENDERS, PAPER_TABLE3))
# Of students that learn the teacher's own soft labels.
TEMPERATURES = sorted(
    {
        float(each.kind.temperature)
        for each in CONTENDERS
        if each.loss == "soft" and not each.is_control
    }
)


rule compare_methods:
    input:
        overall=of_students(f"{RESULTS}/evaluation/{STUDENT}/overall.tsv"),
        class_wise=of_students(f"{RESULTS}/evaluation/{STUDENT}/class_wise.tsv"),
        table3=PAPER_TABLE3,
        table4=workflow_path("resources/published_table4.csv"),
        code=code("claims", "comparisons", "contenders", "statistics", "tables"),
    output:
        means=f"{RESULTS}/tables/table3_intervals.tsv",
        comparisons=f"{RESULTS}/tables/comparisons.tsv",
        events=f"{RESULTS}/tables/event_comparisons.tsv",
        claims=f"{RESULTS}/tables/claims.tsv",
        controls=f"{RESULTS}/tables/controls.tsv",
    log:
        f"{RESULTS}/logs/compare_methods.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_methods.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        kinds=[vars(kind) for kind, fold, seed in student_runs()],
        places=[(fold, seed) for kind, fold, seed in student_runs()],
        methods=METHODS,
        conventions=config["evaluation"]["conventions"],
        synthetic=SYNTHETIC,
        own=bool(OWN),
    script:
        "../workflow_scripts/compare_methods.py"


rule plot_table1:
    input:
        table1=f"{RESULTS}/tables/table1.tsv",
        code=code("plots", "report_figures"),
        style=workflow_path("workflow_scripts/softscene/softscene.mplstyle"),
    output:
        pdf=f"{RESULTS}/figures/table1.pdf",
        png=report(
            f"{RESULTS}/figures/table1.png",
            caption="report/table1.rst",
            category="Figures",
            labels={"figure": "Table 1: events in scenes"},
        ),
    log:
        f"{RESULTS}/logs/plot_table1.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_table1.tsv"
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
        students=of_chosen(f"{RESULTS}/students/{STUDENT}/history.tsv"),
        teachers=of_teachers(f"{RESULTS}/teachers/{TEACHER}/history.tsv"),
        code=code("plots", "report_figures"),
        style=workflow_path("workflow_scripts/softscene/softscene.mplstyle"),
    output:
        pdf=f"{RESULTS}/figures/learning_curves.pdf",
        png=report(
            f"{RESULTS}/figures/learning_curves.png",
            caption="report/learning_curves.rst",
            category="Figures",
            labels={"figure": "Learning curves"},
        ),
    log:
        f"{RESULTS}/logs/plot_learning_curves.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_learning_curves.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        # In a function, as Snakemake looks for wildcards in the texts of a list.
        titles=lambda wildcards: [Name(each.title) for each in CHOSEN],
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/plot_learning_curves.py"


rule plot_confusion:
    input:
        confusions=of_teachers(f"{RESULTS}/teachers/{TEACHER}/confusion.tsv"),
        code=code("plots", "report_figures"),
        style=workflow_path("workflow_scripts/softscene/softscene.mplstyle"),
    output:
        pdf=f"{RESULTS}/figures/confusion.pdf",
        png=report(
            f"{RESULTS}/figures/confusion.png",
            caption="report/confusion.rst",
            category="Figures",
            labels={"figure": "Teachers: confusion"},
        ),
    log:
        f"{RESULTS}/logs/plot_confusion.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_confusion.tsv"
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
        soft_labels=of_teachers(f"{RESULTS}/soft_labels/{TEACHER}.tsv"),
        labels=LABELS,
        code=code("plots", "report_figures"),
        style=workflow_path("workflow_scripts/softscene/softscene.mplstyle"),
    output:
        tsv=f"{RESULTS}/tables/soft_labels.tsv",
        pdf=f"{RESULTS}/figures/soft_labels.pdf",
        png=report(
            f"{RESULTS}/figures/soft_labels.png",
            caption="report/soft_labels.rst",
            category="Figures",
            labels={"figure": "Teachers: mean soft labels"},
        ),
    log:
        f"{RESULTS}/logs/plot_soft_labels.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_soft_labels.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        temperatures=TEMPERATURES,
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/plot_soft_labels.py"


OF_TEACHERS = {
    "confusions": of_teachers(f"{RESULTS}/teachers/{TEACHER}/confusion.tsv"),
    "confusion": f"{RESULTS}/figures/confusion.png",
    "soft_labels": f"{RESULTS}/tables/soft_labels.tsv",
    "soft_map": f"{RESULTS}/figures/soft_labels.png",
}
# What changes no result runs nothing again, and so does not stand on the page.
UNSHOWN = {"download", "explorer", "detector", "input", "estimate"}
SHOWN = by_name({key: value for key, value in config.items() if key not in UNSHOWN})
SHOWN["compute"] = {"threads": config["compute"]["threads"]}


def benchmarks():
    """Rule -> the benchmarks of its jobs, done or not: of the rules so far, which make the report."""
    values = {
        "dataset": DATASETS,
        "fold": config["folds"],
        "seed": config["seeds"],
        "part": range(1, config["control_settings"]["parts"] + 1),
        "temperature": {kind.temperature for kind in KINDS},
    }
    paths = {
        each.name: strip_wildcard_constraints(str(each.benchmark))
        for each in workflow.rules
        if each.benchmark
    }
    return {
        name: of_students(path) if "{method}" in path else sorted(expand(path, **values))
        for name, path in paths.items()
    }


BENCHMARKS = benchmarks()


rule make_report:
    # What it says of commit, machine, versions and hours is as it finds them: they are no inputs.
    input:
        **(OF_TEACHERS if TEMPERATURES else {}),
        table3=f"{RESULTS}/tables/table3.tsv",
        table4=f"{RESULTS}/tables/table4.tsv",
        means=f"{RESULTS}/tables/table3_intervals.tsv",
        comparisons=f"{RESULTS}/tables/comparisons.tsv",
        event_comparisons=f"{RESULTS}/tables/event_comparisons.tsv",
        claims=f"{RESULTS}/tables/claims.tsv",
        controls=f"{RESULTS}/tables/controls.tsv",
        fig3=f"{RESULTS}/figures/fig3.png",
        table1_map=f"{RESULTS}/figures/table1.png",
        curves=f"{RESULTS}/figures/learning_curves.png",
        features=f"{RESULTS}/features.h5",
        students=of_students(f"{RESULTS}/students/{STUDENT}/parameters.json"),
        teachers=of_teachers(f"{RESULTS}/teachers/{TEACHER}/parameters.json"),
        events=f"{RESULTS}/annotations/events.tsv",
        audit=f"{RESULTS}/annotations/audit.tsv",
        recordings=expand(f"{RESULTS}/folds/fold-{{fold}}/recordings.tsv", fold=config["folds"]),
        published=PAPER_TABLE3,
        default=workflow_path("config.yaml"),
        code=code("contenders", "provenance", "report", "report_figures"),
        template=workflow_path("workflow_scripts/softscene/report.html.j2"),
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/make_report.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_report.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        configuration=SHOWN,
        kinds=[vars(kind) for kind in KINDS],
        benchmarks=BENCHMARKS,
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/make_report.py"


rule figures:
    input:
        rules.plot_figure3.output,
        rules.plot_table1.output,
        rules.plot_learning_curves.output,
        [rules.plot_confusion.output, rules.plot_soft_labels.output] if TEMPERATURES else [],
