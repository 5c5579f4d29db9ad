"""Settings of trainings: the configuration's, and what a method overrides of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from softscene.config.controls import CONTROLS
from softscene.config.custom_code import has_teacher
from softscene.config.variants import TEACHER, canonical

USUAL = ""  # the wildcard of teachers with the configuration's own settings
FRACTIONS = ("learning_rate", "dropout")
OF_TEACHER = ("channels", "dropout")
OF_CUSTOM_TEACHER = ("channels", "scene_channels", "gru_units", "dense_units", "dropout")
OF_STUDENT = ("channels", "gru_units", "dense_units", "dropout")
Settings = Mapping[str, Any]  # keys and values of a part of the configuration


@dataclass(frozen=True)
class TrainingSettings:
    """What the configuration says of a training, after a method's overrides.

    Attributes
    ----------
    training
        ``epochs``, ``batch_size`` and ``learning_rate``.
    network
        The keys of ``network`` that this network uses; ``precision``, unless it is the default.
    code
        File of a custom teacher.
    """

    training: Settings
    network: Settings
    code: str | None = None

    @classmethod
    def of(
        cls, config: Settings, role: str, overrides: Settings, sizes: tuple[str, ...]
    ) -> "TrainingSettings":
        """The settings of a role, ``teacher`` or ``student``; ``sizes`` are keys of its network."""
        training, network = (
            {key: overrides.get(key, config[part][key]) for key in keys}
            for part, keys in ((role, config[role]), ("network", (*sizes, "fused")))
        )
        precision = config["compute"]["precision"]
        if precision != "float32":  # not given, the default makes no earlier run train again
            network["precision"] = precision
        return cls(training, network)


def student_settings(config: Settings, method: str) -> TrainingSettings:
    """Settings of a method's students."""
    given = config["methods"][method]
    branch = () if given["scene_loss"] == "none" else ("scene_channels",)
    sizes = (*OF_STUDENT, *branch)
    return TrainingSettings.of(config, "student", given.get("student", {}), sizes)


def event_reduction(config: Settings, method: str) -> str:
    """How a method's E1 adds up: ``mean`` or ``sum``."""
    return config["methods"][method].get("loss", config["loss"])["events"]


def custom_teacher(method: Settings) -> str | None:
    """The file that defines a method's own teacher, if it learns soft labels and has one."""
    code = method.get("code")
    return code if code and method["scene_loss"] == "soft" and has_teacher(code) else None


def teacher_of(config: Settings, method: str) -> str:
    """The wildcard ``teacher`` of the teachers that a method's students learn from.

    It is empty for those with the configuration's own settings; otherwise it says what differs, and
    ends with a slash, such as ``epochs-10/``. Methods with equal settings share a teacher; one with
    a custom teacher has its own, such as ``code-mine/``.
    """
    usual = {**config["teacher"], "dropout": config["network"]["dropout"]}
    given = config["methods"][method].get("teacher", {})
    other = {key: value for key, value in sorted(given.items()) if value != usual[key]}
    code = [f"code-{method}"] if custom_teacher(config["methods"][method]) else []
    named = [
        f"{key}-{canonical(value) if key in FRACTIONS else value}" for key, value in other.items()
    ]
    return "_".join(code + named) + "/" if code or named else USUAL


def teachers_of(config: Settings) -> dict[str, TrainingSettings]:
    """Wildcard ``teacher`` -> settings: the configuration's own, and all that methods override."""
    found = {USUAL: TrainingSettings.of(config, "teacher", {}, OF_TEACHER)}
    for key, method in config["methods"].items():
        name = teacher_of(config, key)
        if name not in found:
            code, overrides = custom_teacher(method), method.get("teacher", {})
            sizes = OF_CUSTOM_TEACHER if code else OF_TEACHER
            settings = TrainingSettings.of(config, "teacher", overrides, sizes)
            found[name] = replace(settings, code=code)
    return found


def labelling_teachers(config: Settings) -> list[str]:
    """The wildcards ``teacher`` of those whose own labels students learn, without controls."""
    return _teachers_behind(config, {TEACHER})


def trained_teachers(config: Settings) -> list[str]:
    """The wildcards ``teacher`` of all whose labels students learn, also as a control's."""
    seen = {key for key, control in CONTROLS.items() if not control.held_out}
    return _teachers_behind(config, {TEACHER, *seen})


def _teachers_behind(config: Settings, labels: set[str]) -> list[str]:
    """Sorted, the usual one first: jobs get the methods in other orders than the rules."""
    return sorted(
        {
            teacher_of(config, key)
            for key, method in config["methods"].items()
            if method["scene_loss"] == "soft" and method.get("labels", TEACHER) in labels
        }
    )


def inner_teachers(config: Settings) -> set[str]:
    """The wildcards ``teacher`` of those that label only clips that they were not trained on."""
    held_out = {key for key, control in CONTROLS.items() if control.held_out}
    return {
        teacher_of(config, key)
        for key, method in config["methods"].items()
        if method.get("labels") in held_out
    }
