# Own recordings: the best students in one file, and what they detect in each file of a folder.


rule export_detector:
    input:
        weights=of_students(f"{RESULTS}/students/{STUDENT}/weights.safetensors", STUDY.detecting),
        parameters=of_students(f"{RESULTS}/students/{STUDENT}/parameters.json", STUDY.detecting),
        thresholds=of_students(f"{RESULTS}/predictions/{STUDENT}/thresholds.tsv", STUDY.detecting),
        statistics=of_students(f"{RESULTS}/folds/fold-{{fold}}/statistics.tsv", STUDY.detecting),
        scores=detector_scores,
        labels=LABELS,
        code=library_files("export_detector"),
    output:
        f"{RESULTS}/detector.safetensors",
    log:
        "<logs>/export_detector.log",
    benchmark:
        "<benchmarks>/export_detector.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        students=[(vars(each), fold, seed) for each, fold, seed in STUDY.runs(STUDY.detecting)],
        chosen=config["detector"],
        about={
            "run": config["run"],
            "synthetic": SYNTHETIC,
            "clip_frames": config["clips"]["frames"],
            "features": config["features"],
        },
    script:
        "../workflow_scripts/export_detector.py"


rule predict_recording:
    input:
        recording=own_recording,
        detector=f"{RESULTS}/detector.safetensors",
        page=PAGE,
    output:
        **{name: f"{RESULTS}/own/{{recording}}{ending}" for name, ending in DETECTIONS.items()},
    log:
        "<logs>/predict_recording/{recording}.log",
    benchmark:
        "<benchmarks>/predict_recording/{recording}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: config["compute"]["threads"]
    resources:
        mem_mb=grown(4000),
        runtime=24 * 60,
        gpu=GPUS,
        device=config["compute"]["device"],
    params:
        recording=lambda wildcards: str(OWN_RECORDINGS[wildcards.recording]),
        threads=config["compute"]["threads"],
        fused=config["network"]["fused"],
        options={key: value for key, value in config["detection"].items() if key != "formats"},
    script:
        "../workflow_scripts/predict_recording.py"


# Checked here because an error in an input function prints a traceback.
if asked_for("predict") and PLANNING:
    if not OWN_RECORDINGS:
        raise WorkflowError(WHICH_RECORDINGS)
    if LEFT_OUT:
        print("left out:", *LEFT_OUT, sep="\n  ", file=sys.stderr)


rule predict:
    """What the best students find in recordings of your own: --config input=FOLDER."""
    input:
        own_results,
