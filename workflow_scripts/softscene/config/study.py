"""What a configuration trains, and which variants the claims, explorer and detector use."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from softscene.config.controls import CONTROLS, configured_controls
from softscene.config.custom_code import code_faults, defines
from softscene.config.open_choices import OpenChoice, open_choices
from softscene.config.overrides import (
    USUAL,
    TrainingSettings,
    event_reduction,
    labelling_teachers,
    student_settings,
    teacher_of,
    teachers_of,
    trained_teachers,
)
from softscene.config.variants import (
    HARD_WEIGHTS,
    ROW,
    SOFT_WEIGHTS,
    WEIGHTS_OF,
    Chosen,
    Variant,
    choose_variants,
    shown_variants,
    variants_of,
)
from softscene.core.errors import ConfigurationError

MOST_EXPLORED = 6  # students on the explorer's page: it has six distinct colours; see schema


HELDOUT = "heldout"  # the fold of the held-out test, as wildcards and tables have it
Fold = int | str  # a number of the cross-validation, or HELDOUT
Run = tuple[Variant, Fold, int]  # a student: its variant, fold and seed


@dataclass(frozen=True)
class Study:
    """What is trained, and which variants the claims, explorer and detector use.

    Attributes
    ----------
    folds, seeds
        The cross-validation: each variant has one student per fold and seed.
    heldout
        The fold of the held-out test, :data:`HELDOUT`, in a tuple; empty if it is not configured.
        No mean, comparison or choice of the cross-validation includes it.
    variants
        All variants, in the order of the tables.
    chosen
        Those that the claims are about.
    explored
        Those that the explorer shows.
    detecting
        Candidates for the detector: the configured variant, or all except controls and methods
        with overrides or a custom network.
    teachers
        Wildcard ``teacher`` -> settings of these teachers.
    labelling
        The wildcards of those whose own labels students learn.
    teaching
        The wildcards of all whose labels students learn, also as a control's.
    students
        Key of a method -> settings of its students.
    reductions
        Key of a method -> how its E1 adds up.
    choices
        What the sensitivity table compares; empty if there is no claim.
    """

    folds: Sequence[int]
    seeds: Sequence[int]
    heldout: Sequence[str]
    variants: Sequence[Variant]
    chosen: Chosen
    explored: Sequence[Variant]
    detecting: Sequence[Variant]
    teachers: Mapping[str, TrainingSettings]
    labelling: Sequence[str]
    teaching: Sequence[str]
    students: Mapping[str, TrainingSettings]
    reductions: Mapping[str, str]
    choices: Sequence[OpenChoice]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Study":
        """The study of a checked configuration with its controls, see :func:`with_controls`.

        Raises
        ------
        ConfigurationError
            A custom method's file cannot be used at all, or not for the detector.
        """
        methods, detector = config["methods"], config["detector"]
        require_code(methods)
        variants = [
            replace(each, teacher=teacher_of(config, each.method)) for each in variants_of(methods)
        ]
        apart = custom_networks(methods, detector)
        usual = [
            each
            for each in variants
            if not (each.is_control or each.overrides) and each.method not in apart
        ]
        chosen = choose_variants(variants)
        return cls(
            folds=config["folds"],
            seeds=config["seeds"],
            heldout=(HELDOUT,) if config["heldout"] else (),
            variants=variants,
            chosen=chosen,
            explored=explored_variants(variants, config["explorer"]["students"]),
            detecting=[v for v in variants if v.folder == detector] if detector else usual,
            teachers=teachers_of(config),
            labelling=labelling_teachers(config),
            teaching=trained_teachers(config),
            students={key: student_settings(config, key) for key in methods},
            reductions={key: event_reduction(config, key) for key in methods},
            choices=open_choices(variants, chosen),
        )

    def runs(
        self,
        variants: Iterable[Variant] | None = None,
        seeds: Sequence[int] | None = None,
        folds: Sequence[Fold] | None = None,
    ) -> list[Run]:
        """Students by variant, then fold, then seed: of the whole cross-validation by default."""
        return [
            (variant, fold, seed)
            for variant in (self.variants if variants is None else variants)
            for fold in (self.folds if folds is None else folds)
            for seed in (self.seeds if seeds is None else seeds)
        ]

    def variant(self, wildcards: Mapping[str, str]) -> Variant:
        """The variant that a job's wildcards name.

        Raises
        ------
        ConfigurationError
            There is none.
        """
        wanted = {key: wildcards[key] for key in ROW}
        if found := self._by_wildcards.get(tuple(wanted.values())):
            return found
        raise ConfigurationError(
            f"{', '.join(f'{key} {value}' for key, value in wanted.items())} given, a configured "
            f"method with its own weights expected, such as {self.variants[0].folder}"
        )

    @cached_property
    def _by_wildcards(self) -> dict[tuple[str, ...], Variant]:
        return {tuple(each.wildcards.values()): each for each in self.variants}

    def objective(self, wildcards: Mapping[str, str]) -> dict[str, Any]:
        """What a job's student learns, see :class:`softscene.training.parameters.SceneObjective`.

        E1's reduction is left out where it is the usual mean.
        """
        variant = self.variant(wildcards)
        reduction = self.reductions[variant.method]
        return variant.objective | ({"events": reduction} if reduction != "mean" else {})

    @property
    def shown(self) -> list[Variant]:
        """Variants of Table 4 on the page and of the learning curves."""
        return shown_variants(self.variants)

    @property
    def outside_figure3(self) -> list[str]:
        """Names in tables of what Fig. 3 leaves out: controls, and methods with overrides."""
        apart = [each.name for each in self.variants if each.is_control or each.overrides]
        return list(dict.fromkeys(apart))

    @property
    def temperatures(self) -> list[float]:
        """Temperatures of the students that learn the own soft labels of the usual teachers."""
        soft = [each for each in self.variants if each.loss == "soft" and not each.is_control]
        return sorted({each.weights["temperature"] for each in soft if each.teacher == USUAL})

    @property
    def has_overrides(self) -> bool:
        """Whether any choice that the sensitivity table compares is an override."""
        return any(each.soft.overrides for each in self.choices)

    @property
    def compared_choices(self) -> list[Variant]:
        """The variants that the sensitivity table compares."""
        found = (each for choice in self.choices for each in (choice.soft, choice.hard) if each)
        return list(dict.fromkeys(found))


def without_removed_methods(methods: Any) -> Any:
    """Leave out the methods that a configuration has set to null."""
    if not isinstance(methods, Mapping):
        return methods
    return {key: method for key, method in methods.items() if method is not None}


def with_controls(config: Mapping[str, Any]) -> dict[str, Any]:
    """All methods: the configured ones, and one for each of ``controls``."""
    settings = config["control_settings"]
    weights = {key: settings[key] for key in WEIGHTS_OF["soft"]}
    return config["methods"] | {
        control: {
            "name": CONTROLS[control].name,
            "scene_loss": "soft",
            "labels": control,
            **weights,
        }
        for control in configured_controls(config)
    }


def require_code(methods: Mapping[str, Mapping[str, Any]]) -> None:
    """Check the files of a configuration's custom methods.

    Raises
    ------
    ConfigurationError
        Lists every file that is missing, not Python, or defines nothing that its method uses.
    """
    problems = [
        f"methods.{key}.code: {fault}"
        for key, method in methods.items()
        if "code" in method
        for fault in code_faults(method["code"], method["scene_loss"])
    ]
    problems += [
        f"methods.{key}.loss: {method['code']} has an event_loss of its own; leave out one of both"
        for key, method in methods.items()
        if not problems and {"loss", "code"} <= method.keys()
        if defines(method["code"], "event_loss")
    ]
    if problems:
        raise ConfigurationError.of("custom methods cannot be used:", problems)


def custom_networks(methods: Mapping[str, Mapping[str, Any]], detector: str | None) -> set[str]:
    """Keys of methods with a custom network, which a detector file cannot hold.

    Parameters
    ----------
    methods, detector
        The configuration's; the methods have passed :func:`require_code`.

    Raises
    ------
    ConfigurationError
        One of them is configured as the detector.
    """
    codes = {key: method["code"] for key, method in methods.items() if "code" in method}
    keys = {key for key, code in codes.items() if defines(code, "Student")}
    if detector and (key := detector.split("/")[0]) in keys:
        raise ConfigurationError(
            f"detector: {detector!r} given, but {methods[key]['code']} has a network of its own, "
            "and a detector can hold only the workflow's; name a method without such code, or null"
        )
    return keys


def explored_variants(variants: Sequence[Variant], folders: Sequence[str] | None) -> list[Variant]:
    """The variants that the explorer shows: those of the given folders, in that order.

    By default, one of each of the first ``MOST_EXPLORED`` methods without overrides: the variant
    whose weights are closest to the best ones in the paper's Table 3.
    """
    if folders is not None:
        return [each for folder in folders for each in variants if each.folder == folder]
    variants = [each for each in variants if not each.overrides]
    methods = list(dict.fromkeys(each.method for each in variants))[:MOST_EXPLORED]
    return [min((v for v in variants if v.method == each), key=_distance) for each in methods]


def _distance(variant: Variant) -> float:
    best = HARD_WEIGHTS | SOFT_WEIGHTS
    return sum(abs(weight - best[name]) for name, weight in variant.weights.items())
