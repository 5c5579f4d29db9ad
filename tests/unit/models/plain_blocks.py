"""A network's block as PyTorch's own layers, and what a faster one is compared by."""

import copy

import torch
from softscene.models.networks import ConvolutionBlock
from torch.nn import functional as F


def plain(block, x):
    """The block of PyTorch's own layers, pooled behind the ReLU as the paper has it."""
    return F.max_pool2d(F.relu(block.norm(block.convolution(x))), block.pool)


def pair(inputs, channels, pool, dtype):
    """A block with norms of both signs, and its like."""
    torch.manual_seed(2)
    block = ConvolutionBlock(inputs, channels, pool).to(dtype)
    block.norm.weight.data.normal_()
    block.norm.bias.data.normal_()
    block.norm.running_mean.normal_()
    block.norm.running_var.uniform_(1, 2)
    return block, copy.deepcopy(block)


def assert_same(found, expected, tolerance=1e-10):
    """Equal but for rounding; a sum that nearly cancels has that of its terms."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        scale = value.abs().max().item()
        if name == "convolution.bias":
            scale = expected["norm.bias"].abs().max().item()  # batch norm cancels it
        torch.testing.assert_close(
            found[name], value, rtol=tolerance, atol=tolerance * scale, msg=lambda m, n=name: n + m
        )
