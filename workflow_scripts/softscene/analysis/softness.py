"""The teachers' soft labels: their means, and how far they are from one-hot ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from softscene.core.tsv import read_table

NEARLY_ONE_HOT = 0.99  # labels with at least this mean largest posterior are called so
PARTS = ("development", "evaluation")
COLUMNS = ("temperature", "part", "clips", "largest_posterior", "entropy", "accuracy")


def measure_softness(
    logits: Mapping[str, Sequence[str | Path]],
    temperatures: Sequence[float],
    scenes: Sequence[str],
) -> pd.DataFrame:
    """Mean largest posterior and entropy of the teachers' labels softmax(v / T) (eq. 5).

    Parameters
    ----------
    logits
        For each of :data:`PARTS`, a file of logits v of each teacher: of the clips that it was
        trained on, whose labels students learn, and of clips that it has not seen.
    temperatures
        Values of T.
    scenes
        Names of the classes.

    Returns
    -------
    DataFrame
        A row for each T and part with :data:`COLUMNS`: ``clips`` over all teachers, the means
        over them of ``largest_posterior`` and ``entropy`` (nats; log of the number of scenes where
        all are equal), and ``accuracy``, the share of clips whose true scene has the largest.
    """
    rows = [
        (temperature, part, *softness_of(logits[part], temperature, scenes).values())
        for temperature in temperatures
        for part in PARTS
    ]
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    return found.sort_values("temperature", kind="stable", ignore_index=True)


def softness_of(
    logits: Sequence[str | Path], temperature: float, scenes: Sequence[str]
) -> dict[str, float]:
    """``labelled`` clips in files of logits v, and the means over them at one T.

    These are ``largest_posterior``, ``entropy`` and ``accuracy``, as :func:`measure_softness` has
    them.
    """
    table = pd.concat([read_table(path) for path in logits], ignore_index=True)
    values = table[[f"logit_{scene}" for scene in scenes]].to_numpy()
    logs = _log_posteriors(values, temperature)
    posteriors = np.exp(logs)
    correct = np.array(scenes)[values.argmax(axis=1)] == table.scene.to_numpy()
    return {
        "labelled": len(table),
        "largest_posterior": posteriors.max(axis=1).mean(),
        "entropy": -(posteriors * logs).sum(axis=1).mean(),
        "accuracy": correct.mean(),
    }


def mean_posteriors(
    soft_labels: Sequence[str | Path], temperatures: Sequence[float], scenes: Sequence[str]
) -> pd.DataFrame:
    """Mean of the teachers' posteriors softmax(v / T) (eq. 5) over clips of each true scene.

    Parameters
    ----------
    soft_labels
        Logits v of every development clip, a file for each teacher.
    temperatures
        Values of T.
    scenes
        Names of the classes.

    Returns
    -------
    DataFrame
        ``temperature``, ``scene`` (the true one), ``clips`` (over all teachers), and each scene's
        mean posterior, ``posterior_<scene> ...``. A scene without clips has no row.
    """
    table = pd.concat([read_table(path) for path in soft_labels], ignore_index=True)
    logits = table[[f"logit_{scene}" for scene in scenes]].to_numpy()
    columns = [f"posterior_{scene}" for scene in scenes]
    parts = []
    for temperature in temperatures:
        posteriors = pd.DataFrame(np.exp(_log_posteriors(logits, temperature)), columns=columns)
        groups = posteriors.groupby(table.scene)
        means = groups.mean().assign(clips=groups.size(), temperature=temperature)
        parts.append(means.loc[[scene for scene in scenes if scene in means.index]].reset_index())
    return pd.concat(parts, ignore_index=True)[["temperature", "scene", "clips", *columns]]


def _log_posteriors(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Logarithms of softmax(v / T) of each row; finite, however far the logits are apart."""
    scaled = (logits - logits.max(axis=1, keepdims=True)) / temperature
    return scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))


def nearly_one_hot(table: pd.DataFrame) -> list[float]:
    """The T at which the labels that students learn are nearly one-hot."""
    learnt = table[(table.part == PARTS[0]) & (table.largest_posterior >= NEARLY_ONE_HOT)]
    return list(learnt.temperature)
