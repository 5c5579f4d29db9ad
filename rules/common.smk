# From the checked configuration: paths, wildcards, targets.
import os
import re
import sys
from copy import deepcopy
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config


include: "internals.smk"


# Jobs and this file use the library beside the Snakefile, whatever the environment has installed.
HERE = Path(workflow.current_basedir).parent  # basedir is the main workflow's
SCRIPTS = str(HERE / "workflow_scripts")
sys.path.insert(0, SCRIPTS)
# Snakemake has loaded this project's logger plugin, and with it the installed library: unload it.
if not str(getattr(sys.modules.get("softscene"), "__file__", SCRIPTS)).startswith(SCRIPTS):
    for name in [name for name in sys.modules if name.split(".")[0] == "softscene"]:
        del sys.modules[name]
OTHERS = os.environ.get("PYTHONPATH", "").split(os.pathsep) if IN_MODULE else []
os.environ.update(PYTHONPATH=os.pathsep.join([SCRIPTS, *filter(None, OTHERS)]))

from softscene.archive.contents import workflow_files
from softscene.config.checks import check
from softscene.config.labels import read_labels
from softscene.config.reading import read_schema, read_yaml, typed
from softscene.config.controls import CONTROLS
from softscene.config.study import HELDOUT, Study, with_controls, without_removed_methods
from softscene.config.overrides import USUAL
from softscene.config.variants import FOLDER
from softscene.core import gpus, processor, sources
from softscene.core.errors import SoftSceneError, printable
from softscene.core.processes import announce, claim, claimant, end_tidily_on_hangup
from softscene.data.archives import read_registry, require_licence
from softscene.detect.recordings import endings, is_dated_ahead, recordings_of


def workflow_path(path):
    """A file of the workflow itself, wherever it runs (snakemake -s, -d), or as a module."""
    return path if Path.cwd() == HERE and not IN_MODULE else str(HERE / path)


def configured_path(path):
    """A file that the configuration names: in the working directory, or else in the workflow.

    All other relative paths of a configuration start at the working directory.
    """
    shipped = Path(path).parts[:1] == ("resources",) and not Path(path).exists()
    return workflow_path(path) if shipped else from_here(path)


def from_here(path):
    """A path of the configuration, absolute in a module: its prefix is only for files that the
    workflow makes, and Snakemake does not add it to absolute paths."""
    return os.path.abspath(path) if IN_MODULE else path


def share_gpus():
    """Let the jobs of this machine share its GPUs."""
    cards, most = gpus.usable(config["compute"]["device"]), 0
    if cards:
        most = len(cards) * gpus.jobs_on_each(cards, config["compute"]["per_gpu"])
        most = limited("gpu", most)
        print(gpus.described(cards, most), file=sys.stderr)
    gpus.announce(os.environ, cards, most)


def with_paths_from_here(config):
    """The configuration, with :func:`from_here` applied to all of its paths."""
    config = deepcopy(config)
    data, own = config["data"], config["data"]["own"] or {}
    found = [(config, "input"), (data, "folder"), (config["synthetic"] or {}, "annotations")]
    found += [(own, key) for key in ("audio", "annotations", "folds")]  # folds: or their number
    found += [(method, "code") for method in config["methods"].values()]
    for each, key in found:
        if isinstance(each.get(key), str):
            each[key] = from_here(each[key])
    return config


class Name(str):
    """A method's name, whose repr has no "<": Snakemake's report puts it into a script."""

    def __repr__(self):
        return super().__repr__().replace("<", r"\x3c")

    def __reduce__(self):  # jobs get plain text
        return str, (str(self),)


PAPER_TABLE3 = workflow_path("resources/published_table3.csv")
try:  # Snakemake does not say which file is not YAML, or where
    DEFAULT = read_yaml(workflow_path("config.yaml"), "configuration")
except SoftSceneError as error:
    raise WorkflowError(str(error))


configfile: workflow_path("config.yaml")


if IN_MODULE:  # its user gives the configuration; Snakemake reads no config.yaml for it
    given, config = config, DEFAULT
    update_config(config, given)
update_config(config, typed(given_on_command_line()))
config["methods"] = without_removed_methods(config.get("methods"))
try:
    for path in configuration_files() if PLANNING else []:
        read_yaml(path, "configuration")  # Snakemake takes the last of two equal keys
    check(config, read_schema(workflow_path("rules/schemas/config.schema.yaml")))
    if IN_MODULE:
        config = with_paths_from_here(config)
    config["methods"] = with_controls(config)
    for method in config["methods"].values():
        method["name"] = Name(method["name"])
    # What is trained, and what of it is compared, explored and exported as a detector.
    STUDY = Study.of(config)
    LABELS = configured_path(config["data"]["labels"])
    read_labels(LABELS)
    PUBLISHED = read_registry(workflow_path("resources/archives.yaml"))
    HELDOUT_PUBLISHED = read_registry(workflow_path("resources/archives_heldout.yaml"))
    GIVEN = recordings_of(config["input"])
    OWN_RECORDINGS = GIVEN.recordings
    if config["compute"]["tensorboard"] and PLANNING:
        from softscene.training.watching import require_tensorboard

        require_tensorboard()
    DETECTIONS = endings(config["detection"]["formats"], page=True)
    if config["data"]["own"] and PLANNING:
        from softscene.data.own_data import require_data  # slow to load, and seldom used

        require_data(config["data"]["own"])
except SoftSceneError as error:
    raise WorkflowError(str(error))

RESULTS = f"results/{config['run']}"
RUNNING = placed(f"{RESULTS}/.running")  # locked by the process that makes the run


pathvars:
    logs=f"{RESULTS}/logs",
    benchmarks=f"{RESULTS}/benchmarks",


SYNTHETIC = config["synthetic"] is not None
OWN = config["data"]["own"]
DOWNLOADED = not (SYNTHETIC or OWN)
DATA = config["data"]["folder"] or ("results/data" if DOWNLOADED else f"{RESULTS}/data")

# A synthetic corpus is a mirror with its own registry; everything after it is the same.
DATASETS = list(PUBLISHED.datasets)
AUDIO = [OWN["audio"]] if OWN else [f"{DATA}/{name}/audio" for name in DATASETS]
RECORDINGS = [f"{DATA}/{name}/recordings.tsv" for name in (["own"] if OWN else DATASETS)]
CORPUS = f"{RESULTS}/corpus"
REGISTRY = f"{CORPUS}/archives.yaml" if SYNTHETIC else workflow_path("resources/archives.yaml")
# How to download is a resource, not a parameter: another mirror gives the same files.
DOWNLOAD = {
    "mirror": placed(CORPUS) if SYNTHETIC else config["download"]["mirror"] or "",
    "mode": config["download"]["mode"],
    "attempts": config["download"]["attempts"],
    "timeout": str(config["download"]["timeout"]),
}

# The held-out test has a registry, a mirror, a data folder, a list and features of its own, so that
# it makes nothing of the cross-validation again.
HELDOUT_CORPUS = f"{RESULTS}/corpus_heldout"
HELDOUT_REGISTRY = (
    f"{HELDOUT_CORPUS}/archives.yaml"
    if SYNTHETIC
    else workflow_path("resources/archives_heldout.yaml")
)
HELDOUT_DOWNLOAD = DOWNLOAD | ({"mirror": placed(HELDOUT_CORPUS)} if SYNTHETIC else {})
HELDOUT_DATA = f"{DATA}/heldout"
HELDOUT_DATASETS = list(HELDOUT_PUBLISHED.datasets)
HELDOUT_RECORDINGS = [f"{HELDOUT_DATA}/{name}/recordings.tsv" for name in HELDOUT_DATASETS]
HELDOUT_EVENTS = f"{RESULTS}/heldout/events.tsv"
HELDOUT_FEATURES = f"{RESULTS}/heldout/features.h5"
# Data folder -> what it holds, and the tables of its recordings.
DOWNLOADS = {DATA: (PUBLISHED, RECORDINGS)}
if STUDY.heldout:
    DOWNLOADS[HELDOUT_DATA] = HELDOUT_PUBLISHED, HELDOUT_RECORDINGS

# A teacher for each (fold, seed), and for it a student of each variant. The wildcard teacher is
# empty, or a folder of teachers whose settings a method overrides.
TEACHER = "{teacher}fold-{fold}_seed-{seed}"
INNER_TEACHER = f"{TEACHER}_without-{{part}}"
HELD_OUT = f"{RESULTS}/inner_teachers/{INNER_TEACHER}/held_out.tsv"
STUDENT = f"{FOLDER}/fold-{{fold}}_seed-{{seed}}"
SOFT_LABELS = f"{RESULTS}/soft_labels/{TEACHER}.tsv"
CONTROL_LABELS = f"{RESULTS}/soft_labels/{{control}}/T-{{temperature}}/{TEACHER}.tsv"
LEFT_OUT = [*GIVEN.problems, *GIVEN.foreign]
WHICH_RECORDINGS = "say which recordings: snakemake predict --config input=FOLDER"

if PLANNING and may_run_here():
    share_gpus()
    if not gpus.are_shared() and config["compute"]["precision"] == "bfloat16":
        if processor.lacks_bfloat16():
            logger.warning(processor.WITHOUT_BFLOAT16)
# A share of one here; on a cluster a whole one, if the configuration says so.
GPUS = int(gpus.are_shared() or config["compute"]["device"] == "cuda")

if PLANNING and (other := claimant(RUNNING)):
    print(f"{placed(RESULTS)} is being made by {other}", file=sys.stderr)


def one_of(values):
    """A wildcard constraint that matches exactly these values."""
    return "|".join(sorted({re.escape(str(value)) for value in values}))


# Run where snakemake runs: they take seconds, or need the internet, which nodes may not have.
if not IN_MODULE:  # there, rules have other names, and these run like other jobs

    localrules:
        make_fold,
        make_inner_fold,
        make_control_labels,
        make_table1,
        make_table3,
        make_table4,
        plot_figure3,
        compare_methods,
        plot_claims,
        make_sensitivity,
        plot_sensitivity,
        plot_table1,
        plot_learning_curves,
        plot_confusion,
        plot_soft_labels,
        make_report,
        export_detector,
        estimate,


wildcard_constraints:
    dataset=one_of([*DATASETS, *HELDOUT_DATASETS]),
    fold=one_of([*config["folds"], *STUDY.heldout]),
    seed=one_of(config["seeds"]),
    method=one_of(variant.method for variant in STUDY.variants),
    alpha=one_of(variant.alpha for variant in STUDY.variants),
    beta=one_of(variant.beta for variant in STUDY.variants),
    temperature=one_of(["none", *(variant.temperature for variant in STUDY.variants)]),
    teacher=f"({one_of(STUDY.teachers)})",  # in brackets, as an empty one would match anything
    control=one_of(CONTROLS),
    part=one_of(range(1, config["control_settings"]["parts"] + 1)),


def of_students(pattern, variants=None, seeds=None, folds=None):
    """The pattern's paths for the students of the cross-validation, or others: see Study.runs."""
    return [
        expand(pattern, fold=fold, seed=seed, **variant.wildcards)[0]
        for variant, fold, seed in STUDY.runs(variants, seeds, folds)
    ]


def of_heldout(usual, heldout):
    """An input that is another file in the held-out test."""
    return lambda wildcards: heldout if wildcards.fold == HELDOUT else usual


def of_teachers(pattern, teachers=None, folds=STUDY.folds):
    """The pattern's paths for teachers of these wildcards, or for the usual ones if students learn
    their own labels."""
    if teachers is None:
        teachers = [USUAL] if USUAL in STUDY.labelling else []
    places = {"fold": folds, "seed": config["seeds"]}
    return [path for each in teachers for path in expand(pattern, teacher=each, **places)]


def by_name(value):
    """Sort a configuration by its keys, as files may give them in any order."""
    if not isinstance(value, dict):
        return value
    return {key: by_name(inner) for key, inner in sorted(value.items())}


def choice_labels(wildcards):
    """What the soft students of the sensitivity table learn: files by choice, fold and seed."""
    if not STUDY.choices:
        raise WorkflowError(
            "there is no claim to compare: configure soft labels of the teacher, and one-hot scenes"
        )
    return [
        path
        for choice in STUDY.choices
        for path in expand(labels_of(choice.soft), fold=config["folds"], seed=config["seeds"])
    ]


def detector_scores(wildcards):
    """The scores that choose the detector's students, if these are not named: not Table 3, which
    may be of other methods."""
    if not STUDY.detecting:
        raise WorkflowError(
            "there is no student to make a detector of: controls and methods with a network of their "
            "own are left out; configure another method"
        )
    if config["detector"]:
        return []
    return of_students(f"{RESULTS}/evaluation/{STUDENT}/overall.tsv", STUDY.detecting)


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


def tell_results():
    """After a run of the whole study, say where its results are."""
    if called("make_report") in finished_rules():
        folder = placed(RESULTS)
        line = f"see {folder}/report.html, {folder}/tables and {folder}/figures/fig3.png"
        logger.info(line, extra={"event": "results"})


def tell_predictions():
    """At the end of a prediction, say where the results are and how many files were left out."""
    if OWN_RECORDINGS and asked_for("predict"):
        others = f"; left out: {len(LEFT_OUT)}, named at the beginning" if LEFT_OUT else ""
        print(f"see {placed(RESULTS)}/own{others}", file=sys.stderr)
        if faults := list(not_predicted()):
            print("not done:", *faults, sep="\n  ", file=sys.stderr)


def not_predicted():
    """The recordings whose jobs have left no results, and why."""
    for name in OWN_RECORDINGS:
        log = Path(placed(RESULTS), "logs", "predict_recording", f"{name}.log")
        if log.is_file() and not Path(placed(RESULTS), "own", name + DETECTIONS["facts"]).exists():
            text = log.read_text(encoding="utf-8", errors="replace")
            reasons = re.findall(r"^[\d:]{8} \w+Error: (.+)$", text, re.MULTILINE)
            path = OWN_RECORDINGS[name]
            yield printable(reasons[-1] if reasons else f"{path}: was not finished; see {log}")


def scene_loss(wildcards):
    return STUDY.variant(wildcards).loss


def scene_objective(wildcards):
    return STUDY.objective(wildcards)


def soft_labels(wildcards):
    """What the soft loss learns: the labels of the same (fold, seed)'s teacher, or a control's."""
    variant = STUDY.variant(wildcards)
    return labels_of(variant) if variant.loss == "soft" else []


def labels_of(variant):
    """The pattern of the files that a variant's soft loss learns, by fold and seed."""
    pattern = CONTROL_LABELS if variant.is_control else SOFT_LABELS
    return expand(pattern, **variant.label_wildcards, allow_missing=True)


def custom_code(wildcards):
    """The code of an own method; its students are trained again when it changes."""
    return config["methods"][wildcards.method].get("code", [])


def teacher_code(wildcards):
    """The code of an own method's teachers; they are trained again when it changes."""
    return STUDY.teachers[wildcards.teacher].code or []


def teacher_training(wildcards):
    return STUDY.teachers[wildcards.teacher].training


def student_training(wildcards):
    return STUDY.students[wildcards.method].training


# Only what a job uses of the network, so that a change of other keys does not rerun it.
def teacher_network(wildcards):
    return STUDY.teachers[wildcards.teacher].network


def student_network(wildcards):
    return STUDY.students[wildcards.method].network


def when_trained(network):
    """What a job uses of a network that is trained already."""
    of_training = {"dropout", "precision"}
    return lambda wildcards: {
        key: size for key, size in network(wildcards).items() if key not in of_training
    }


def library_files(script):
    """The library files that a script imports. Only quick jobs have them as input: a better message
    should not rerun hours of training."""
    return sources.library_files(workflow_path(f"workflow_scripts/{script}.py"))


def mirrored(names, corpus=CORPUS):
    """Files of the synthetic mirror that a download reads; a real download has no such input."""
    return [f"{corpus}/{name}" for name in names] if SYNTHETIC else []


def mirrored_lists(registry=PUBLISHED, corpus=CORPUS):
    lists = registry.annotations
    return mirrored((f"{lists.name}/{path}" for path in lists.files), corpus)


def mirrored_archives(registry=PUBLISHED, corpus=CORPUS):
    names = (name for each in registry.datasets.values() for name in each.archives)
    return mirrored(names, corpus)


def own_audio(wildcards):
    """The recordings of own data; the job reports those that are missing, with their lines."""
    from softscene.data.own_data import recording_paths

    try:
        paths = [Path(AUDIO[0], name) for name in recording_paths(OWN["annotations"])]
    except SoftSceneError as error:
        raise WorkflowError(str(error))
    return [str(path) for path in paths if path.is_file() and not is_dated_ahead(path)]


def given_lists(registry=PUBLISHED):
    """The lists that a synthetic corpus is made for, if it is not drawn from statistics."""
    folder = config["synthetic"]["annotations"]
    return [f"{folder}/{path}" for path in registry.annotations.files] if folder else []


def grown(mem_mb):
    """Memory of a job: half as much again at each retry, in case it was killed for lack of it."""
    return lambda wildcards, attempt: round(mem_mb * 1.5 ** (attempt - 1))


# The sensitivity table is made with the others if there is something in it for it alone.
OTHER_RUNS = [from_here(f"{run}/tables") for run in config["sensitivity"]["runs"]]
SENSITIVITY = bool(STUDY.choices) and (STUDY.has_overrides or bool(OTHER_RUNS))
CLAIMS = []  # locks that are held until this process ends


def control_sources(wildcards):
    """The logits that a control's labels are made of."""
    if not CONTROLS[wildcards.control].held_out:
        return SOFT_LABELS
    parts = range(1, config["control_settings"]["parts"] + 1)
    return expand(HELD_OUT, part=parts, allow_missing=True)


def of_explored(name):
    """A file of the predictions of the explorer's students, of the first seed."""
    pattern = f"{RESULTS}/predictions/{STUDENT}/{name}"
    return of_students(pattern, STUDY.explored, seeds=config["seeds"][:1])


def tell_costs():
    """Before trainings, log the estimate; the terminal's time left starts from it."""
    jobs = needed_jobs()
    names = needed_rules()
    if not names.isdisjoint(map(called, ("train_teacher", "train_inner_teacher", "train_student"))):
        from softscene import costs  # slow to load

        left = [costs.NeededJob.of(job) for job in jobs if job.benchmark]
        finished, _ = costs.read_finished(placed(RESULTS), config)
        epochs = costs.epochs_of(config)
        cost = costs.RunCost(left, finished, cores(config["compute"]["threads"]), epochs=epochs)
        if cost.unknown_trainings:
            logger.info(f"{len(left)} jobs left; `snakemake estimate` measures what they take")
        else:
            told = cost.progress(names)
            told["seconds"] |= {called(rule): each for rule, each in told["seconds"].items()}
            logger.info(f"estimate: {cost}", extra=told)


def claim_run():
    """Be the only process that makes this run; Snakemake's own lock may be stale or broken."""
    planned = {folder: planned_data(folder) for folder in DOWNLOADS}
    claims = {Path(RUNNING).resolve(): placed(RESULTS)}
    for data in [placed(folder) for folder, (made, _) in planned.items() if made]:
        claims[Path(data, ".running").resolve()] = data
    try:
        CLAIMS.extend(claim(path, what) for path, what in claims.items())
        for folder, (made, used) in planned.items():
            check_data_folder(folder, made, used)
    except (SoftSceneError, OSError) as error:
        raise WorkflowError(str(error))
    if runs_here():
        announce(os.environ)


def check_data_folder(folder, made, used):
    """Refuse a data folder with other data than the planned jobs need, or with others' files."""
    if SYNTHETIC and not used and not config["data"]["folder"]:
        from softscene.data.data_folder import require_data  # slow to load

        require_data(placed(folder), wanted_data(folder))
    if used and not OWN:
        from softscene.data.data_folder import prepare_data_folder  # slow to load

        prepare_data_folder(
            placed(folder),
            wanted_data(folder),
            DOWNLOADS[folder][0],
            made,
            synthetic=SYNTHETIC,
            chosen=config["data"]["folder"] is not None,
        )


def makes_nothing():
    """Whether only the estimate was asked for."""
    return needed_rules() <= {called("estimate")}


def planned_data(folder):
    """Paths in a data folder that the planned jobs make, and those that they read or make."""
    data, (registry, tables) = placed(folder), DOWNLOADS[folder]
    folders = [Path(data, name, kind) for name in registry.datasets for kind in ("audio", "meta")]
    ours = {Path(data, "annotations"), *folders, *map(Path, map(placed, tables))}
    jobs = needed_jobs()
    made = ours & {Path(path) for job in jobs for path in job.output}
    return made, made | ours & {Path(path) for job in jobs for path in job.input}


def lacks_sound():
    """Whether the explorer is planned and recordings that it needs were deleted."""
    if called("fetch_sound") not in needed_rules():
        return False
    from softscene.data.fetching import deleted_recordings  # slow to load

    return any(map(deleted_recordings, map(placed, RECORDINGS), map(placed, AUDIO)))


def wanted_data(folder):
    """Which data this run needs, to compare with what is in its data folder."""
    from softscene.data.data_folder import Data

    if SYNTHETIC:
        maker = rules.make_corpus if folder == DATA else rules.make_heldout_corpus
        return Data.synthetic(config["synthetic"], list(maker.input))
    return Data.published(DOWNLOADS[folder][0])


def require_consent():
    """Show the data's terms before they are downloaded; stop unless the user has accepted them."""
    if DOWNLOADED and (any(planned_data(folder)[0] for folder in DOWNLOADS) or lacks_sound()):
        print(accepted_terms(), "These terms were accepted.", sep="\n", file=sys.stderr)


def accepted_terms():
    """The data's terms, if the user has accepted them."""
    terms = Path(workflow_path("resources/data_terms.txt")).read_text(encoding="utf-8")
    try:
        require_licence(config["download"]["accept_licence"], os.environ, terms)
    except SoftSceneError as error:
        raise WorkflowError(str(error))
    return terms


if IN_MODULE and DOWNLOADED and PLANNING:
    accepted_terms()  # already now, as a module's hooks only run if the main workflow calls them
