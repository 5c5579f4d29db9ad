"""Label files: every mistake in them is told before any job."""

import os

import pytest
import yaml
from softscene.config.labels import read_labels
from softscene.core.errors import ConfigurationError

GOOD = {"scenes": ["home"], "events": ["car", "fan"], "map_events": {"auto": "car"}}


def test_a_good_file_is_read(tmp_path):
    path = tmp_path / "labels.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    labels = read_labels(path)
    assert labels.scenes == ("home",)
    assert labels.events == ("car", "fan")
    assert labels.event_of == {"auto": "car"}
    assert labels.scene_of == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"map_event": {}}, "map_event: no such key; is 'map_events' meant?"),
        ({"scenes": "home office"}, "scenes: 'home office' given, a list of different names"),
        ({"events": ["car", "car"]}, "events: ['car', 'car'] given, a list of different names"),
        ({"map_events": {"auto": "cart"}}, "map_events.auto: 'cart' is not among the events"),
    ],
)
def test_each_mistake_is_named(tmp_path, change, words):
    path = tmp_path / "labels.yaml"
    path.write_text(yaml.safe_dump(GOOD | change))
    with pytest.raises(ConfigurationError) as caught:
        read_labels(path)
    assert words in str(caught.value)


def test_an_empty_or_missing_file_is_no_crash(tmp_path):
    path = tmp_path / "labels.yaml"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_labels(path)
    path.write_text("")
    with pytest.raises(ConfigurationError, match="object expected"):
        read_labels(path)


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "labels.yaml")
    with pytest.raises(ConfigurationError) as caught:
        read_labels(tmp_path / "labels.yaml")
    assert str(caught.value).endswith("labels.yaml is a named pipe, not a file")
