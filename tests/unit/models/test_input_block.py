"""The first block is PyTorch's: same weights, same outputs, same gradients, same statistics."""

import copy

import pytest
import torch
from softscene.models.fused import input_block
from softscene.models.networks import NetworkParameters, Student

from tests.unit.models import plain_blocks
from tests.unit.models.plain_blocks import assert_same, plain

POOLS = [(1, 8), (8, 8), (3, 5), (1, 1)]
SHAPES = [(3, 1, 41, 67), (2, 1, 16, 64), (1, 1, 8, 8), (5, 1, 9, 13)]
PAPER = [((1, 8), (4, 1, 500, 64)), ((8, 8), (4, 1, 500, 64))]


def pair(pool, channels=7, dtype=torch.float64, training=True):
    """A block with norms of all signs, and its like."""
    blocks = plain_blocks.pair(1, channels, pool, dtype)
    for block in blocks:
        block.norm.weight.data[2] = 0
        block.train(training)
    return blocks


def clips(shape, dtype=torch.float64):
    """Noise that is not centred, with a padded end: there all of a window's maps are equal."""
    torch.manual_seed(3)
    x = 2 * torch.randn(shape, dtype=dtype) + 1
    x[0, :, -shape[2] // 3 :] = 0
    return x


def results(function, block, x):
    """Output, gradients of the parameters, and statistics behind the step."""
    output = function(block, x)
    weights = torch.linspace(-1, 1.5, output.numel(), dtype=torch.float64)
    weights = weights[torch.randperm(len(weights), generator=torch.Generator().manual_seed(4))]
    names = [name for name, _ in block.named_parameters()]
    found = torch.autograd.grad(output, block.parameters(), weights.view_as(output).to(output))
    return {"output": output.detach()} | dict(zip(names, found, strict=True)) | buffers(block)


def buffers(block):
    return {name: value.clone() for name, value in block.named_buffers()}


def fast(block, x):
    assert input_block.applies(x, block.pool)
    return block(x)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_everything_is_as_in_pytorch(pool, shape, training):
    block, other = pair(pool, training=training)
    x = clips(shape)
    assert_same(results(fast, block, x), results(plain, other, x))


@pytest.mark.parametrize("channels", [1, 3, 128])
@pytest.mark.parametrize("piece", [1, 1000])
def test_everything_is_as_in_pytorch_however_it_is_cut(channels, piece, monkeypatch):
    monkeypatch.setitem(input_block.PIECES, "cpu", piece)
    block, other = pair((2, 4), max(channels, 3))
    x = clips((2, 1, 10, 18))
    assert_same(results(fast, block, x), results(plain, other, x))


@pytest.mark.parametrize(("pool", "shape"), PAPER)
def test_single_precision_is_as_good_as_pytorchs(pool, shape):
    """Either is compared with double precision."""
    block, other = pair(pool, 128, torch.float32)
    exact = copy.deepcopy(block).double()
    x = clips(shape, torch.float32)
    truth = results(plain, exact, x.double())
    ours, theirs = results(fast, block, x), results(plain, other, x)
    for name, value in truth.items():
        errors = [(found[name] - value).double().norm().item() for found in (ours, theirs)]
        assert errors[0] <= 1.5 * errors[1] + 1e-7 * value.double().norm().item(), (name, errors)


@pytest.mark.parametrize("pool", [(1, 2), (2, 3)])
@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_finite_differences(pool, training):
    block, _ = pair(pool, 3, training=training)
    block.norm.weight.data[2] = -0.7
    x = torch.randn(2, 1, 5, 7, dtype=torch.float64)
    names = [name for name, _ in block.named_parameters()]

    def function(*parameters):
        return torch.func.functional_call(block, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(function, tuple(block.parameters()))


def test_the_bias_that_batch_norm_cancels_has_no_gradient_at_all():
    block, _ = pair((1, 8), 16, torch.float32)
    block(clips((2, 1, 20, 64), torch.float32)).square().sum().backward()
    assert not block.convolution.bias.grad.any()


@pytest.mark.parametrize(("pool", "shape"), PAPER)
def test_the_same_bits_come_out_twice_and_the_input_is_left_alone(pool, shape):
    x = clips(shape, torch.float32)
    kept = x.clone()
    first, second = (results(fast, pair(pool, 128, torch.float32)[0], x) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(x, kept)


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_the_layout_of_weights_and_gradients_is_no_matter(form):
    x = clips((2, 1, 24, 64), torch.float32)
    found = []
    for layout in (torch.contiguous_format, form):
        block, _ = pair((1, 8), 16, torch.float32)
        output = block.to(memory_format=layout)(x.contiguous(memory_format=layout))
        assert output.is_contiguous(memory_format=torch.channels_last)
        weights = torch.linspace(-1, 1, output.numel()).view_as(output)
        output.backward(weights.contiguous(memory_format=layout))
        found.append([output.detach(), *(p.grad for p in block.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_inference_gives_the_bits_of_training(mode):
    block, other = pair((1, 8), dtype=torch.float32)
    x = clips((2, 1, 20, 64), torch.float32)
    trained = block(x)
    with mode():
        assert torch.equal(other(x), trained)
    assert all(torch.equal(a, b) for a, b in zip(block.buffers(), other.buffers(), strict=True))


def test_backward_can_run_again_on_a_kept_graph():
    block, _ = pair((1, 8))
    loss = block(clips((2, 1, 20, 64))).square().sum()
    first = torch.autograd.grad(loss, block.parameters(), retain_graph=True)
    second = torch.autograd.grad(loss, block.parameters())
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_the_first_of_equal_maxima_gets_the_gradient():
    """As in PyTorch: in the middle of a constant image all of a window's maps are equal."""
    block, other = pair((4, 4))
    x = torch.full((1, 1, 16, 16), 0.5, dtype=torch.float64)
    x[0, 0, 3, 3] = 0.6  # without any variance, rounding alone would decide
    assert_same(results(fast, block, x), results(plain, other, x))


def test_a_number_that_is_not_finite_comes_out():
    block, _ = pair((1, 8))
    x = clips((2, 1, 20, 64))
    x[1, 0, 3, 3] = float("inf")
    assert block(x).isnan().any()


def test_what_it_cannot_do_is_left_to_pytorch():
    x = torch.zeros(1, 1, 20, 64)
    assert input_block.applies(x, (1, 8))
    assert not input_block.applies(x.clone().requires_grad_(), (1, 8))
    assert not input_block.applies(x.to("meta"), (1, 8))
    assert not input_block.applies(torch.zeros(1, 2, 20, 64), (1, 8))
    assert not input_block.applies(x, (21, 8))
    assert not input_block.applies(x, (1, 65))
    assert not input_block.applies(x, (20, 13))


def test_an_input_that_wants_a_gradient_gets_it():
    block, other = pair((1, 8))
    x, y = (clips((2, 1, 20, 64)).requires_grad_() for _ in range(2))
    block(x).square().sum().backward()
    plain(other, y).square().sum().backward()
    assert torch.equal(x.grad, y.grad)


def test_names_and_first_weights_are_those_of_the_layers():
    torch.manual_seed(0)
    network = Student(NetworkParameters(channels=8), scene_branch=False)
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(1, 8, 3, padding=1)
    state = {k: v for k, v in network.state_dict().items() if k.startswith("shared.0.")}
    assert {name.removeprefix("shared.0.") for name in state} == {
        *("convolution.weight", "convolution.bias", "norm.weight", "norm.bias"),
        *("norm.running_mean", "norm.running_var", "norm.num_batches_tracked"),
    }
    assert torch.equal(state["shared.0.convolution.weight"], convolution.weight)
    assert torch.equal(state["shared.0.convolution.bias"], convolution.bias)
