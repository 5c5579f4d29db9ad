# What each choice that the paper leaves open does to its claim; other runs are shown beside it.

# What two runs may differ in besides their methods.
COMPARED = ("folds", "seeds", "annotations", "synthetic", "features", "clips", "network")
COMPARED += ("teacher", "student", "loss", "evaluation")
COMPARED_KEYS = by_name({key: config[key] for key in COMPARED} | {"own": OWN})


rule make_sensitivity:
    input:
        overall=of_students(f"{RESULTS}/evaluation/{STUDENT}/overall.tsv", STUDY.compared_choices),
        soft_labels=choice_labels,
        labels=LABELS,
        runs=[f"{run}/sensitivity.{form}" for run in OTHER_RUNS for form in ("tsv", "json")],
        code=library_files("make_sensitivity"),
    output:
        tsv=f"{RESULTS}/tables/sensitivity.tsv",
        parameters=f"{RESULTS}/tables/sensitivity.json",
    log:
        "<logs>/make_sensitivity.log",
    benchmark:
        "<benchmarks>/make_sensitivity.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        run=config["run"],
        choices=[
            (each.varies, vars(each.soft), vars(each.hard) if each.hard else None)
            for each in STUDY.choices
        ],
        variants=[vars(variant) for variant, _, _ in STUDY.runs(STUDY.compared_choices)],
        places=[(fold, seed) for _, fold, seed in STUDY.runs(STUDY.compared_choices)],
        runs=OTHER_RUNS,
        configuration=COMPARED_KEYS,
        own=bool(OWN),
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/make_sensitivity.py"


rule plot_sensitivity:
    input:
        sensitivity=f"{RESULTS}/tables/sensitivity.tsv",
        code=library_files("plot_sensitivity"),
        style=workflow_path("workflow_scripts/softscene/report/softscene.mplstyle"),
    output:
        pdf=f"{RESULTS}/figures/sensitivity.pdf",
        png=report(
            f"{RESULTS}/figures/sensitivity.png",
            caption="report/sensitivity.rst",
            category="Figures",
            labels={"figure": "Open choices: sensitivity"},
        ),
    log:
        "<logs>/plot_sensitivity.log",
    benchmark:
        "<benchmarks>/plot_sensitivity.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/plot_sensitivity.py"


rule sensitivity:
    """What the paper's open choices do to its claim: only what this table and figure need."""
    input:
        rules.make_sensitivity.output,
        rules.plot_sensitivity.output,
