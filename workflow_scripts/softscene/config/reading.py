"""YAML files and values of a configuration, as they are given."""

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from softscene.core.errors import ConfigurationError
from softscene.core.files import other_than_file

LARGEST_FILE = 1_000_000  # characters; thousands are usual, and all are looked at


def read_schema(path: str | Path) -> dict[str, Any]:
    """Read a JSON schema that is written in YAML."""
    return read_yaml(path, "schema")


class _Loader(yaml.SafeLoader):
    """YAML in which no key is given twice, and that is not endless with its aliases written out."""

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node and _size(node, {}) > LARGEST_FILE:
            raise ConfigurationError(
                f"larger than {LARGEST_FILE:,} characters with its aliases written out"
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
        except Exception as error:  # a bad date or number raises whatever Python says of it
            raise ConfigurationError(f"line {node.start_mark.line + 1}: {error}") from error


def _size(node: yaml.Node, known: dict[int, float]) -> float:
    """Characters of a node with its aliases written out; no end to it if it holds itself."""
    if isinstance(node, yaml.ScalarNode):
        return 1 + len(node.value)
    if id(node) not in known:
        known[id(node)] = math.inf
        pairs = isinstance(node, yaml.MappingNode)
        inner = itertools.chain.from_iterable(node.value) if pairs else node.value
        known[id(node)] = 1 + sum(_size(each, known) for each in inner)
    return known[id(node)]


def read_yaml(path: str | Path, kind: str) -> Any:
    """Read a YAML file of any content; ``kind`` is what messages call it.

    Raises
    ------
    ConfigurationError
        It is missing, no YAML, has a key twice, or is endless. The message names file and line.
    """
    if other := other_than_file(path):
        raise ConfigurationError(f"the {kind} {path} {other}")
    try:
        text = Path(path).read_text(encoding="utf-8")
        if Path(path).suffix == ".json":
            text = text.replace("\t", " ")  # JSON is YAML, but for tabs between its words
        return yaml.load(text, _Loader)
    except Exception as error:  # of YAML, of the disk, or text that is not UTF-8
        raise ConfigurationError(f"the {kind} {path} cannot be read: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """What is wrong with a YAML file, with its line where that is known."""
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
    """Read numbers, true, false and null in a value from ``snakemake --config 'key={...}'``.

    Snakemake gives everything inside braces as text; a configuration file needs none of this.
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
