# Fig. 3, from Table 3.


rule plot_figure3:
    input:
        table3=f"{RESULTS}/tables/table3.tsv",
        code=library_files("plot_figure3"),
        style=workflow_path("workflow_scripts/softscene/report/softscene.mplstyle"),
    output:
        pdf=f"{RESULTS}/figures/fig3.pdf",
        png=report(
            f"{RESULTS}/figures/fig3.png",
            caption="report/fig3.rst",
            category="Figures",
            labels={"figure": "3: weight of the scene loss"},
        ),
        # For slides.
        wide_pdf=f"{RESULTS}/figures/fig3_wide.pdf",
        wide_png=f"{RESULTS}/figures/fig3_wide.png",
    log:
        "<logs>/plot_figure3.log",
    benchmark:
        "<benchmarks>/plot_figure3.tsv"
    conda:
        "../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=grown(1000),
        runtime=10,
    params:
        left_out=lambda wildcards: STUDY.outside_figure3,
        synthetic=SYNTHETIC,
    script:
        "../workflow_scripts/plot_figure3.py"
