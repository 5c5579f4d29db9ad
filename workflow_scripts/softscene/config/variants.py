"""A variant: a method with its weights; and which variant represents each method in the claims."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from softscene.config.controls import CONTROLS

NONE = "none"  # in a student's path, for a weight that its method does not have
TEACHER = "teacher"  # the source of a method's soft labels unless configured otherwise
WEIGHTS_OF = {"none": (), "hard": ("alpha",), "soft": ("beta", "temperature")}
SYMBOLS = {"alpha": "alpha", "beta": "beta", "temperature": "T"}
WEIGHTS = list(SYMBOLS)
ROLES = ("teacher", "student", "loss")  # parts of the configuration that a method may override
# The weights of the paper's Table 3. Claims are about students with these, not about those that
# score best in a run: the best of several looks better than it is.
HARD_WEIGHTS, HEAVY_WEIGHTS = {"alpha": 0.0001}, {"alpha": 1.0}
SOFT_WEIGHTS = {"beta": 1.0, "temperature": 1.0}
FOLDER = "{method}/alpha-{alpha}_beta-{beta}_T-{temperature}"  # of a variant's results
ROW = ["method", *WEIGHTS]  # the table columns that identify a row's variant


@dataclass(frozen=True)
class Variant:
    """A method with its weights.

    Attributes
    ----------
    method
        Key of the configuration's ``methods``.
    name
        The method's name in tables.
    loss
        What its scene branch learns: ``none`` (there is no branch), ``hard`` or ``soft``.
    alpha, beta, temperature
        Its weights as written in paths: canonical numbers, or ``none``.
    labels
        Where soft labels come from: ``teacher``, or the name of a control.
    custom
        Whether it runs the user's code, and so is not a method of the paper.
    overrides
        What its method overrides, such as ``teacher.epochs = 10``; then it is not a method of the
        paper either.
    teacher
        Wildcard of its teacher, see :func:`softscene.config.overrides.teacher_of`.
    """

    method: str
    name: str
    loss: str
    alpha: str = NONE
    beta: str = NONE
    temperature: str = NONE
    labels: str = TEACHER
    custom: bool = False
    overrides: tuple[str, ...] = ()
    teacher: str = ""

    @property
    def wildcards(self) -> dict[str, str]:
        """Values of ``method``, ``alpha``, ``beta`` and ``temperature`` in its files' paths."""
        return {key: getattr(self, key) for key in ROW}

    @property
    def folder(self) -> str:
        """METHOD/WEIGHTS, the folder of its results."""
        return FOLDER.format(**self.wildcards)

    @property
    def weights(self) -> dict[str, float]:
        """The weights that the method has."""
        found = {key: number_of(getattr(self, key)) for key in WEIGHTS}
        return {key: value for key, value in found.items() if value is not None}

    @property
    def row(self) -> tuple:
        """What identifies its rows in tables: name, alpha, beta, T; None for a missing weight."""
        return (self.name, *(self.weights.get(key) for key in WEIGHTS))

    @property
    def title(self) -> str:
        """Name and weights, for display."""
        return title_of(self.row)

    @property
    def objective(self) -> dict[str, Any]:
        """What the scene branch learns: ``loss``, its ``weight``, and the soft loss's T."""
        weight = self.weights.get({"hard": "alpha", "soft": "beta"}.get(self.loss, ""), 0.0)
        temperature = self.weights.get("temperature", 1.0)
        return {"loss": self.loss, "weight": weight, "temperature": temperature}

    @property
    def student_overrides(self) -> tuple[str, ...]:
        """Overrides that students without a teacher can share."""
        return tuple(each for each in self.overrides if not each.startswith(f"{TEACHER}."))

    @property
    def is_control(self) -> bool:
        """Whether it learns soft labels that are not the teacher's own."""
        return self.loss == "soft" and self.labels != TEACHER

    @property
    def label_wildcards(self) -> dict[str, str]:
        """Values of ``teacher`` in the path of its soft labels; of a control's, also the others.

        These are ``control`` and ``temperature``.
        """
        if not self.is_control:
            return {"teacher": self.teacher}
        temperature = self.temperature if CONTROLS[self.labels].at_temperature else NONE
        return {"teacher": self.teacher, "control": self.labels, "temperature": temperature}


def number_of(word: str) -> float | None:
    """The number of a weight in a path; None if the method does not have it."""
    return None if word == NONE else float(word)


def without_none(wildcards: Mapping[str, str]) -> dict[str, str]:
    """Wildcards of a student, without the weights that its method does not have."""
    return {key: value for key, value in wildcards.items() if value != NONE}


def row_of(values: Iterable[Any]) -> tuple:
    """A table's method and weights as :attr:`Variant.row` has them: None for NaN."""
    return tuple(None if pd.isna(value) else value for value in values)


def title_of(row: Sequence[Any]) -> str:
    """A row of Table 3 in words: the method's name, then those of alpha, beta and T that it has."""
    name, *weights = row_of(row)
    given = zip(SYMBOLS.values(), weights, strict=True)
    return ", ".join([name, *(f"{key} = {value:g}" for key, value in given if value is not None)])


def canonical(number: float) -> str:
    """The one way to write a number in a path: 0.5 for 0.5, 0.50 and 5e-1; 1.0 for 1."""
    return format(Decimal(repr(float(number) + 0.0)), "f")  # -0.0 becomes 0.0


def variants_of(methods: Mapping[str, Mapping[str, Any]]) -> list[Variant]:
    """All combinations of method and weights: in the order none, hard, soft, and as configured."""
    losses = list(WEIGHTS_OF)
    variants = []
    for key, method in sorted(methods.items(), key=lambda m: losses.index(m[1]["scene_loss"])):
        loss = method["scene_loss"]
        what = {"labels": method.get("labels", TEACHER), "custom": "code" in method}
        what["overrides"] = overrides_of(method)
        for values in itertools.product(*(method[name] for name in WEIGHTS_OF[loss])):
            weights = dict(zip(WEIGHTS_OF[loss], map(canonical, values), strict=True))
            variants.append(Variant(key, method["name"], loss, **weights, **what))
    return variants


def overrides_of(method: Mapping[str, Any]) -> tuple[str, ...]:
    """What a method overrides, in words: ``teacher.epochs = 10``, in a fixed order."""
    return tuple(
        f"{role}.{key} = {f'{value:g}' if isinstance(value, float) else value}"
        for role in ROLES
        for key, value in sorted(method.get(role, {}).items())
    )


def of_paper(variants: Sequence[Variant]) -> list[Variant]:
    """Those with the library's code and the configuration's settings.

    Only these can be the paper's methods or controls.
    """
    return [each for each in variants if not (each.custom or each.overrides)]


@dataclass(frozen=True)
class Chosen:
    """One variant for each method that the claims are about; None if none is configured.

    Chosen by the paper's weights or the configuration's order, never by scores measured here.

    Attributes
    ----------
    baseline
        Without a scene branch.
    hard, heavy
        MTL with the weight of the best and of the worst published score. If that weight is not
        configured, ``hard`` is the first configured and ``heavy`` is None.
    soft
        The teacher's soft labels, with the published weights or else the first configured.
    controls
        Each control, with the weights of ``soft`` or else the first configured.
    """

    baseline: Variant | None
    hard: Variant | None
    heavy: Variant | None
    soft: Variant | None
    controls: tuple[Variant, ...] = ()

    def __iter__(self) -> Iterator[Variant]:
        """All that exist, in the order of the tables; controls come before ``soft``."""
        every = (self.baseline, self.hard, self.heavy, *self.controls, self.soft)
        return iter([each for each in every if each is not None])

    @property
    def judged(self) -> set[frozenset[Variant]]:
        """The pairs that a claim or the verdict on a control compares."""
        pairs = [
            (self.soft, self.hard),
            (self.soft, self.heavy),
            (self.soft, self.baseline),
            (self.hard, self.baseline),
            (self.heavy, self.baseline),
        ]
        for control in self.controls:
            pairs += [(control, each) for each in (self.hard, self.soft, self.baseline)]
        return {frozenset(pair) for pair in pairs if None not in pair}


def choose_variants(variants: Sequence[Variant]) -> Chosen:
    """Choose the variant that represents each method, of all that are trained.

    Those with custom code or overrides represent no method.
    """
    variants = of_paper(variants)
    hard = _of(variants, "hard")
    soft = _with(_of(variants, "soft"), SOFT_WEIGHTS) or _first(_of(variants, "soft"))
    controls = [each for each in variants if each.is_control]
    groups = {each.method: _of(controls, "soft", each.labels) for each in controls}
    same = soft.weights if soft else SOFT_WEIGHTS
    return Chosen(
        baseline=_first(_of(variants, "none")),
        hard=_with(hard, HARD_WEIGHTS) or _first(hard),
        heavy=_with(hard, HEAVY_WEIGHTS),
        soft=soft,
        controls=tuple(_with(group, same) or group[0] for group in groups.values()),
    )


def shown_variants(variants: Sequence[Variant]) -> list[Variant]:
    """Variants that are shown event by event and epoch by epoch.

    The chosen ones, and one of each custom method: with the paper's weights of its scene loss, or
    else the first configured.
    """
    weights = {"none": {}, "hard": HARD_WEIGHTS, "soft": SOFT_WEIGHTS}
    groups: dict[str, list[Variant]] = {}
    for each in variants:
        if each.custom:
            groups.setdefault(each.method, []).append(each)
    custom = [_with(group, weights[group[0].loss]) or group[0] for group in groups.values()]
    return [*choose_variants(variants), *custom]


def _of(variants: Sequence[Variant], loss: str, labels: str = TEACHER) -> list[Variant]:
    return [each for each in variants if (each.loss, each.labels) == (loss, labels)]


def _first(variants: Sequence[Variant]) -> Variant | None:
    return variants[0] if variants else None


def _with(variants: Sequence[Variant], weights: Mapping[str, float]) -> Variant | None:
    return _first([each for each in variants if each.weights == dict(weights)])
