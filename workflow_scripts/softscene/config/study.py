"""What a configuration wants to be trained, and which of it stands for what."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from softscene.config.controls import CONTROLS
from softscene.config.own_code import code_faults, has_network
from softscene.config.variants import ROW, WEIGHTS_OF, Chosen, Variant, choose, variants_of
from softscene.core.errors import ConfigurationError

BEST_WEIGHTS = {"alpha": 0.0001, "beta": 1.0, "temperature": 1.0}  # of the paper's Table 3
MOST_EXPLORED = 6  # students on the explorer's page, as many as its colours tell apart; see schema


Run = tuple[Variant, int, int]  # a student: its variant, fold and seed


@dataclass(frozen=True)
class Study:
    """What is trained, and what stands for what.

    Attributes
    ----------
    folds, seeds
        Of each there is a student of each variant.
    variants
        All, in the order of the tables.
    chosen
        Those that claims are about.
    explored
        Those that the explorer shows.
    detecting
        Those that the detector may be made of: the configured one, or all but controls and methods
        with a network of their own.
    """

    folds: Sequence[int]
    seeds: Sequence[int]
    variants: Sequence[Variant]
    chosen: Chosen
    explored: Sequence[Variant]
    detecting: Sequence[Variant]

    @classmethod
    def of(cls, config: Mapping[str, Any], published: str | Path) -> "Study":
        """The study of a configuration.

        Parameters
        ----------
        config
            Checked, its controls among the methods (:func:`with_controls`).
        published
            Table 3 as published, see :func:`softscene.config.variants.choose`.

        Raises
        ------
        ConfigurationError
            A file of a method of one's own cannot be used, or not for the detector.
        """
        require_code(config["methods"])
        variants, detector = variants_of(config["methods"]), config["detector"]
        apart = own_networks(config["methods"], detector)
        usual = [each for each in variants if not each.is_control and each.method not in apart]
        return cls(
            folds=config["folds"],
            seeds=config["seeds"],
            variants=variants,
            chosen=choose(variants, published),
            explored=explored_variants(variants, config["explorer"]["students"]),
            detecting=[v for v in variants if v.folder == detector] if detector else usual,
        )

    def runs(
        self, variants: Iterable[Variant] | None = None, seeds: Sequence[int] | None = None
    ) -> list[Run]:
        """All students of all variants and seeds, or of these: by variant, then fold, then seed."""
        return [
            (variant, fold, seed)
            for variant in (self.variants if variants is None else variants)
            for fold in self.folds
            for seed in (self.seeds if seeds is None else seeds)
        ]

    def variant(self, wildcards: Mapping[str, str]) -> Variant:
        """The variant that a job's wildcards are of.

        Raises
        ------
        ConfigurationError
            None is.
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
        """Names of the controls, as tables call them."""
        return list(dict.fromkeys(each.name for each in self.variants if each.is_control))

    @property
    def temperatures(self) -> list[float]:
        """Those of the students that learn the teacher's own soft labels."""
        soft = [each for each in self.variants if each.loss == "soft" and not each.is_control]
        return sorted({each.weights["temperature"] for each in soft})


def without_removed_methods(methods: Any) -> Any:
    """Leave out the methods that a configuration has set to null."""
    if not isinstance(methods, Mapping):
        return methods
    return {key: method for key, method in methods.items() if method is not None}


def with_controls(config: Mapping[str, Any]) -> dict[str, Any]:
    """All methods: the configured ones, and one more for each of ``controls``."""
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
    """Check the files of a configuration's methods of one's own.

    Raises
    ------
    ConfigurationError
        Lists every file that is missing, is no Python, or defines nothing that its method uses.
    """
    problems = [
        f"methods.{key}.code: {fault}"
        for key, method in methods.items()
        if "code" in method
        for fault in code_faults(method["code"], method["scene_loss"])
    ]
    if problems:
        raise ConfigurationError.of("methods of one's own cannot be used:", problems)


def own_networks(methods: Mapping[str, Mapping[str, Any]], detector: str | None) -> set[str]:
    """Keys of methods with a network of their own, which a detector file cannot hold.

    Parameters
    ----------
    methods, detector
        The configuration's; :func:`require_code` has found nothing wrong with the methods.

    Raises
    ------
    ConfigurationError
        The detector is to be made of one of them.
    """
    keys = {
        key for key, method in methods.items() if "code" in method and has_network(method["code"])
    }
    if detector and (key := detector.split("/")[0]) in keys:
        raise ConfigurationError(
            f"detector: {detector!r} given, but {methods[key]['code']} has a network of its own, "
            "and a detector can hold the workflow's alone; name a method without such code, or null"
        )
    return keys


def explored_variants(variants: Sequence[Variant], folders: Sequence[str] | None) -> list[Variant]:
    """The variants that the explorer shows: those of the folders, in their order.

    By default of each method, up to ``MOST_EXPLORED``, the one whose weights are nearest to the
    best of the paper's Table 3.
    """
    if folders is not None:
        return [each for folder in folders for each in variants if each.folder == folder]
    methods = list(dict.fromkeys(each.method for each in variants))[:MOST_EXPLORED]
    return [min((v for v in variants if v.method == each), key=_distance) for each in methods]


def _distance(variant: Variant) -> float:
    return sum(abs(weight - BEST_WEIGHTS[name]) for name, weight in variant.weights.items())
