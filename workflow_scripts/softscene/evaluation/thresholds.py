"""Decision thresholds: fixed, adaptive (from the development part) and oracle."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from softscene.evaluation.metrics import f_score

MODES = ("fixed", "adaptive", "oracle")
COUNTS = ("threshold", "true_positives", "false_positives", "false_negatives")  # of a sweep


def grid(lowest: float, highest: float, step: float) -> np.ndarray:
    """Thresholds from lowest to highest, both included, rounded to the decimals meant."""
    count = round((highest - lowest) / step + 1e-9) + 1
    values = np.round(lowest + step * np.arange(count), 10)
    return values[values <= highest + 1e-9]


def reached(probabilities: ArrayLike, thresholds: ArrayLike) -> np.ndarray:
    """Where events are detected: probability >= threshold, both as float32.

    As in the authors' evaluator, a probability of exactly 0.5 reaches a threshold of 0.5.

    Parameters
    ----------
    probabilities
        .. x events.
    thresholds
        One, or one for each event.
    """
    return np.asarray(probabilities, np.float32) >= np.asarray(thresholds, np.float32)


def sweep(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]], thresholds: np.ndarray, events: tuple[str, ...]
) -> pd.DataFrame:
    """Frame counts of each event at each threshold.

    Parameters
    ----------
    pairs
        Reference (boolean) and probabilities of each recording, frames x events.
    thresholds
        Ascending; :func:`reached` defines what they detect.
    events
        Names of the classes.

    Returns
    -------
    DataFrame
        ``event``, ``threshold``, ``true_positives``, ``false_positives``, ``false_negatives``.
    """
    size = (len(events), len(thresholds) + 1)  # how many thresholds a frame passes: none .. all
    hits, found = np.zeros(size, int), np.zeros(size, int)
    reference_sum, levels = np.zeros(len(events), int), thresholds.astype(np.float32)
    for reference, probabilities in pairs:
        reference_sum += reference.sum(axis=0)
        frames, classes = np.nonzero(reached(probabilities, thresholds[0]))
        some = probabilities[frames, classes].astype(np.float32)
        passed = np.searchsorted(levels, some, side="right")
        place = np.ravel_multi_index((classes, passed), size)
        found += np.bincount(place, minlength=found.size).reshape(size)
        true = place[reference[frames, classes]]
        hits += np.bincount(true, minlength=hits.size).reshape(size)
    # A frame that passes five thresholds is a detection at each of the lowest five.
    hits, found = (each[:, :0:-1].cumsum(axis=1)[:, ::-1] for each in (hits, found))
    index = pd.MultiIndex.from_product([events, thresholds], names=["event", "threshold"])
    return pd.DataFrame(
        {
            "true_positives": hits.ravel(),
            "false_positives": (found - hits).ravel(),
            "false_negatives": (reference_sum[:, None] - hits).ravel(),
        },
        index=index,
    ).reset_index()


def best_thresholds(counts: pd.DataFrame, events: tuple[str, ...], preferred: float) -> np.ndarray:
    """The threshold with the best F-score, for each event; of ties, the nearest to ``preferred``.

    So an event that no threshold detects (F-score 0, or nothing to find) gets the one nearest to
    ``preferred``. The authors' rule breaks ties by the lowest.
    """
    scores = f_score(counts.true_positives, counts.false_positives, counts.false_negatives)
    ranked = counts.assign(
        score=np.nan_to_num(scores), distance=(counts.threshold - preferred).abs().round(10)
    ).sort_values(["score", "distance", "threshold"], ascending=[False, True, True])
    return ranked.groupby("event").threshold.first().loc[list(events)].to_numpy()
