"""Precision of the products in training (``compute.precision``).

With tf32, a GPU may round their operands to 10 bits; a CPU computes in float32. With bfloat16, the
operands of the convolutions, of the GRU's products with its inputs and of the hidden dense layer
are rounded to 8 bits, forward and backward, and their products are added in single precision. (On a
GPU, the GRU is cuDNN's, in float32.)

All else is single precision: weights, optimiser, normalisation and its statistics, the GRU's
recurrence, the last layers and so the logits, and losses. A trained network computes in single
precision, whatever it was trained with.
"""

from torch import Tensor, nn
from torch.nn import functional as F

FLOAT32, TF32, BFLOAT16 = "float32", "tf32", "bfloat16"


def linear(x: Tensor, weight: Tensor, bias: Tensor, precision: str) -> Tensor:
    """``F.linear`` with rounded operands; the bias is added in the input's precision."""
    if precision != BFLOAT16:
        return F.linear(x, weight, bias)
    return F.linear(x.bfloat16(), weight.bfloat16()).to(x.dtype) + bias


def convolve(x: Tensor, convolution: nn.Conv2d, precision: str) -> Tensor:
    """A convolution with rounded operands; maps in the input's precision."""
    if precision != BFLOAT16:
        return convolution(x)
    maps = F.conv2d(x.bfloat16(), convolution.weight.bfloat16(), padding=convolution.padding)
    return maps.to(x.dtype) + convolution.bias.view(-1, 1, 1)
