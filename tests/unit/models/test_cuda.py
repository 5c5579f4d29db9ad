"""On a GPU: the same step as on a processor, without the first block's full-size maps."""

import copy
from dataclasses import replace

import pytest
import torch
from softscene.models.networks import NetworkParameters, Student, Teacher
from softscene.training.runtime import prepare

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
SIZE = NetworkParameters(channels=16, scene_channels=(8, 4), dropout=0.0)
NETWORKS = {"teacher": Teacher, "student": lambda size: Student(size, scene_branch=True)}


def step(network, features, lengths):
    """Logits, gradients and statistics of a step, by name."""
    logits = network(features, lengths)
    logits = logits if isinstance(logits, tuple) else (logits,)
    sum(each.square().mean() for each in logits).backward()
    found = {f"logits {place}": each.detach() for place, each in enumerate(logits)}
    found |= {name: x.grad for name, x in network.named_parameters() if x.grad is not None}
    return found | dict(network.named_buffers())


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_step_is_that_of_the_plain_form_on_the_processor(kind):
    device = prepare(1, "cuda")
    torch.manual_seed(0)
    plain = NETWORKS[kind](replace(SIZE, fused=False)).double()
    fused = NETWORKS[kind](SIZE).double()
    fused.load_state_dict(plain.state_dict())
    features, lengths = torch.randn(5, 500, 64).double(), torch.tensor([500, 30, 500, 250, 500])
    expected = step(plain, features, lengths)
    found = step(fused.to(device), features.to(device), lengths.to(device))
    # The bias of a convolution before a norm has no effect, and its gradient is rounding alone.
    unused = {name for name in expected if name.endswith("convolution.bias")}
    assert found.keys() - unused == expected.keys() - unused
    for name in expected.keys() - unused:
        mine, its = found[name].cpu().double(), expected[name].double()
        assert (mine - its).norm() <= 1e-6 * its.norm(), name


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_bits_come_out_twice(precision):
    device = prepare(1, "cuda")
    torch.manual_seed(0)
    network = NETWORKS["student"](replace(SIZE, precision=precision)).to(device)
    data = torch.randn(8, 500, 64, device=device), torch.full((8,), 500, device=device)
    runs = [step(copy.deepcopy(network), *data) for _ in range(2)]
    assert runs[0].keys() == runs[1].keys()
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_the_first_blocks_maps_are_never_whole():
    """Of 64 clips and 128 channels they would take 1 GB, and their gradient as much."""
    device = prepare(1, "cuda")
    network = Student(NetworkParameters(), scene_branch=True).to(device)
    data = torch.randn(64, 500, 64, device=device), torch.full((64,), 500, device=device)
    torch.cuda.reset_peak_memory_stats()
    step(network, *data)
    assert torch.cuda.max_memory_allocated() < 1.5e9
