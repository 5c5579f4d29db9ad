"""Products in bfloat16: what is rounded, what is not, and how far results are from exact ones."""

import copy
from dataclasses import replace

import pytest
import torch
from softscene.models.fused import bfloat16, convolution_block
from softscene.models.networks import (
    BidirectionalGRU,
    ConvolutionBlock,
    HiddenLayer,
    NetworkParameters,
    Student,
    Teacher,
)
from torch.nn import functional as F

SIZE = NetworkParameters(
    frames=64, channels=8, scene_channels=(6, 4), gru_units=4, dense_units=5, dropout=0.0,
    precision="bfloat16",
)  # fmt: skip
ROUNDING = 2.0**-8  # bfloat16 has 8 bits: the largest relative error of a rounded number
LAYERS = {  # and an input that bfloat16 holds exactly
    "input block": (lambda **of: ConvolutionBlock(1, 6, (1, 8), **of), (2, 1, 20, 16)),
    "block": (lambda **of: ConvolutionBlock(5, 6, (1, 4), **of), (2, 5, 20, 8)),
    "plain block": (lambda **of: ConvolutionBlock(5, 6, (1, 4), False, **of), (2, 5, 20, 8)),
    "GRU": (lambda **of: BidirectionalGRU(6, 4, **of), (3, 20, 6)),
    "hidden": (lambda **of: HiddenLayer(6, 4, **of), (3, 20, 6)),
}


@pytest.fixture(autouse=True)
def fused_however_narrow(monkeypatch):
    monkeypatch.setattr(convolution_block, "FEWEST", 1)


def made(name, precision):
    torch.manual_seed(0)
    layer, shape = LAYERS[name]
    return layer(precision=precision), torch.randn(shape).bfloat16().float()


def nudged(x):
    """Numbers that round to the same in bfloat16."""
    moved = x * (1 + 2.0**-12)
    assert torch.equal(moved.bfloat16(), x.bfloat16())
    assert not torch.equal(moved, x)
    return moved


@pytest.mark.parametrize("name", LAYERS)
def test_what_bfloat16_does_not_hold_of_an_input_is_not_seen(name):
    layer, x = made(name, "bfloat16")
    other = copy.deepcopy(layer)
    if name == "input block":  # the norm's statistics come from the image itself
        layer, other = layer.double(), other.double()
        found, expected = layer(nudged(x).double()), other(x.double())
        torch.testing.assert_close(found, expected, rtol=2.0**-9, atol=2.0**-9)
    else:
        assert torch.equal(layer(nudged(x)), other(x))
    exact, _ = made(name, "float32")
    assert not torch.equal(copy.deepcopy(exact)(nudged(x)), exact(x))


@pytest.mark.parametrize("name", LAYERS)
def test_a_trained_layer_computes_in_single_precision(name):
    (layer, x), (exact, _) = made(name, "bfloat16"), made(name, "float32")
    assert not torch.equal(copy.deepcopy(layer)(x), copy.deepcopy(exact)(x))
    assert torch.equal(layer.eval()(x), exact.eval()(x))


@pytest.mark.parametrize("shape", [(2, 7, 3), (3, 5, 1), (1, 6, 8), (2, 1, 2)])
def test_maps_and_gradients_are_those_of_pytorchs_convolution(shape):
    """In double precision, where nothing else differs; the weights' gradient is added."""
    torch.manual_seed(0)
    x = torch.randn(*shape, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, 4, 3, 3, dtype=torch.float64, requires_grad=True)
    gradient = torch.randn(*shape, 5, dtype=torch.float64)
    expected = F.conv2d(x.permute(0, 3, 1, 2), weight, padding=1).permute(0, 2, 3, 1)
    expected.backward(gradient)
    maps, found, of_weight = torch.empty_like(gradient), torch.empty_like(x), weight.grad.clone()
    with torch.no_grad():
        bfloat16.convolve(x, bfloat16.weights(weight), maps)
        bfloat16.add_weight_gradient(x, gradient, of_weight)
        bfloat16.convolve(gradient, bfloat16.transposed(weight), found)
    torch.testing.assert_close(maps, expected)
    torch.testing.assert_close(found, x.grad)
    torch.testing.assert_close(of_weight, 2 * weight.grad)


@pytest.mark.parametrize("piece", [1, 2**20])
def test_a_block_is_as_near_to_the_exact_one_as_rounding_allows(piece, monkeypatch):
    """Output and input's gradient against the same block in double precision.

    A product's operands are off by 2^-9 each and a map by 2^-9 after the sum. Sums of n independent
    errors grow as the root of n, as the numbers themselves do, so that the relative error of the
    whole stays near one rounding. Where two maps of a window are as near, another may be chosen.
    """
    monkeypatch.setattr(bfloat16, "PIECE", piece)
    block, x = made("block", "bfloat16")
    x.requires_grad_()
    exact, y = copy.deepcopy(block).double(), x.detach().double().requires_grad_()
    exact.precision = "float32"
    found, expected = block(x), exact(y)
    torch.manual_seed(1)
    given = torch.randn(found.shape)
    found.backward(given)
    expected.backward(given.double())
    assert (found - expected).norm() / expected.norm() < 2 * ROUNDING
    for mine, its, bound in (
        (x.grad, y.grad, 0.25),
        (block.convolution.weight.grad, exact.convolution.weight.grad, 0.25),
        (block.norm.weight.grad, exact.norm.weight.grad, 8 * ROUNDING),
        (block.norm.bias.grad, exact.norm.bias.grad, 8 * ROUNDING),
    ):
        assert mine.dtype == torch.float32
        assert (mine - its).norm() / its.norm() < bound
    for name in ("running_mean", "running_var"):
        statistics = getattr(block.norm, name), getattr(exact.norm, name)
        torch.testing.assert_close(*statistics, rtol=ROUNDING, atol=1e-3, check_dtype=False)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("network", [Teacher, lambda size: Student(size, scene_branch=True)])
def test_weights_gradients_statistics_and_logits_are_in_single_precision(network, fused):
    torch.manual_seed(0)
    built = network(replace(SIZE, fused=fused))
    logits = built(torch.randn(3, 64, 64), torch.tensor([64, 30, 64]))
    logits = logits if isinstance(logits, tuple) else (logits,)
    sum(each.square().sum() for each in logits).backward()
    floating = [*logits, *built.parameters(), *(p.grad for p in built.parameters())]
    floating += [x for x in built.buffers() if x.is_floating_point()]
    assert {x.dtype for x in floating} == {torch.float32}


def test_the_last_layers_are_not_rounded():
    """Logits are a product of numbers that bfloat16 does not hold."""
    torch.manual_seed(0)
    student = Student(SIZE, scene_branch=True)
    for layer in (student.event.output, student.scene.output):
        assert type(layer) is torch.nn.Linear
    assert type(Teacher(SIZE).output) is torch.nn.Linear
