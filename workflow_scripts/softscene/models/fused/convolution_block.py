"""The fused block: later blocks of a network in training, pooled while their maps are computed.

Convolution, batch norm, max pooling and ReLU. It computes the function, gradients and running
statistics of ``nn.Conv2d``, ``nn.BatchNorm2d``, ``F.max_pool2d`` and ``F.relu``.

================  =====================  ================================================
name              shape                  paper's student, second block, batch of 64
================  =====================  ================================================
x                 N x T x B x I          64 x 500 x 8 x 128
weight            4 x 3 x I x C          4 x 3 x 128 x 128
a, b, c, d        n x T/2 x B x I        2 x 250 x 8 x 128
maps              N x T x B x C          64 x 500 x 8 x 128
maxima, indices   N x T/P x B/Q x C      64 x 500 x 2 x 128
mean, variance    C                      128
================  =====================  ================================================

N clips, n of them in a piece, T frames (one more in a, b, c, d and maps where T is odd), B bands, I
inputs, C channels. A pooling window has P frames and Q bands; incomplete windows are left out.

Batch norm is monotone in each channel. With s the sign of a channel's scale, the maximum of s times
a map gives the maximum of the normalised map. So each piece of the maps is pooled as soon as it is
computed, and only the maxima are normalised. The convolution's weights are multiplied by s first;
below, s is 1.

The convolution is Winograd's F(2, 3) along the frames: from the frames a, b, c, d and the weights
u, v, w it makes two frames of the maps, p + q + r and q - r + t, with four products, not six::

    p = (a - c) u    q = (b + c) (u + v + w) / 2    r = (c - b) (u - v + w) / 2    t = (d - b) w
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from softscene.models.fused.input_block import as_images, unpooled_gradient, update_statistics

# Numbers in a piece of the maps: 4 MiB in single precision.
PIECE = 2**20

# Mean and variance of each column.
column_moments = torch.ops.aten.batch_norm_update_stats


def applies(x: Tensor, norm: nn.BatchNorm2d, pool: tuple[int, int]) -> bool:
    """Whether :func:`fused_block` can be used: in training, on a CPU.

    It cannot if a scale is exactly zero, which has no sign.
    """
    return (
        x.device.type == "cpu"
        and norm.training
        and pool[0] <= x.shape[2]
        and pool[1] <= x.shape[3]
        and bool(norm.weight.all())
    )


def fused_block(
    x: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d, pool: tuple[int, int]
) -> Tensor:
    """Convolve, normalise, pool and rectify; update the running statistics.

    Parameters
    ----------
    x
        Batch x inputs x frames x bands.
    convolution
        3 x 3, padded by one.
    norm
        Of the convolution's channels, in training; its running statistics are updated.
    pool
        Frames and bands of a window; incomplete windows are left out.

    Returns
    -------
    Tensor
        Batch x channels x windows along the frames x windows along the bands, channels last.
    """
    sign = torch.sign(norm.weight.detach())
    weight = _by_pairs(convolution.weight * sign.view(-1, 1, 1, 1))
    x = x.permute(0, 2, 3, 1).contiguous()
    maxima, mean, variance = _ConvolveMeasurePool.apply(x, weight, pool)
    bias = sign * convolution.bias.double()
    mean = mean + bias
    update_statistics(norm, sign * mean.detach(), variance.detach(), x[..., 0].numel())
    scale = sign * norm.weight / torch.sqrt(variance + norm.eps)
    shift = norm.bias + scale * (bias - mean)
    normalised = torch.addcmul(shift.to(x.dtype), maxima, scale.to(x.dtype))
    return normalised.relu_().permute(0, 3, 1, 2)


def _by_pairs(weight: Tensor) -> Tensor:
    """Weights of the four products that give a pair of frames, from outputs x inputs x 3 x 3.

    Returns
    -------
    Tensor
        4 x 3 (bands) x inputs x outputs.
    """
    first, middle, last = weight.permute(2, 3, 1, 0)
    outer = first + last
    return torch.stack((first, (outer + middle) / 2, (outer - middle) / 2, last))


class _ConvolveMeasurePool(torch.autograd.Function):
    """Convolution, the pooled maxima of its maps, and their mean and variance; piece by piece."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, pool: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Convolve, measure and pool.

        Parameters
        ----------
        x
            Batch x frames x bands x inputs.
        weight
            See :func:`_by_pairs`.
        pool
            Frames and bands of a window.

        Returns
        -------
        tuple
            Maxima, batch x windows along the frames x along the bands x channels; mean and
            variance of each channel, in double precision.
        """
        size, channels = tuple(x.shape[1:3]), weight.shape[3]
        maxima = x.new_empty(len(x), size[0] // pool[0], size[1] // pool[1], channels)
        indices = torch.empty_like(maxima, dtype=torch.int32)
        maps, moments = x.new_empty(len(x), 2 * _pairs(size[0]), size[1], channels), []
        clips = max(1, PIECE // (channels * size[0] * size[1]))
        pieces = zip(*(t.split(clips) for t in (x, maxima, indices, maps)), strict=True)
        for seen, kept, index, made in pieces:
            _convolve(seen, weight, made)
            y = made[:, : size[0]].reshape(-1, channels)
            moments.append(_moments(y))
            highest, where = F.max_pool2d(as_images(y, size, channels), pool, return_indices=True)
            kept.copy_(highest.permute(0, 2, 3, 1))
            index.copy_(where.permute(0, 2, 3, 1))
        mean, variance = _merged(moments)
        ctx.save_for_backward(x, weight, indices, mean, maps)
        ctx.pool, ctx.clips = pool, clips
        return maxima, mean, variance

    @staticmethod
    @once_differentiable
    def backward(
        ctx: FunctionCtx, of_maxima: Tensor, of_mean: Tensor, of_variance: Tensor
    ) -> tuple[Tensor, Tensor, None]:
        """Gradients of input and weights.

        Each of the n values y of a channel's maps gets the gradient of the mean and the variance,
        of_mean / n + of_variance 2 (y - mean) / n; the maxima get their own in addition.
        """
        x, weight, indices, mean, maps = ctx.saved_tensors
        size, count = tuple(x.shape[1:3]), x[..., 0].numel()
        slope = 2 * of_variance / count
        level = (of_mean / count - slope * mean).to(x.dtype)
        slope = slope.to(x.dtype)
        x_gradient = x.new_empty(len(x), *maps.shape[1:3], x.shape[3])
        weight_gradient, back = torch.zeros_like(weight), _transposed(weight)
        each = (x, of_maxima, indices, maps, x_gradient)
        for seen, given, index, y, found in zip(*(t.split(ctx.clips) for t in each), strict=True):
            pooled = (t.permute(0, 3, 1, 2) for t in (given, index))
            gradient = unpooled_gradient(*pooled, ctx.pool, size).permute(0, 2, 3, 1)
            gradient.addcmul_(y[:, : size[0]], slope).add_(level)
            _add_weight_gradient(seen, gradient, weight_gradient)
            _convolve(gradient, back, found)
        return x_gradient[:, : size[0]], weight_gradient, None


def _pairs(frames: int) -> int:
    return -(-frames // 2)


def _convolve(x: Tensor, weight: Tensor, out: Tensor) -> None:
    """Convolve images.

    Parameters
    ----------
    x
        Batch x frames x bands x inputs.
    weight
        See :func:`_by_pairs`.
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


def _add_weight_gradient(x: Tensor, gradient: Tensor, weight_gradient: Tensor) -> None:
    """Add the gradient of the weights, given that of the maps; shapes as in :func:`_convolve`."""
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


def _transposed(weight: Tensor) -> Tensor:
    """Weights of the backward convolution: reversed in frames and bands, inputs for outputs."""
    return weight[[3, 1, 2, 0]].flip(1).mT.contiguous()


def _moments(y: Tensor) -> tuple[int, Tensor, Tensor]:
    """Rows, mean of each column, and sum of squared deviations from it, in double precision."""
    mean, variance = column_moments(y, None, None, 0.0)
    return len(y), mean.double(), len(y) * variance.double()


def _merged(moments: list[tuple[int, Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Mean and variance over all pieces."""
    counts, means, squares = zip(*moments, strict=True)
    counts = torch.tensor(counts, dtype=torch.float64).unsqueeze(1)
    means, count = torch.stack(means), counts.sum()
    mean = (counts * means).sum(0) / count
    return mean, (torch.stack(squares) + counts * (means - mean).square()).sum(0) / count
