"""What a file was made of: facts that stand in it, and are compared where it is read."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from softscene.core.errors import ResultError, SoftSceneError, how_to_remake

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
    """Compare what stands in a file with what its reader expects of it.

    Parameters
    ----------
    path
        The file.
    made
        Its facts; it may have more than are expected.
    expected
        Fact -> value.
    error
        What to raise.

    Raises
    ------
    SoftSceneError
        Lists each fact that is missing or differs, with both values, and how to make the file.
    """
    other = [
        f"{name} {made.get(name, 'is missing')!s}, expected {value}"
        for name, value in expected.items()
        if not np.array_equal(made.get(name), value)
    ]
    if not other:
        return
    reason = (
        "was made of something else"
        if all(name in made for name in expected)
        else "was made by another version of the workflow"
    )
    raise error.of(f"{path} {reason}; {how_to_remake(path)}", other)
