"""Frames of a clip that are padding."""

import torch
from torch import Tensor


def as_image(features: Tensor, lengths: Tensor) -> Tensor:
    """Set the padding to zero and add the channel axis that convolutions expect.

    Parameters
    ----------
    features
        Standardised log-mel, batch x frames x bands.
    lengths
        Frames of each clip that are not padding, batch.

    Returns
    -------
    Tensor
        Batch x 1 x frames x bands, zero in the padding, whatever it held.
    """
    valid = valid_frames(lengths, features.shape[1])
    silenced = torch.where(valid.unsqueeze(-1), features, 0.0)
    return silenced.unsqueeze(1).contiguous(memory_format=torch.channels_last)


def valid_frames(lengths: Tensor, frames: int) -> Tensor:
    """Which frames are not padding: batch x frames, boolean."""
    return torch.arange(frames, device=lengths.device) < lengths.unsqueeze(1)
