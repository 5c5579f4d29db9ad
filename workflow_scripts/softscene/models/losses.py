"""The paper's losses, equations 1 to 7, as means; E1 also as a sum (docs/method.md says why)."""

from torch import Tensor
from torch.nn import functional as F

from softscene.models.padding import valid_frames


def event_loss(y: Tensor, z: Tensor, lengths: Tensor, reduction: str = "mean") -> Tensor:
    """E1, equation 1: binary cross-entropy of the events.

    Parameters
    ----------
    y
        Event logits, batch x frames x events.
    z
        Targets 0 or 1, the same shape.
    lengths
        Frames of each clip that are not padding, batch.
    reduction
        ``mean``: over valid frames and events. ``sum``: a clip's sum over them, as equation 1 is
        written, and the mean over clips.
    """
    each = F.binary_cross_entropy_with_logits(y, z, reduction="none")
    valid = valid_frames(lengths, y.shape[1]).unsqueeze(-1)
    count = len(y) if reduction == "sum" else valid.sum() * y.shape[2]
    return (each * valid).sum() / count


def hard_scene_loss(w: Tensor, scenes: Tensor) -> Tensor:
    """E2, equation 2: cross-entropy of softmax(w) against the true scene, a mean over clips.

    Parameters
    ----------
    w
        Scene logits, batch x scenes.
    scenes
        Index of each clip's scene, batch.
    """
    return F.cross_entropy(w, scenes)


def soft_scene_loss(w: Tensor, v: Tensor, temperature: float) -> Tensor:
    """E3, equations 4 to 6: cross-entropy of the student's against the teacher's soft posterior.

    As in the paper, there is no factor T^2.

    Parameters
    ----------
    w, v
        Scene logits of student and teacher, batch x scenes.
    temperature
        T > 0; large values make both posteriors uniform.
    """
    p = F.softmax(v / temperature, dim=1)  # eq. 5
    log_q = F.log_softmax(w / temperature, dim=1)  # eq. 4
    return -(p * log_q).sum(dim=1).mean()  # eq. 6
