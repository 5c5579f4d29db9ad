"""What goes into a run's archive: the workflow, the run's results, and a list of its inputs."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from softscene.config.controls import configured_controls
from softscene.config.variants import Variant
from softscene.core.errors import ResultError

TOP = (
    "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md",
    "Snakefile", "config.yaml", "pyproject.toml",
)  # fmt: skip
FOLDERS = ("configs", "docs", "envs", "profiles", "resources", "rules", "workflow_scripts")
# Only these: a checkout may also hold what is not meant to be published.
SUFFIXES = frozenset({
    ".css", ".csv", ".html", ".in", ".j2", ".js", ".md", ".mplstyle", ".png", ".py", ".rst", ".smk",
    ".tsv", ".txt", ".yaml",
})  # fmt: skip
SOUND = frozenset({
    ".aac", ".aif", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".w64",
    ".wav", ".webm", ".wma",
})  # fmt: skip
MAGIC = {b"RIFF": 0, b"RF64": 0, b"fLaC": 0, b"OggS": 0, b"ID3": 0, b"FORM": 0, b"ftyp": 4}
"""How files of sound begin, and at which byte."""


@dataclass(frozen=True)
class ArchivedRun:
    """A finished run, to be published.

    Attributes
    ----------
    name
        Of the run.
    workflow
        The workflow's folder.
    results
        The run's folder.
    configuration
        Resolved, without the keys that change no result.
    variants, places
        Of each student: the fields of its :class:`Variant`; its fold and seed.
    datasets, tested_on
        Names of the published data sets whose recordings were downloaded, and those of the held-out
        test; none if the corpus is synthetic or the data are your own.
    synthetic
        Whether the corpus is synthetic.
    """

    name: str
    workflow: Path
    results: Path
    configuration: Mapping[str, Any]
    variants: Sequence[Mapping[str, Any]]
    places: Sequence[tuple[int, int]]
    datasets: Sequence[str]
    synthetic: bool
    tested_on: Sequence[str] = ()

    @property
    def folder(self) -> str:
        """The run's folder in the archive, the same as in a checkout."""
        return f"results/{self.name}"

    def students(self) -> list[tuple[Variant, int, int]]:
        """Variant, fold and seed of each."""
        return [
            (Variant(**each), *place)
            for each, place in zip(self.variants, self.places, strict=True)
        ]


@dataclass(frozen=True)
class Member:
    """A file of the archive.

    Attributes
    ----------
    name
        Its path in the archive.
    source
        Its content, or the path of the file that has it.
    role
        What it is to the run: ``workflow``, ``input`` or ``result``.
    """

    name: str
    source: Path | bytes
    role: str

    def read(self) -> bytes:
        """Its content.

        Raises
        ------
        ResultError
            The file cannot be read.
        """
        if isinstance(self.source, bytes):
            return self.source
        try:
            return self.source.read_bytes()
        except OSError as error:
            raise ResultError(f"{self.source} cannot be read ({error})") from error


def workflow_files(folder: str | Path) -> list[str]:
    """The files of a workflow's folder that others need to run it, in alphabetical order.

    Hidden files, results, tests, and files of kinds that the workflow does not have are left out.
    """
    folder = Path(folder)
    found = [path for each in FOLDERS for path in (folder / each).rglob("*") if path.is_file()]
    kept = [path for path in found if path.suffix in SUFFIXES and not _hidden(path, folder)]
    return sorted(map(str, [*kept, *filter(Path.is_file, (folder / name for name in TOP))]))


def _hidden(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return any(part.startswith((".", "__pycache__")) or ".egg-info" in part for part in parts)


def workflow_members(run: ArchivedRun, files: Iterable[str | Path]) -> list[Member]:
    """Files of the workflow, where a checkout has them."""
    return [Member(_inside(run.workflow, path), Path(path), "workflow") for path in files]


def result_members(run: ArchivedRun, files: Iterable[str | Path]) -> list[Member]:
    """Results, where a checkout has them."""
    return [
        Member(f"{run.folder}/{_inside(run.results, path)}", Path(path), "result")
        for path in dict.fromkeys(files)
    ]


def _inside(folder: Path, path: str | Path) -> str:
    return _absolute(path).relative_to(_absolute(folder)).as_posix()


def _absolute(path: str | Path) -> Path:
    """Without "..", and without following links: parts of a run may lie on other disks."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (resolve() follows links)


def require_no_sound(members: Iterable[Member]) -> None:
    """Make sure that no file is a recording, whose terms may forbid that it is published.

    Raises
    ------
    ResultError
        Names all files whose name or first bytes are those of sound.
    """
    sound = [each.name for each in members if _is_sound(each)]
    if sound:
        raise ResultError.of(
            "an archive holds no sound, but these files look like it; move them out of the "
            "workflow's folders:",
            sound,
        )


def _is_sound(member: Member) -> bool:
    begin = member.read()[:12]
    return Path(member.name).suffix.lower() in SOUND or any(
        begin[at:].startswith(magic) for magic, at in MAGIC.items()
    )


def given_name(path: str | Path, folder: str, workflow: Path) -> str:
    """Where an archive has a file that the configuration names: a shipped one in its own place."""
    path, root = _absolute(path), _absolute(workflow)
    shipped = path.is_relative_to(root) and path.relative_to(root).parts[0] in FOLDERS
    return _inside(workflow, path) if shipped else f"given/{folder}/{path.name}"


def to_run_again(run: ArchivedRun, labels: str | Path, default: Mapping[str, Any]) -> bytes:
    """The configuration as a file for ``snakemake --configfile`` in the unpacked archive.

    Parameters
    ----------
    run
        Its ``configuration`` holds the controls as methods, too; they are left out here.
    labels
        The label file in use, which may be the workflow's own.
    default
        ``config.yaml``, whose methods return unless they are set to null.
    """
    made = dict(run.configuration)
    controls = configured_controls(made)
    name = given_name(labels, "labels", run.workflow)
    made["data"] = {**made["data"], "folder": None, "labels": name}
    left_out = dict.fromkeys(default["methods"])
    made["sensitivity"] = {"runs": []}  # they are not in the archive
    made["methods"] = left_out | {
        key: _with_given_code(key, method, run.workflow)
        for key, method in made["methods"].items()
        if key not in controls
    }
    return yaml.safe_dump(made, sort_keys=False, allow_unicode=True).encode()


def _with_given_code(key: str, method: Mapping[str, Any], workflow: Path) -> dict[str, Any]:
    code = {"code": given_name(method["code"], key, workflow)} if "code" in method else {}
    return {**method, **code}
