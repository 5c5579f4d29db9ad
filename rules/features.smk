# Features: log-mel of every annotated recording.


rule extract_features:
    input:
        audio=ancient(AUDIO),  # if it changes, so do the CRCs in recordings.tsv
        files=own_audio if OWN else [],
        recordings=RECORDINGS,
        events=f"{RESULTS}/annotations/events.tsv",
    output:
        f"{RESULTS}/features.h5",
    log:
        "<logs>/extract_features.log",
    benchmark:
        "<benchmarks>/extract_features.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 8
    resources:
        mem_mb=grown(4000),
        runtime=60,
    params:
        features=config["features"],
    script:
        "../workflow_scripts/extract_features.py"
