"""Signals of any length as log-mel clips, block by block."""

from collections.abc import Iterable, Iterator

import numpy as np

from softscene.features.extraction import log_mel_blocks
from softscene.features.store import FeatureParameters


def log_mel_clips(
    blocks: Iterable[np.ndarray],
    clip_frames: int,
    parameters: FeatureParameters,
    overlap: int = 0,
) -> Iterator[np.ndarray]:
    """:func:`softscene.features.extraction.log_mel` of a signal that comes in blocks, clip by clip.

    The numbers are the same to the last bit, however the signal is cut into blocks and clips.

    Parameters
    ----------
    blocks
        Mono signal, float32, in pieces of any size.
    clip_frames
        Frames of a clip.
    parameters
        How to compute them.
    overlap
        Frames that a clip shares with the next one; fewer than ``clip_frames``.

    Yields
    ------
    ndarray
        Frames x bands, float32; only the last clip may have fewer frames, at least one of them new.
    """
    waiting, size, old = [], 0, 0  # old: frames of these that the last clip had, too
    for rows in log_mel_blocks(blocks, parameters):
        waiting.append(rows)
        size += len(rows)
        while size >= clip_frames:
            joined = np.concatenate(waiting)
            yield joined[:clip_frames]
            old, step = overlap, clip_frames - overlap
            waiting, size = [joined[step:]], size - step
    if size > old:
        yield np.concatenate(waiting)
