"""The fused input block: the first block of a network, without its full-size maps.

Convolution, batch norm, max pooling and ReLU of an image of one channel that needs no gradient. It
computes the function, gradients and running statistics of ``nn.Conv2d``, ``nn.BatchNorm2d``,
``F.max_pool2d`` and ``F.relu``. The plain block writes maps of C times the image's size.

========  ===================================  ====================================
name      shape                                paper's student, batch of 64
========  ===================================  ====================================
image     N x 1 x T x B                        64 x 1 x 500 x 64
padded    N x (T + 2) x (B + 2)                64 x 502 x 66
rows      N x T/P x B/Q x P x Q/q x 3 (q + 2)  64 x 500 x 8 x 1 x 4 x 12
banded    3 (q + 2) x q C                      12 x 256
maps      windows of a piece x C x P x Q       512 x 128 x 1 x 8
output    N x T/P x B/Q x C                    64 x 500 x 8 x 128
indices   like output, one byte each           64 x 500 x 8 x 128
========  ===================================  ====================================

N clips, T frames, B bands, C channels. A pooling window has P frames and Q bands; incomplete
windows are left out. A row of a window is computed in parts of q bands: 2 where Q is even, else Q.

Two facts save the work:

- Batch norm's statistics follow from those of the image. With p a patch of 3 x 3, m and S the mean
  and covariance of all patches, w and b a channel's weights and bias, the channel has the mean
  w m + b and the variance w S w. So the norm is known before the convolution, and becomes part of
  its weights.
- Only what the pooling keeps is needed afterwards. So the maps are computed and pooled a piece at a
  time, each small enough for a processor's cache. Backward, the same is done with their gradient.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from softscene.models.precision import BFLOAT16, FLOAT32

# Numbers in a piece of the maps. 2 MiB in single precision, half of two cores' caches; a GPU has no
# such cache, and starting its kernels costs more.
PIECES = {"cpu": 2**19, "cuda": 2**26}
# Clips whose patches are counted at once, 2 MB each.
COUNTED = {"cpu": 1, "cuda": 16}

pool_backward = torch.ops.aten.max_pool2d_with_indices_backward
relu_backward = torch.ops.aten.threshold_backward


def applies(image: Tensor, pool: tuple[int, int]) -> bool:
    """Whether :func:`fused_input_block` can be used: for an image without gradient."""
    return (
        image.device.type in PIECES
        and image.shape[1] == 1
        and not image.requires_grad
        and pool[0] <= image.shape[2]
        and pool[1] <= image.shape[3]
        and pool[0] * pool[1] <= 256  # indices in a window fit into a byte
    )


def fused_input_block(
    image: Tensor,
    convolution: nn.Conv2d,
    norm: nn.BatchNorm2d,
    pool: tuple[int, int],
    precision: str = FLOAT32,
) -> Tensor:
    """Convolve, normalise, pool and rectify; in training, update the running statistics.

    Parameters
    ----------
    image
        Batch x 1 x frames x bands.
    convolution
        3 x 3, padded by one.
    norm
        Of the convolution's channels; its running statistics are updated in training.
    pool
        Frames and bands of a window; incomplete windows are left out.
    precision
        Of the products, see :mod:`softscene.models.precision`.

    Returns
    -------
    Tensor
        Batch x channels x windows along the frames x windows along the bands, channels last.
    """
    padded = F.pad(image.squeeze(1), (1, 1, 1, 1))
    weight, bias = _normalised(padded, convolution, norm)
    part = 2 if pool[1] % 2 == 0 else pool[1]
    shifted = [F.pad(weight, (0, 0, place, part - 1 - place)) for place in range(part)]
    banded = torch.stack(shifted, dim=2).flatten(2).flatten(0, 1)
    rounded = padded.bfloat16() if precision == BFLOAT16 else padded
    rows = _rows(rounded, pool, part)
    return _ConvolveAndPool.apply(rows, banded, bias, pool).permute(0, 3, 1, 2)


def _normalised(
    padded: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d
) -> tuple[Tensor, Tensor]:
    """Weights (3 x 3 x channels) and bias of convolution and norm together.

    Computed in double precision, as these are only a few thousand numbers.
    """
    weight = convolution.weight.double().flatten(1)
    bias = convolution.bias.double()
    if norm.training:
        patch_mean, patch_covariance = _moments(padded)
        mean = weight @ patch_mean + bias
        variance = ((weight @ patch_covariance) * weight).sum(1)
        update_statistics(norm, mean.detach(), variance.detach(), padded[:, 2:, 2:].numel())
    else:
        mean, variance = norm.running_mean.double(), norm.running_var.double()
    scale = norm.weight / torch.sqrt(variance + norm.eps)
    weight = (scale.unsqueeze(1) * weight).T.unflatten(0, (3, 3))
    bias = norm.bias + scale * (bias - mean)
    return weight.to(padded.dtype), bias.to(padded.dtype)


def _moments(padded: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (9) and covariance (9 x 9) of all patches of 3 x 3, in double precision."""
    total, products, count = 0.0, 0.0, 0
    for clips in padded.split(COUNTED[padded.device.type]):
        shifted = clips.double().unfold(1, 3, 1).unfold(2, 3, 1)
        patches = shifted.permute(3, 4, 0, 1, 2).reshape(9, -1)
        total += patches.sum(1)
        products += patches @ patches.T
        count += patches.shape[1]
    mean = total / count
    return mean, products / count - mean.outer(mean)


def update_statistics(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, count: int) -> None:
    """Update the running statistics as batch norm does, with the unbiased variance."""
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean.to(norm.running_mean), norm.momentum)
    unbiased = variance * (count / (count - 1))
    norm.running_var.lerp_(unbiased.to(norm.running_var), norm.momentum)


def _rows(padded: Tensor, pool: tuple[int, int], part: int) -> Tensor:
    """The patch of the padded image that each part of each row of each window needs, a copy.

    Parameters
    ----------
    padded
        Batch x (frames + 2) x (bands + 2).
    pool
        Frames and bands of a window.
    part
        Bands of a part. Fewer bands mean fewer products with zeros.

    Returns
    -------
    Tensor
        Batch x windows along the frames x along the bands x frames of a window x parts x
        3 (bands of a part + 2), the upper of the three image rows first.
    """
    frames, bands = padded.shape[1] - 2, padded.shape[2] - 2
    whole = padded[:, : frames - frames % pool[0] + 2, : bands - bands % pool[1] + 2]
    around = whole.unfold(1, 3, 1).unfold(2, part + 2, part)
    around = around.unflatten(1, (-1, pool[0])).unflatten(3, (-1, pool[1] // part))
    return around.transpose(2, 3).flatten(5)


class _ConvolveAndPool(torch.autograd.Function):
    """Convolution as a matrix product, max pooling and ReLU, for some windows at a time."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, rows: Tensor, banded: Tensor, bias: Tensor, pool: tuple[int, int]
    ) -> Tensor:
        """Multiply, pool and rectify.

        Parameters
        ----------
        rows
            See :func:`_rows`.
        banded
            Weights of a part of a row, a banded matrix: 3 (q + 2) x q channels, q its bands.
        bias
            Of each channel.
        pool
            Frames and bands of a window.

        Returns
        -------
        Tensor
            Batch x windows along the frames x along the bands x channels.
        """
        channels, factors = len(bias), banded.to(rows.dtype)
        output = bias.new_empty(*rows.shape[:3], channels)
        indices = torch.empty_like(output, dtype=torch.uint8)
        each = (rows.flatten(0, 2), output.view(-1, channels), indices.view(-1, channels))
        for patches, kept, index in _pieces(pool[0] * pool[1] * channels, *each):
            maxima, where = _highest(patches.flatten(0, 2) @ factors, pool, channels)
            torch.add(maxima, bias, out=kept).relu_()
            index.copy_(where)
        ctx.save_for_backward(rows, output, indices)
        ctx.pool = pool
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[None, Tensor, Tensor, None]:
        """Gradients of ``banded`` and ``bias``; shapes are those of ``forward``."""
        rows, output, indices = ctx.saved_tensors
        channels = output.shape[3]
        each = rows.flatten(0, 2), *(x.reshape(-1, channels) for x in (output, indices, gradient))
        weight_gradient, bias_gradient = 0.0, 0.0
        for patches, kept, index, given in _pieces(ctx.pool[0] * ctx.pool[1] * channels, *each):
            passed = relu_backward(given, kept, 0)
            bias_gradient += passed.sum(0).double()
            maps, parts = _back(passed.to(rows.dtype), index, ctx.pool), patches.flatten(0, 2)
            weight_gradient += (parts.T @ maps.reshape(len(parts), -1)).double()
        dtype = output.dtype
        return None, weight_gradient.to(dtype), bias_gradient.to(dtype), None


def _highest(maps: Tensor, pool: tuple[int, int], channels: int) -> tuple[Tensor, Tensor]:
    """Maxima of windows, and their places in them: windows x channels each."""
    if maps.device.type == "cuda":
        return maps.view(-1, pool[0] * pool[1], channels).max(dim=1)
    pooled = F.max_pool2d(as_images(maps, pool, channels), pool, return_indices=True)
    highest, where = (x.view(-1, channels) for x in pooled)
    return highest, where


def _back(gradient: Tensor, index: Tensor, pool: tuple[int, int]) -> Tensor:
    """Gradient of the maps from that of their maxima (windows x channels), channels last."""
    if gradient.device.type == "cuda":  # its max_pool2d is slow for images of one window
        places = torch.arange(pool[0] * pool[1], device=index.device, dtype=index.dtype).view(-1, 1)
        return torch.where(index.unsqueeze(1) == places, gradient.unsqueeze(1), 0)
    pooled = (as_images(x, (1, 1), x.shape[1]) for x in (gradient, index))
    return unpooled_gradient(*pooled, pool, pool).permute(0, 2, 3, 1)


def _pieces(numbers: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Cut tensors into pieces of windows; each window takes ``numbers`` numbers in the maps."""
    size = max(1, PIECES[tensors[0].device.type] // numbers)
    return zip(*(tensor.split(size) for tensor in tensors), strict=True)


def as_images(x: Tensor, size: tuple[int, int], channels: int) -> Tensor:
    """View numbers, channels last, as images of one size: images x channels x frames x bands."""
    return x.view(-1, *size, channels).permute(0, 3, 1, 2)


def unpooled_gradient(
    gradient: Tensor, indices: Tensor, pool: tuple[int, int], size: tuple[int, int]
) -> Tensor:
    """Gradient of the maps from that of their maxima: the backward step of ``F.max_pool2d``.

    Parameters
    ----------
    gradient
        Of the maxima: images x channels x windows along the frames x along the bands.
    indices
        Of the maxima in an image of the maps, as ``F.max_pool2d`` counts them; any integer type.
    pool
        Frames and bands of a window.
    size
        Frames and bands of an image.

    Returns
    -------
    Tensor
        Images x channels x frames x bands, channels last.
    """
    images, channels = gradient.shape[:2]
    maps = as_images(gradient.new_empty(images * size[0] * size[1], channels), size, channels)
    return pool_backward(gradient, maps, pool, pool, (0, 0), (1, 1), False, indices.long())
