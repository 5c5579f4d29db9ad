"""The scenes and events of the paper, and how TUT's own labels map to them."""

from dataclasses import dataclass
from pathlib import Path

from softscene.config.checks import faults
from softscene.config.reading import read_schema, read_yaml
from softscene.core.errors import ConfigurationError

SCHEMA = Path(__file__).with_name("labels.schema.yaml")


@dataclass(frozen=True)
class Labels:
    """The vocabulary of a study.

    Attributes
    ----------
    scenes, events
        Names in the order of the class axis of every array.
    event_of, scene_of
        A data set's own label -> the label used here; other labels are unchanged.
    """

    scenes: tuple[str, ...]
    events: tuple[str, ...]
    event_of: dict[str, str]
    scene_of: dict[str, str]

    @property
    def classes(self) -> tuple[int, int]:
        """Number of events and of scenes."""
        return len(self.events), len(self.scenes)


def read_labels(source: str | Path) -> Labels:
    """Read a label file (``resources/labels.yaml``).

    Raises
    ------
    ConfigurationError
        The file violates its schema, or maps to a name that it does not list.
    """
    content = read_yaml(source, "label file")
    problems = faults(content, read_schema(SCHEMA)) or [
        f"map_{kind}.{own}: {name!r} is not among the {kind}"
        for kind in ("events", "scenes")
        for own, name in content.get(f"map_{kind}", {}).items()
        if name not in content[kind]
    ]
    if problems:
        raise ConfigurationError.of(f"the label file {source} cannot be used:", problems)
    return Labels(
        scenes=tuple(content["scenes"]),
        events=tuple(content["events"]),
        event_of=dict(content.get("map_events", {})),
        scene_of=dict(content.get("map_scenes", {})),
    )
