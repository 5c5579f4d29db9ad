"""Signals of any length as log-mel clips, block by block."""

from collections.abc import Iterable, Iterator

import numpy as np

from softscene.extraction import frame_count, log_mel_frames
from softscene.features import FeatureParameters


def log_mel_clips(
    blocks: Iterable[np.ndarray], clip_frames: int, parameters: FeatureParameters
) -> Iterator[np.ndarray]:
    """:func:`softscene.extraction.log_mel` of a signal that comes in blocks, clip by clip.

    A clip's numbers do not depend on how the signal is cut into blocks.

    Parameters
    ----------
    blocks
        Mono signal, float32, in pieces of any size.
    clip_frames
        Frames of a clip.
    parameters
        How.

    Yields
    ------
    ndarray
        Frames x bands, float32; only the last clip may have fewer frames.
    """
    margin, hop = parameters.n_fft // 2, parameters.hop_length
    whole = (clip_frames - 1) * hop + parameters.n_fft  # samples under the windows of a clip
    waiting, size = [np.zeros(margin, np.float32)], margin
    samples = done = 0
    for block in blocks:
        waiting.append(block)
        samples, size = samples + len(block), size + len(block)
        while size >= max(whole, clip_frames * hop):
            joined = np.concatenate(waiting)
            yield log_mel_frames(joined[:whole], clip_frames, parameters)
            waiting, done = [joined[clip_frames * hop :]], done + clip_frames
            size = len(waiting[0])
    joined = np.concatenate([*waiting, np.zeros(margin, np.float32)])
    left = frame_count(samples, parameters) - done
    for start in range(0, left, clip_frames):
        frames = min(clip_frames, left - start)
        own = joined[start * hop :][: (frames - 1) * hop + parameters.n_fft]
        yield log_mel_frames(own, frames, parameters)
