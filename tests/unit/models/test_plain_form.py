"""The plain form is Table 2 in PyTorch's own layers, and has the weights of the fused form."""

import pytest
import torch
from softscene.models.fused import convolution_block, gru, input_block
from softscene.models.networks import (
    BidirectionalGRU,
    ConvolutionBlock,
    NetworkParameters,
    Student,
    Teacher,
)
from torch import nn

from tests.benchmark import reference

EPS = torch.finfo(torch.float64).eps
KINDS = ["teacher", "crnn", "mtl"]
FUSED = [
    (input_block, "fused_input_block"),
    (convolution_block, "fused_block"),
    (gru, "fused_gru"),
]


def network(kind, **sizes):
    """A network whose norms scale and shift, in training and after it."""
    torch.manual_seed(3)
    size = NetworkParameters(**sizes)
    made = Teacher(size) if kind == "teacher" else Student(size, scene_branch=kind == "mtl")
    for module in made.double().modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.normal_()
            module.bias.data.normal_()
            module.running_mean.normal_()
            module.running_var.uniform_(1, 2)
    return made


def outputs(given):
    return [each for each in (given if isinstance(given, tuple) else (given,)) if each is not None]


def assert_close(found, expected, terms):
    """Equal but for the rounding of sums of so many terms, of the size of the largest result."""
    for one, other in zip(outputs(found), outputs(expected), strict=True):
        bound = terms * EPS * other.abs().max().item()
        torch.testing.assert_close(one, other, rtol=0, atol=bound)


# A network's longest chain of sums: 9 x 128 products in two of three convolutions, statistics over
# the batch, and 500 frames of a GRU of 32 units with 128 inputs.
TERMS = 2 * 9 * 128 + 2 * 500 * 64 + 500 * (32 + 128)


@pytest.fixture
def clips():
    torch.manual_seed(4)
    return torch.randn(2, 500, 64, dtype=torch.float64), torch.tensor([500, 180])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_a_plain_network_is_table_2_in_pytorchs_layers(kind, training, clips):
    """Layers written anew, in the paper's order; outputs and statistics."""
    plain = network(kind, fused=False, dropout=0.0).train(training)
    written = reference.network(kind, dropout=0.0).double().train(training)
    written.load_state_dict(plain.state_dict())
    features, lengths = clips
    image = features.clone()
    image[1, lengths[1] :] = 0
    assert_close(plain(features, lengths), written(image.unsqueeze(1)), TERMS)
    for one, other in zip(plain.buffers(), written.buffers(), strict=True):
        assert_close(one.double(), other.double(), TERMS)


def test_a_plain_block_is_the_bits_of_pytorchs_layers():
    block = ConvolutionBlock(3, 5, (2, 2), fused=False)
    layers = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d((2, 2))
    )
    layers.load_state_dict(dict(zip(layers.state_dict(), block.state_dict().values(), strict=True)))
    x = torch.randn(2, 3, 9, 8)
    assert torch.equal(block(x), layers(x))


def test_a_plain_gru_is_the_bits_of_pytorchs():
    plain = BidirectionalGRU(5, 6, fused=False)
    layer = nn.GRU(5, 6, batch_first=True, bidirectional=True)
    layer.load_state_dict(plain.state_dict())
    x = torch.randn(2, 9, 5)
    assert torch.equal(plain(x), layer(x)[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_either_form_starts_from_and_loads_the_weights_of_the_other(kind, training, clips):
    fused, plain = (network(kind, fused=each, dropout=0.0) for each in (True, False))
    states = fused.state_dict(), plain.state_dict()
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    for parameter in fused.parameters():
        parameter.data.add_(0.01)
    plain.load_state_dict(fused.state_dict())
    found, expected = (each.train(training)(*clips) for each in (fused, plain))
    assert_close(found, expected, TERMS)
    fused.load_state_dict(plain.state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_the_switch_reaches_every_block(kind, clips, monkeypatch):
    """In training all fused forms apply to the paper's networks, which use no layer of PyTorch."""
    calls = []

    def noting(name, function):
        def call(*given):
            calls.append(name)
            return function(*given)

        return call

    for module, name in FUSED:
        monkeypatch.setattr(module, name, noting(name, getattr(module, name)))
    for layer in (nn.Conv2d, nn.BatchNorm2d, nn.GRU):
        monkeypatch.setattr(layer, "forward", noting(layer.__name__, layer.forward))
    network(kind, fused=True)(*clips)
    branch = {"teacher": [], "crnn": ["fused_gru"], "mtl": ["fused_gru", *2 * ["fused_block"]]}
    assert calls == ["fused_input_block", "fused_block", "fused_block", *branch[kind]]
    calls.clear()
    network(kind, fused=False)(*clips)
    block = ["Conv2d", "BatchNorm2d"]
    branch = {"teacher": [], "crnn": ["GRU"], "mtl": ["GRU", *2 * block]}
    assert calls == 3 * block + branch[kind]
