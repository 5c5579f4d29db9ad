# The teacher: a scene classifier for each (fold, seed), and its logits. The students apply T.

FOLD_FILES = {
    "features": of_heldout(f"{RESULTS}/features.h5", HELDOUT_FEATURES),
    "clips": f"{RESULTS}/folds/fold-{{fold}}/clips.tsv",
    "statistics": f"{RESULTS}/folds/fold-{{fold}}/statistics.tsv",
    "events": of_heldout(f"{RESULTS}/annotations/events.tsv", HELDOUT_EVENTS),
}


rule train_teacher:
    input:
        **FOLD_FILES,
        labels=LABELS,
        code=teacher_code,
    output:
        weights=f"{RESULTS}/teachers/{TEACHER}/weights.safetensors",
        history=f"{RESULTS}/teachers/{TEACHER}/history.tsv",
        parameters=f"{RESULTS}/teachers/{TEACHER}/parameters.json",
        accuracy=f"{RESULTS}/teachers/{TEACHER}/scene_accuracy.tsv",
        confusion=f"{RESULTS}/teachers/{TEACHER}/confusion.tsv",
        logits=f"{RESULTS}/teachers/{TEACHER}/evaluation_logits.tsv",
    log:
        f"<logs>/train_teacher/{TEACHER}.log",
    benchmark:
        f"<benchmarks>/train_teacher/{TEACHER}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: config["compute"]["threads"]
    resources:
        mem_mb=grown(3000),
        runtime=12 * 60,
        gpu=GPUS,
        device=config["compute"]["device"],
        checkpoint_seconds=config["compute"]["checkpoint_seconds"],
        tensorboard=int(config["compute"]["tensorboard"]),
    params:
        # Not an output, because Snakemake deletes the outputs of a failed job.
        checkpoint=placed(f"{RESULTS}/checkpoints/teachers/{TEACHER}.safetensors"),
        features=config["features"],
        clip_frames=config["clips"]["frames"],
        network=teacher_network,
        training=teacher_training,
        threads=config["compute"]["threads"],
    script:
        "../workflow_scripts/train_teacher.py"


rule dump_soft_labels:
    input:
        **FOLD_FILES,
        labels=LABELS,
        code=teacher_code,
        weights=f"{RESULTS}/teachers/{TEACHER}/weights.safetensors",
    output:
        SOFT_LABELS,
    log:
        f"<logs>/dump_soft_labels/{TEACHER}.log",
    benchmark:
        f"<benchmarks>/dump_soft_labels/{TEACHER}.tsv"
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
        "../workflow_scripts/dump_soft_labels.py"
