"""The fused block: later blocks of a network in training, pooled while their maps are computed.

Convolution, batch norm, max pooling and ReLU. It computes the function, gradients and running
statistics of ``nn.Conv2d``, ``nn.BatchNorm2d``, ``F.max_pool2d`` and ``F.relu``.

================  =====================  ================================================
name              shape                  paper's student, second block, batch of 64
================  =====================  ================================================
x                 N x T x B x I          64 x 500 x 8 x 128
weight            C x I x 3 x 3          128 x 128 x 3 x 3
maps              N x T x B x C          64 x 500 x 8 x 128
maxima, indices   N x T/P x B/Q x C      64 x 500 x 2 x 128
mean, variance    C                      128
================  =====================  ================================================

N clips, T frames (Winograd's maps have an even number), B bands, I inputs, C channels. A pooling
window has P frames and Q bands; incomplete windows are left out.

Batch norm is monotone in each channel. With s the sign of a channel's scale, the maximum of s times
a map gives the maximum of the normalised map. So each piece of the maps is pooled as soon as it is
computed, and only the maxima are normalised. The convolution's weights are multiplied by s first;
below, s is 1.

The convolution and its gradients are those of ``winograd.py``, or, with products in bfloat16, of
``bfloat16.py``. Maps are kept in the products' precision, all else is in that of x.
"""

from types import ModuleType

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from softscene.models.fused import bfloat16, winograd
from softscene.models.fused.input_block import as_images, unpooled_gradient, update_statistics
from softscene.models.precision import BFLOAT16, FLOAT32

# Channels of the input with which this form is faster than PyTorch's layers, which copy less.
FEWEST = 48

# Mean and variance of each column.
column_moments = torch.ops.aten.batch_norm_update_stats


def applies(x: Tensor, norm: nn.BatchNorm2d, pool: tuple[int, int]) -> bool:
    """Whether :func:`fused_block` can be used, and pays: in training, on a CPU, for wide x.

    It cannot if a scale is exactly zero, which has no sign.
    """
    return (
        x.device.type == "cpu"
        and norm.training
        and x.shape[1] >= FEWEST
        and pool[0] <= x.shape[2]
        and pool[1] <= x.shape[3]
        and bool(norm.weight.all())
    )


def fused_block(
    x: Tensor,
    convolution: nn.Conv2d,
    norm: nn.BatchNorm2d,
    pool: tuple[int, int],
    precision: str = FLOAT32,
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
    precision
        Of the products, see :mod:`softscene.models.precision`.

    Returns
    -------
    Tensor
        Batch x channels x windows along the frames x windows along the bands, channels last.
    """
    sign = torch.sign(norm.weight.detach())
    form = bfloat16 if precision == BFLOAT16 else winograd
    weight = form.weights(convolution.weight * sign.view(-1, 1, 1, 1))
    x = x.permute(0, 2, 3, 1).contiguous()
    maxima, mean, variance = _ConvolveMeasurePool.apply(x, weight, pool, form)
    bias = sign * convolution.bias.double()
    mean = mean + bias
    update_statistics(norm, sign * mean.detach(), variance.detach(), x[..., 0].numel())
    scale = sign * norm.weight / torch.sqrt(variance + norm.eps)
    shift = norm.bias + scale * (bias - mean)
    normalised = torch.addcmul(shift.to(x.dtype), maxima, scale.to(x.dtype))
    return normalised.relu_().permute(0, 3, 1, 2)


class _ConvolveMeasurePool(torch.autograd.Function):
    """Convolution, the pooled maxima of its maps, and their mean and variance; piece by piece."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, pool: tuple[int, int], form: ModuleType
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Convolve, measure and pool.

        Parameters
        ----------
        x
            Batch x frames x bands x inputs.
        weight
            As the form's ``weights`` makes them.
        pool
            Frames and bands of a window.
        form
            The module ``winograd`` or ``bfloat16``.

        Returns
        -------
        tuple
            Maxima, batch x windows along the frames x along the bands x channels; mean and
            variance of each channel, in double precision.
        """
        size, channels = tuple(x.shape[1:3]), weight.shape[form.OUTPUTS]
        seen, factors = form.operand(x), form.operand(weight)
        maxima = x.new_empty(len(x), size[0] // pool[0], size[1] // pool[1], channels)
        indices = torch.empty_like(maxima, dtype=torch.int32)
        maps, moments = seen.new_empty(len(x), form.frames_made(size[0]), size[1], channels), []
        clips = max(1, form.PIECE // (channels * size[0] * size[1]))
        pieces = zip(*(t.split(clips) for t in (seen, maxima, indices, maps)), strict=True)
        for piece, kept, index, made in pieces:
            form.convolve(piece, factors, made)
            y = made[:, : size[0]].reshape(-1, channels)
            moments.append(_moments(y.to(x.dtype)))
            highest, where = F.max_pool2d(as_images(y, size, channels), pool, return_indices=True)
            kept.copy_(highest.permute(0, 2, 3, 1))
            index.copy_(where.permute(0, 2, 3, 1))
        mean, variance = _merged(moments)
        ctx.save_for_backward(seen, factors, indices, mean, maps)
        ctx.pool, ctx.clips, ctx.form = pool, clips, form
        return maxima, mean, variance

    @staticmethod
    @once_differentiable
    def backward(
        ctx: FunctionCtx, of_maxima: Tensor, of_mean: Tensor, of_variance: Tensor
    ) -> tuple[Tensor, Tensor, None, None]:
        """Gradients of input and weights.

        Each of the n values y of a channel's maps gets the gradient of the mean and the variance,
        of_mean / n + of_variance 2 (y - mean) / n; the maxima get their own in addition.
        """
        seen, factors, indices, mean, maps = ctx.saved_tensors
        form, size, count = ctx.form, tuple(seen.shape[1:3]), seen[..., 0].numel()
        slope = 2 * of_variance / count
        level = (of_mean / count - slope * mean).to(of_maxima.dtype)
        slope = slope.to(of_maxima.dtype)
        x_gradient = of_maxima.new_empty(len(seen), *maps.shape[1:3], seen.shape[3])
        weight_gradient = torch.zeros_like(factors, dtype=of_maxima.dtype)
        back = form.transposed(factors)
        each = (seen, of_maxima, indices, maps, x_gradient)
        for piece, given, index, y, found in zip(*(t.split(ctx.clips) for t in each), strict=True):
            pooled = (t.permute(0, 3, 1, 2) for t in (given, index))
            gradient = unpooled_gradient(*pooled, ctx.pool, size).permute(0, 2, 3, 1)
            gradient.addcmul_(y[:, : size[0]].to(gradient.dtype), slope).add_(level)
            rounded = form.operand(gradient)
            form.add_weight_gradient(piece, rounded, weight_gradient)
            form.convolve(rounded, back, found)
        return x_gradient[:, : size[0]], weight_gradient, None, None


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
