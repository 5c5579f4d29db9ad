"""Configurations and label files of any content are refused by name, or mean one thing only."""

import copy
import datetime
import math
import re
from functools import cache

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from snakemake.utils import update_config
from softscene.config.checks import check
from softscene.config.labels import read_labels
from softscene.config.reading import read_schema, typed
from softscene.config.study import with_controls, without_removed_methods
from softscene.config.variants import canonical, variants_of
from softscene.core.errors import ConfigurationError

from tests.conftest import PAPER, ROOT, SCHEMA
from tests.fuzz.strategies import NUMBERS, YAML, edited, snippets, usually, words

pytestmark = pytest.mark.slow

CORPUS = read_schema(ROOT / "configs/demo.yaml")["synthetic"]
LABELS = (ROOT / "resources" / "labels.yaml").read_bytes()


# Configurations


def paths_of(tree, before=()):
    """Key path of everything in a tree of mappings and lists."""
    keys = range(len(tree)) if isinstance(tree, list) else tree
    for key in keys if isinstance(tree, dict | list) else ():
        yield (*before, key)
        yield from paths_of(tree[key], (*before, key))


PATHS = list(paths_of({**PAPER, "synthetic": CORPUS}))
INTEGERS = [0, 1, -1, 2**53 + 1, 2**32, 10**20, 10**300, 10**400]
FLOATS = [0.0, -0.0, 1.0, 0.5, 1e-7, 5e-324, 1e-30, 1e-300, 1e300, 1e22, math.nan, math.inf]
WEIGHTS = st.lists(
    st.one_of(st.integers(0, 10), st.floats(0, 10), st.sampled_from([*FLOATS, *INTEGERS])),
    min_size=1,
    max_size=4,
)


@cache
def scalars():
    return st.one_of(
        st.sampled_from([None, True, False, *INTEGERS, *FLOATS, *NUMBERS]),
        st.integers(),
        st.floats(),
        words(),
        st.sampled_from([datetime.date(2001, 1, 1), b"x", frozenset("a"), "a\n", "a/b", "a b"]),
    )


@cache
def garbage():
    """What a YAML file may hold in a place, seldom what belongs there."""
    return st.recursive(
        scalars(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars(), inner, max_size=3),
        max_leaves=4,
    )


@cache
def fitting():
    """Changes that are right, or wrong in a detail only."""
    name = st.text("ab/ 1\n", min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.just(("folds",)), st.lists(st.integers(0, 5), max_size=4)),
        st.tuples(st.just(("seeds",)), WEIGHTS),
        st.tuples(st.just(("run",)), st.one_of(name, st.just("a" * 300))),
        st.tuples(st.just(("synthetic",)), st.just(CORPUS)),
        st.tuples(st.just(("controls",)), st.lists(st.sampled_from(["shuffled", "x"]), max_size=2)),
        st.tuples(st.just(("control_settings", "beta")), WEIGHTS),
        st.tuples(st.just(("methods", "mtl", "alpha")), WEIGHTS),
        st.tuples(st.just(("methods", "soft", "beta")), WEIGHTS),
        st.tuples(st.just(("methods", "soft", "temperature")), WEIGHTS),
        st.tuples(
            st.tuples(st.just("methods"), usually(name, scalars())),
            st.fixed_dictionaries({"name": name, "scene_loss": st.just("hard"), "alpha": WEIGHTS}),
        ),
        st.tuples(
            st.tuples(st.just("features"), st.sampled_from(["sample_rate", "hop_length"])),
            st.sampled_from([1, 882, 44100, *INTEGERS]),
        ),
        st.tuples(
            st.tuples(st.just("evaluation"), st.just("conventions"), st.just("segment")),
            st.sampled_from(FLOATS),
        ),
    )


@cache
def changes():
    return st.one_of(fitting(), st.tuples(st.sampled_from(PATHS), garbage()))


def placed(path, value):
    """A configuration file that sets one key."""
    for key in reversed(path):
        value = {key: value}
    return value


@st.composite
def configurations(draw):
    """The paper's, with up to three keys set by files or the command line, removed or renamed."""
    config = copy.deepcopy(PAPER)
    for _ in range(draw(st.integers(0, 3))):
        path, value = draw(changes())
        kind = draw(st.integers(0, 7))
        if kind < 6:
            change = placed(path, value)
            update_config(config, typed(change) if kind == 5 else change)
            continue
        inner = config
        for key in path[:-1]:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and path[-1] in inner:
            old = inner.pop(path[-1])
            inner.update({draw(words()): old} if kind == 7 else {})
    config["methods"] = without_removed_methods(config.get("methods"))
    return config


def accepted(config):
    try:
        check(config, SCHEMA)
    except ConfigurationError as error:
        assert str(error).count("\n") >= 1
        return False
    return True


def is_sound(config):
    """What every stage relies on, asked in a few plain words."""
    whole = [*config["folds"], *config["seeds"], config["student"]["epochs"]]
    numbers = [value for path in paths_of(config) if isinstance(value := get(config, path), float)]
    features = config["features"]
    return (
        all(type(number) is int for number in whole)
        and len(set(config["folds"])) == len(config["folds"])
        and len(set(config["seeds"])) == len(config["seeds"])
        and all(map(math.isfinite, numbers))
        and set(config["folds"]) <= {1, 2, 3, 4}
        and 0 <= features["fmin"] < features["fmax"] <= features["sample_rate"] / 2
        and config["evaluation"]["conventions"]["segment"] > 0
        and is_name(config["run"])
    )


def get(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def is_name(text):
    return isinstance(text, str) and bool(re.fullmatch(r"[A-Za-z0-9._-]{1,200}", text, re.ASCII))


def folder_of(variant):
    return f"alpha-{variant.alpha}_beta-{variant.beta}_T-{variant.temperature}"


def weights_of(variant, methods):
    """The configured numbers that a variant's words stand for, ``None`` where it has none."""
    for weight in ("alpha", "beta", "temperature"):
        word, values = getattr(variant, weight), methods[variant.method].get(weight, [None])
        yield [value for value in values if value is None or float(word) == value]


@pytest.mark.fault("bad input", "keys of config.yaml set to anything, removed and renamed")
def test_configurations(seen):
    @given(configurations())
    @example(PAPER | {"run": "paper\n"})
    @example(PAPER | {"methods": {1: PAPER["methods"]["crnn"]}})
    @example(PAPER | {"synthetic": [[[]]] * 2})
    def refused_or_sound(config):
        if not accepted(config):
            assert config != PAPER
            return
        assert is_sound(config)
        methods = with_controls(config)
        variants = variants_of(methods)
        places = {(variant.method, folder_of(variant)) for variant in variants}
        assert len(places) == len(variants)
        assert all(is_name(method) and is_name(folder) for method, folder in places)
        for variant in variants:
            assert all(len(found) == 1 for found in weights_of(variant, methods))

    refused_or_sound()
    seen("refused with each key's path, or every student has a unique name")


def nested(depth):
    inner = []
    for _ in range(depth):
        inner = [inner]
    return inner


ITSELF = {}
ITSELF["folder"] = ITSELF


UNPRINTABLE = {"deep": nested(900), "deeper": nested(100_000), "loop": ITSELF, "long": 16**6000}


@pytest.mark.parametrize("value", UNPRINTABLE)
@pytest.mark.parametrize("key", ["synthetic", "data", "seeds"])
def test_what_python_cannot_print_is_refused(key, value):
    assert not accepted(PAPER | {key: UNPRINTABLE[value]})


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1, -1, 0.5, 2, 0.0]))
@example(-0.0, 1)
@example(5e-324, 1)
def test_a_number_has_one_name_that_reads_back(number, factor):
    name = canonical(number)
    assert float(name) == number
    assert re.fullmatch(r"-?\d+(\.\d+)?", name)
    other = number * factor
    assert (canonical(other) == name) == (other == number)
    if number == int(number):
        assert canonical(int(number)) == name


@given(st.one_of(words(), st.sampled_from([*NUMBERS, *YAML])))
def test_words_of_the_command_line(text):
    value = typed({"key": [text]})["key"][0]
    assert value is text or value is None or isinstance(value, bool | int | float)
    if isinstance(value, str):
        assert value == text
    elif len(text) < 100 and not (isinstance(value, float) and math.isnan(value)):
        assert typed(yaml.safe_dump(value).split("\n")[0]) == value


# Label files


@given(edited(LABELS, snippets("map_events", "scenes", "home", "car", *YAML)))
@example(b"scenes: [a]\nevents: [b]\nmap_events: {1: b}\n")
@example(b"scenes: [a]\nevents: !!int ''\n")
@example(b"scenes: [a]\nevents: 0x" + b"f" * 6000)
@example(b"[" * 5000)
@example(b"scenes: &a [*a]\nevents: [b]\n")
def test_label_files(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "labels.yaml"
    path.write_bytes(content)
    try:
        labels = read_labels(path)
    except ConfigurationError as error:
        assert str(path) in str(error)
        assert content != LABELS
        return
    plain = yaml.safe_load(content)
    for own, key in {labels.scenes: "scenes", labels.events: "events"}.items():
        assert list(own) == plain[key]
        assert len(set(own)) == len(own) > 0
    for own, names, key in [
        (labels.event_of, labels.events, "map_events"),
        (labels.scene_of, labels.scenes, "map_scenes"),
    ]:
        assert own == plain.get(key, {})
        assert all(isinstance(name, str) for name in own)
        assert set(own.values()) <= set(names)
