# Controls: other labels in the same form as the teacher's soft labels, for the same student rule.

INNER_FOLD = f"{RESULTS}/inner_folds/fold-{{fold}}_without-{{part}}"
INNER_FILES = FOLD_FILES | {
    "clips": f"{INNER_FOLD}/clips.tsv",
    "statistics": f"{INNER_FOLD}/statistics.tsv",
}


rule make_control_labels:
    input:
        clips=FOLD_FILES["clips"],
        soft_labels=control_sources,
        labels=LABELS,
    output:
        CONTROL_LABELS,
    log:
        f"<logs>/make_control_labels/{{control}}/T-{{temperature}}/{TEACHER}.log",
    benchmark:
        f"<benchmarks>/make_control_labels/{{control}}/T-{{temperature}}/{TEACHER}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(500),
        runtime=10,
    script:
        "../workflow_scripts/make_control_labels.py"


# Cross-fitting: split the development part; label each piece by a teacher trained on the others.
rule make_inner_fold:
    input:
        recordings=f"{RESULTS}/folds/fold-{{fold}}/recordings.tsv",
        clips=FOLD_FILES["clips"],
        events=FOLD_FILES["events"],
        features=FOLD_FILES["features"],
    output:
        recordings=f"{INNER_FOLD}/recordings.tsv",
        clips=f"{INNER_FOLD}/clips.tsv",
        statistics=f"{INNER_FOLD}/statistics.tsv",
    log:
        "<logs>/make_inner_fold/fold-{fold}_without-{part}.log",
    benchmark:
        "<benchmarks>/make_inner_fold/fold-{fold}_without-{part}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        features=config["features"],
        parts=config["control_settings"]["parts"],
        standardisation=config["clips"]["standardisation"],
    script:
        "../workflow_scripts/make_inner_fold.py"


use rule train_teacher as train_inner_teacher with:
    input:
        **INNER_FILES,
        labels=LABELS,
        code=teacher_code,
    output:
        weights=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/weights.safetensors",
        history=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/history.tsv",
        parameters=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/parameters.json",
        accuracy=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/scene_accuracy.tsv",
        confusion=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/confusion.tsv",
        logits=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/evaluation_logits.tsv",
    log:
        f"<logs>/train_inner_teacher/{INNER_TEACHER}.log",
    benchmark:
        f"<benchmarks>/train_inner_teacher/{INNER_TEACHER}.tsv"
    params:
        checkpoint=placed(f"{RESULTS}/checkpoints/inner_teachers/{INNER_TEACHER}.safetensors"),


rule dump_held_out_labels:
    input:
        **INNER_FILES,
        labels=LABELS,
        code=teacher_code,
        weights=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/weights.safetensors",
    output:
        HELD_OUT,
    log:
        f"<logs>/dump_held_out_labels/{INNER_TEACHER}.log",
    benchmark:
        f"<benchmarks>/dump_held_out_labels/{INNER_TEACHER}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: config["compute"]["threads"]
    resources:
        mem_mb=grown(3000),
        runtime=30,
        gpu=GPUS,
        device=config["compute"]["device"],
    params:
        features=config["features"],
        clip_frames=config["clips"]["frames"],
        network=when_trained(teacher_network),
        threads=config["compute"]["threads"],
    script:
        "../workflow_scripts/dump_held_out_labels.py"
