"""Whether softscene's trainer is the plain one: same losses, gradients and statistics.

Checks of some steps of batches of learnable clips without dropout; the plain one is in float32, or
in double:

- ``single``, in single precision: each step from the plain trainer's weights of that step.
- ``double``, in double precision: each trainer goes its own way from the same first weights.
- ``bfloat16``: softscene's products in bfloat16, otherwise as ``single``. A number is rounded by at
  most 2^-9; five layers in a row that are all off in the same direction make 5 x 2^-9 = 1e-2.

Single precision cannot go its own way for 20 steps: Adam's first steps are as long for a gradient
of nearly nothing as for a large one, and such a gradient's sign is a matter of rounding. The plain
trainer drifts from itself in the same way when the clips of its batches are turned about. Nor are
its gradients close: of two maps that are nearly equal, rounding decides which one is the maximum
and gets the whole gradient of its window.
"""

from dataclasses import dataclass

import numpy as np
import torch

from tests.benchmark.trainers import Reference, Softscene, clips


@dataclass(frozen=True)
class Check:
    """How to compare, and the largest relative differences allowed."""

    dtype: torch.dtype
    follow: bool  # begin each step from the plain trainer's weights
    batch: int
    tolerances: dict[str, float]
    precision: str = "float32"


CHECKS = {
    "single": Check(
        torch.float32, True, 16, {"losses": 1e-3, "gradients": 0.1, "statistics": 1e-3}
    ),
    "double": Check(
        torch.float64, False, 2, {"losses": 1e-6, "gradients": 1e-4, "statistics": 1e-6}
    ),
    "bfloat16": Check(
        torch.float32, True, 16, {"losses": 1e-2, "gradients": 0.5, "statistics": 1e-2}, "bfloat16"
    ),
}


def differences(check, kind, threads, steps, trainer=Softscene, device="cpu"):
    """Largest relative difference of losses, of gradients and of batch norm's statistics."""
    data, device = [_as(each, check.dtype) for each in clips(4 * check.batch)], torch.device(device)
    ours = trainer(kind, threads, data, device, dropout=0.0, precision=check.precision)
    plain = Reference(kind, threads, data, device, dropout=0.0)
    plain.network.to(check.dtype).load_state_dict(ours.network.state_dict())
    ours.network.to(check.dtype)
    worst = dict.fromkeys(check.tolerances, 0.0)
    for step in range(steps):
        chosen = torch.arange(len(data[0])).split(check.batch)[step % 4]
        if check.follow:
            ours.network.load_state_dict(plain.network.state_dict())
        expected, found = plain.step([each[chosen] for each in data]), ours.step(chosen.to(device))
        now = {
            "losses": abs(found - expected) / abs(expected),
            "gradients": _apart(_gradients(ours.network), _gradients(plain.network)),
            "statistics": _apart(_statistics(ours.network), _statistics(plain.network)),
        }
        # Unlike max, it keeps what is not a number.
        worst = {name: float(np.maximum(value, now[name])) for name, value in worst.items()}
    return worst


def passed(names, kinds, threads, steps, device="cpu"):
    """Do these checks, print what was found, and say whether all is within the tolerances."""
    print(f"largest relative differences from the plain trainer in {steps} steps")
    good = True
    for name in names:
        check = CHECKS[name]
        for kind in kinds:
            found = differences(check, kind, threads, steps, device=device)
            verdict = within(check, found)
            good &= verdict
            numbers = ", ".join(f"{key} {value:.1e}" for key, value in found.items())
            print(f"{name:9}{kind:9}{numbers}: {'good' if verdict else 'DIFFERENT'}", flush=True)
    return good


def within(check, found):
    """Whether no difference is too large; one that is not a number is."""
    return all(found[name] <= most for name, most in check.tolerances.items())


def _as(x, dtype):
    return x.to(dtype) if x.is_floating_point() else x


def _gradients(network):
    return {name: p.grad for name, p in network.named_parameters()}


def _statistics(network):
    return {name: x for name, x in network.named_buffers() if name.endswith(("mean", "var"))}


def _apart(found, expected):
    """Largest relative distance of a tensor; of one that is nearly zero, relative to them all."""
    assert found.keys() == expected.keys()
    overall = torch.stack([x.norm() for x in expected.values()]).norm()
    distances = [
        (found[name] - x).norm() / torch.maximum(x.norm(), overall / 100)
        for name, x in expected.items()
    ]
    return torch.stack(distances).max().item()
