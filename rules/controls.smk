# Controls: files in the form of the teacher's soft labels, which the same rule's students learn from.

INNER_FOLD = f"{RESULTS}/inner_folds/fold-{{fold}}_without-{{part}}"
INNER_FILES = FOLD_FILES | {
    "clips": f"{INNER_FOLD}/clips.tsv",
    "statistics": f"{INNER_FOLD}/statistics.tsv",
}


rule smooth_labels:
    input:
        clips=FOLD_FILES["clips"],
        soft_labels=SOFT_LABELS["teacher"],
        labels=LABELS,
    output:
        SOFT_LABELS["smoothed"],
    log:
        f"{RESULTS}/logs/smooth_labels/T-{{temperature}}/{TEACHER}.log",
    benchmark:
        f"{RESULTS}/benchmarks/smooth_labels/T-{{temperature}}/{TEACHER}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(500),
        runtime=10,
    script:
        "../workflow_scripts/smooth_labels.py"


rule shuffle_labels:
    input:
        clips=FOLD_FILES["clips"],
        soft_labels=SOFT_LABELS["teacher"],
        labels=LABELS,
    output:
        SOFT_LABELS["shuffled"],
    log:
        f"{RESULTS}/logs/shuffle_labels/{TEACHER}.log",
    benchmark:
        f"{RESULTS}/benchmarks/shuffle_labels/{TEACHER}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(500),
        runtime=10,
    script:
        "../workflow_scripts/shuffle_labels.py"


rule average_labels:
    input:
        clips=FOLD_FILES["clips"],
        soft_labels=SOFT_LABELS["teacher"],
        labels=LABELS,
    output:
        SOFT_LABELS["scene_mean"],
    log:
        f"{RESULTS}/logs/average_labels/T-{{temperature}}/{TEACHER}.log",
    benchmark:
        f"{RESULTS}/benchmarks/average_labels/T-{{temperature}}/{TEACHER}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(500),
        runtime=10,
    script:
        "../workflow_scripts/average_labels.py"


# Cross-fitting: the development part is split, and each part labelled by a teacher of the others.
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
        f"{RESULTS}/logs/make_inner_fold/fold-{{fold}}_without-{{part}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_inner_fold/fold-{{fold}}_without-{{part}}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        features=config["features"],
        parts=config["control_settings"]["parts"],
    script:
        "../workflow_scripts/make_inner_fold.py"


use rule train_teacher as train_inner_teacher with:
    input:
        **INNER_FILES,
        labels=LABELS,
    output:
        weights=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/weights.safetensors",
        history=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/history.tsv",
        parameters=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/parameters.json",
        accuracy=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/scene_accuracy.tsv",
        confusion=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/confusion.tsv",
        logits=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/evaluation_logits.tsv",
    log:
        f"{RESULTS}/logs/train_inner_teacher/{INNER_TEACHER}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_inner_teacher/{INNER_TEACHER}.tsv"
    params:
        checkpoint=f"{RESULTS}/checkpoints/inner_teachers/{INNER_TEACHER}.safetensors",


rule dump_held_out_labels:
    input:
        **INNER_FILES,
        labels=LABELS,
        weights=f"{RESULTS}/inner_teachers/{INNER_TEACHER}/weights.safetensors",
    output:
        f"{RESULTS}/inner_teachers/{INNER_TEACHER}/held_out.tsv",
    log:
        f"{RESULTS}/logs/dump_held_out_labels/{INNER_TEACHER}.log",
    benchmark:
        f"{RESULTS}/benchmarks/dump_held_out_labels/{INNER_TEACHER}.tsv"
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
        network=network("channels"),
        threads=config["compute"]["threads"],
    script:
        "../workflow_scripts/dump_held_out_labels.py"


rule join_held_out_labels:
    input:
        clips=FOLD_FILES["clips"],
        held_out=[
            f"{RESULTS}/inner_teachers/{TEACHER}_without-{part}/held_out.tsv"
            for part in range(1, config["control_settings"]["parts"] + 1)
        ],
        labels=LABELS,
    output:
        SOFT_LABELS["cross_fitted"],
    log:
        f"{RESULTS}/logs/join_held_out_labels/{TEACHER}.log",
    benchmark:
        f"{RESULTS}/benchmarks/join_held_out_labels/{TEACHER}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(500),
        runtime=10,
    script:
        "../workflow_scripts/join_held_out_labels.py"
