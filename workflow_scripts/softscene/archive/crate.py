"""The archive's description: RO-Crate metadata by the profile for runs of a workflow.

The profiles are RO-Crate 1.1, Workflow RO-Crate 1.0 and Workflow Run Crate 0.5,
https://www.researchobject.org/workflow-run-crate/profiles/0.5/workflow_run_crate/.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softscene.archive.contents import ArchivedRun, Member
from softscene.config.reading import read_yaml
from softscene.data.archives import DataSet, Registry
from softscene.report.provenance import commit, versions

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

METADATA = "ro-crate-metadata.json"
SNAKEFILE, TERMS = "Snakefile", "resources/data_terms.txt"
SHIPPED_INPUTS = ("resources/archives.yaml", "resources/labels.yaml")
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
# What RO-Crate 1.1 has no words for.
TERMS_ADDED = {
    "md5": "https://w3id.org/ro/terms/workflow-run#md5",
    "sha256": "https://w3id.org/ro/terms/workflow-run#sha256",
}
FORMATS = {
    ".css": "text/css",
    ".csv": "text/csv",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".py": "text/x-python",
    ".rst": "text/x-rst",
    ".tsv": "text/tab-separated-values",
    ".yaml": "application/yaml",
}
ABOUT = {
    "report.html": "The report: open this first",
    "MODEL_CARD.md": "What the detector is, knows and may be used for",
    "detector.safetensors": "The best students in one file, for `softscene detect`",
    "configuration.yaml": "The run's configuration; for `snakemake --configfile`",
    "inputs.tsv": "All inputs by name, size and checksum",
    "students.tsv": "Which student's scores are in which file",
    "tables/table3.tsv": "Table 3: scores of each method",
    "tables/table4.tsv": "Table 4: scores of each event",
}


def describe(
    run: ArchivedRun, members: Sequence[Member], registry: Registry | None, moment: str
) -> dict[str, Any]:
    """Describe the archive's files and the run that made them, as JSON-LD.

    Parameters
    ----------
    run
        The run.
    members
        All files but the description.
    registry
        Where the downloaded data were published; None if nothing was downloaded.
    moment
        When the last result was made: ISO 8601, UTC.
    """
    from rocrate.rocrate import ROCrate  # noqa: PLC0415 (slow to load)

    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms = TERMS_ADDED
    citation = read_yaml(run.workflow / "CITATION.cff", "citation file")
    _add_workflow(crate, run, citation)
    files = {each.name: _add_file(crate, run, each) for each in members}
    data = _add_data(crate, run.datasets, registry)
    heldout = _add_sets(crate, run.tested_on, registry)
    paper = _add_paper(crate, citation)
    if data:
        _limit(files.get(f"{run.folder}/detector.safetensors"), data)
    made, used = (
        [files[each.name] for each in members if each.role == role] for role in ("result", "input")
    )
    used += [files[name] for name in SHIPPED_INPUTS if name in files]
    _add_action(crate, run, _each_once([*used, *data, *heldout]), made, moment)
    about = {
        "name": f"Run {run.name} of: {citation['title']}",
        "description": _summary(run),
        "license": _add_licence(crate, citation["license"]),
        "datePublished": moment,
        "citation": [paper, *data, *heldout],
    }
    _set(crate.root_dataset, about)
    return crate.metadata.generate()


def _set(entity: Any, properties: Mapping[str, Any]) -> None:
    for key, value in properties.items():
        entity[key] = value


def _add(crate: "ROCrate", identifier: str, /, **properties: Any) -> Any:
    """Add an entity that is no file of the archive; ``type`` is its @type."""
    from rocrate.model.contextentity import ContextEntity  # noqa: PLC0415 (slow to load)

    kind = {"@type": properties.pop("type")}
    return crate.add(ContextEntity(crate, identifier, properties=kind | properties))


def _summary(run: ArchivedRun) -> str:
    sound = "synthetic sound, so its numbers say nothing about the paper's claims"
    of = sound if run.synthetic else "recordings, of which none is in it"
    return (
        f"Tables, figures, report, configuration, scores and detector of run {run.name}, with the "
        f"workflow that made them and a list of its inputs by checksum. It is a run on {of}. "
        "To check its numbers: python workflow_scripts/check_archive.py ARCHIVE."
    )


def _add_workflow(crate: "ROCrate", run: ArchivedRun, citation: Mapping[str, Any]) -> None:
    found = versions()
    made_by = [
        _add(crate, f"#{name}", type="SoftwareApplication", name=name, version=version)
        for name, version in found.items()
    ]
    crate.add_workflow(
        dest_path=SNAKEFILE,
        main=True,
        lang="snakemake",
        lang_version=found["snakemake"],
        properties={
            "name": citation["title"],
            "version": citation["version"],
            "description": f"Commit: {commit(run.workflow)}",
            "softwareRequirements": made_by,
        },
    )
    profiles = [
        _add(crate, url, type="CreativeWork", name=name, version=url.rsplit("/", 1)[1])
        for url, name in PROFILES.items()
    ]
    crate.root_dataset["conformsTo"] = profiles


def _add_file(crate: "ROCrate", run: ArchivedRun, member: Member) -> Any:
    if member.name == SNAKEFILE:
        entity = crate.mainEntity
    else:
        entity = crate.add_file(dest_path=member.name, properties={"name": member.name})
    _set(entity, _facts(run, member))
    return entity


def _facts(run: ArchivedRun, member: Member) -> dict[str, str]:
    content = member.read()
    facts = {"contentSize": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
    if kind := FORMATS.get(Path(member.name).suffix):
        facts["encodingFormat"] = kind
    if about := ABOUT.get(member.name.removeprefix(f"{run.folder}/")):
        facts["description"] = about
    return facts


def _add_sets(crate: "ROCrate", names: Sequence[str], registry: Registry | None) -> list[Any]:
    """Data sets with their archives."""
    terms = {"license": {"@id": TERMS}}
    return [_add_dataset(crate, registry.datasets[name], terms) for name in names if registry]


def _add_data(crate: "ROCrate", names: Sequence[str], registry: Registry | None) -> list[Any]:
    """What was downloaded to train on: data sets, and the authors' lists."""
    if registry is None:
        return []
    terms = {"license": {"@id": TERMS}}
    lists = registry.annotations
    return _add_sets(crate, names, registry) + [
        crate.add_file(
            lists.url.format(path=path),
            properties={"name": f"{lists.name}, {path}", "sha256": sha256} | terms,
        )
        for path, sha256 in lists.files.items()
    ]


def _add_dataset(crate: "ROCrate", published: DataSet, terms: Mapping[str, Any]) -> Any:
    from rocrate.model.data_entity import DataEntity  # noqa: PLC0415 (slow to load)

    archives = [
        crate.add_file(
            each.url,
            properties={"name": each.name, "contentSize": str(each.bytes), "md5": each.md5},
        )
        for each in published.archives.values()
    ]
    doi = f"https://doi.org/{published.doi}"
    properties = {
        "@type": "Dataset",
        "name": published.name,
        "identifier": doi,
        "conditionsOfAccess": "for non-commercial use only",
        "hasPart": archives,
    }
    return crate.add(DataEntity(crate, doi, properties={**properties, **terms}))


def _add_paper(crate: "ROCrate", citation: Mapping[str, Any]) -> Any:
    paper = citation["references"][0]
    (arxiv,) = (each["value"] for each in paper["identifiers"])
    authors = [
        _add(
            crate,
            f"#{author['given-names']}-{author['family-names']}".replace(" ", "-"),
            type="Person",
            name=f"{author['given-names']} {author['family-names']}",
        )
        for author in paper["authors"]
    ]
    return _add(
        crate,
        f"https://arxiv.org/abs/{arxiv.removeprefix('arXiv:')}",
        type="ScholarlyArticle",
        name=paper["title"],
        author=authors,
        identifier=arxiv,
        datePublished=str(paper["year"]),
    )


def _add_licence(crate: "ROCrate", name: str) -> Any:
    url = f"https://spdx.org/licenses/{name}"
    return _add(crate, url, type="CreativeWork", name=f"{name}, of the workflow; see LICENSE")


def _limit(detector: Any | None, data: Sequence[Any]) -> None:
    """What was learned from data for non-commercial use is under the data's terms."""
    if detector is not None:
        detector["license"] = {"@id": TERMS}
        detector["isBasedOn"] = data


def _add_action(
    crate: "ROCrate", run: ArchivedRun, used: Sequence[Any], made: Sequence[Any], moment: str
) -> None:
    action = _add(
        crate,
        "#run",
        type="CreateAction",
        name=f"Run {run.name}",
        description=f"snakemake --configfile {run.folder}/configuration.yaml",
        instrument=crate.mainEntity,
        object=used,
        result=made,
        endTime=moment,
        actionStatus="http://schema.org/CompletedActionStatus",
    )
    crate.root_dataset["mentions"] = [action]


def _each_once(entities: Iterable[Any]) -> list[Any]:
    return list({each.id: each for each in entities}.values())
