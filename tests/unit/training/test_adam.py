"""The optimiser: PyTorch's own to the last bit, and none of PyTorch's compiler."""

import copy
import subprocess
import sys

import torch
from softscene.training.adam import Adam


def trained(optimiser_class, restored_after=None):
    """Weights of a small network after eight steps, and the optimiser's state."""
    generator = torch.Generator().manual_seed(5)
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    optimiser = optimiser_class(network.parameters(), lr=0.05)
    for step in range(8):
        if step == restored_after:
            state = copy.deepcopy(optimiser.state_dict())
            optimiser = optimiser_class(network.parameters(), lr=0.1)
            optimiser.load_state_dict(state)
        loss = network(torch.randn(6, 3, generator=generator)).square().sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    state = optimiser.state_dict()
    assert state["param_groups"][0]["lr"] == 0.05
    moments = [value for each in state["state"].values() for value in each.values()]
    return [*network.state_dict().values(), *moments]


def test_it_is_pytorchs_adam_to_the_last_bit():
    expected = trained(torch.optim.Adam)
    assert len(expected) == 4 + 4 * 3
    for restored_after in (None, 3):
        own = trained(Adam, restored_after)
        assert all(torch.equal(a, b) for a, b in zip(own, expected, strict=True))


def test_it_leaves_no_gradient_and_records_none():
    weight = torch.nn.Parameter(torch.ones(2))
    optimiser = Adam([weight], lr=0.1)
    weight.sum().backward()
    optimiser.step()
    assert weight.requires_grad
    assert weight.grad_fn is None
    optimiser.zero_grad(set_to_none=True)
    assert weight.grad is None


def test_it_does_not_load_the_compiler():
    code = """
import sys, torch
from softscene.training.adam import Adam
weight = torch.nn.Parameter(torch.ones(2))
optimiser = Adam([weight])
optimiser.zero_grad()
weight.sum().backward()
optimiser.step()
optimiser.load_state_dict(optimiser.state_dict())
sys.exit("torch._dynamo" in sys.modules or "sympy" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
