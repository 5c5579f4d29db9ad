# Sound event detection with soft scene labels (Imoto et al., ICASSP 2020), end to end:
#
#   archives -> annotations -> features -> folds -> teachers -> soft labels -> students
#            -> predictions -> evaluation -> Tables 1, 3, 4 and Fig. 3
#
# `snakemake --cores 8` runs all of config.yaml, the paper.
from snakemake.utils import min_version

min_version("9.20")


report: "rules/report/workflow.rst"


include: "rules/common.smk"  #      reads config.yaml and what overrides it; checks both
include: "rules/data.smk"  #         download or synthesise archives; take recordings out of them
include: "rules/annotations.smk"  #  published and merged list, audit, Table 1
include: "rules/features.smk"  #     log-mel of every recording
include: "rules/folds.smk"  #        parts, clips, standardisation
include: "rules/teacher.smk"  #      scene classifier, and its soft labels (eqs. 4, 5)
include: "rules/controls.smk"  #     other labels than the teacher's, to see what explains a gain
include: "rules/student.smk"  #      CRNN (eq. 1), MTL (eq. 3), MTL with soft labels (eq. 7)
include: "rules/evaluation.smk"  #   predictions, thresholds, scores, Tables 3 and 4
include: "rules/figures.smk"  #      Fig. 3
include: "rules/sensitivity.smk"  #  what the paper's open choices do to its claim
include: "rules/report.smk"  #       paired comparisons, claims, the page
include: "rules/heldout.smk"  #      the same for the authors' second list: heldout: true
include: "rules/explorer.smk"  #     a page to see and hear what was detected, on demand
include: "rules/own_recordings.smk"  # what the best students find in recordings of your own
include: "rules/archive.smk"  #      the run as one file to publish, on demand
include: "rules/estimate.smk"  #     what it costs
include: "rules/dry_run.smk"  #      what snakemake -n prints


rule all:
    """Everything of the paper: tables, figures, the report, and a detector of the best students."""
    default_target: True
    input:
        f"{RESULTS}/annotations/audit.tsv",
        rules.tables.input,
        rules.figures.input,
        rules.make_report.output,
        rules.export_detector.output if STUDY.detecting else [],
        rules.heldout.input if STUDY.heldout else [],


onsuccess:
    tell_predictions()
    tell_results()


onerror:
    tell_predictions()


onstart:
    look_for_jobs_when_one_ends()
    if runs_here():
        end_tidily_on_hangup()
        if not may_run_here():  # --jobs was given all the same: jobs wait for their places
            share_gpus()
    if not makes_nothing():
        require_consent()
        claim_run()
        tell_costs()
