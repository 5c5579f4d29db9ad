# The held-out test: one more fold, trained on all development recordings and evaluated on the
# authors' second list. Fold, teachers, students, predictions and scores are of the usual rules.

if STUDY.heldout:
    if not IN_MODULE:

        localrules:
            make_table3_heldout,
            compare_methods_heldout,

    if SYNTHETIC:

        use rule make_corpus as make_heldout_corpus with:
            input:
                registry=workflow_path("resources/archives_heldout.yaml"),
                labels=LABELS,
                sounds=workflow_path("resources/event_sounds.tsv"),
                events=workflow_path("resources/event_statistics.tsv"),
                scenes=workflow_path("resources/scene_statistics.tsv"),
                given=given_lists(HELDOUT_PUBLISHED),
            output:
                registry=f"{HELDOUT_CORPUS}/archives.yaml",
                annotations=mirrored_lists(HELDOUT_PUBLISHED, HELDOUT_CORPUS),
                archives=mirrored_archives(HELDOUT_PUBLISHED, HELDOUT_CORPUS),
            log:
                "<logs>/make_heldout_corpus.log",
            benchmark:
                "<benchmarks>/make_heldout_corpus.tsv"
            params:
                heldout=True,

    use rule download_annotations as download_heldout_list with:
        input:
            mirrored_lists(HELDOUT_PUBLISHED, HELDOUT_CORPUS),
            registry=HELDOUT_REGISTRY,
        output:
            directory(f"{HELDOUT_DATA}/annotations"),
        log:
            "<logs>/download_heldout_list.log",
        benchmark:
            "<benchmarks>/download_heldout_list.tsv"
        resources:
            **HELDOUT_DOWNLOAD,
            mem_mb=grown(500),
            runtime=30,

    use rule download_dataset as download_heldout_dataset with:
        input:
            lambda wildcards: mirrored(
                HELDOUT_PUBLISHED.datasets[wildcards.dataset].archives, HELDOUT_CORPUS
            ),
            registry=HELDOUT_REGISTRY,
            annotations=f"{HELDOUT_DATA}/annotations",
        output:
            # Without TUT's own annotations, which do not cover these recordings.
            audio=directory(f"{HELDOUT_DATA}/{{dataset}}/audio"),
            recordings=f"{HELDOUT_DATA}/{{dataset}}/recordings.tsv",
        log:
            "<logs>/download_heldout_dataset/{dataset}.log",
        benchmark:
            "<benchmarks>/download_heldout_dataset/{dataset}.tsv"
        resources:
            **HELDOUT_DOWNLOAD,
            mem_mb=grown(1000),
            runtime=24 * 60,
        params:
            cache=placed(f"{HELDOUT_DATA}/cache"),

    rule add_heldout_list:
        input:
            events=f"{RESULTS}/annotations/events.tsv",
            annotations=f"{HELDOUT_DATA}/annotations",
            recordings=HELDOUT_RECORDINGS,
            labels=LABELS,
        output:
            events=HELDOUT_EVENTS,
            audit=f"{RESULTS}/heldout/audit.tsv",
            parameters=f"{RESULTS}/heldout/parameters.json",
        log:
            "<logs>/add_heldout_list.log",
        benchmark:
            "<benchmarks>/add_heldout_list.tsv"
        localrule: True
        conda:
            "../envs/environment.yaml"
        threads: 1
        resources:
            mem_mb=grown(1000),
            runtime=10,
        params:
            overrun=config["annotations"]["overrun"],
        script:
            "../workflow_scripts/add_heldout_list.py"

    use rule extract_features as extract_heldout_features with:
        input:
            audio=ancient(f"{HELDOUT_DATA}/{name}/audio" for name in HELDOUT_DATASETS),
            recordings=HELDOUT_RECORDINGS,
            events=HELDOUT_EVENTS,
            # Copied, as the sound of the development recordings may have been deleted.
            known=f"{RESULTS}/features.h5",
            known_events=f"{RESULTS}/annotations/events.tsv",
            known_recordings=RECORDINGS,
        output:
            HELDOUT_FEATURES,
        log:
            "<logs>/extract_heldout_features.log",
        benchmark:
            "<benchmarks>/extract_heldout_features.tsv"

    use rule make_table3 as make_table3_heldout with:
        input:
            scores=of_students(f"{RESULTS}/evaluation/{STUDENT}/overall.tsv", folds=STUDY.heldout),
            published=[],
            code=library_files("make_table3"),
        output:
            tsv=f"{RESULTS}/tables/table3_heldout.tsv",
            md=f"{RESULTS}/tables/table3_heldout.md",
            html=report(
                f"{RESULTS}/tables/table3_heldout.html",
                caption="report/heldout.rst",
                category="Tables",
                labels={"table": "3, held-out test"},
            ),
        log:
            "<logs>/make_table3_heldout.log",
        benchmark:
            "<benchmarks>/make_table3_heldout.tsv"
        params:
            variants=[vars(variant) for variant, fold, seed in STUDY.runs(folds=STUDY.heldout)],
            heldout=True,

    use rule compare_methods as compare_methods_heldout with:
        input:
            overall=of_students(f"{RESULTS}/evaluation/{STUDENT}/overall.tsv", folds=STUDY.heldout),
            class_wise=of_students(
                f"{RESULTS}/evaluation/{STUDENT}/class_wise.tsv", folds=STUDY.heldout
            ),
            field_metrics=of_students(
                f"{RESULTS}/evaluation/{STUDENT}/field_metrics.tsv", folds=STUDY.heldout
            ),
            table3=PAPER_TABLE3,
            table4=workflow_path("resources/published_table4.csv"),
            code=library_files("compare_methods"),
        output:
            means=f"{RESULTS}/tables/table3_intervals_heldout.tsv",
            comparisons=f"{RESULTS}/tables/comparisons_heldout.tsv",
            events=f"{RESULTS}/tables/event_comparisons_heldout.tsv",
            claims=f"{RESULTS}/tables/claims_heldout.tsv",
            controls=f"{RESULTS}/tables/controls_heldout.tsv",
            field_means=f"{RESULTS}/tables/field_metrics_heldout.tsv",
            field_comparisons=f"{RESULTS}/tables/field_comparisons_heldout.tsv",
            field_page=f"{RESULTS}/tables/field_metrics_heldout.md",
        log:
            "<logs>/compare_methods_heldout.log",
        benchmark:
            "<benchmarks>/compare_methods_heldout.tsv"
        params:
            variants=[vars(variant) for variant, fold, seed in STUDY.runs(folds=STUDY.heldout)],
            places=[(fold, seed) for variant, fold, seed in STUDY.runs(folds=STUDY.heldout)],

    rule heldout:
        """The held-out test's tables."""
        input:
            rules.make_table3_heldout.output,
            rules.compare_methods_heldout.output,
