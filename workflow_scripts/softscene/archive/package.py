"""A finished run as one file to publish: a Workflow Run RO-Crate, zipped."""

import csv
import datetime
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from softscene.archive.contents import (
    ArchivedRun,
    Member,
    given_name,
    require_no_sound,
    result_members,
    to_run_again,
    workflow_members,
)
from softscene.archive.crate import METADATA, describe
from softscene.archive.inputs import table_of_inputs
from softscene.archive.model_card import write_card
from softscene.config.reading import read_yaml
from softscene.config.variants import WEIGHTS
from softscene.core.files import replacing
from softscene.data.archives import Registry, read_registries

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip
Files = Mapping[str, str | Sequence[str]]


def make_archive(run: ArchivedRun, files: Files, target: str | Path) -> None:
    """Write the archive; the same results, workflow and versions give the same bytes.

    Dates in it are those of the run's results, not of the archive.

    Parameters
    ----------
    run
        What is published.
    files
        ``workflow``: its files; ``results``: all that are published as they are;
        ``overall`` (``overall.tsv`` of each student); ``detector`` if there is one; ``means``,
        ``table4``; ``recordings`` (of each data set), ``given``, ``audio``, ``lists_in_use`` for
        the list of inputs; ``registries``, ``default`` (``config.yaml``), ``labels`` and ``custom``
        (code of methods) of the configuration.
    target
        The zip.

    Raises
    ------
    ResultError
        A file cannot be read, or is sound.
    """
    registry = read_registries(files["registries"]) if run.datasets else None
    members = {each.name: each for each in _members(run, files, registry)}
    require_no_sound(members.values())
    ordered = [members[name] for name in sorted(members)]
    made = max(Path(path).stat().st_mtime for path in files["results"])
    moment = datetime.datetime.fromtimestamp(int(made), datetime.UTC).isoformat()
    metadata = describe(run, ordered, registry, moment)
    text = json.dumps(metadata, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    with replacing(target) as partial:
        _write_zip([Member(METADATA, text.encode(), "workflow"), *ordered], partial)


def _members(run: ArchivedRun, files: Files, registry: Registry | None) -> Iterable[Member]:
    yield from workflow_members(run, files["workflow"])
    yield from result_members(run, [*files["results"], *files["overall"]])
    named = [("labels", files["labels"]), *_custom(run)]
    for folder, path in named:
        yield Member(given_name(path, folder, run.workflow), Path(path), "input")
    default = read_yaml(files["default"], "configuration")
    given = (files[key] for key in ("recordings", "given", "audio", "lists_in_use"))
    inputs = table_of_inputs(registry, [*run.datasets, *run.tested_on], *given)
    made = {
        "configuration.yaml": (to_run_again(run, files["labels"], default), "input"),
        "inputs.tsv": (_as_text(inputs), "input"),
        "students.tsv": (_as_text(_students(run, files["overall"])), "result"),
    }
    if files["detector"]:
        made["MODEL_CARD.md"] = (write_card(run, files).encode(), "result")
    for name, (content, role) in made.items():
        yield Member(f"{run.folder}/{name}", content, role)


def _custom(run: ArchivedRun) -> list[tuple[str, str]]:
    methods = run.configuration["methods"]
    return [(key, method["code"]) for key, method in methods.items() if "code" in method]


def _students(run: ArchivedRun, overall: Sequence[str]) -> pd.DataFrame:
    """Where the scores of each student are in the archive, and which student it is."""
    names = [each.name for each in result_members(run, overall)]
    rows = [
        {
            "path": name,
            "method": variant.name,
            **{key: variant.weights.get(key) for key in WEIGHTS},
            "fold": fold,
            "seed": seed,
        }
        for name, (variant, fold, seed) in zip(names, run.students(), strict=True)
    ]
    return pd.DataFrame(rows).astype({weight: float for weight in WEIGHTS})


def _as_text(table: pd.DataFrame) -> bytes:
    return table.to_csv(sep="\t", index=False, quoting=csv.QUOTE_NONE).encode()


def _write_zip(members: Iterable[Member], target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for each in members:
            info = zipfile.ZipInfo(each.name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            packed.writestr(info, each.read())
