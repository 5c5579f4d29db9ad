"""Time, memory and disk of every stage of a run: python -m tests.benchmark.stages results/RUN.

From the files that Snakemake's ``benchmark`` directives left, and from what lies on disk.
"""

import sys
from pathlib import Path

import pandas as pd

# Stages in the order of the DAG, and what each leaves under results/RUN.
MAKES = {
    "make_corpus": ["corpus"],
    "download_annotations": ["data/annotations"],
    "download_dataset": ["data/TUT*", "data/cache"],
    "merge_annotations": ["annotations/*.tsv"],
    "audit_annotations": [],
    "extract_features": ["features.h5"],
    "make_fold": ["folds"],
    "train_teacher": ["teachers"],
    "dump_soft_labels": ["soft_labels"],
    "train_student": ["students"],
    "predict_student": ["predictions/**/probabilities.h5", "predictions/**/*_sweep.tsv"],
    "evaluate_student": ["evaluation", "predictions/**/events.tsv"],
}


def size(paths):
    """Bytes of files and folders."""
    files = [f for path in paths for f in ([path] if path.is_file() else path.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file())


def stages(run):
    """A row a rule: jobs, seconds of them all and of one, core-seconds, peak memory, disk."""
    rows = []
    for rule, patterns in MAKES.items():
        files = [*run.glob(f"benchmarks/{rule}.tsv"), *run.glob(f"benchmarks/{rule}/**/*.tsv")]
        if not files:
            continue
        jobs = pd.concat([pd.read_csv(file, sep="\t", na_values="-") for file in files])
        made = [path for pattern in patterns for path in run.glob(pattern)]
        rows.append(
            {
                "stage": rule,
                "jobs": len(jobs),
                "s": f"{jobs.s.sum():.1f}",
                "s a job": f"{jobs.s.median():.1f}",
                "core-s": f"{jobs.cpu_time.sum():.0f}",
                "peak memory [GB]": f"{jobs.max_rss.max() * 2**20 / 1e9:.2f}",
                "disk [MB]": f"{size(made) / 1e6:.1f}",
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    print(stages(Path(sys.argv[1])).to_markdown(index=False, disable_numparse=True))
