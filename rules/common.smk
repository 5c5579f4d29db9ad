# From the checked configuration: paths, wildcards, targets.
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config

# Jobs and this file use the library beside the Snakefile, whatever the environment has installed.
SCRIPTS = str(Path(workflow.basedir) / "workflow_scripts")
sys.path.insert(0, SCRIPTS)
os.environ.update(PYTHONPATH=SCRIPTS)

from softscene.archives import read_registry, require_licence
from softscene.config import (
    NONE,
    check,
    explored_kinds,
    own_networks,
    read_schema,
    read_yaml,
    require_code,
    student_kinds,
    typed,
    with_controls,
    without_removed_methods,
)
from softscene.errors import SoftSceneError
from softscene.labels import read_labels
from softscene.lifetime import announce, claim, claimant, end_tidily_on_hangup
from softscene.recordings import RESULTS as DETECTIONS
from softscene.recordings import is_dated_ahead, recordings_of


def workflow_path(path):
    """A file of the workflow itself, wherever it runs (snakemake -s, -d)."""
    here = Path(workflow.basedir)
    return path if here == Path.cwd() else str(here / path)


def configured_path(path):
    """A file that the configuration names: where the run is, or else a resource of the workflow's.

    All other paths of a configuration are used as they are, so they begin where the run is.
    """
    shipped = Path(path).parts[:1] == ("resources",) and not Path(path).exists()
    return workflow_path(path) if shipped else path


class Name(str):
    """A method's name. Snakemake's report puts params into a script as they print: without "<"."""

    def __repr__(self):
        return super().__repr__().replace("<", r"\x3c")

    def __reduce__(self):  # jobs get plain text
        return str, (str(self),)


update_config(config, typed(workflow.config_settings.config))
config["methods"] = without_removed_methods(config.get("methods"))
try:
    for path in workflow.configfiles if workflow.is_main_process else []:
        read_yaml(path, "configuration")  # Snakemake takes the last of two equal keys
    check(config, read_schema(workflow_path("rules/schemas/config.schema.yaml")))
    config["methods"] = with_controls(config)
    for method in config["methods"].values():
        method["name"] = Name(method["name"])
    require_code(config["methods"])
    OWN_NETWORKS = own_networks(config["methods"], config["detector"])
    LABELS = configured_path(config["data"]["labels"])
    read_labels(LABELS)
    PUBLISHED = read_registry(workflow_path("resources/archives.yaml"))
    GIVEN = recordings_of(config["input"])
    OWN_RECORDINGS = GIVEN.recordings
    if config["data"]["own"] and workflow.is_main_process:
        from softscene.owndata import require_data  # slow to load, and seldom used

        require_data(config["data"]["own"])
except SoftSceneError as error:
    raise WorkflowError(str(error))

RESULTS = f"results/{config['run']}"
RUNNING = f"{RESULTS}/.running"  # locked by the process that makes the run
SYNTHETIC = config["synthetic"] is not None
OWN = config["data"]["own"]
DOWNLOADED = not (SYNTHETIC or OWN)
DATA = config["data"]["folder"] or ("results/data" if DOWNLOADED else f"{RESULTS}/data")

# A synthetic corpus is a mirror with a registry of its own; everything behind is the same.
DATASETS = list(PUBLISHED.datasets)
LISTS = list(PUBLISHED.annotations.files)
AUDIO = [OWN["audio"]] if OWN else [f"{DATA}/{name}/audio" for name in DATASETS]
RECORDINGS = [f"{DATA}/{name}/recordings.tsv" for name in (["own"] if OWN else DATASETS)]
CORPUS = f"{RESULTS}/corpus"
REGISTRY = f"{CORPUS}/archives.yaml" if SYNTHETIC else workflow_path("resources/archives.yaml")
# How to download is a resource and no parameter: another mirror gives the same files.
DOWNLOAD = {
    "mirror": CORPUS if SYNTHETIC else config["download"]["mirror"] or "",
    "mode": config["download"]["mode"],
    "attempts": config["download"]["attempts"],
    "timeout": str(config["download"]["timeout"]),
}

# What is trained: a teacher for each (fold, seed), and for it a student of each kind.
KINDS = student_kinds(config["methods"])
EXPLORED = explored_kinds(KINDS, config["explorer"]["students"])
TEACHER = "fold-{fold}_seed-{seed}"
INNER_TEACHER = f"{TEACHER}_without-{{part}}"
STUDENT = "{method}/alpha-{alpha}_beta-{beta}_T-{temperature}/fold-{fold}_seed-{seed}"
SOFT_LABELS = {
    "teacher": f"{RESULTS}/soft_labels/{TEACHER}.tsv",
    "smoothed": f"{RESULTS}/soft_labels/smoothed/T-{{temperature}}/{TEACHER}.tsv",
    "shuffled": f"{RESULTS}/soft_labels/shuffled/{TEACHER}.tsv",
    "cross_fitted": f"{RESULTS}/soft_labels/cross_fitted/{TEACHER}.tsv",
    "scene_mean": f"{RESULTS}/soft_labels/scene_mean/T-{{temperature}}/{TEACHER}.tsv",
}
WHICH_RECORDINGS = "say which recordings: snakemake predict --config input=FOLDER"
GPUS = int(config["compute"]["device"] == "cuda")

if workflow.is_main_process and (other := claimant(RUNNING)):
    print(f"{RESULTS} is being made by {other}", file=sys.stderr)


def one_of(values):
    """A wildcard constraint that is met by exactly these values."""
    return "|".join(sorted({re.escape(str(value)) for value in values}))


# Seconds of work, or the network, which the nodes of a cluster may lack: where snakemake runs.
localrules:
    make_fold,
    make_inner_fold,
    smooth_labels,
    shuffle_labels,
    average_labels,
    join_held_out_labels,
    make_table1,
    make_table3,
    make_table4,
    plot_figure3,
    compare_methods,
    plot_table1,
    plot_learning_curves,
    plot_confusion,
    plot_soft_labels,
    make_report,
    export_detector,
    estimate,


wildcard_constraints:
    dataset=one_of(DATASETS),
    fold=one_of(config["folds"]),
    seed=one_of(config["seeds"]),
    method=one_of(kind.method for kind in KINDS),
    alpha=one_of(kind.alpha for kind in KINDS),
    beta=one_of(kind.beta for kind in KINDS),
    temperature=one_of(kind.temperature for kind in KINDS),
    part=one_of(range(1, config["control_settings"]["parts"] + 1)),


def of_students(pattern, students=None):
    """The pattern's paths for all students, or these, in the order of ``student_runs``."""
    return [
        expand(pattern, fold=fold, seed=seed, **vars(kind))[0]
        for kind, fold, seed in (student_runs() if students is None else students)
    ]


def student_runs():
    """All (kind, fold, seed)."""
    return [
        (kind, fold, seed) for kind in KINDS for fold in config["folds"] for seed in config["seeds"]
    ]


def of_chosen(pattern):
    """The pattern's paths for all (fold, seed) of each student that claims are about."""
    places = {"fold": config["folds"], "seed": config["seeds"]}
    return [path for each in CHOSEN for path in expand(pattern, **places, **vars(each.kind))]


def of_teachers(pattern):
    """The pattern's paths for all teachers; none where no student learns from one."""
    places = {"fold": config["folds"], "seed": config["seeds"]}
    return expand(pattern, **places) if TEMPERATURES else []


def by_name(value):
    """Keys of a configuration in one order, whichever file gave them first."""
    if not isinstance(value, dict):
        return value
    return {key: by_name(inner) for key, inner in sorted(value.items())}


def of_explored(pattern):
    """The pattern's paths for the explorer's students, of the first seed: by kind, then fold."""
    return [
        expand(pattern, fold=fold, seed=config["seeds"][0], **vars(kind))[0]
        for kind in EXPLORED
        for fold in config["folds"]
    ]


def control_names():
    """The controls, as tables call them."""
    return list(dict.fromkeys(each.name for each in CONTENDERS if each.is_control))


def detector_students():
    """All (kind, fold, seed) that the detector may be made of; of controls only if they are named."""
    chosen = config["detector"]
    left_out = {each.kind for each in CONTENDERS if each.is_control}
    left_out |= {kind for kind in KINDS if kind.method in OWN_NETWORKS}
    return [
        run
        for run in student_runs()
        if run[0].folder == chosen or (not chosen and run[0] not in left_out)
    ]


def detector_scores(wildcards):
    """What the detector's students are chosen by, if they are not named: their own scores, as
    Table 3 may be of other methods."""
    if not detector_students():
        raise WorkflowError(
            "there is no student to make a detector of: controls and methods with a network of their "
            "own are left out; configure another method"
        )
    if config["detector"]:
        return []
    return of_students(f"{RESULTS}/evaluation/{STUDENT}/overall.tsv", detector_students())


def own_recording(wildcards):
    if wildcards.recording not in OWN_RECORDINGS:
        raise WorkflowError(f"input: {config['input']} has no recording {wildcards.recording}")
    path = str(OWN_RECORDINGS[wildcards.recording])
    return [] if is_dated_ahead(path) else path


def own_results(wildcards):
    if not OWN_RECORDINGS:
        raise WorkflowError(WHICH_RECORDINGS)
    return [
        f"{RESULTS}/own/{name}{ending}" for name in OWN_RECORDINGS for ending in DETECTIONS.values()
    ]


def tell_predictions():
    """The last word of a prediction: where the results are, and how many files have none."""
    if OWN_RECORDINGS and "predict" in sys.argv:
        others = f"; left out: {len(LEFT_OUT)}, named at the beginning" if LEFT_OUT else ""
        print(f"see {RESULTS}/own{others}", file=sys.stderr)


def scene_loss(wildcards):
    return config["methods"][wildcards.method]["scene_loss"]


def scene_objective(wildcards):
    """What a student's scene branch learns: the loss, its weight, its temperature."""
    loss = scene_loss(wildcards)
    weight = {"hard": wildcards.alpha, "soft": wildcards.beta}.get(loss, 0)
    temperature = 1.0 if wildcards.temperature == NONE else wildcards.temperature
    return {"loss": loss, "weight": float(weight), "temperature": float(temperature)}


def soft_labels(wildcards):
    """What the soft loss learns: the labels of the same (fold, seed)'s teacher, or a control's."""
    method = config["methods"][wildcards.method]
    return SOFT_LABELS[method.get("labels", "teacher")] if method["scene_loss"] == "soft" else []


def own_code(wildcards):
    """The file of a method of one's own, which its students are made again for."""
    return config["methods"][wildcards.method].get("code", [])


def network(*keys):
    """The sizes that a job uses, so that others do not run it again."""
    return {key: config["network"][key] for key in keys}


def student_network(wildcards):
    keys = ("channels", "gru_units", "dense_units", "dropout")
    branch = () if scene_loss(wildcards) == "none" else ("scene_channels",)
    return network(*keys, *branch)


def code(*modules):
    """Modules of the library whose change runs a job again: those of jobs that take seconds."""
    return [workflow_path(f"workflow_scripts/softscene/{module}.py") for module in modules]


def mirrored(names):
    """Files of the synthetic mirror that a download takes; a real download has no such input."""
    return [f"{CORPUS}/{name}" for name in names] if SYNTHETIC else []


def own_audio(wildcards):
    """The files of data of one's own; what is missing is told by the job, with its line."""
    from softscene.owndata import recording_paths

    try:
        paths = [Path(AUDIO[0], name) for name in recording_paths(OWN["annotations"])]
    except SoftSceneError as error:
        raise WorkflowError(str(error))
    return [str(path) for path in paths if path.is_file() and not is_dated_ahead(path)]


def given_lists():
    """The lists that a synthetic corpus is made for, where it is not drawn from statistics."""
    folder = config["synthetic"]["annotations"]
    return [f"{folder}/{path}" for path in LISTS] if folder else []


def grown(mem_mb):
    """Memory of a job: half as much again at each further try, for what was killed for want of it."""
    return lambda wildcards, attempt: round(mem_mb * 1.5 ** (attempt - 1))


def claim_run():
    """Be the only process that makes this run; Snakemake's own lock may be stale or broken."""
    made, used = planned_data()
    claims = {Path(RUNNING).resolve(): RESULTS}
    if made:
        claims[Path(DATA, ".running").resolve()] = DATA
    try:  # claims are kept as long as this process lives
        workflow.claims = [claim(path, what) for path, what in claims.items()]
        if SYNTHETIC and not used and not config["data"]["folder"]:
            from softscene.datafolder import require_data  # slow to load

            require_data(DATA, wanted_data())
        if used and not OWN:
            from softscene.datafolder import prepare_data_folder  # slow to load

            prepare_data_folder(
                DATA,
                wanted_data(),
                PUBLISHED,
                made,
                synthetic=SYNTHETIC,
                chosen=config["data"]["folder"] is not None,
            )
    except (SoftSceneError, OSError) as error:
        raise WorkflowError(str(error))
    if workflow.local_exec:  # a cluster's jobs outlive this process, as they should
        announce(os.environ)


def this_run():
    """Its needed jobs, its cores, and what a dry run of it is given: private attributes.

    Snakemake tells them to plugins and not to a workflow. This is the only place that takes them.
    """
    cluster, given = not workflow.local_exec, workflow.config_settings
    cores = workflow.nodes * config["compute"]["threads"] if cluster else workflow.cores
    settings = {"config": dict(given.config), "configfiles": list(given.configfiles)}
    dry_run = workflow.main_snakefile, settings, config["estimate"].split()
    return SimpleNamespace(jobs=workflow.dag.needrun_jobs, cores=cores, dry_run=dry_run)


def makes_nothing():
    """Whether only the estimate was asked for."""
    return {job.rule.name for job in this_run().jobs()} <= {"estimate"}


def planned_data():
    """Of the data folder: what the jobs to come make, and all that they read or make."""
    folders = [Path(DATA, name, kind) for name in DATASETS for kind in ("audio", "meta")]
    ours = {Path(DATA, "annotations"), *folders, *map(Path, RECORDINGS)}
    jobs = list(this_run().jobs())
    made = ours & {Path(path) for job in jobs for path in job.output}
    return made, made | ours & {Path(path) for job in jobs for path in job.input}


def lacks_sound():
    """Whether the explorer is to come, and recordings that were downloaded for it were deleted."""
    if "fetch_sound" not in {job.rule.name for job in this_run().jobs()}:
        return False
    from softscene.fetching import deleted_recordings  # slow to load

    return any(map(deleted_recordings, RECORDINGS, AUDIO))


def wanted_data():
    """Which data this run needs, to compare with what lies in its data folder."""
    from softscene.datafolder import Data

    if SYNTHETIC:
        return Data.synthetic(config["synthetic"], list(rules.make_corpus.input))
    return Data.published(PUBLISHED)


def require_consent():
    """Show the data's terms before they are downloaded; stop unless the user has accepted them."""
    if not DOWNLOADED or not (planned_data()[0] or lacks_sound()):
        return
    terms = Path(workflow_path("resources/data_terms.txt")).read_text(encoding="utf-8")
    try:
        require_licence(config["download"]["accept_licence"], os.environ, terms)
    except SoftSceneError as error:
        raise WorkflowError(str(error))
    print(terms, "These terms were accepted.", sep="\n", file=sys.stderr)
