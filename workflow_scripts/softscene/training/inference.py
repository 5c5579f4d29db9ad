"""What trained networks say about clips: scene logits, event probabilities."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from softscene.core.errors import TrainingError
from softscene.features.clips import Clips

BATCH = 16  # clips at a time; bounds memory, changes no result


def _forward(network: nn.Module, clips: Clips, device: torch.device) -> list:
    network.eval()
    outputs = []
    with torch.inference_mode():
        for start in range(0, len(clips), BATCH):
            chosen = slice(start, start + BATCH)
            features = torch.from_numpy(clips.features[chosen]).to(device)
            lengths = torch.from_numpy(clips.lengths[chosen]).to(device)
            outputs.append(network(features, lengths))
    return outputs


def scene_logits(network: nn.Module, clips: Clips, device: torch.device) -> np.ndarray:
    """The teacher's logits v of each clip, clips x scenes, float32.

    Raises
    ------
    TrainingError
        One is not finite; comparing it would still give an answer.
    """
    return _finite(torch.cat(_forward(network, clips, device)), clips)


def event_probabilities(network: nn.Module, clips: Clips, device: torch.device) -> np.ndarray:
    """Posterior of each event in each frame, s(y): clips x frames x events, float32.

    Raises
    ------
    TrainingError
        One is not finite; a threshold would treat it as no event.
    """
    return student_outputs(network, clips, device)[0]


def student_outputs(
    network: nn.Module, clips: Clips, device: torch.device
) -> tuple[np.ndarray, np.ndarray | None]:
    """:func:`event_probabilities`, and scene logits w as :func:`scene_logits` gives the teacher's.

    The second is None if the student has no scene branch.
    """
    outputs: list[tuple[Tensor, Tensor | None]] = _forward(network, clips, device)
    events, scenes = zip(*outputs, strict=True)
    probabilities = _finite(torch.sigmoid(torch.cat(events)), clips)
    return probabilities, None if scenes[0] is None else _finite(torch.cat(scenes), clips)


def _finite(outputs: Tensor, clips: Clips) -> np.ndarray:
    """Outputs of clips, checked to be finite outside the padding."""
    values = outputs.cpu().numpy()
    for clip, (each, length) in enumerate(zip(values, clips.lengths, strict=True)):
        if not np.isfinite(each if each.ndim == 1 else each[:length]).all():
            recording = clips.table.recording.iloc[clip]
            raise TrainingError(f"the network's output for {recording} is not finite")
    return values


def confusion(clips: Clips, logits: np.ndarray, scenes: tuple[str, ...]) -> pd.DataFrame:
    """Clips of each true ``scene`` by the scene the teacher predicts: ``clips_<scene> ...``."""
    counts = np.zeros((len(scenes), len(scenes)), int)
    np.add.at(counts, (clips.scenes, logits.argmax(axis=1)), 1)
    table = pd.DataFrame(counts, columns=[f"clips_{scene}" for scene in scenes])
    return table.assign(scene=scenes)[["scene", *table.columns]]
