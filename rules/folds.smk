# Folds: recordings and clips of each part, and statistics of the development part.


rule make_fold:
    input:
        annotations=f"{DATA}/annotations",
        heldout=of_heldout([], f"{HELDOUT_DATA}/annotations"),
        events=of_heldout(f"{RESULTS}/annotations/events.tsv", HELDOUT_EVENTS),
        tables=of_heldout(RECORDINGS, [*RECORDINGS, *HELDOUT_RECORDINGS]),
        features=of_heldout(f"{RESULTS}/features.h5", HELDOUT_FEATURES),
    output:
        recordings=f"{RESULTS}/folds/fold-{{fold}}/recordings.tsv",
        clips=f"{RESULTS}/folds/fold-{{fold}}/clips.tsv",
        statistics=f"{RESULTS}/folds/fold-{{fold}}/statistics.tsv",
        parameters=f"{RESULTS}/folds/fold-{{fold}}/parameters.json",
    log:
        "<logs>/make_fold/fold-{fold}.log",
    benchmark:
        "<benchmarks>/make_fold/fold-{fold}.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        features=config["features"],
        clip_frames=config["clips"]["frames"],
        shortest_trained=config["clips"]["shortest_trained"],
        standardisation=config["clips"]["standardisation"],
    script:
        "../workflow_scripts/make_fold.py"
