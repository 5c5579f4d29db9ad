"""A further block of a network in training: its maps are measured and pooled while they are made.

Convolution, batch norm, max pooling and ReLU. Function, parameters and statistics are those of
``nn.Conv2d``, ``nn.BatchNorm2d``, ``F.max_pool2d`` and ``F.relu``. A norm is monotone: with s the
sign of a channel's factor, the maximum of s times a map tells the maximum of the normalised map. So
each piece of the maps is pooled as soon as it is there, and normalised are the maxima alone. With
the convolution's weights made s times as large, s is 1 in what follows.
"""

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from softscene.firstblock import as_images, note, to_places

# Numbers of a piece of the maps: 4 MB in single precision.
PIECE = 2**20

convolution_backward = torch.ops.aten.convolution_backward


def applies(x: Tensor, norm: nn.BatchNorm2d, pool: tuple[int, int]) -> bool:
    """Whether :func:`later_block` can do it: in training, on a processor.

    A factor of exactly zero has no sign.
    """
    return (
        x.device.type == "cpu"
        and norm.training
        and pool[0] <= x.shape[2]
        and pool[1] <= x.shape[3]
        and bool(norm.weight.all())
    )


def later_block(
    x: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d, pool: tuple[int, int]
) -> Tensor:
    """Convolve, normalise, pool and rectify; note the statistics.

    Parameters
    ----------
    x
        Batch x inputs x frames x bands.
    convolution
        3 x 3, padded by one.
    norm
        Of its channels, in training; it is given the batch's statistics.
    pool
        Frames and bands of a window. What does not fill one is left out.

    Returns
    -------
    Tensor
        Batch x channels x windows along the frames x windows along the bands, channels last.
    """
    sign = torch.sign(norm.weight.detach())
    weight = _by_bands(convolution.weight * sign.view(-1, 1, 1, 1), x.shape[3])
    x = x.contiguous(memory_format=torch.channels_last)
    maxima, mean, variance = _MeasuredMaxima.apply(x, weight, pool)
    bias = sign * convolution.bias.double()
    mean = mean + bias
    note(norm, sign * mean.detach(), variance.detach(), x[:, 0].numel())
    scale = sign * norm.weight / torch.sqrt(variance + norm.eps)
    shift = norm.bias + scale * (bias - mean)
    return F.relu(torch.addcmul(shift.to(x.dtype), maxima, scale.to(x.dtype))).permute(0, 3, 1, 2)


def _by_bands(weight: Tensor, bands: int) -> Tensor:
    """Make the bands of a narrow image channels: no product with the padding beside them is left.

    Parameters
    ----------
    weight
        Outputs x inputs x 3 x 3.
    bands
        Of the image.

    Returns
    -------
    Tensor
        (Bands outputs) x (bands inputs) x 3 x 1 for one or two bands, else the weights; channels
        last.
    """
    if bands <= 2:
        rows = [
            torch.cat([weight[..., seen - band + 1] for seen in range(bands)], dim=1)
            for band in range(bands)
        ]
        weight = torch.cat(rows).unsqueeze(3)
    return weight.contiguous(memory_format=torch.channels_last)


class _MeasuredMaxima(torch.autograd.Function):
    """Convolution, the pooled maxima of its maps, and their mean and variance; piece by piece."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, weight: Tensor, pool: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Convolve, measure and pool.

        Parameters
        ----------
        x
            Batch x inputs x frames x bands, channels last.
        weight
            See :func:`_by_bands`.
        pool
            Frames and bands of a window.

        Returns
        -------
        tuple
            Maxima, batch x windows along the frames x along the bands x channels; mean and
            variance of each channel, in double precision.
        """
        size = tuple(x.shape[2:])
        channels = len(weight) // _bands_as_channels(weight, size)
        maxima = x.new_empty(len(x), size[0] // pool[0], size[1] // pool[1], channels)
        places = torch.empty_like(maxima, dtype=torch.int32)
        maps, moments = [], []
        clips = max(1, PIECE // (channels * size[0] * size[1]))
        for seen, kept, place in zip(*(t.split(clips) for t in (x, maxima, places)), strict=True):
            product = _as_convolved(seen, weight)
            y = F.conv2d(product, weight, padding=_padding(weight)).permute(0, 2, 3, 1)
            y = y.reshape(-1, channels)
            moments.append(_moments(y))
            highest, where = F.max_pool2d(as_images(y, size, channels), pool, return_indices=True)
            kept.copy_(highest.permute(0, 2, 3, 1))
            place.copy_(where.permute(0, 2, 3, 1))
            maps.append(y)
        mean, variance = _joined(moments)
        ctx.save_for_backward(x, weight, places, mean, *maps)
        ctx.pool, ctx.clips = pool, clips
        return maxima, mean, variance

    @staticmethod
    @once_differentiable
    def backward(
        ctx: FunctionCtx, of_maxima: Tensor, of_mean: Tensor, of_variance: Tensor
    ) -> tuple[Tensor | None, Tensor, None]:
        """Gradients of input and weights.

        With n places in the maps y, the maxima's gradient at their places is joined everywhere by
        that of the mean and of the variance, of_mean / n + of_variance 2 (y - mean) / n.
        """
        x, weight, places, mean, *maps = ctx.saved_tensors
        size = tuple(x.shape[2:])
        slope = 2 * of_variance / x[:, 0].numel()
        level = (of_mean / x[:, 0].numel() - slope * mean).to(x.dtype)
        slope = slope.to(x.dtype)
        x_gradient = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        weight_gradient = 0.0
        pieces = zip(*(t.split(ctx.clips) for t in (x, of_maxima, places)), maps, strict=True)
        for number, (seen, given, place, y) in enumerate(pieces):
            pooled = (t.permute(0, 3, 1, 2) for t in (given, place))
            gradient = to_places(*pooled, ctx.pool, size)
            gradient.permute(0, 2, 3, 1).view_as(y).addcmul_(y, slope).add_(level)
            product = _as_convolved(seen, weight)
            of_product, of_weight, _ = convolution_backward(
                *(_as_convolved(gradient, weight), product, weight, None),
                *((1, 1), _padding(weight), (1, 1), False, (0, 0), 1),
                (x_gradient is not None, True, False),
            )
            weight_gradient += of_weight.double()
            if x_gradient is not None:
                first = number * ctx.clips
                of_seen = of_product.permute(0, 2, 3, 1).reshape(seen.permute(0, 2, 3, 1).shape)
                x_gradient[first : first + ctx.clips] = of_seen.permute(0, 3, 1, 2)
        return x_gradient, weight_gradient.to(x.dtype), None


def _bands_as_channels(weight: Tensor, size: tuple[int, int]) -> int:
    return size[1] if weight.shape[3] == 1 else 1


def _padding(weight: Tensor) -> tuple[int, int]:
    return 1, weight.shape[3] // 2


def _as_convolved(x: Tensor, weight: Tensor) -> Tensor:
    """See images (batch x channels x frames x bands, channels last) as the weights want them."""
    if weight.shape[3] == 1:
        return x.permute(0, 2, 3, 1).flatten(2).unsqueeze(2).permute(0, 3, 1, 2)
    return x


def _moments(y: Tensor) -> tuple[int, Tensor, Tensor]:
    """Number of rows, mean of each column, and sum of squares about it, in double precision."""
    mean = y.mean(0)
    return len(y), mean.double(), (y - mean).square_().sum(0).double()


def _joined(moments: list[tuple[int, Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Mean and variance of all pieces from those of each."""
    counts, means, squares = zip(*moments, strict=True)
    counts = torch.tensor(counts, dtype=torch.float64).unsqueeze(1)
    means, count = torch.stack(means), counts.sum()
    mean = (counts * means).sum(0) / count
    return mean, (torch.stack(squares) + counts * (means - mean).square()).sum(0) / count
