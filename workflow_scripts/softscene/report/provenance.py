"""What was run: data, configuration, versions, commit, machine, hours."""

import datetime
import os
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from softscene.config.overrides import (
    USUAL,
    TrainingSettings,
    event_reduction,
    inner_teachers,
    student_settings,
    teachers_of,
    trained_teachers,
)
from softscene.config.study import HELDOUT
from softscene.core.errors import ResultError
from softscene.core.origins import flat, read_parameters
from softscene.core.tsv import read_table
from softscene.data.annotations import happenings
from softscene.features.store import FeatureParameters, FeatureStore, sources_of

MADE_BY = {
    "teacher": "train_teacher",
    "student": "train_student",
    "annotations": "merge_annotations",
    "own data": "import_data",
    "audit": "audit_annotations",
    "fold": "make_fold",
    "evaluation": "evaluate_student",
}
# Of trainings from before these keys existed.
EARLIER = {"scene_objective.events": "mean", "network.precision": "float32"}
PACKAGES = (
    "snakemake", "torch", "numpy", "scipy", "pandas", "librosa", "h5py", "sed_eval",
    "sed_scores_eval", "matplotlib",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Python's version and those of the packages that make the numbers."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed here"
    return found


def commit(folder: str | Path) -> str:
    """The commit that is checked out in a folder, and whether files differ from it."""
    try:
        name, changed = (
            subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.CalledProcessError):
        return "not known: the workflow's folder is no git checkout here"
    files = len(changed.splitlines())
    return name + (f", and {files} file{'s' * (files > 1)} changed since" if files else "")


def hardware() -> dict[str, str]:
    """Processor, memory and accelerator of this machine."""
    import torch  # noqa: PLC0415 (takes seconds)

    cores = psutil.cpu_count(logical=False) or os.cpu_count()
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "Processor": f"{_processor()}, {cores} cores, {os.cpu_count()} threads",
        "Memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "GPU": ", ".join(gpus) or "none that PyTorch sees",
        "System": f"{platform.system()} {platform.release()}, {platform.machine()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return (named or [platform.processor() or platform.machine()])[0]


def today() -> str:
    """Date and time, UTC."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def read_benchmark(path: str | Path) -> dict[str, float]:
    """Read a Snakemake benchmark: wall time ``s`` and ``cpu_time`` in s, ``max_rss`` in MiB.

    The latter two are NaN if the job was too short to be sampled.

    Raises
    ------
    ResultError
        The file is not a complete benchmark: a header and a row, tab-separated.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        header, *rows = [line.split("\t") for line in text.splitlines()]
        row = dict(zip(header, rows[-1], strict=True))
        numbers = {
            name: float(pd.to_numeric(row[name], errors="coerce"))
            for name in ("s", "cpu_time", "max_rss")
        }
        if not (text.endswith("\n") and 0 <= numbers["s"] < float("inf")):
            raise ValueError(f"{row['s']} s")
    except (OSError, ValueError, LookupError) as error:
        raise ResultError(
            f"{path}: no benchmark, or only the beginning of one ({error})"
        ) from error
    return numbers


def hours(folder: str | Path, configuration: Mapping[str, object]) -> pd.DataFrame:
    """Time and memory of jobs, from those of Snakemake's benchmark files that exist now.

    Parameters
    ----------
    folder
        ``benchmarks`` of the run: ``RULE.tsv``, or ``RULE/METHOD/WEIGHTS/fold-F_seed-S.tsv``.
    configuration
        Its ``folds``, ``seeds``, ``methods`` and ``heldout``; benchmarks of others are left out.

    Returns
    -------
    DataFrame
        ``rule`` (in the order of their first jobs), ``jobs``, ``hours`` (summed, also over
        jobs that ran in parallel), ``cpu_hours`` and ``memory`` (MB, the largest job's). Unreadable
        files are left out, as a job may be writing them; so is the report's.
    """
    rows = []
    for path in sorted(Path(folder).rglob("*.tsv")):
        place = path.relative_to(folder).with_suffix("").as_posix()
        rule = place.split("/")[0]
        if rule != "make_report" and _is_configured(place, configuration):
            with suppress(ResultError, OSError):  # being written
                rows.append({"rule": rule, "at": path.stat().st_mtime, **read_benchmark(path)})
    table = pd.DataFrame(rows, columns=["rule", "at", "s", "cpu_time", "max_rss"])
    groups = table.sort_values("at").groupby("rule", sort=False)
    return groups.agg(
        jobs=("s", "size"),
        hours=("s", lambda seconds: seconds.sum() / 3600),
        cpu_hours=("cpu_time", lambda seconds: seconds.sum() / 3600),
        memory=("max_rss", "max"),
    ).reset_index()


def _is_configured(place: str, configuration: Mapping[str, object]) -> bool:
    """Whether the configuration has a job's fold, seed and method, if the job has any."""
    rule, _, rest = place.partition("/")
    folds = [*configuration["folds"], *([HELDOUT] if configuration.get("heldout") else [])]
    if HELDOUT in rule and HELDOUT not in folds:
        return False
    for key, known in {"fold": folds, "seed": configuration["seeds"]}.items():
        found = re.search(rf"[/_]{key}-(\d+|{HELDOUT})", place)
        if found and found[1] not in map(str, known):
            return False
    first, _, deeper = rest.partition("/")
    if (rule.endswith("_teacher") or rule.startswith("dump_")) and deeper:
        return f"{first}/" in teachers_of(configuration)
    return not rule.endswith("_student") or first in configuration["methods"]


def describe_data(
    events: str | Path, recordings: Sequence[str | Path], hop: float, part: str | None = None
) -> pd.DataFrame:
    """Count the data in use.

    Parameters
    ----------
    events
        ``events.tsv``.
    recordings
        ``recordings.tsv`` of each fold; a recording counts once.
    hop
        Seconds of a frame.
    part
        ``development`` or ``evaluation``; both by default.

    Returns
    -------
    DataFrame
        ``scene``, ``recordings``, ``minutes``, ``rows`` (of annotation); the last row is the total.
    """
    used = pd.concat([read_table(path) for path in recordings]).drop_duplicates("recording")
    used = used[used.part == part] if part else used
    listed = read_table(events)
    listed = listed[listed.recording.isin(used.recording)]
    sizes = used.groupby("scene").frames.agg(["size", "sum"])
    table = pd.DataFrame({"recordings": sizes["size"], "minutes": sizes["sum"] * hop / 60})
    table["rows"] = happenings(listed).groupby("scene").size()
    table = table.fillna({"rows": 0}).rename_axis("scene").reset_index()
    total = table.drop(columns="scene").sum().to_frame().T.assign(scene="all")
    table = pd.concat([table, total], ignore_index=True)
    return table.astype({"recordings": int, "rows": int})


def count_audit(audit: str | Path) -> pd.DataFrame:
    """Rows of the audit by ``list`` and ``action``: ``rows``."""
    return read_table(audit).groupby(["list", "action"]).size().rename("rows").reset_index()


def in_order(nested: Mapping[str, object], model: Mapping[str, object]) -> dict[str, object]:
    """Key path -> value of a configuration, in the order of another; extra keys come last."""
    places = {key: i for i, key in enumerate(flat(model))}
    found = flat(nested)
    return {key: found[key] for key in sorted(found, key=lambda key: places.get(key, len(places)))}


def differences(
    configuration: Mapping[str, object], default: Mapping[str, object]
) -> list[tuple[str, object, object]]:
    """Keys of a configuration that differ from the default: (key path, here, default).

    A missing key is None. Keys that only the default has count only if they are a method's, which
    was then left out.
    """
    here, there = in_order(configuration, default), flat(default)
    left_out = [key for key in there if key.startswith("methods.") and key not in here]
    return [
        (key, here.get(key), there.get(key))
        for key in [*here, *left_out]
        if here.get(key) != there.get(key)
    ]


def heldout_files(files: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the held-out test, by the names that the cross-validation's have; empty without."""
    start = f"{HELDOUT}_"
    return {key.removeprefix(start): files[key] for key in files if key.startswith(start)}


def require_run(
    configuration: Mapping[str, object],
    variants: Sequence[Mapping[str, str]],
    files: Mapping[str, str | Sequence[str]],
) -> None:
    """:func:`require_configured` of the cross-validation and, if there is one, the held-out test.

    The latter's files have its names with ``heldout_`` before them.
    """
    require_configured(configuration, variants, files)
    if heldout := heldout_files(files):
        require_configured({**configuration, "folds": [HELDOUT]}, variants, heldout)


def require_configured(
    configuration: Mapping[str, object],
    variants: Sequence[Mapping[str, str]],
    files: Mapping[str, str | Sequence[str]],
) -> None:
    """Make sure that results are of this configuration; Snakemake checks only its own runs.

    Parameters
    ----------
    configuration
        As resolved.
    variants
        Those of the students: their values of ``method`` and weights.
    files
        ``features``, ``events``; the ``parameters.json`` of all ``students`` (by variant, fold and
        seed) and ``teachers`` (by their wildcard, as :func:`trained_teachers` has them, fold and
        seed), if there are any; and other jobs' notes
        of the configuration they used: ``lists``, ``audits``, ``folds``, ``evaluations``.

    Raises
    ------
    FeatureError
        The features were made with other parameters, or for other events.
    ResultError
        Something else was made with other parameters; names the keys and what to do.
    """
    parameters = FeatureParameters(**configuration["features"])
    with FeatureStore(files["features"], parameters, sources_of(files["events"])):
        pass
    seeds = [seed for _ in configuration["folds"] for seed in configuration["seeds"]]
    teachers = files.get("teachers", [])
    expected = [
        ("teacher", trained_with(configuration, teacher=name), seed)
        for name in (trained_teachers(configuration) if teachers else [])
        for seed in seeds
    ]
    expected += [
        ("student", trained_with(configuration, variant["method"]), seed)
        for variant in variants
        for seed in seeds
    ]
    paths = [*teachers, *files["students"]]
    other: dict[str, list[str]] = {}
    for path, (role, wanted, seed) in zip(paths, expected, strict=True):
        resolved = {**wanted, "seed": seed}
        for key, found in other_parameters(path, resolved).items():
            fault = f"{role}: {key} is {found}, the configuration says {flat(resolved)[key]}"
            other.setdefault(fault, []).append(str(path))
    now = flat(configuration)
    for role, path in _noted(configuration, files):
        for key, found in flat(read_parameters(path)).items():
            if (value := now.get(key, "nothing")) != found:
                fault = f"{role}: {key} is {found}, the configuration says {value}"
                other.setdefault(fault, []).append(str(path))
    if other:
        rules = {MADE_BY.get(role := fault.split(":")[0], role) for fault in other}
        if any("evaluation.adaptive_thresholds." in fault for fault in other):
            rules.add("predict_student")
        if "train_teacher" in rules and inner_teachers(configuration):
            rules.add("train_inner_teacher")
        raise ResultError.of(
            "results are of another configuration: use that one again, set another 'run' name, or "
            f"remake them with this one: snakemake --forcerun {' '.join(sorted(rules))} (then the "
            "run's --configfile and --cores)",
            [f"{fault} ({len(of)} files, {of[0]} first)" for fault, of in other.items()],
        )


def _noted(
    configuration: Mapping[str, object], files: Mapping[str, str | Sequence[str]]
) -> Iterator[tuple[str, str]]:
    """Role and file of all but trainings that note what they used of the configuration."""
    lists = "own data" if configuration["data"]["own"] else "annotations"
    roles = {"lists": lists, "audits": "audit", "folds": "fold", "evaluations": "evaluation"}
    for key, role in roles.items():
        paths = files.get(key, [])
        yield from ((role, path) for path in ([paths] if isinstance(paths, str) else paths))


def trained_with(
    configuration: Mapping[str, object], method: str = "", teacher: str = USUAL
) -> dict[str, object]:
    """What ``parameters.json`` of a method's students must say; without one, of these teachers."""
    if not method:
        return _trained(configuration, teachers_of(configuration)[teacher])
    objective = {
        "loss": configuration["methods"][method]["scene_loss"],
        "events": event_reduction(configuration, method),
    }
    settings = student_settings(configuration, method)
    return _trained(configuration, settings) | {"scene_objective": objective}


def _trained(configuration: Mapping[str, object], settings: TrainingSettings) -> dict[str, object]:
    """What a training's ``parameters.json`` must say."""
    clip = {
        "frames": configuration["clips"]["frames"],
        "bands": configuration["features"]["bands"],
    }
    return {
        "training": settings.training,
        "network": {"precision": "float32", **settings.network, **clip},
        "threads": configuration["compute"]["threads"],
    }


def other_parameters(path: str | Path, wanted: Mapping[str, object]) -> dict[str, object]:
    """Key path -> what ``parameters.json`` says in place of what is wanted, or "missing".

    Raises
    ------
    ResultError
        It cannot be read.
    """
    made = EARLIER | flat(read_parameters(path))
    return {
        key: made.get(key, "missing")
        for key, value in flat(wanted).items()
        if made.get(key, "missing") != value
    }
