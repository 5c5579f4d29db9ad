"""Reading of YAML files and of configuration values from the command line."""

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from softscene.core.errors import ConfigurationError
from softscene.core.files import other_than_file

LARGEST_FILE = 1_000_000  # characters; usual files have thousands


def read_schema(path: str | Path) -> dict[str, Any]:
    """Read a JSON schema that is written in YAML."""
    return read_yaml(path, "schema")


class _Loader(yaml.SafeLoader):
    """Loads YAML; refuses duplicate keys, and files that are endless once aliases are expanded."""

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node and _size(node, {}) > LARGEST_FILE:
            raise ConfigurationError(
                f"larger than {LARGEST_FILE:,} characters with its aliases expanded"
            )
        return node

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            line = key.start_mark.line + 1
            if before := lines.get((key.tag, key.value)):
                raise ConfigurationError(
                    f"line {line}: the key {key.value!r} is given twice, first in line {before}"
                )
            lines[key.tag, key.value] = line
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, ConfigurationError):
            raise
        except Exception as error:  # a bad date or number can raise anything
            raise ConfigurationError(f"line {node.start_mark.line + 1}: {error}") from error


def _size(node: yaml.Node, known: dict[int, float]) -> float:
    """Characters of a node with its aliases expanded; infinite if it contains itself."""
    if isinstance(node, yaml.ScalarNode):
        return 1 + len(node.value)
    if id(node) not in known:
        known[id(node)] = math.inf
        pairs = isinstance(node, yaml.MappingNode)
        inner = itertools.chain.from_iterable(node.value) if pairs else node.value
        known[id(node)] = 1 + sum(_size(each, known) for each in inner)
    return known[id(node)]


def read_yaml(path: str | Path, kind: str) -> Any:
    """Read a YAML file with any content; messages call it ``kind``.

    Raises
    ------
    ConfigurationError
        It is missing, not YAML, too large, or has a key twice. The message names file and line.
    """
    if other := other_than_file(path):
        raise ConfigurationError(f"the {kind} {path} {other}")
    try:
        text = Path(path).read_text(encoding="utf-8")
        if Path(path).suffix == ".json":
            text = text.replace("\t", " ")  # JSON is valid YAML except for tabs between tokens
        return yaml.load(text, _Loader)
    except Exception as error:  # bad YAML, a disk error, or text that is not UTF-8
        raise ConfigurationError(f"the {kind} {path} cannot be read: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """What is wrong with a YAML file, with the line if known."""
    if isinstance(error, ConfigurationError):
        return str(error)
    if isinstance(error, UnicodeDecodeError):
        line = error.object.count(b"\n", 0, error.start) + 1
        return f"line {line}: not UTF-8 text, with the byte 0x{error.object[error.start]:02x}"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"{type(error).__name__}: {error}"
    mark, begin = error.problem_mark, error.context_mark
    reason = f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    if begin is None or begin.line == mark.line:
        return reason
    return f"{reason} ({error.context} that begins in line {begin.line + 1})"


def typed(given: Any) -> Any:
    """Parse numbers, true, false and null in a value from ``snakemake --config 'key={...}'``.

    Snakemake passes everything inside braces as text.
    """
    if isinstance(given, Mapping):
        return {key: typed(value) for key, value in given.items()}
    if isinstance(given, list):
        return [typed(value) for value in given]
    if not isinstance(given, str) or not given:
        return given
    try:
        value = yaml.safe_load(given)
    except Exception:  # see read_yaml
        return given
    return value if value is None or isinstance(value, bool | int | float) else given
