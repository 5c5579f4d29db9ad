"""Networks: sizes as in the paper, and nothing comes in through the padding."""

import pytest
import torch
from softscene.models.networks import ConvolutionBlock, NetworkParameters, Student, Teacher
from torch.nn import functional as F

PAPER = NetworkParameters()


def networks(size=PAPER):
    torch.manual_seed(3)
    return {
        "teacher": Teacher(size),
        "crnn": Student(size, scene_branch=False),
        "mtl": Student(size, scene_branch=True),
    }


@pytest.mark.parametrize(
    ("name", "expected"), [("teacher", 300_804), ("crnn", 331_225), ("mtl", 415_053)]
)
def test_parameter_counts_are_those_of_the_specification(name, expected):
    network = networks()[name]
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == expected


def test_outputs_keep_500_frames_and_one_scene_a_clip():
    found = networks()
    features, lengths = torch.randn(2, 500, 64), torch.tensor([500, 500])
    events, scenes = found["mtl"](features, lengths)
    assert events.shape == (2, 500, 25)
    assert scenes.shape == (2, 4)
    assert found["crnn"](features, lengths)[1] is None
    assert found["teacher"](features, lengths).shape == (2, 4)


@pytest.mark.parametrize("name", ["teacher", "crnn", "mtl"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("junk", [1e6, float("nan")])
def test_what_stands_in_the_padding_changes_no_output(name, training, junk):
    network = networks(NetworkParameters(channels=8, scene_channels=(4, 4)))[name]
    network.train(training)
    features, lengths = torch.randn(3, 500, 64), torch.tensor([500, 120, 1])
    other = features.clone()
    for clip, length in enumerate(lengths):
        other[clip, length:] = junk
    outputs = []
    for given in (features, other):
        torch.manual_seed(0)
        outputs.append(network(given, lengths))
    for a, b in zip(*(o if isinstance(o, tuple) else (o,) for o in outputs), strict=True):
        assert a is b is None or torch.equal(a, b)


@pytest.mark.parametrize("name", ["teacher", "mtl"])
@pytest.mark.parametrize("training", [False, True])
def test_pooling_before_the_relu_is_the_same_function(name, training):
    """In every block, though a norm's factor may be negative; the paper pools behind the ReLU."""
    network = networks()[name].double().train(training)
    blocks = [module for module in network.modules() if isinstance(module, ConvolutionBlock)]
    assert len(blocks) == {"teacher": 3, "mtl": 5}[name]
    for block in blocks:
        block.norm.weight.data.normal_()
        inputs, (frames, bands) = block.convolution.in_channels, block.pool
        x = torch.randn(2, inputs, 3 * frames + 1, 2 * bands + 1, dtype=torch.float64)
        plain = F.max_pool2d(F.relu(block.norm(block.convolution(x))), block.pool)
        torch.testing.assert_close(block(x), plain, rtol=1e-12, atol=1e-12)
