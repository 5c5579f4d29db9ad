"""What a configuration trains, and which variants the claims, explorer and detector use."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from softscene.config.controls import CONTROLS
from softscene.config.custom_code import code_faults, has_network
from softscene.config.variants import (
    HARD_WEIGHTS,
    ROW,
    SOFT_WEIGHTS,
    WEIGHTS_OF,
    Chosen,
    Variant,
    choose_variants,
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
        with a custom network.
    """

    folds: Sequence[int]
    seeds: Sequence[int]
    heldout: Sequence[str]
    variants: Sequence[Variant]
    chosen: Chosen
    explored: Sequence[Variant]
    detecting: Sequence[Variant]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Study":
        """The study of a checked configuration with its controls, see :func:`with_controls`.

        Raises
        ------
        ConfigurationError
            A custom method's file cannot be used at all, or not for the detector.
        """
        require_code(config["methods"])
        variants, detector = variants_of(config["methods"]), config["detector"]
        apart = custom_networks(config["methods"], detector)
        usual = [each for each in variants if not each.is_control and each.method not in apart]
        return cls(
            folds=config["folds"],
            seeds=config["seeds"],
            heldout=(HELDOUT,) if config["heldout"] else (),
            variants=variants,
            chosen=choose_variants(variants),
            explored=explored_variants(variants, config["explorer"]["students"]),
            detecting=[v for v in variants if v.folder == detector] if detector else usual,
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

    @property
    def controls(self) -> list[str]:
        """Names of the controls in tables."""
        return list(dict.fromkeys(each.name for each in self.variants if each.is_control))

    @property
    def temperatures(self) -> list[float]:
        """Temperatures of the students that learn the teacher's own soft labels."""
        soft = [each for each in self.variants if each.loss == "soft" and not each.is_control]
        return sorted({each.weights["temperature"] for each in soft})


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
        for control in config["controls"]
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
    keys = {
        key for key, method in methods.items() if "code" in method and has_network(method["code"])
    }
    if detector and (key := detector.split("/")[0]) in keys:
        raise ConfigurationError(
            f"detector: {detector!r} given, but {methods[key]['code']} has a network of its own, "
            "and a detector can hold only the workflow's; name a method without such code, or null"
        )
    return keys


def explored_variants(variants: Sequence[Variant], folders: Sequence[str] | None) -> list[Variant]:
    """The variants that the explorer shows: those of the given folders, in that order.

    By default, one of each of the first ``MOST_EXPLORED`` methods: the variant whose weights are
    closest to the best ones in the paper's Table 3.
    """
    if folders is not None:
        return [each for folder in folders for each in variants if each.folder == folder]
    methods = list(dict.fromkeys(each.method for each in variants))[:MOST_EXPLORED]
    return [min((v for v in variants if v.method == each), key=_distance) for each in methods]


def _distance(variant: Variant) -> float:
    best = HARD_WEIGHTS | SOFT_WEIGHTS
    return sum(abs(weight - best[name]) for name, weight in variant.weights.items())
