"""The fast GRU is PyTorch's: same weights, same states, same gradients."""

import pytest
import torch
from softscene.models.networks import BidirectionalGRU
from torch import nn

SHAPES = [(3, 20, 5), (1, 7, 4), (4, 1, 3), (1, 1, 2)]  # batch, frames, inputs
DTYPES = [torch.float64, torch.float32]


def pair(inputs=5, units=6, dtype=torch.float64):
    """The fast GRU and PyTorch's with its weights."""
    torch.manual_seed(1)
    fast = BidirectionalGRU(inputs, units).to(dtype)
    plain = nn.GRU(inputs, units, batch_first=True, bidirectional=True).to(dtype)
    plain.load_state_dict(fast.state_dict())
    return fast, plain


def assert_same(found, expected, shape, units=6):
    """Equal but for rounding: the terms' size, times the machine's precision, times their number.

    A state comes out of a chain of ``frames`` products of ``inputs + units`` terms each; a
    parameter's gradient adds those of all frames of the batch. Either order of adding is right, and
    which one a processor takes is its own affair.
    """
    batch, frames, inputs = shape
    terms = frames * (inputs + units) + batch * frames
    size = expected.abs().max().item()
    bound = terms * torch.finfo(expected.dtype).eps * size
    torch.testing.assert_close(found, expected, rtol=0, atol=bound)


def states(gru, x):
    found = gru(x)
    return found[0] if isinstance(found, tuple) else found


def gradients(gru, x):
    """Of the input and of all parameters, for a loss that weighs each state differently."""
    x = x.clone().requires_grad_()
    output = states(gru, x)
    weights = torch.linspace(-1, 1, output.numel(), dtype=x.dtype).view_as(output)
    return torch.autograd.grad(output, [x, *gru.parameters()], weights)


@pytest.mark.parametrize("shape", [*SHAPES, (2, 500, 16)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_states_are_those_of_pytorch(shape, dtype):
    fast, plain = pair(shape[2], dtype=dtype)
    x = torch.randn(shape, dtype=dtype)
    assert_same(fast(x), plain(x)[0], shape)


@pytest.mark.parametrize("shape", [*SHAPES, (2, 60, 16)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_are_those_of_pytorch(shape, dtype):
    fast, plain = pair(shape[2], dtype=dtype)
    x = torch.randn(shape, dtype=dtype)
    found, expected = gradients(fast, x), gradients(plain, x)
    assert len(found) == 9
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other, shape)


def test_gradients_of_strong_weights_are_those_of_pytorch():
    fast, plain = pair()
    for gru in (fast, plain):
        for parameter in gru.parameters():
            parameter.data *= 8  # gates open and shut
    x = 3 * torch.randn(3, 40, 5, dtype=torch.float64)
    for one, other in zip(gradients(fast, x), gradients(plain, x), strict=True):
        assert_same(one, other, x.shape)


@pytest.mark.parametrize("shape", [(2, 4, 3), (1, 1, 3)])
def test_gradients_are_those_of_finite_differences(shape):
    fast, _ = pair(3, 2)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in fast.named_parameters()]

    def function(x, *parameters):
        return torch.func.functional_call(fast, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(function, (x, *fast.parameters()))


def test_weights_of_a_seed_are_those_of_pytorch():
    torch.manual_seed(5)
    fast, fast_next = BidirectionalGRU(4, 3), torch.rand(1)
    torch.manual_seed(5)
    plain, plain_next = nn.GRU(4, 3, batch_first=True, bidirectional=True), torch.rand(1)
    assert torch.equal(fast_next, plain_next)
    assert list(fast.state_dict()) == list(plain.state_dict())
    for name, weights in plain.state_dict().items():
        assert torch.equal(fast.state_dict()[name], weights)


def test_weights_can_be_exchanged_with_pytorch():
    fast, plain = BidirectionalGRU(4, 3), nn.GRU(4, 3, batch_first=True, bidirectional=True)
    x = torch.randn(2, 9, 4)
    fast.load_state_dict(plain.state_dict())
    assert_same(fast(x), plain(x)[0], x.shape, units=3)
    other = BidirectionalGRU(4, 3)
    plain.load_state_dict(other.state_dict())
    assert_same(other(x), plain(x)[0], x.shape, units=3)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_inference_gives_the_bits_of_training(mode):
    fast, _ = pair(dtype=torch.float32)
    x = torch.randn(3, 30, 5)
    trained = fast(x)
    assert trained.requires_grad
    with mode():
        found = fast(x)
    assert not found.requires_grad
    assert torch.equal(found, trained)


def test_the_same_bits_come_out_twice_and_nothing_else_changes():
    fast, _ = pair(16, 32, torch.float32)
    x = torch.randn(8, 100, 16)
    kept, threads = x.clone(), torch.get_num_threads()
    first, second = ((fast(x), *gradients(fast, x)) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert torch.equal(x, kept)
    assert torch.get_num_threads() == threads


def test_backward_can_run_again_on_a_kept_graph():
    fast, _ = pair()
    x = torch.randn(2, 6, 5, dtype=torch.float64, requires_grad=True)
    loss = fast(x).square().sum()
    (first,) = torch.autograd.grad(loss, x, retain_graph=True)
    (second,) = torch.autograd.grad(loss, x)
    assert torch.equal(first, second)


def test_gradients_can_be_had_of_the_input_only_or_of_the_parameters_only():
    fast, _ = pair()
    x = torch.randn(2, 6, 5, dtype=torch.float64)
    expected = gradients(fast, x)
    fast(x).backward(torch.linspace(-1, 1, 144, dtype=x.dtype).view(2, 6, 12))
    for parameter, gradient in zip(fast.parameters(), expected[1:], strict=True):
        assert torch.equal(parameter.grad, gradient)
    x.requires_grad_()
    fast.requires_grad_(False)
    fast(x).backward(torch.linspace(-1, 1, 144, dtype=x.dtype).view(2, 6, 12))
    assert torch.equal(x.grad, expected[0])


def test_rows_of_a_batch_and_directions_do_not_mix():
    fast, _ = pair()
    x = torch.randn(2, 8, 5, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(fast(x)[0, 3, :6].sum(), x)  # first direction at frame 3
    assert not gradient[1].any()
    assert not gradient[0, 4:].any()
    assert gradient[0, :4].abs().sum(1).all()
    (gradient,) = torch.autograd.grad(fast(x)[0, 3, 6:].sum(), x)
    assert not gradient[0, :3].any()
    assert gradient[0, 3:].abs().sum(1).all()


def test_other_devices_are_left_to_pytorch():
    gru = BidirectionalGRU(5, 6).to("meta")
    assert gru(torch.empty(2, 8, 5, device="meta")).shape == (2, 8, 12)
