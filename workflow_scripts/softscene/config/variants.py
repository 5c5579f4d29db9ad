"""The students that are compared, and which of a method's weights stand for it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from softscene.config.study import NONE, StudentKind
from softscene.core.tsv import read_table

TEACHER = "teacher"  # whose soft labels a method learns where its configuration does not say
SYMBOLS = {"alpha": "alpha", "beta": "beta", "temperature": "T"}


@dataclass(frozen=True)
class Contender:
    """A kind of student, and what its method is.

    Attributes
    ----------
    kind
        Method and weights, as in paths.
    name
        The method's name in tables.
    loss
        ``none``, ``hard`` or ``soft``.
    labels
        Where soft labels come from: ``teacher``, or the name of a control.
    own
        Whether it runs code of the user's own, and so is no method of the paper.
    """

    kind: StudentKind
    name: str
    loss: str
    labels: str = TEACHER
    own: bool = False

    @property
    def title(self) -> str:
        """Name and weights, as they are read."""
        return ", ".join([self.name, *(f"{SYMBOLS[key]} = {value:g}" for key, value in self.given)])

    @property
    def row(self) -> tuple:
        """What marks the kind's rows in tables: name, alpha, beta, T; None where there is none."""
        given = dict(self.given)
        return (self.name, *(given.get(key) for key in SYMBOLS))

    @property
    def given(self) -> list[tuple[str, float]]:
        """The weights that the method has."""
        weights = [(key, getattr(self.kind, key)) for key in SYMBOLS]
        return [(key, float(value)) for key, value in weights if value != NONE]

    @property
    def is_control(self) -> bool:
        """Whether it learns soft labels that are not the teacher's own."""
        return self.loss == "soft" and self.labels != TEACHER


def contenders_of(
    kinds: Sequence[Mapping[str, str]], methods: Mapping[str, Mapping[str, str]]
) -> list[Contender]:
    """Put the kinds and the configuration's methods together, in the order of the kinds."""
    return [
        Contender(
            StudentKind(**kind),
            methods[kind["method"]]["name"],
            methods[kind["method"]]["scene_loss"],
            methods[kind["method"]].get("labels", TEACHER),
            "code" in methods[kind["method"]],
        )
        for kind in kinds
    ]


def without_own(contenders: Sequence[Contender]) -> list[Contender]:
    """Those of the library's code: only these can be the paper's methods or their controls."""
    return [each for each in contenders if not each.own]


@dataclass(frozen=True)
class Chosen:
    """One student for each method that claims are about; None where none is configured.

    Chosen by the published table or the configuration's order and never by what is measured here,
    as the best of several weights looks better than it is.

    Attributes
    ----------
    baseline
        Without a scene branch.
    hard, heavy
        MTL with the published weight of the best and of the worst score; ``hard`` is the first
        configured where that weight is not, ``heavy`` then is None.
    soft
        Soft labels of the teacher, with the published weights or the first configured.
    controls
        Each control, with the weights of ``soft`` or the first configured.
    """

    baseline: Contender | None
    hard: Contender | None
    heavy: Contender | None
    soft: Contender | None
    controls: tuple[Contender, ...] = ()

    def __iter__(self) -> Iterator[Contender]:
        """All that there are, in the order of the tables; controls before what they control."""
        every = (self.baseline, self.hard, self.heavy, *self.controls, self.soft)
        return iter([each for each in every if each is not None])

    @property
    def judged(self) -> set[frozenset[Contender]]:
        """The pairs that a claim or the judgement of a control is about."""
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


def choose(contenders: Sequence[Contender], published: str | Path) -> Chosen:
    """Find who stands for each method.

    Parameters
    ----------
    contenders
        All that are trained; those of the user's own code stand for no method.
    published
        Table 3 as published: ``method``, weights, ``f_score_percent``.
    """
    paper = read_table(published)
    contenders = without_own(contenders)
    hard = _of(contenders, "hard")
    scores = paper[paper.alpha.notna()].sort_values("f_score_percent")
    best, worst = scores.alpha.iloc[-1], scores.alpha.iloc[0]
    weights = paper[paper.beta.notna()].iloc[0]
    wanted = {"beta": weights.beta, "temperature": weights.temperature}
    soft = _with(_of(contenders, "soft"), wanted) or _first(_of(contenders, "soft"))
    controls = [each for each in contenders if each.is_control]
    groups = {each.kind.method: _of(controls, "soft", each.labels) for each in controls}
    same = dict(soft.given) if soft else wanted
    return Chosen(
        baseline=_first(_of(contenders, "none")),
        hard=_with(hard, {"alpha": best}) or _first(hard),
        heavy=_with(hard, {"alpha": worst}),
        soft=soft,
        controls=tuple(_with(group, same) or group[0] for group in groups.values()),
    )


def _of(contenders: Sequence[Contender], loss: str, labels: str = TEACHER) -> list[Contender]:
    return [each for each in contenders if (each.loss, each.labels) == (loss, labels)]


def _first(contenders: Sequence[Contender]) -> Contender | None:
    return contenders[0] if contenders else None


def _with(contenders: Sequence[Contender], weights: Mapping[str, float]) -> Contender | None:
    return _first([each for each in contenders if dict(each.given) == dict(weights)])
