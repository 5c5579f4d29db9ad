"""Checks of the configuration, made before any job runs."""

import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from softscene.config.controls import CONTROLS, configured_controls
from softscene.config.overrides import teacher_of
from softscene.config.study import with_controls
from softscene.config.variants import TEACHER, WEIGHTS_OF, canonical, variants_of
from softscene.core.errors import ConfigurationError


def _matches(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


# JSON schema accepts 300.0 as an integer; as a number of epochs or a seed in a path it is wrong.
# And the schemas' patterns must match the whole text, but Python's $ allows a trailing line feed.
Validator = validators.extend(
    Draft202012Validator,
    {"pattern": _matches},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)
LONGEST_NUMBER = 64  # characters; three such numbers and their names fit in a folder's name
LONGEST_TEACHER = 200  # characters of a folder's name, which may have 255
SYNTHETIC_SCENES = {"city_center", "home", "office", "residential_area"}


def check(config: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Check a configuration against its schema, and its keys against each other.

    Raises
    ------
    ConfigurationError
        Lists everything that is wrong: key path, value given, and what is allowed.
    """
    # The schema file does not list the controls.
    known = {"control": {"enum": [*CONTROLS]}, "soft_labels": {"enum": [TEACHER, *CONTROLS]}}
    schema = {**schema, "$defs": {**schema["$defs"], **known}}
    problems = faults(config, schema) or list(_contradictions(config))
    if problems:
        raise ConfigurationError.of("the configuration cannot be used:", problems)


def faults(content: Any, schema: Mapping[str, Any]) -> list[str]:
    """List what violates a schema, one line each: key path, value given, and what is allowed."""
    try:
        errors = Validator(schema).iter_errors(content)
        errors = sorted(errors, key=lambda e: [str(k) for k in e.path])
        lines = [line for error in errors for line in _describe(error)] + list(_not_finite(content))
    except (RecursionError, ValueError):  # raised for values that Python cannot print
        return ["it contains itself, is nested too deeply, or has a number with too many digits"]
    return list(dict.fromkeys(lines))


def _key_path(keys: Sequence[str | int]) -> str:
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return path.lstrip(".")


def _not_finite(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[str]:
    """NaN and infinity, which a schema's ranges may let through."""
    if isinstance(value, int | float) and not _is_finite(value):
        yield f"{_key_path(path)}: {value!r} given, a finite number expected"
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _not_finite(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _not_finite(inner, (*path, index))


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond the largest float
        return False


def _describe(error: ValidationError) -> Iterator[str]:
    """One line for each problem that a schema error contains."""
    path = list(error.absolute_path)
    if error.validator == "oneOf" and isinstance(error.instance, Mapping):
        for deeper in error.context:
            if deeper.validator != "type" or deeper.absolute_path != error.absolute_path:
                yield from _describe(deeper)
        return
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        for key in sorted(set(map(str, error.instance)) - set(known)):
            yield f"{_key_path([*path, key])}: no such key{_nearest(key, known)}"
    elif error.validator == "required":
        key = error.message.split("'")[1]  # the key is named only in the message
        yield f"{_key_path([*path, key])}: this key is missing"
    else:
        yield f"{_key_path(path)}: {_written(error.instance)} given, {_allowed(error)} expected"


def _written(value: Any) -> str:
    """A value as written in a configuration file, with text in quotes."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, Mapping):
        inner = (f"{_written(key)}: {_written(each)}" for key, each in value.items())
        return f"{{{', '.join(inner)}}}"
    return repr(value)


def _nearest(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"; is {near[0]!r} meant?" if near else f"; known here: {', '.join(known)}"


def _allowed(error: ValidationError) -> str:
    """Say in words what the failed schema keyword allows."""
    value = error.validator_value
    if error.validator == "type" and isinstance(error.instance, str) and _is_number(error.instance):
        return f"a {value} (YAML takes this for text: write a decimal point, e.g. 1.0e-4)"
    if error.validator in ("type", "uniqueItems", "minItems", "oneOf", "pattern", "enum"):
        described = error.schema.get("description")
        if described:
            return described
    wording = {
        "type": lambda: " or ".join([value] if isinstance(value, str) else value),
        "enum": lambda: "one of " + ", ".join(map(_written, value)),
        "minimum": lambda: f"a number from {value}",
        "maximum": lambda: f"a number up to {value}",
        "exclusiveMinimum": lambda: f"a number above {value}",
        "exclusiveMaximum": lambda: f"a number below {value}",
        "minItems": lambda: f"at least {value} value(s)",
        "maxItems": lambda: f"at most {value} value(s)",
        "uniqueItems": lambda: "different values",
        "minLength": lambda: "some text",
        "minProperties": lambda: "at least one entry",
        "pattern": lambda: f"text that matches {value}",
    }
    return wording.get(error.validator, lambda: error.message)()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    """What a schema cannot check: keys that must fit each other."""
    yield from _method_contradictions(config)
    yield from _control_contradictions(config)
    names = [method["name"] for method in with_controls(config).values()]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"methods: the name {name!r} is given to two methods"
    if faulty := _unusable_detector(config):
        yield faulty
    yield from _feature_contradictions(config)
    yield from _synthetic_contradictions(config["synthetic"] or {})
    yield from _own_data_contradictions(config)
    yield from _unknown_students(config)
    for index, run in enumerate(config["sensitivity"]["runs"]):
        if Path(run).name == config["run"]:
            yield f"sensitivity.runs[{index}]: {run!r} given, another run than this one expected"
    grid = config["evaluation"]["adaptive_thresholds"]
    if grid["lowest"] > grid["highest"]:
        yield "evaluation.adaptive_thresholds: 'lowest' is above 'highest'"


def _method_contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    for key, method in config["methods"].items():
        needed = WEIGHTS_OF[method["scene_loss"]]
        loss = method["scene_loss"]
        for weight in ("alpha", "beta", "temperature"):
            where = f"methods.{key}.{weight}"
            if weight in needed and weight not in method:
                yield f"{where}: this key is missing; scene_loss {loss!r} needs it"
            if weight not in needed and weight in method:
                yield f"{where}: scene_loss {loss!r} does not use it"
            yield from _unusable_in_paths(where, method.get(weight, []))
        for soft in ("labels", "teacher"):
            if loss != "soft" and soft in method:
                yield f"methods.{key}.{soft}: scene_loss {loss!r} does not use it"
        if len(teacher_of(config, key)) > LONGEST_TEACHER:
            yield (
                f"methods.{key}.teacher: {_written(method['teacher'])} given, numbers whose "
                f"folder's name has at most {LONGEST_TEACHER} characters expected"
            )


def _control_contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    for control in configured_controls(config):
        if control in config["methods"]:
            yield (
                f"controls: {control!r} is also a key of 'methods'; leave one out, or give the "
                "method another key"
            )
    for weight in WEIGHTS_OF["soft"]:
        where = f"control_settings.{weight}"
        yield from _unusable_in_paths(where, config["control_settings"][weight])


def _unusable_detector(config: Mapping[str, Any]) -> str | None:
    """Report a detector that is not a trained variant; skipped if the methods are wrong."""
    given = config["detector"]
    if given is None:
        return None
    try:
        known = [each.folder for each in variants_of(with_controls(config))]
    except KeyError:
        return None
    if given in known:
        return None
    return f"detector: {given!r} given, null or one of {', '.join(known)} expected"


def _unusable_in_paths(where: str, numbers: Sequence[float]) -> Iterator[str]:
    """Weights that do not fit in a folder's name, or only rounded."""
    for number in numbers:
        name = canonical(number)
        if len(name) > LONGEST_NUMBER or float(name) != number:
            yield (
                f"{where}: {number!r} given, a number that floating point holds exactly, written "
                f"with at most {LONGEST_NUMBER} characters, expected"
            )


def _own_data_contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    own = config["data"]["own"]
    if own is None:
        return
    if config["synthetic"] is not None:
        yield "data.own: a synthetic corpus is also configured; leave out one of the two"
    if config["data"]["folder"] is not None:
        yield "data.folder: your own data are not downloaded; leave it null"
    if config["heldout"]:
        yield (
            "heldout: true given, false expected: only the paper's authors have a second list; for "
            "your own data, give the recordings to hold out a fold of their own (data.own.folds)"
        )
    if isinstance(own["folds"], int):
        for index, fold in enumerate(config["folds"]):
            if fold > own["folds"]:
                yield f"folds[{index}]: {fold} given, a number up to {own['folds']} expected"


def _synthetic_contradictions(synthetic: Mapping[str, Any]) -> Iterator[str]:
    """A corpus that is not made for a given list needs the size of each scene."""
    if not synthetic or synthetic["annotations"] is not None:
        return
    for key in ("recordings", "seconds"):
        for scene in sorted(SYNTHETIC_SCENES - set(synthetic[key])):
            yield f"synthetic.{key}.{scene}: this key is missing"


def _unknown_students(config: Mapping[str, Any]) -> Iterator[str]:
    """Students to explore that are not trained; skipped if a method lacks weights."""
    named = config["explorer"]["students"] or []
    methods = with_controls(config)
    if not all(
        weight in each for each in methods.values() for weight in WEIGHTS_OF[each["scene_loss"]]
    ):
        return
    known = [each.folder for each in variants_of(methods)]
    for index, folder in enumerate(named):
        if folder not in known:
            yield f"explorer.students[{index}]: no such student{_nearest(folder, known)}"


def _feature_contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    features, conventions = config["features"], config["evaluation"]["conventions"]
    nyquist = features["sample_rate"] / 2
    if not features["fmin"] < features["fmax"] <= nyquist:
        yield (
            f"features.fmax: {features['fmax']} given, a frequency above features.fmin and up to "
            f"{nyquist} Hz (half of features.sample_rate) expected"
        )
    if features["n_fft"] < features["frame_length"]:
        yield (
            f"features.n_fft: {features['n_fft']} given, at least features.frame_length "
            f"({features['frame_length']}) expected"
        )
    hop = features["hop_length"] / features["sample_rate"]
    if config["clips"]["shortest_trained"] > config["clips"]["frames"] * hop:
        yield (
            f"clips.shortest_trained: {config['clips']['shortest_trained']} s given, no more than "
            f"a clip ({config['clips']['frames'] * hop} s) expected"
        )
    overlap, most = config["detection"]["overlap"], config["clips"]["frames"] // 2
    if round(overlap / hop) > most:
        yield (
            f"detection.overlap: {overlap} s given, a number up to {most * hop:g} expected: half a "
            f"clip (clips.frames times the hop is {config['clips']['frames'] * hop:g} s)"
        )
    if not math.isclose(conventions["frame"], hop, rel_tol=1e-9):
        yield (
            f"evaluation.conventions.frame: {conventions['frame']} s given, the features' hop "
            f"({hop} s) expected"
        )
    for name, seconds in conventions.items():
        frames = seconds / hop
        whole = round(frames) if math.isfinite(frames) else 0
        if whole < 1 or not math.isclose(frames, whole, rel_tol=1e-9):
            yield (
                f"evaluation.conventions.{name}: {seconds} s given, a multiple of the hop "
                f"({hop} s) expected"
            )
