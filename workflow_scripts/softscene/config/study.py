"""What a configuration wants to be trained: methods, controls, and variants of each."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from softscene.config.own_code import code_faults, has_network
from softscene.core.errors import ConfigurationError

NONE = "none"  # stands in a student's path for a weight that its method does not have
BEST_WEIGHTS = {"alpha": 0.0001, "beta": 1.0, "temperature": 1.0}  # of the paper's Table 3
MOST_EXPLORED = 6  # students on the explorer's page, as many as its colours tell apart; see schema
WEIGHTS_OF = {"none": (), "hard": ("alpha",), "soft": ("beta", "temperature")}
CONTROLS = {  # what the soft loss learns in place of the teacher's labels, and the method's name
    "smoothed": "MTL with smoothed labels",
    "shuffled": "MTL with shuffled soft labels",
    "cross_fitted": "MTL with cross-fitted soft labels",
    "scene_mean": "MTL with scene-mean soft labels",
}


@dataclass(frozen=True)
class StudentKind:
    """A method and its weights, as they stand in paths and tables.

    Attributes
    ----------
    method
        Key of the configuration's ``methods``.
    alpha, beta, temperature
        Canonical numbers, or ``none``.
    """

    method: str
    alpha: str = NONE
    beta: str = NONE
    temperature: str = NONE

    @property
    def folder(self) -> str:
        """METHOD/WEIGHTS, where its results lie."""
        return f"{self.method}/alpha-{self.alpha}_beta-{self.beta}_T-{self.temperature}"


def canonical(number: float) -> str:
    """The one way to write a number in a path: 0.5 for 0.5, 0.50 and 5e-1; 1.0 for 1."""
    return format(Decimal(repr(float(number) + 0.0)), "f")  # -0.0 becomes 0.0


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
        control: {"name": CONTROLS[control], "scene_loss": "soft", "labels": control, **weights}
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


def student_kinds(methods: Mapping[str, Mapping[str, Any]]) -> list[StudentKind]:
    """All combinations of method and weights: in the order none, hard, soft, and as configured."""
    losses = list(WEIGHTS_OF)
    kinds = []
    for key, method in sorted(methods.items(), key=lambda m: losses.index(m[1]["scene_loss"])):
        names = WEIGHTS_OF[method["scene_loss"]]
        for values in itertools.product(*(method[name] for name in names)):
            kinds.append(StudentKind(key, **dict(zip(names, map(canonical, values), strict=True))))
    return kinds


def explored_kinds(
    kinds: Sequence[StudentKind], folders: Sequence[str] | None
) -> list[StudentKind]:
    """The kinds that the explorer shows: those of the folders, in their order.

    By default of each method, up to ``MOST_EXPLORED``, the one whose weights are nearest to the
    best of the paper's Table 3.
    """
    if folders is not None:
        return [kind for folder in folders for kind in kinds if kind.folder == folder]
    methods = list(dict.fromkeys(kind.method for kind in kinds))[:MOST_EXPLORED]
    return [min((k for k in kinds if k.method == each), key=_distance) for each in methods]


def _distance(kind: StudentKind) -> float:
    weights = {name: getattr(kind, name) for name in BEST_WEIGHTS}
    return sum(
        abs(float(weight) - BEST_WEIGHTS[name])
        for name, weight in weights.items()
        if weight != NONE
    )
