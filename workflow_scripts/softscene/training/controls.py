"""Controls: labels that share one property with the teacher's, to see which property helps.

All are logits v in the form of the teacher's. So a student learns them with the same loss, from
softmax(v / T).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.special import entr, log_softmax, logsumexp

from softscene.config.labels import read_labels
from softscene.data.splits import DEVELOPMENT
from softscene.features.folds import read_clips
from softscene.training.soft_labels import read_soft_labels, write_soft_labels

# Logits of impossible scenes must be finite: the least probability with float32's full precision.
LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)


def mean_entropy(logits: np.ndarray, temperature: float) -> float:
    """Mean over clips of the entropy of softmax(v / T), in nats; ``logits`` is clips x scenes."""
    log_p = log_softmax(logits.astype(float) / temperature, axis=1)
    return float(-(np.exp(log_p) * log_p).sum(axis=1).mean())


def smoothing_of(entropy: float, scenes: int) -> float:
    """The amount e of label smoothing that gives the labels this entropy.

    Parameters
    ----------
    entropy
        Nats, from 0 to ln(scenes); more, by rounding, counts as ln(scenes).
    scenes
        Number of scenes, S.

    Returns
    -------
    float
        e, 0 to (S - 1) / S: a label has 1 - e on the true scene, e / (S - 1) on each other one.
    """

    def excess(e: float) -> float:
        others = scenes - 1
        return float(entr(1 - e) + others * entr(e / others)) - entropy

    most = (scenes - 1) / scenes
    if entropy <= 0 or scenes == 1:
        return 0.0
    if excess(most) <= 0:
        return most
    # The entropy rises steeply from 0, so even a tiny e is found to its own last digits.
    return float(brentq(excess, 0.0, most, xtol=1e-300, rtol=1e-15, maxiter=5000))


def smoothed_labels(logits: np.ndarray, truth: np.ndarray, temperature: float) -> np.ndarray:
    """Label smoothing with the teacher's mean entropy, the same for all clips of a scene.

    Parameters
    ----------
    logits
        The teacher's, clips x scenes.
    truth
        Index of each clip's scene, clips.
    temperature
        T at which the entropies agree.

    Returns
    -------
    ndarray
        Clips x scenes: T ln p, where p has 1 - e on the true scene and e / (S - 1) on others.
    """
    clips, scenes = logits.shape
    e = smoothing_of(mean_entropy(logits, temperature), scenes)
    p = np.full((clips, scenes), e / max(scenes - 1, 1))
    p[np.arange(clips), truth] = 1 - e
    return temperature * np.log(np.maximum(p, LEAST_PROBABILITY))


def shuffled_labels(logits: np.ndarray, seed: int) -> np.ndarray:
    """The teacher's labels, permuted at random over all clips of all scenes.

    Their distribution over all clips stays; what they say about each clip is lost.
    """
    return np.random.default_rng([seed, len(logits)]).permutation(logits)


def scene_mean_labels(logits: np.ndarray, truth: np.ndarray, temperature: float) -> np.ndarray:
    """Give each clip the teacher's mean posterior over all clips of its scene.

    Parameters
    ----------
    logits, truth, temperature
        As for :func:`smoothed_labels`.

    Returns
    -------
    ndarray
        Clips x scenes: T ln p, where p is the mean of softmax(v / T) over the scene's clips.
    """
    log_p = log_softmax(logits.astype(float) / temperature, axis=1)
    means = np.empty_like(log_p)
    for scene in np.unique(truth):
        own = truth == scene
        means[own] = logsumexp(log_p[own], axis=0) - np.log(own.sum())
    return temperature * means


def make_control_labels(
    control: str,
    clips: str | Path,
    soft_labels: str | Path | Sequence[str | Path],
    labels: str | Path,
    target: str | Path,
    temperature: float | None,
    seed: int,
) -> None:
    """Write a control's labels of every development clip, in the form of the teacher's.

    Parameters
    ----------
    control
        One of :data:`softscene.config.controls.CONTROLS`.
    clips, labels
        The fold's clips, and the label file.
    soft_labels
        The teacher's logits of the development part; or, for each of its parts, those of a teacher
        that was not trained on it.
    target
        The file to write.
    temperature
        T, for labels that depend on it.
    seed
        Of the training; shuffled labels depend on it.

    Raises
    ------
    FeatureError
        The logits are not those of the fold's development clips.
    """
    scenes = read_labels(labels).scenes
    table = read_clips(clips, DEVELOPMENT, training=True)
    logits = read_soft_labels(soft_labels, table, scenes)
    truth = np.array([scenes.index(scene) for scene in table.scene])
    made = {
        "smoothed": lambda: smoothed_labels(logits, truth, temperature),
        "shuffled": lambda: shuffled_labels(logits, seed),
        "cross_fitted": lambda: logits,
        "scene_mean": lambda: scene_mean_labels(logits, truth, temperature),
    }
    write_soft_labels(table, made[control](), scenes, target)
