"""The configuration: what is refused, with which words, and how numbers are written."""

import copy
import itertools

import pytest
import yaml
from softscene.config.checks import check
from softscene.config.controls import CONTROLS
from softscene.config.reading import read_yaml, typed
from softscene.config.study import with_controls, without_removed_methods
from softscene.config.variants import NONE, Variant, canonical, variants_of
from softscene.core.errors import ConfigurationError

from tests.conftest import PAPER, ROOT, SCHEMA

OWN = {"audio": "mine", "annotations": "mine.tsv", "folds": 4}


def changed(path, value):
    """The paper's configuration with one key set."""
    config = copy.deepcopy(PAPER)
    *parents, last = path.split(".")
    inner = config
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return config


def complaint(config):
    with pytest.raises(ConfigurationError) as caught:
        check(config, SCHEMA)
    return str(caught.value)


def test_the_papers_configuration_is_valid_and_complete():
    check(PAPER, SCHEMA)
    assert set(PAPER) == set(SCHEMA["required"]) == set(SCHEMA["properties"])


def test_clips_may_overlap_by_half():
    check(changed("detection.overlap", 5), SCHEMA)
    demo = changed("clips.frames", 250)
    demo["clips"]["shortest_trained"] = 1
    demo["detection"]["overlap"] = 5
    assert complaint(demo).splitlines()[1:] == [
        "  detection.overlap: 5 s given, a number up to 2.5 expected: half a clip (clips.frames "
        "times the hop is 5 s)"
    ]


@pytest.mark.parametrize(
    "name",
    [
        "configs/controls.yaml",
        "configs/demo.yaml",
        "configs/fullscale.yaml",
        "configs/heldout.yaml",
    ],
)
def test_other_configurations_only_override_known_keys(name):
    def merged(base, over):
        both = dict(base)
        for key, value in over.items():
            inner = isinstance(value, dict) and isinstance(base.get(key), dict)
            both[key] = merged(base[key], value) if inner else value
        return both

    check(merged(PAPER, yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))), SCHEMA)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("sudent", {}, ["sudent: no such key", "is 'student' meant?"]),
        ("features.band", 64, ["features.band: no such key", "is 'bands' meant?"]),
        ("seeds", [0, 0], ["seeds: [0, 0] given", "different whole numbers"]),
        ("seeds", [0, -1], ["seeds[1]: -1 given", "from 0"]),
        ("seeds", "all", ["seeds: 'all' given, a list of"]),
        ("heldout", "yes", ["heldout: 'yes' given", "boolean expected"]),
        ("folds", [5], ["folds[0]: 5 given", "up to 4"]),
        ("student.epochs", 0, ["student.epochs: 0 given", "from 1"]),
        ("student.epochs", "many", ["student.epochs: 'many' given", "integer expected"]),
        ("student.learning_rate", "2e-4", ["student.learning_rate: '2e-4'", "decimal point"]),
        ("student.learning_rate", float("nan"), ["student.learning_rate: nan", "finite"]),
        ("network.dropout", 1.0, ["network.dropout: 1.0 given", "below 1"]),
        ("network.fused", "no", ["network.fused: 'no' given", "boolean expected"]),
        ("compute.precision", "float16", ["compute.precision: 'float16'", "'tf32', 'bfloat16'"]),
        ("download.mode", "fast", ["download.mode: 'fast'", "'selective', 'full'"]),
        ("download.mirror", 3, ["download.mirror: 3 given", "string or null"]),
        ("methods.soft.temperature", [0.0], ["methods.soft.temperature[0]: 0.0", "above 0"]),
        ("methods.mtl.beta", [1.0], ["methods.mtl.beta", "'hard' does not use it"]),
        ("methods.mtl.alfa", [1.0], ["methods.mtl.alfa: no such key", "'alpha'"]),
        ("methods.mtl.scene_loss", "soft", ["methods.mtl.beta: this key is missing"]),
        ("methods.mtl.labels", "shuffled", ["methods.mtl.labels", "'hard' does not use it"]),
        ("methods.mtl.teacher", {"epochs": 3}, ["methods.mtl.teacher: scene_loss 'hard' does not"]),
        ("methods.soft.teacher", {"epochs": 0}, ["methods.soft.teacher.epochs: 0 given", "from 1"]),
        ("methods.soft.teacher", {"gru_units": 3}, ["methods.soft.teacher.gru_units: no such key"]),
        ("methods.soft.teacher", {}, ["methods.soft.teacher: {} given", "at least one entry"]),
        (
            "methods.soft.teacher",
            {"learning_rate": 1e-300},
            ["methods.soft.teacher: {'learning_rate': 1e-300} given", "at most 200 characters"],
        ),
        ("methods.soft.teacher", {"epochs": 10**300}, ["at most 200 characters"]),
        ("methods.mtl.student", {"dropout": 1}, ["methods.mtl.student.dropout: 1 given", "below"]),
        ("methods.crnn.loss", {"events": "max"}, ["methods.crnn.loss.events: 'max'", "'sum'"]),
        ("loss.events", "max", ["loss.events: 'max' given", "'mean', 'sum'"]),
        ("clips.standardisation", "none", ["clips.standardisation: 'none'", "'band', 'all'"]),
        (
            "sensitivity.runs",
            ["a", "results/paper"],
            ["sensitivity.runs[1]: 'results/paper' given, another run than this one"],
        ),
        (
            "methods.soft.labels",
            "smooth",
            ["methods.soft.labels: 'smooth'", "'teacher', 'smoothed'"],
        ),
        ("controls", ["smooth"], ["controls[0]: 'smooth' given", "'scene_mean'"]),
        ("controls", "each", ["controls: 'each' given", "'all' expected"]),
        ("controls", ["shuffled"] * 2, ["controls:", "different controls"]),
        ("control_settings.parts", 1, ["control_settings.parts: 1 given", "from 2"]),
        ("control_settings.temperature", [0], ["control_settings.temperature[0]: 0", "above 0"]),
        ("control_settings.beta", [1e-70], ["control_settings.beta: 1e-70 given", "64 characters"]),
        ("methods.mtl.name", "CNN-BiGRU", ["'CNN-BiGRU' is given to two methods"]),
        ("features.fmax", 30000.0, ["features.fmax: 30000.0 given", "22050.0 Hz"]),
        ("features.n_fft", 1024, ["features.n_fft: 1024", "frame_length"]),
        ("clips.shortest_trained", 10.5, ["clips.shortest_trained: 10.5 s given", "(10.0 s)"]),
        ("detection.overlap", 5.02, ["detection.overlap: 5.02 s given", "up to 5 expected"]),
        ("clips.shortest_trained", -1, ["clips.shortest_trained: -1 given"]),
        ("evaluation.conventions.segment", 0.03, ["conventions.segment: 0.03", "multiple of"]),
        ("evaluation.adaptive_thresholds.lowest", 0.9, ["'lowest' is above 'highest'"]),
        ("run", "a/b", ["run: 'a/b' given, a name of letters"]),
        ("synthetic", {"seed": 1}, ["synthetic.recordings: this key is missing"]),
        ("data.own", 3, ["data.own: 3 given, null for the paper's data"]),
        ("data.own", {"audio": "a", "folds": 2}, ["data.own.annotations: this key is missing"]),
        ("data.own", OWN | {"folds": 1}, ["data.own.folds: 1 given, a number from 2"]),
        ("data.own", OWN | {"folds": None}, ["data.own.folds: null given, a number of folds, 2"]),
        ("data.own", OWN | {"fold": 1}, ["data.own.fold: no such key", "'folds'"]),
        ("data.own", OWN | {"folds": 3}, ["folds[3]: 4 given, a number up to 3 expected"]),
        ("methods.mtl.code", 3, ["methods.mtl.code: 3 given"]),
        ("synthetic", 3, ["synthetic: 3 given, null for real data"]),
        ("compute.device", "mps", ["compute.device: 'mps' given, auto, cpu or cuda (Apple's mps"]),
        ("compute.per_gpu", 0, ["compute.per_gpu: 0 given", "from 1"]),
        ("compute.per_gpu", 65, ["compute.per_gpu: 65 given", "up to 64"]),
        ("compute.per_gpu", True, ["compute.per_gpu: true given, auto or a whole number"]),
        ("compute.per_gpu", "all", ["compute.per_gpu: 'all' given, auto or a whole number"]),
        ("compute.per_gpu", 1.5, ["compute.per_gpu: 1.5 given, auto or a whole number"]),
        ("compute.threads", True, ["compute.threads: true given", "integer"]),
        ("student.epochs", 300.0, ["student.epochs: 300.0 given", "integer"]),
        ("seeds", [0.0], ["seeds[0]: 0.0 given", "integer"]),
        ("evaluation.conventions.frame", 0.04, ["conventions.frame: 0.04 s", "hop (0.02 s)"]),
        (
            "synthetic",
            {"seed": 1, "annotations": None, "recordings": {"home": 4}, "seconds": {"atik": 4}},
            ["synthetic.seconds.atik: no such key"],
        ),
        (
            "synthetic",
            {"seed": 1, "annotations": None, "recordings": {"home": 4}, "seconds": {}},
            ["synthetic.recordings.office: this key is missing", "synthetic.seconds.home"],
        ),
    ],
)
def test_each_fault_names_the_key_and_what_is_allowed(path, value, words):
    message = complaint(changed(path, value))
    for word in words:
        assert word in message


def test_data_of_ones_own_have_as_many_folds_as_they_say():
    config = changed("data.own", OWN | {"folds": 12})
    config["folds"] = [1, 12]
    check(config, SCHEMA)
    config["folds"] = [1, 13]
    assert "folds[1]: 13 given, a number up to 12 expected" in complaint(config)
    config["data"]["own"]["folds"] = "folds.tsv"
    check(config, SCHEMA)


def test_data_of_ones_own_have_no_held_out_test():
    config = changed("data.own", OWN)
    config["heldout"] = True
    assert "heldout: true given, false expected: only the paper's authors have" in complaint(config)


def test_data_of_ones_own_are_neither_synthetic_nor_downloaded():
    config = changed("data.own", OWN)
    config["data"]["folder"] = "there"
    config["synthetic"] = {"seed": 1, "annotations": "lists", "recordings": {}, "seconds": {}}
    said = complaint(config)
    assert "data.own: a synthetic corpus is also configured" in said
    assert "data.folder: your own data are not downloaded" in said


def test_a_missing_key_is_named():
    config = copy.deepcopy(PAPER)
    del config["student"]["epochs"]
    assert "student.epochs: this key is missing" in complaint(config)


def test_each_missing_key_is_told_once():
    config = copy.deepcopy(PAPER)
    config["student"], config["compute"] = {}, {}
    lines = complaint(config).splitlines()[1:]
    assert sorted(lines) == sorted(set(lines))
    assert len(lines) == len(PAPER["student"]) + len(PAPER["compute"])


def test_a_method_set_to_null_is_left_out():
    methods = {**PAPER["methods"], "mtl": None}
    assert {each.method for each in variants_of(without_removed_methods(methods))} == {
        "crnn", "soft"
    }  # fmt: skip


def test_all_faults_are_told_in_one_go():
    config = changed("student.epochs", 0)
    config["folds"], config["mistake"] = [9], 1
    assert len(complaint(config).splitlines()) == 4


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([0.5, 0.50, 5e-1], "0.5"),
        ([1, 1.0], "1.0"),
        ([0.0001, 1e-4], "0.0001"),
        ([1e-7], "0.0000001"),
        ([0, 0.0], "0.0"),
        ([123.456], "123.456"),
    ],
)
def test_a_number_has_one_name(numbers, text):
    assert {canonical(number) for number in numbers} == {text}


def test_names_of_different_numbers_differ_and_read_back():
    numbers = [m * 10.0**e for m, e in itertools.product((1, 1.5, 2, 3.3), range(-12, 12))]
    names = [canonical(number) for number in numbers]
    assert [float(name) for name in names] == numbers
    assert len(set(names)) == len(set(numbers))


def test_the_paper_is_21_kinds_of_student():
    variants = variants_of(PAPER["methods"])
    assert len(variants) == len(set(variants)) == 1 + 5 + 5 * 3
    assert variants[0] == Variant("crnn", "CNN-BiGRU", "none", NONE, NONE, NONE)
    assert Variant("mtl", "MTL", "hard", "0.0001", NONE, NONE) in variants
    assert Variant("soft", "MTL with soft labels", "soft", NONE, "1.0", "5.0") in variants


def test_each_control_is_one_method_more_and_the_others_stay():
    config = changed("controls", ["shuffled", "scene_mean"])
    config["control_settings"]["temperature"] = [1.0, 2.0]
    check(config, SCHEMA)
    methods = with_controls(config)
    assert {key: methods[key] for key in PAPER["methods"]} == PAPER["methods"]
    assert list(methods)[3:] == ["shuffled", "scene_mean"]
    assert methods["shuffled"]["labels"] == "shuffled"
    assert methods["shuffled"]["scene_loss"] == "soft"
    variants = variants_of(methods)
    assert variants[:21] == variants_of(PAPER["methods"])
    assert variants[21:] == [
        Variant(control, methods[control]["name"], "soft", NONE, "1.0", temperature, control)
        for control in ("shuffled", "scene_mean")
        for temperature in ("1.0", "2.0")
    ]
    assert with_controls(PAPER) == PAPER["methods"], "off as the paper is"


def test_all_controls_are_named_in_one_word():
    named = with_controls(changed("controls", [*CONTROLS]))
    assert with_controls(changed("controls", "all")) == named


def test_a_control_and_a_method_cannot_share_a_key_or_a_name():
    config = changed("controls", ["shuffled"])
    own = {"name": "mine", "scene_loss": "soft", "beta": [1], "temperature": [1]}
    config["methods"] = {**config["methods"], "shuffled": own}
    assert "controls: 'shuffled' is also a key of 'methods'" in complaint(config)
    config = changed("controls", ["shuffled"])
    config["methods"]["mtl"]["name"] = "MTL with shuffled soft labels"
    assert "'MTL with shuffled soft labels' is given to two methods" in complaint(config)


def test_values_of_the_command_line_get_their_types():
    given = {"a": "3", "b": ["0.5", "true", "null"], "c": {"d": "2e-4", "e": "a name"}, "f": 7}
    assert typed(given) == {
        "a": 3, "b": [0.5, True, None], "c": {"d": "2e-4", "e": "a name"}, "f": 7
    }  # fmt: skip
    assert typed({"a": "@b", "c": "", "d": "% x"}) == {"a": "@b", "c": "", "d": "% x"}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("run", "paper\n", ["run: 'paper\\n' given, a name of letters"]),
        ("run", "a" * 65, ["64 at most"]),
        ("methods", {1: PAPER["methods"]["crnn"]}, ["methods: 1 given, string expected"]),
        ("methods.mtl.alpha", [10**400], ["methods.mtl.alpha[0]: 1000", "a finite number"]),
        ("methods.mtl.alpha", [1e-70], ["methods.mtl.alpha: 1e-70 given", "64 characters"]),
        ("methods.mtl.alpha", [2**53 + 1], ["methods.mtl.alpha: 9007199254740993", "exactly"]),
        ("evaluation.conventions.segment", 1e308, ["segment: 1e+308 s given, a multiple of"]),
        ("download.timeout", 1e300, ["download.timeout: 1e+300 given", "up to 86400"]),
        ("evaluation.adaptive_thresholds.step", 1e-300, ["step: 1e-300 given", "from 0.0001"]),
        ("detector", "mtl", ["detector: 'mtl' given, null or one of crnn/alpha-none_beta-none_T"]),
        ("input", 2020, ["input: 2020 given, a folder or file of recordings (./2020"]),
    ],
)
def test_what_would_fail_later_is_refused_at_once(path, value, words):
    message = complaint(changed(path, value))
    for word in words:
        assert word in message


def test_zero_has_one_name():
    assert canonical(-0.0) == canonical(0.0) == canonical(0) == "0.0"


@pytest.mark.parametrize("text", ["2001-99-99", "!!int ''", "!!bool x", "!!timestamp x"])
def test_text_that_yaml_stumbles_over_stays_text(text):
    assert typed({"key": text}) == {"key": text}


def test_braces_that_snakemake_would_fill_in_are_refused_by_their_key():
    own = {"audio": "a{x}", "annotations": "a<x>", "folds": "{"}
    synthetic = {"seed": 1, "annotations": "{x}", "recordings": {}, "seconds": {}}
    for path, value in [
        ("data.labels", "{x}.yaml"),
        ("data.folder", "a<x>"),
        ("data.own", own),
        ("synthetic", synthetic),
        ("methods.mtl.code", "}.py"),
        ("methods.mtl.name", "{x}"),
    ]:
        inner = value.items() if isinstance(value, dict) else [("", value)]
        said = complaint(changed(path, value)).splitlines()[1:]
        refused = [(k, v) for k, v in inner if isinstance(v, str)]
        assert len(said) == len(refused), said
        for line, (key, given) in zip(sorted(said), sorted(refused), strict=True):
            assert f"{path}.{key}".rstrip(".") + f": {given!r} given, a " in line
            assert "which Snakemake would put something else expected" in line
    check(changed("methods.mtl.name", "MTL, loss < 1"), SCHEMA)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run: a\nseeds: [0]\n'run': b\n", "line 3: the key 'run' is given twice, first in line 1"),
        ("a:\n  b: {c: 1, d: 2, c: 3}\n", "line 2: the key 'c' is given twice, first in line 2"),
        ("- {a: 1,\n   a: 1}\n", "line 2: the key 'a' is given twice, first in line 1"),
        ("&k a: 1\n*k : 2\n", "line 1: the key 'a' is given twice, first in line 1"),
        ("a: &a [*a]\n", "larger than 1,000,000 characters with its aliases expanded"),
        ("a: &a {b: *a}\n", "larger than 1,000,000 characters with its aliases expanded"),
    ],
)
@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_a_key_given_twice_and_what_has_no_end_are_refused(tmp_path, text, said, name):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_yaml(tmp_path / name, "configuration")
    assert str(caught.value) == f"the configuration {tmp_path / name} cannot be read: {said}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"seeds: [0\nfolds: [1]\n",
            "line 2, column 6: expected ',' or ']', but got ':' "
            "(while parsing a flow sequence that begins in line 1)",
        ),
        (b"run: a\n folds: [1]\n", "line 2, column 7: mapping values are not allowed here"),
        (
            b"run: a\nfolds:\t[1]\n",
            "line 2, column 7: found character '\\t' that cannot start any token",
        ),
        (b"run: a\nseeds: *all\n", "line 2, column 8: found undefined alias 'all'"),
        (b"run: a\n\nday: 2026-13-01\n", "line 3: month must be in 1..12"),
        (b"run: a\n# caf\xe9\n", "line 2: not UTF-8 text, with the byte 0xe9"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(tmp_path, content, said):
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        read_yaml(tmp_path / "a.yaml", "configuration")
    assert str(caught.value) == f"the configuration {tmp_path / 'a.yaml'} cannot be read: {said}"


def test_aliases_may_stand_for_little_but_not_for_millions(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("teacher: &t {epochs: 1, size: 2}\nstudent: {<<: *t, epochs: 2}\nagain: *t\n")
    assert read_yaml(path, "configuration") == {
        "teacher": {"epochs": 1, "size": 2},
        "student": {"epochs": 2, "size": 2},
        "again": {"epochs": 1, "size": 2},
    }
    bomb = [f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 9)}]" for i in range(1, 10)]
    path.write_text("\n".join(["x0: &x0 [lol, lol]", *bomb]))
    with pytest.raises(ConfigurationError, match="larger than 1,000,000 characters"):
        read_yaml(path, "configuration")


def test_json_may_have_tabs(tmp_path):
    (tmp_path / "a.json").write_text('{\n\t"run": "a",\n\t"seeds": [1]\n}\n')
    assert read_yaml(tmp_path / "a.json", "configuration") == {"run": "a", "seeds": [1]}
