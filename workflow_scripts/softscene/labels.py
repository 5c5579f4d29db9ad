"""The scenes and events of the paper, and how TUT's own labels map to them."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from softscene.errors import ConfigurationError


@dataclass(frozen=True)
class Labels:
    """The vocabulary of a study.

    Attributes
    ----------
    scenes, events
        Names in the order of every array's class axis.
    event_of, scene_of
        A data set's own label -> the label used here; labels not in it stay as they are.
    """

    scenes: tuple[str, ...]
    events: tuple[str, ...]
    event_of: dict[str, str]
    scene_of: dict[str, str]


def read_labels(source: str | Path) -> Labels:
    """Read a label file (``resources/labels.yaml``).

    Raises
    ------
    ConfigurationError
        The file lacks a list, or a list names a label twice.
    """
    content = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
    problems = []
    for key in ("scenes", "events"):
        names = content.get(key) or []
        if not names:
            problems.append(f"{key}: a list of at least one name is missing")
        problems += [
            f"{key}: {name!r} is named twice" for name in set(names) if names.count(name) > 1
        ]
    if problems:
        raise ConfigurationError.of(f"{source} cannot be used:", problems)
    return Labels(
        scenes=tuple(content["scenes"]),
        events=tuple(content["events"]),
        event_of=dict(content.get("map_events") or {}),
        scene_of=dict(content.get("map_scenes") or {}),
    )
