"""Further blocks are PyTorch's: same weights, same outputs, same gradients, same statistics."""

import copy

import pytest
import torch
from softscene.models.fused import convolution_block, winograd

from tests.unit.models import plain_blocks
from tests.unit.models.plain_blocks import assert_same, plain

CASES = [  # pool, shape
    ((1, 4), (3, 5, 41, 8)),
    ((4, 4), (3, 5, 15, 9)),
    ((1, 2), (3, 5, 20, 2)),
    ((2, 2), (2, 5, 15, 3)),
    ((10, 1), (3, 5, 41, 1)),
    ((1, 1), (1, 3, 2, 1)),
    ((1, 1), (2, 3, 1, 4)),
]
PAPER = [((1, 4), (3, 128, 500, 8)), ((1, 2), (3, 128, 500, 2)), ((10, 1), (3, 128, 500, 1))]


@pytest.fixture(autouse=True)
def however_narrow(monkeypatch):
    monkeypatch.setattr(convolution_block, "FEWEST", 1)


def fast(block, x):
    assert convolution_block.applies(x, block.norm, block.pool)
    return block(x)


def pair(pool, inputs=5, channels=7, dtype=torch.float64):
    """A block with norms of both signs, and its like."""
    return plain_blocks.pair(inputs, channels, pool, dtype)


def maps(shape, dtype=torch.float64):
    """What comes out of a block, zero where it was negative."""
    torch.manual_seed(3)
    return torch.randn(shape, dtype=dtype).relu_()


def results(function, block, x):
    """Output, gradients of input and parameters, and statistics behind the step."""
    x = x.clone().requires_grad_()
    output = function(block, x)
    torch.manual_seed(4)
    weights = torch.randn(output.shape, dtype=torch.float64).to(output)
    names, parameters = zip(*block.named_parameters(), strict=True)
    found = torch.autograd.grad(output, (x, *parameters), weights)
    statistics = {name: value.clone() for name, value in block.named_buffers()}
    return {"output": output.detach()} | dict(zip(("x", *names), found, strict=True)) | statistics


@pytest.mark.parametrize(("pool", "shape"), CASES)
@pytest.mark.parametrize("piece", [1, 500, 2**20])
def test_everything_is_as_in_pytorch_however_it_is_cut(pool, shape, piece, monkeypatch):
    monkeypatch.setattr(winograd, "PIECE", piece)
    block, other = pair(pool, shape[1])
    x = maps(shape)
    assert_same(results(fast, block, x), results(plain, other, x))


@pytest.mark.parametrize(("pool", "shape"), PAPER)
def test_single_precision_is_as_good_as_pytorchs(pool, shape):
    """Either is compared with double precision; channels last, which rounds in its own way."""
    block, other = pair(pool, 128, 64, torch.float32)
    exact = copy.deepcopy(block).double()
    x = maps(shape, torch.float32)
    other, x = (each.to(memory_format=torch.channels_last) for each in (other, x))
    truth = results(plain, exact, x.double())
    ours, theirs = results(fast, block, x), results(plain, other, x)
    for name, value in truth.items():
        errors = [(found[name] - value).double().norm().item() for found in (ours, theirs)]
        assert errors[0] <= 1.5 * errors[1] + 1e-7 * value.double().norm().item(), (name, errors)


@pytest.mark.parametrize(("pool", "shape"), [((1, 2), (2, 2, 3, 4)), ((2, 1), (2, 2, 4, 2))])
def test_gradients_are_those_of_finite_differences(pool, shape):
    block, _ = pair(pool, 2, 3)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in block.named_parameters()]

    def function(x, *parameters):
        return torch.func.functional_call(block, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(function, (x, *block.parameters()))


@pytest.mark.parametrize(("pool", "shape"), PAPER)
def test_the_same_bits_come_out_twice_and_the_input_is_left_alone(pool, shape):
    x = maps(shape, torch.float32)
    kept = x.clone()
    first, second = (results(fast, pair(pool, 128, 64, torch.float32)[0], x) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(x, kept)
    assert not first["convolution.bias"].any()


def test_backward_can_run_again_on_a_kept_graph_and_without_the_inputs_gradient():
    block, _ = pair((1, 4))
    x = maps((3, 5, 20, 8))
    loss = block(x).square().sum()
    first = torch.autograd.grad(loss, block.parameters(), retain_graph=True)
    second = torch.autograd.grad(loss, block.parameters())
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    block(x.requires_grad_()).square().sum().backward()
    assert all(torch.equal(p.grad, g) for p, g in zip(block.parameters(), first, strict=True))


def test_what_it_cannot_do_is_left_to_pytorch(monkeypatch):
    block, _ = pair((1, 4))
    x = maps((3, 5, 20, 8))
    assert convolution_block.applies(x, block.norm, (1, 4))
    assert not convolution_block.applies(x, block.norm, (1, 9))
    assert not convolution_block.applies(x.to("meta"), block.norm, (1, 4))
    assert not convolution_block.applies(x, block.norm.eval(), (1, 4))
    block.norm.train()
    monkeypatch.setattr(convolution_block, "FEWEST", 5)
    assert convolution_block.applies(x, block.norm, (1, 4))
    monkeypatch.setattr(convolution_block, "FEWEST", 6)
    assert not convolution_block.applies(x, block.norm, (1, 4)), "PyTorch's layers are faster"
    monkeypatch.setattr(convolution_block, "FEWEST", 1)
    block.norm.weight.data[1] = 0
    assert not convolution_block.applies(x, block.norm, (1, 4))
