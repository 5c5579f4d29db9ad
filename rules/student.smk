# The students: one rule for CRNN, MTL and MTL with soft labels; only the scene loss differs.


rule train_student:
    input:
        **FOLD_FILES,
        labels=LABELS,
        soft_labels=soft_labels,
        code=custom_code,
    output:
        weights=f"{RESULTS}/students/{STUDENT}/weights.safetensors",
        history=f"{RESULTS}/students/{STUDENT}/history.tsv",
        parameters=f"{RESULTS}/students/{STUDENT}/parameters.json",
    log:
        f"<logs>/train_student/{STUDENT}.log",
    benchmark:
        f"<benchmarks>/train_student/{STUDENT}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: config["compute"]["threads"]
    resources:
        mem_mb=grown(4000),
        runtime=24 * 60,
        gpu=GPUS,
        device=config["compute"]["device"],
        checkpoint_seconds=config["compute"]["checkpoint_seconds"],
        tensorboard=int(config["compute"]["tensorboard"]),
    params:
        # Not an output, because Snakemake deletes the outputs of a failed job.
        checkpoint=placed(f"{RESULTS}/checkpoints/students/{STUDENT}.safetensors"),
        objective=scene_objective,
        features=config["features"],
        clip_frames=config["clips"]["frames"],
        network=student_network,
        training=student_training,
        threads=config["compute"]["threads"],
    script:
        "../workflow_scripts/train_student.py"
