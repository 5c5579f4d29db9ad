# Predictions, thresholds and scores of each student; Tables 3 and 4 of all students.

# For the paper's data or a synthetic corpus; own data have no published numbers.
PUBLISHED_TABLE3, PUBLISHED_TABLE4 = (
    [] if OWN else workflow_path(f"resources/published_table{number}.csv") for number in (3, 4)
)


rule predict_student:
    input:
        **FOLD_FILES,
        labels=LABELS,
        weights=f"{RESULTS}/students/{STUDENT}/weights.safetensors",
        code=custom_code,
    output:
        probabilities=f"{RESULTS}/predictions/{STUDENT}/probabilities.h5",
        sweep=f"{RESULTS}/predictions/{STUDENT}/development_sweep.tsv",
        scene_logits=f"{RESULTS}/predictions/{STUDENT}/scene_logits.tsv",
    log:
        f"<logs>/predict_student/{STUDENT}.log",
    benchmark:
        f"<benchmarks>/predict_student/{STUDENT}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: config["compute"]["threads"]
    resources:
        mem_mb=grown(3000),
        runtime=60,
        gpu=GPUS,
        device=config["compute"]["device"],
    params:
        scene_loss=scene_loss,
        thresholds=config["evaluation"]["adaptive_thresholds"],
        features=config["features"],
        clip_frames=config["clips"]["frames"],
        network=when_trained(student_network),
        threads=config["compute"]["threads"],
    script:
        "../workflow_scripts/predict_student.py"


rule evaluate_student:
    input:
        probabilities=f"{RESULTS}/predictions/{STUDENT}/probabilities.h5",
        sweep=f"{RESULTS}/predictions/{STUDENT}/development_sweep.tsv",
        scene_logits=f"{RESULTS}/predictions/{STUDENT}/scene_logits.tsv",
        recordings=f"{RESULTS}/folds/fold-{{fold}}/recordings.tsv",
        events=FOLD_FILES["events"],
        labels=LABELS,
        code=library_files("evaluate_student"),
    output:
        thresholds=f"{RESULTS}/predictions/{STUDENT}/thresholds.tsv",
        events=f"{RESULTS}/predictions/{STUDENT}/events.tsv",
        class_wise=f"{RESULTS}/evaluation/{STUDENT}/class_wise.tsv",
        overall=f"{RESULTS}/evaluation/{STUDENT}/overall.tsv",
        field_metrics=f"{RESULTS}/evaluation/{STUDENT}/field_metrics.tsv",
        parameters=f"{RESULTS}/evaluation/{STUDENT}/parameters.json",
    log:
        f"<logs>/evaluate_student/{STUDENT}.log",
    benchmark:
        f"<benchmarks>/evaluate_student/{STUDENT}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=20,
    params:
        evaluation=config["evaluation"],
    script:
        "../workflow_scripts/evaluate_student.py"


rule make_table3:
    input:
        scores=of_students(f"{RESULTS}/evaluation/{STUDENT}/overall.tsv"),
        published=PUBLISHED_TABLE3,
        code=library_files("make_table3"),
    output:
        tsv=f"{RESULTS}/tables/table3.tsv",
        md=f"{RESULTS}/tables/table3.md",
        html=report(
            f"{RESULTS}/tables/table3.html",
            caption="report/table3.rst",
            category="Tables",
            labels={"table": "3: methods"},
        ),
    log:
        "<logs>/make_table3.log",
    benchmark:
        "<benchmarks>/make_table3.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        variants=[vars(variant) for variant, fold, seed in STUDY.runs()],
        conventions=config["evaluation"]["conventions"],
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/make_table3.py"


rule make_table4:
    input:
        scores=of_students(f"{RESULTS}/evaluation/{STUDENT}/class_wise.tsv"),
        published=PUBLISHED_TABLE4,
        code=library_files("make_table4"),
    output:
        tsv=f"{RESULTS}/tables/table4.tsv",
        md=f"{RESULTS}/tables/table4.md",
        html=report(
            f"{RESULTS}/tables/table4.html",
            caption="report/table4.rst",
            category="Tables",
            labels={"table": "4: events"},
        ),
    log:
        "<logs>/make_table4.log",
    benchmark:
        "<benchmarks>/make_table4.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        variants=[vars(variant) for variant, fold, seed in STUDY.runs()],
        conventions=config["evaluation"]["conventions"],
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/make_table4.py"


rule tables:
    """Tables 1, 3 and 4, as tab-separated text, Markdown and HTML."""
    input:
        expand(
            f"{RESULTS}/tables/table{{number}}.{{form}}",
            number=[1, 3, 4],
            form=["tsv", "md", "html"],
        ),
