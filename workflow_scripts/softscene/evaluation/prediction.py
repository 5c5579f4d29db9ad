"""A student's event probabilities and scene logits."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from softscene.core.tsv import write_table
from softscene.data.splits import DEVELOPMENT, EVALUATION
from softscene.evaluation.probabilities import save_probabilities
from softscene.evaluation.scoring import sweep_part
from softscene.training import inference
from softscene.training.custom_methods import Method
from softscene.training.jobs import Fold, Paths
from softscene.training.runtime import prepare
from softscene.training.soft_labels import write_soft_labels
from softscene.training.weights import load_network


def predict_student(
    fold: Fold,
    weights: str | Path,
    scene_loss: str,
    thresholds: Mapping[str, float],
    compute: tuple[int, str],
    results: Paths,
) -> None:
    """Write the evaluation part's outputs, and the ``sweep`` of the development part.

    The outputs are ``probabilities`` and ``scene_logits``. The second is a table as of the
    teacher's; it has no rows if the student has no scene branch.

    Parameters
    ----------
    fold, compute, results
        As for :func:`train_teacher`.
    weights
        Of the student.
    scene_loss
        Tells whether the student has a scene branch.
    thresholds
        The grid of adaptive thresholds.
    """
    device = prepare(*compute)
    labels = fold.vocabulary()
    clips = fold.clips(DEVELOPMENT)
    method = Method.of(fold.custom_code())
    network = method.student(fold.size(clips), scene_branch=scene_loss != "none")
    network = load_network(network, weights, device, fold.origin(clips))
    known = inference.event_probabilities(network, clips, device)
    write_table(sweep_part(clips, known, labels, thresholds), results["sweep"])

    clips = fold.clips(EVALUATION)
    hop = fold.files.parameters.hop_length, fold.files.parameters.sample_rate
    unseen, logits = inference.student_outputs(network, clips, device)
    origin = fold.origin(clips)
    save_probabilities(clips, unseen, labels.events, hop, results["probabilities"], origin)
    table = clips.table
    if logits is None:
        table, logits = table.iloc[:0], np.empty((0, len(labels.scenes)))
    write_soft_labels(table, logits, labels.scenes, results["scene_logits"])
