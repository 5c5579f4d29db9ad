# From the checked configuration: paths, wildcards, targets.
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

sys.path.insert(0, str(Path(workflow.basedir) / "workflow_scripts"))

from softscene.archives import read_registry, require_licence
from softscene.config import NONE, check, read_schema, student_kinds, typed
from softscene.errors import SoftSceneError

update_config(config, typed(workflow.config_settings.config))
try:
    check(config, read_schema(Path(workflow.basedir) / "rules/schemas/config.schema.yaml"))
except SoftSceneError as error:
    raise WorkflowError(str(error))

RESULTS = f"results/{config['run']}"
DATA = config["data"]["folder"]
LABELS = config["data"]["labels"]
SYNTHETIC = config["synthetic"] is not None

# A synthetic corpus is a mirror with a registry of its own; everything behind is the same.
PUBLISHED = read_registry("resources/archives.yaml")
DATASETS = list(PUBLISHED.datasets)
CORPUS = f"{RESULTS}/corpus"
REGISTRY = f"{CORPUS}/archives.yaml" if SYNTHETIC else "resources/archives.yaml"
# How to download is a resource and no parameter: another mirror gives the same files.
DOWNLOAD = {
    "mirror": CORPUS if SYNTHETIC else config["download"]["mirror"] or "",
    "mode": config["download"]["mode"],
    "attempts": config["download"]["attempts"],
    "timeout": str(config["download"]["timeout"]),
}

# What is trained: a teacher for each (fold, seed), and for it a student of each kind.
KINDS = student_kinds(config["methods"])
TEACHER = "fold-{fold}_seed-{seed}"
STUDENT = "{method}/alpha-{alpha}_beta-{beta}_T-{temperature}/fold-{fold}_seed-{seed}"
COMPUTE = (config["compute"]["threads"], config["compute"]["device"])
GPUS = int(config["compute"]["device"] == "cuda")


def one_of(values):
    """A wildcard constraint that is met by exactly these values."""
    return "|".join(sorted({re.escape(str(value)) for value in values}))


wildcard_constraints:
    dataset=one_of(DATASETS),
    fold=one_of(config["folds"]),
    seed=one_of(config["seeds"]),
    method=one_of(kind.method for kind in KINDS),
    alpha=one_of(kind.alpha for kind in KINDS),
    beta=one_of(kind.beta for kind in KINDS),
    temperature=one_of(kind.temperature for kind in KINDS),


def of_students(pattern):
    """The pattern's paths for all students, in the order of ``student_runs``."""
    return [
        expand(pattern, fold=fold, seed=seed, **vars(kind))[0]
        for kind, fold, seed in student_runs()
    ]


def student_runs():
    """All (kind, fold, seed)."""
    return [
        (kind, fold, seed) for kind in KINDS for fold in config["folds"] for seed in config["seeds"]
    ]


def scene_loss(wildcards):
    return config["methods"][wildcards.method]["scene_loss"]


def scene_objective(wildcards):
    """What a student's scene branch learns: the loss, its weight, its temperature."""
    loss = scene_loss(wildcards)
    weight = {"hard": wildcards.alpha, "soft": wildcards.beta}.get(loss, 0)
    temperature = 1.0 if wildcards.temperature == NONE else wildcards.temperature
    return {"loss": loss, "weight": float(weight), "temperature": float(temperature)}


def soft_labels(wildcards):
    """The same (fold, seed)'s teacher, for students that learn from one."""
    return f"{RESULTS}/soft_labels/{TEACHER}.tsv" if scene_loss(wildcards) == "soft" else []


def grown(megabytes):
    """Memory that doubles with each try, for jobs that were killed for lack of it."""
    return lambda wildcards, attempt: megabytes * 2 ** (attempt - 1)


def mirrored(names):
    """Files of the synthetic mirror that a download takes; a real download has no such input."""
    return [f"{CORPUS}/{name}" for name in names] if SYNTHETIC else []


def require_consent():
    """Stop, and show the data's terms, where real data would be downloaded without consent."""
    if SYNTHETIC or all(Path(DATA, name, "recordings.tsv").exists() for name in DATASETS):
        return
    terms = Path(workflow.basedir, "resources/data_terms.txt").read_text(encoding="utf-8")
    try:
        require_licence(config["download"]["accept_licence"], os.environ, terms)
    except SoftSceneError as error:
        raise WorkflowError(str(error))
