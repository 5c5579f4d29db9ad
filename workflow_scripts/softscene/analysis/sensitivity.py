"""What each choice that the paper leaves open does to its main claim, and to the labels."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from softscene.analysis.claims import (
    BETTER,
    NOT_REPRODUCED,
    REPRODUCED,
    SETTINGS,
    judge,
    reason_of,
)
from softscene.analysis.intervals import SCORES, Estimate, differences, estimate
from softscene.analysis.softness import softness_of
from softscene.config.open_choices import CONFIGURED, OpenChoice
from softscene.config.variants import title_of
from softscene.core.errors import ResultError, how_to_remake
from softscene.core.origins import flat, read_parameters
from softscene.core.tsv import read_table

NONE = Estimate(*[float("nan")] * 5, pairs=0, folds=0)
OF_OWN = {REPRODUCED: "better", NOT_REPRODUCED: "worse"}  # verdicts on data of the user's own
BOUNDS = ("low", "high", "fold_low", "fold_high")
COLUMNS = (
    "run", "varies", "comparison", "convention", "threshold", "score", "difference", *BOUNDS,
    "pairs", "folds", "verdict", "reason", "moved", *(f"moved_{bound}" for bound in BOUNDS),
    "labelled", "largest_posterior", "entropy", "accuracy",
)  # fmt: skip


def compare_choices(
    run: str,
    choices: Sequence[OpenChoice],
    scores: pd.DataFrame,
    labels: Sequence[Sequence[str | Path]],
    scenes: Sequence[str],
    own: bool = False,
) -> pd.DataFrame:
    """Soft labels vs one-hot scenes under each open choice, and how soft the labels are.

    Parameters
    ----------
    run
        Name of the run.
    choices
        From :func:`softscene.config.open_choices.open_choices`; the first is the run's own claim.
    scores
        Micro-averaged, with fold and seed, of all settings.
    labels
        For each choice, the files of the logits that its soft student learns.
    scenes
        Names of the scenes.
    own
        Whether the data are the user's own: the verdict is then better or worse, as the paper
        claims nothing about them.

    Returns
    -------
    DataFrame
        A row for each choice, setting (frames; adaptive and oracle thresholds) and score, with
        :data:`COLUMNS`: ``varies``, the choice; ``difference``, soft minus one-hot, with what
        :class:`Estimate` has; ``verdict`` on the claim and its ``reason``; ``moved``, the paired
        difference of this difference from that of the first choice; ``labelled`` clips over all
        folds and seeds, and the mean ``largest_posterior``, ``entropy`` (nats) and ``accuracy`` of
        their labels at the student's T.
    """
    softness = [
        softness_of(files, choice.soft.weights["temperature"], scenes)
        for choice, files in zip(choices, labels, strict=True)
    ]
    rows = []
    for convention, threshold in SETTINGS:
        here = scores[(scores.convention == convention) & (scores.threshold == threshold)]
        setting = {"run": run, "convention": convention, "threshold": threshold}
        for choice, known in zip(choices, softness, strict=True):
            rows += [setting | row | known for row in _rows(choice, choices[0], here)]
    table = pd.DataFrame(rows)[list(COLUMNS)]
    return table.assign(verdict=table.verdict.replace(OF_OWN)) if own else table


def _rows(choice: OpenChoice, usual: OpenChoice, scores: pd.DataFrame) -> Iterator[dict]:
    """A row for each score, of one setting."""
    lacks = _lacking(choice, usual)
    other = "one-hot scenes" if choice.hard is None else choice.hard.title
    names = {"varies": choice.varies, "comparison": f"{choice.soft.title} vs {other}"}
    for score in SCORES:
        found = moved = NONE
        if not lacks:
            pairs = _differences(choice, scores, score)
            found = _estimate(pairs)
            if choice is not usual:
                moved = _estimate((pairs - _differences(usual, scores, score)).dropna())
        values = dict(vars(found))
        yield {
            **names,
            "score": score,
            "difference": values.pop("mean"),
            **values,
            "verdict": judge(found, BETTER[score]),
            "reason": lacks or reason_of(found, BETTER[score]),
            "moved": moved.mean,
            **{f"moved_{bound}": getattr(moved, bound) for bound in BOUNDS},
        }


def _lacking(choice: OpenChoice, usual: OpenChoice) -> str:
    """Why there is nothing to compare; empty if there is."""
    if choice.hard:
        return ""
    settings = ", ".join(choice.soft.student_overrides)
    return f"the configuration lacks {title_of(usual.hard.row)} with {settings}"


def _differences(choice: OpenChoice, scores: pd.DataFrame, score: str) -> pd.Series:
    """Soft minus one-hot, by fold and seed."""
    found = differences(scores, choice.soft, choice.hard, score)
    return found.set_index(["fold", "seed"]).difference


def _estimate(pairs: pd.Series) -> Estimate:
    return estimate(pairs, pairs.index.get_level_values("fold"))


def add_runs(
    table: pd.DataFrame, parameters: Mapping[str, object], runs: Sequence[str | Path]
) -> pd.DataFrame:
    """Add the claim of other runs, which differ from this one in their configuration.

    Parameters
    ----------
    table
        From :func:`compare_choices`.
    parameters
        What this run's results depend on, without its methods.
    runs
        The other runs' folders ``tables``, in which ``sensitivity.tsv`` and ``sensitivity.json``,
        their parameters, are.

    Returns
    -------
    DataFrame
        The table, and of each run the rows of its claim as configured; ``varies`` is what
        differs in the parameters.
    """
    parts = [table]
    for folder in map(Path, runs):
        source = folder / "sensitivity.tsv"
        other = read_table(source)
        if missing := [name for name in COLUMNS if name not in other]:
            raise ResultError(
                f"{source} lacks the columns {', '.join(missing)}; {how_to_remake(source)}"
            )
        varies = _apart(read_parameters(folder / "sensitivity.json"), parameters)
        rows = other[(other.varies == CONFIGURED) & (other.run == other.run.iloc[0])]
        parts.append(rows.assign(varies=varies)[list(COLUMNS)])
    return pd.concat(parts, ignore_index=True)


def _apart(theirs: Mapping[str, object], ours: Mapping[str, object]) -> str:
    """Keys with the other run's values where they differ from this run's; a missing key is None."""
    there, here = flat(theirs), flat(ours)
    other = {key: there.get(key) for key in {**there, **here} if there.get(key) != here.get(key)}
    named = (
        f"{key} = {f'{value:g}' if isinstance(value, float) else value}"
        for key, value in other.items()
    )
    return ", ".join(named) or CONFIGURED
