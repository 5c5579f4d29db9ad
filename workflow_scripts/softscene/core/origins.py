"""What a file was made from: facts stored in it or beside it, checked when the file is read."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from softscene.core.errors import ResultError, SoftSceneError, how_to_remake
from softscene.core.files import write_text

Facts = Mapping[str, object]


def digest_of(path: str | Path) -> str:
    """SHA-256 of a file.

    Raises
    ------
    ResultError
        It cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise ResultError(f"{path} cannot be read ({error}); {how_to_remake(path)}") from error


def require_facts(
    path: str | Path, made: Facts, expected: Facts, error: type[SoftSceneError]
) -> None:
    """Compare the facts stored in a file with those that its reader expects.

    Parameters
    ----------
    path
        The file.
    made
        Its facts; extra ones are ignored.
    expected
        Fact -> value.
    error
        What to raise.

    Raises
    ------
    SoftSceneError
        Lists each missing or different fact with both values, and how to remake the file.
    """
    other = [
        f"{name} {made.get(name, 'is missing')!s}, expected {value}"
        for name, value in expected.items()
        if not np.array_equal(made.get(name), value)
    ]
    if not other:
        return
    reason = (
        "was made from other data or settings"
        if all(name in made for name in expected)
        else "was made by another version of the workflow"
    )
    raise error.of(f"{path} {reason}; {how_to_remake(path)}", other)


def flat(nested: Mapping[str, object], path: str = "") -> dict[str, object]:
    """Key path -> value: ``{"a": {"b": 1}}`` is ``{"a.b": 1}``."""
    found = {}
    for key, value in nested.items():
        here = f"{path}.{key}" if path else str(key)
        found |= flat(value, here) if isinstance(value, Mapping) and value else {here: value}
    return found


def note_parameters(target: str | Path, parameters: Facts) -> None:
    """Write the part of the configuration that a job used as JSON, beside its results."""
    write_text(target, json.dumps(parameters, indent=2) + "\n")


def read_parameters(source: str | Path) -> dict[str, object]:
    """Read what :func:`note_parameters` wrote, or a training's ``parameters.json``.

    Raises
    ------
    ResultError
        It cannot be read.
    """
    try:
        return dict(json.loads(Path(source).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ResultError(f"{source} cannot be read ({error}); {how_to_remake(source)}") from error
