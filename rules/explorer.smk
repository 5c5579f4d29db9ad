# One page to see and hear what was detected; only made on demand: snakemake explorer.
# Downloaded audio may be deleted once the features are made. So it is not an input here: Snakemake
# would download it again and rerun all that depends on it. `fetch_sound` gets what is shown.
SOUND = AUDIO if OWN else [f"{RESULTS}/sound/{name}" for name in DATASETS]
PAGE = sorted(map(str, Path(workflow_path("workflow_scripts/softscene/explorer/web")).glob("*.*")))


if not OWN:

    rule fetch_sound:
        input:
            recordings=RECORDINGS,
            folds=expand(f"{RESULTS}/folds/fold-{{fold}}/recordings.tsv", fold=config["folds"]),
            code=library_files("fetch_sound"),
        output:
            [temp(directory(path)) for path in SOUND],
        log:
            "<logs>/fetch_sound.log",
        benchmark:
            "<benchmarks>/fetch_sound.tsv"
        localrule: True
        conda:
            "../envs/environment.yaml"
        threads: 1
        resources:
            **DOWNLOAD,
            mem_mb=grown(1000),
            runtime=24 * 60,
        params:
            registry=placed(REGISTRY),
            datasets=DATASETS,
            audio=[*map(placed, AUDIO)],
            cache=placed(f"{RESULTS}/sound/cache"),
            number=config["explorer"]["recordings"],
        script:
            "../workflow_scripts/fetch_sound.py"


rule make_explorer:
    input:
        audio=SOUND,
        recordings=RECORDINGS,
        events=f"{RESULTS}/annotations/events.tsv",
        features=f"{RESULTS}/features.h5",
        folds=expand(f"{RESULTS}/folds/fold-{{fold}}/recordings.tsv", fold=config["folds"]),
        probabilities=of_explored("probabilities.h5"),
        thresholds=of_explored("thresholds.tsv"),
        labels=LABELS,
        terms=workflow_path("resources/data_terms.txt"),
        code=library_files("make_explorer"),
        page=PAGE,
    output:
        f"{RESULTS}/explorer.html",
    log:
        "<logs>/make_explorer.log",
    benchmark:
        "<benchmarks>/make_explorer.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(2000),
        runtime=60,
    params:
        run=config["run"],
        number=config["explorer"]["recordings"],
        variants=[vars(variant) for variant in STUDY.explored],
        left_out=[
            method["name"]
            for key, method in config["methods"].items()
            if not config["explorer"]["students"]
            and key not in {each.method for each in STUDY.explored}
        ],
        folds=config["folds"],
        seed=config["seeds"][0],
        features=config["features"],
        synthetic=SYNTHETIC,
        # TUT's sound, or the authors' list on synthetic sound.
        terms=DOWNLOADED or (SYNTHETIC and bool(given_lists())),
    script:
        "../workflow_scripts/make_explorer.py"


rule explorer:
    """A page to see and hear what was detected: results/<run>/explorer.html."""
    input:
        rules.make_explorer.output,
