"""The fused GRU: both directions at once, in few operations per frame.

On a CPU, ``nn.GRU`` issues dozens of small operations per frame and direction; this one issues five
forward and three backward per frame, for both directions. Function and gradients are the same.

===========  =====================  ==============================
name         shape                  paper's student, batch of 64
===========  =====================  ==============================
x            N x T x I              64 x 500 x 128
weight_ih    2 x 3 U x I            2 x 96 x 128
weight_hh    2 x 3 U x U            2 x 96 x 32
projected    N x T x 6 U            64 x 500 x 192
gates        T x 2 x N x 3 U        500 x 2 x 64 x 96
candidates   T x 2 x N x U          500 x 2 x 64 x 32
states       (T + 1) x 2 x N x U    501 x 2 x 64 x 32
output       N x T x 2 U            64 x 500 x 64
===========  =====================  ==============================

N clips, T frames, I inputs, U units in one direction. Where an axis has length 2, it is the two
directions; the second of them begins at the last frame.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

from softscene.models.precision import FLOAT32, linear

# (Gradient of the function's output, that output) -> gradient of the function's input.
sigmoid_backward = torch.ops.aten.sigmoid_backward
tanh_backward = torch.ops.aten.tanh_backward


def applies(x: Tensor) -> bool:
    """Whether :func:`fused_gru` can be used: on a CPU."""
    return x.device.type == "cpu"


def fused_gru(x: Tensor, weights: Sequence[Sequence[Tensor]], precision: str = FLOAT32) -> Tensor:
    """The states of a bidirectional GRU of one layer, zero at first.

    Parameters
    ----------
    x
        Batch x frames x inputs.
    weights
        Of each direction ``weight_ih``, ``weight_hh``, ``bias_ih`` and ``bias_hh``, as
        ``nn.GRU.all_weights`` has them.
    precision
        Of the products with the inputs.

    Returns
    -------
    Tensor
        States of the first direction, then of the second: batch x frames x 2 units.
    """
    weight_ih, weight_hh, bias_ih, bias_hh = map(torch.stack, zip(*weights, strict=True))
    units = weight_hh.shape[2]
    # b_hn is added before r is applied; all other biases can be added beforehand.
    bias_hrz, bias_hn = bias_hh.split([2 * units, units], dim=1)
    bias = bias_ih + F.pad(bias_hrz, (0, units))
    projected = linear(x, weight_ih.flatten(0, 1), bias.flatten(), precision)
    return _Recurrence.apply(projected, weight_hh, bias_hn)


class _Recurrence(torch.autograd.Function):
    """The states h of a GRU, zero at first, from the projections p of its inputs.

    With U the recurrent weights and b the bias b_hn, products of vectors being elementwise::

        r_t = sigmoid(pr_t + Ur h_(t-1))        m_t = Un h_(t-1) + b
        z_t = sigmoid(pz_t + Uz h_(t-1))        n_t = tanh(pn_t + r_t m_t)
        h_t = n_t + z_t (h_(t-1) - n_t)
    """

    @staticmethod
    def forward(ctx: FunctionCtx, projected: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Compute the states frame by frame.

        Parameters
        ----------
        projected
            pr, pz, pn of the first direction, then of the second: batch x frames x 6 units.
        weight
            Ur, Uz, Un: 2 directions x 3 units x units.
        bias
            b_hn: 2 directions x units.

        Returns
        -------
        Tensor
            h of the first direction, then of the second: batch x frames x 2 units.
        """
        gates, units = _as_steps(projected), weight.shape[2]
        candidates = gates[..., 2 * units :].contiguous()
        gates[..., 2 * units :] = bias.unsqueeze(1)
        states = gates.new_zeros(len(gates) + 1, *candidates.shape[1:])
        _advance(gates, candidates, states, weight.mT.contiguous())
        ctx.save_for_backward(gates, candidates, states, weight)
        return _as_frames(states[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the gradients from the last frame to the first; shapes are those of ``forward``.

        With g_t the output's gradient, and dr, dz, dn those before the sigmoid or tanh::

            dn = dh (1 - z) (1 - n^2)               dm = dn r
            dr = dn m r (1 - r)                     dz = dh (h_(t-1) - n) z (1 - z)
            dh_(t-1) = g_(t-1) + dh z + (dr, dz, dm) U

        Each is dh times a factor that depends on the states alone, so the factors are computed for
        all frames at once and little is left to do in the loop.
        """
        gates, candidates, states, weight = ctx.saved_tensors
        reset, update, recurrent = gates.unflatten(3, (3, -1)).unbind(3)
        previous = states[:-1]
        by_candidate = tanh_backward(1 - update, candidates)
        by_reset = sigmoid_backward(by_candidate * recurrent, reset)
        by_update = sigmoid_backward(previous - candidates, update)
        inside = torch.stack((by_reset, by_update, by_candidate * reset), dim=3)
        dh = _as_steps(gradient)
        _retreat(dh, inside, update, weight)
        rows = inside.flatten(3).transpose(0, 1).flatten(1, 2)
        weight_gradient = rows.mT @ previous.transpose(0, 1).flatten(1, 2)
        bias_gradient = rows[..., 2 * weight.shape[2] :].sum(1)
        torch.mul(dh, by_candidate, out=inside[:, :, :, 2])  # dm is used; projected needs dn
        return _as_frames(inside.flatten(3)), weight_gradient, bias_gradient


def _advance(gates: Tensor, candidates: Tensor, states: Tensor, weight: Tensor) -> None:
    """In place: gates pr, pz, b -> r, z, m; candidates pn -> n; states 0 -> h."""
    units = weight.shape[1]
    both, reset, update = gates[..., : 2 * units], gates[..., :units], gates[..., units : 2 * units]
    recurrent, before, after = gates[..., 2 * units :], states[:-1], states[1:]
    axes = (gates, both, reset, update, recurrent, candidates, before, after)
    with _one_thread():
        for gate, rz, r, z, m, n, h, following in zip(*map(Tensor.unbind, axes), strict=True):
            gate.baddbmm_(h, weight)
            rz.sigmoid_()
            n.addcmul_(r, m).tanh_()
            torch.lerp(n, h, z, out=following)


def _retreat(gradients: Tensor, factors: Tensor, update: Tensor, weight: Tensor) -> None:
    """In place: gradients g -> dh; factors of dr, dz, dm -> dr, dz, dm."""
    axes = (gradients, gradients.unsqueeze(3), factors, factors.flatten(3), update)
    steps = zip(gradients[:-1].unbind(), *(axis[1:].unbind() for axis in axes), strict=True)
    with _one_thread():
        for preceding, dh, each, factor, gate, z in reversed(list(steps)):
            factor.mul_(each)
            preceding.addcmul_(dh, z).baddbmm_(gate, weight)
        factors[0].mul_(gradients[0].unsqueeze(2))


def _as_steps(x: Tensor) -> Tensor:
    """Batch x frames x 2 units -> steps x 2 directions x batch x units, a copy."""
    first, second = x.transpose(0, 1).chunk(2, dim=2)
    return torch.stack((first, second.flip(0)), dim=1)


def _as_frames(x: Tensor) -> Tensor:
    """Steps x 2 directions x batch x units -> batch x frames x 2 units, a copy."""
    first, second = x.transpose(0, 2).unbind(1)
    return torch.cat((first, second.flip(1)), dim=2)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread: waking others takes longer than the arithmetic of a frame."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
