"""The fused block's convolution with products in bfloat16 and sums in single precision.

Input, weights and the maps' gradient are rounded to bfloat16 (8 bits) before they are multiplied,
the maps and gradients of a piece afterwards. The weights' gradients of all pieces are added in
single precision. Maps and the input's gradient are PyTorch's own convolutions: with a processor's
instructions for such products they are faster than Winograd's.

The names are those of ``convolution_block.py``.
"""

from torch import Tensor
from torch.nn import functional as F

OUTPUTS = 0  # the weights' axis
# Numbers in a piece of the maps: 2 MiB.
PIECE = 2**20


def operand(x: Tensor) -> Tensor:
    """What is multiplied: the input, rounded."""
    return x.bfloat16()


def weights(weight: Tensor) -> Tensor:
    """The weights, outputs x inputs x 3 x 3, as they are."""
    return weight


def transposed(weight: Tensor) -> Tensor:
    """Weights of the backward convolution: reversed in frames and bands, inputs for outputs."""
    return weight.flip(2, 3).transpose(0, 1).contiguous()


def frames_made(frames: int) -> int:
    """Frames of the maps that :func:`convolve` writes for images of ``frames`` frames."""
    return frames


def convolve(x: Tensor, weight: Tensor, out: Tensor) -> None:
    """Convolve images: batch x frames x bands x inputs -> x outputs, into ``out``."""
    out.copy_(F.conv2d(x.permute(0, 3, 1, 2), weight, padding=1).permute(0, 2, 3, 1))


def add_weight_gradient(x: Tensor, gradient: Tensor, weight_gradient: Tensor) -> None:
    """Add the gradient of the weights, a product of matrices for each of them.

    All pixels are put into one row, with a zero after each frame's bands and a frame of zeros after
    each clip. So the neighbour of a pixel is always at the same distance, and a zero at an edge.
    """
    row = x.shape[2] + 1
    seen, given = (F.pad(t, (0, 0, 0, 1, 0, 1)).flatten(0, 2) for t in (x, gradient))
    seen = F.pad(seen, (0, 0, row + 1, row + 1))
    for frame in range(3):
        for band in range(3):
            start = frame * row + band
            weight_gradient[:, :, frame, band] += given.T @ seen[start : start + len(given)]
