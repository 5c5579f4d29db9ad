"""Winograd's F(2, 3): the fused block's convolution in single and double precision.

It goes along the frames: from the frames a, b, c, d and the weights u, v, w it makes two frames of
the maps, p + q + r and q - r + t, with four products, not six::

    p = (a - c) u    q = (b + c) (u + v + w) / 2    r = (c - b) (u - v + w) / 2    t = (d - b) w

The names are those of ``convolution_block.py``; a, b, c and d are each n x T/2 x B x I.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

OUTPUTS = 3  # the weights' axis
# Numbers in a piece of the maps: 4 MiB in single precision.
PIECE = 2**20


def operand(x: Tensor) -> Tensor:
    """What is multiplied: the input itself."""
    return x


def weights(weight: Tensor) -> Tensor:
    """Weights of the four products that give a pair of frames, from outputs x inputs x 3 x 3.

    Returns
    -------
    Tensor
        4 x 3 (bands) x inputs x outputs.
    """
    first, middle, last = weight.permute(2, 3, 1, 0)
    outer = first + last
    return torch.stack((first, (outer + middle) / 2, (outer - middle) / 2, last))


def frames_made(frames: int) -> int:
    """Frames of the maps that :func:`convolve` writes for images of ``frames`` frames."""
    return 2 * _pairs(frames)


def _pairs(frames: int) -> int:
    return -(-frames // 2)


def convolve(x: Tensor, weight: Tensor, out: Tensor) -> None:
    """Convolve images.

    Parameters
    ----------
    x
        Batch x frames x bands x inputs.
    weight
        See :func:`weights`.
    out
        Batch x 2 pairs x bands x outputs; an odd number of frames leaves the last one unused.
    """
    a, b, c, d = _around_pairs(x)
    first, second = (frame.flatten(0, 1) for frame in out.unflatten(1, (-1, 2)).unbind(2))
    sums = first.new_empty(2, *first.shape)
    _multiply(b + c, weight[1], sums[0], beta=0)
    _multiply(c - b, weight[2], sums[1], beta=0)
    torch.add(*sums, out=first)
    torch.sub(*sums, out=second)
    _multiply(a - c, weight[0], first, beta=1)
    _multiply(d - b, weight[3], second, beta=1)


def add_weight_gradient(x: Tensor, gradient: Tensor, weight_gradient: Tensor) -> None:
    """Add the gradient of the weights, given that of the maps; shapes as in :func:`convolve`."""
    a, b, c, d = _around_pairs(x)
    if gradient.shape[1] % 2:
        gradient = F.pad(gradient, (0, 0, 0, 0, 0, 1))
    even, odd = gradient.unflatten(1, (-1, 2)).unbind(2)
    products = ((a - c, even), (b + c, even + odd), (c - b, even - odd), (d - b, odd))
    for pair, found in zip(products, weight_gradient, strict=True):
        seen, given = (t.flatten(0, 1) for t in pair)
        for band, near, taps in _neighbours(x.shape[2]):
            found[taps].flatten(0, 1).addmm_(seen[:, near].flatten(1).T, given[:, band])


def _around_pairs(x: Tensor) -> list[Tensor]:
    """The four frames a, b, c, d around each pair (b, c) of frames; zero beyond the ends.

    Each batch x pairs x bands x inputs; views of a copy.
    """
    pairs = _pairs(x.shape[1])
    padded = F.pad(x, (0, 0, 0, 0, 1, 2 * pairs - x.shape[1] + 1))
    return [padded[:, place : place + 2 * pairs - 1 : 2] for place in range(4)]


def _multiply(seen: Tensor, weight: Tensor, out: Tensor, beta: int) -> None:
    """Convolve along the bands into ``out``, adding ``beta`` times what it held.

    Parameters
    ----------
    seen
        Batch x pairs x bands x inputs.
    weight
        3 x inputs x outputs.
    out
        (Batch pairs) x bands x outputs.
    """
    rows = seen.flatten(0, 1)
    for band, near, taps in _neighbours(seen.shape[2]):
        out[:, band].addmm_(rows[:, near].flatten(1), weight[taps].flatten(0, 1), beta=beta)


def _neighbours(bands: int) -> Iterator[tuple[int, slice, slice]]:
    """Each band, its neighbours within the image, and which of the three weights they take."""
    for band in range(bands):
        first, last = max(band - 1, 0), min(band + 2, bands)
        yield band, slice(first, last), slice(first - band + 1, last - band + 1)


def transposed(weight: Tensor) -> Tensor:
    """Weights of the backward convolution: reversed in frames and bands, inputs for outputs."""
    return weight[[3, 1, 2, 0]].flip(1).mT.contiguous()
