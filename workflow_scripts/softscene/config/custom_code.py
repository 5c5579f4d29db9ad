"""Custom methods: a file with networks or losses that replace the library's."""

import ast
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from softscene.core.errors import MethodError
from softscene.core.files import other_than_file

# What a file may define; docs/extending.md has the signatures.
REPLACEABLE = ("Student", "Teacher", "event_loss", "hard_scene_loss", "soft_scene_loss")
MODULE = "custom_method"  # the file's module name, whatever its path


def code_faults(path: str | Path, scene_loss: str) -> Iterator[str]:
    """List why a file cannot be a method's code, without running it.

    Parameters
    ----------
    path
        The file.
    scene_loss
        The method's; a file that defines nothing that this one uses is refused.
    """
    if other := other_than_file(path):
        yield f"{path} {other}"
        return
    try:
        tree = ast.parse(Path(path).read_bytes(), str(path))
    except OSError as error:
        yield f"{path} cannot be read: {error.strerror}"
        return
    except (SyntaxError, ValueError) as error:
        yield f"{path} is not Python: {error}"
        return
    useful = {"Student", "event_loss", f"{scene_loss}_scene_loss"}
    useful |= {"Teacher"} if scene_loss == "soft" else set()
    found = set(_names(tree)) & set(REPLACEABLE)
    if not found & useful:
        expected = " or ".join(name for name in REPLACEABLE if name in useful)
        has = ", ".join(sorted(found)) or "none of them"
        yield f"{path} defines {has}; {expected} expected where scene_loss is {scene_loss!r}"


def defines(path: str | Path, name: str) -> bool:
    """Whether a file without :func:`code_faults` defines one of :data:`REPLACEABLE`."""
    return name in _names(ast.parse(Path(path).read_bytes(), str(path)))


def has_teacher(path: str | Path) -> bool:
    """Whether a file defines a teacher; False if it cannot be read as Python."""
    if other_than_file(path):
        return False
    try:
        tree = ast.parse(Path(path).read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError):
        return False
    return "Teacher" in _names(tree)


def _names(tree: ast.Module) -> Iterator[str]:
    """Names that a module defines or imports at its top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (each.id for each in node.targets if isinstance(each, ast.Name))


@contextmanager
def naming_code(path: str | Path, name: str) -> Iterator[None]:
    """Name the file and the function in any error that the block raises.

    Parameters
    ----------
    path
        The method's file.
    name
        The function that is called, with its arguments.

    Raises
    ------
    MethodError
        Replaces any other error; gives the line if it is in the file.
    """
    try:
        yield
    except MethodError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        place = f"{path}, line {lines[-1]}" if lines else str(path)
        raise MethodError(
            f"{place}: {name} was tried and failed: {type(error).__name__}: {error}"
        ) from error


def load_code(path: str | Path) -> ModuleType:
    """Run a method's file and return it as a module.

    Raises
    ------
    MethodError
        It cannot be run; includes the end of the traceback.
    """
    spec = importlib.util.spec_from_file_location(MODULE, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module  # data classes, for example, look up their module here
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        trace = "".join(traceback.format_exception(error)[-3:]).rstrip()
        raise MethodError(f"{path} cannot be used as a method:\n{trace}") from error
    return module
