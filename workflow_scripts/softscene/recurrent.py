"""A bidirectional GRU whose training step on a processor is not mostly overhead.

PyTorch's takes some forty small operations a frame and direction there, forward and backward; this
takes five forward and three backward a frame, for both directions at once. The function is the
same, and so are the parameters. Axes of what the loop over time walks through are written
steps x directions x batch x units; the second direction's first step is the last frame.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F


class BidirectionalGRU(nn.GRU):
    """One layer of ``nn.GRU``, batch first, in both directions, without the last states."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__(inputs, units, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        """Batch x frames x inputs -> states, batch x frames x 2 units (forward, backward)."""
        if x.device.type != "cpu":
            return super().forward(x)[0]
        weight_ih, weight_hh, bias_ih, bias_hh = (
            torch.stack(pair) for pair in zip(*self.all_weights, strict=True)
        )
        # b_hn stands inside of the product with r, all other biases may be added at once.
        bias_hrz, bias_hn = bias_hh.split([2 * self.hidden_size, self.hidden_size], dim=1)
        bias = bias_ih + F.pad(bias_hrz, (0, self.hidden_size))
        projected = F.linear(x, weight_ih.flatten(0, 1), bias.flatten())
        return _Recurrence.apply(projected, weight_hh, bias_hn)


class _Recurrence(torch.autograd.Function):
    """The states of a GRU, h_0 = 0, from the projections p of its inputs.

    With U the recurrent weights, b the bias b_hn, * by element::

        r_t = sigmoid(pr_t + Ur h_(t-1))        m_t = Un h_(t-1) + b
        z_t = sigmoid(pz_t + Uz h_(t-1))        n_t = tanh(pn_t + r_t * m_t)
        h_t = n_t + z_t * (h_(t-1) - n_t)
    """

    @staticmethod
    def forward(ctx: FunctionCtx, projected: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Run through time.

        Parameters
        ----------
        ctx
            Takes what ``backward`` needs.
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
        gates = _as_steps(projected)
        units = weight.shape[2]
        candidates = gates[..., 2 * units :].contiguous()
        gates[..., 2 * units :] = bias.unsqueeze(1)
        states = gates.new_zeros(gates.shape[0] + 1, *candidates.shape[1:])
        _advance(gates, candidates, states, weight.transpose(1, 2).contiguous())
        ctx.save_for_backward(gates, candidates, states, weight)
        return _as_frames(states[1:])

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run back through time.

        All gradients at t are that of h_t times a factor known before the loop::

            dn = dh * (1 - z) * (1 - n^2)       dz = dh * (h_(t-1) - n) * z * (1 - z)
            dm = dn * r                         dr = dn * m * r * (1 - r)
            dh_(t-1) = output's gradient + dh * z + (dr, dz, dm) U

        where dr, dz and dn are those before the sigmoid or tanh.
        """
        gates, candidates, states, weight = ctx.saved_tensors
        reset, update, recurrent = gates.unflatten(3, (3, -1)).unbind(3)
        previous = states[:-1]
        by_candidate = (1 - update) * (1 - candidates * candidates)
        by_recurrent = by_candidate * reset
        by_update = (previous - candidates) * update * (1 - update)
        by_reset = by_recurrent * recurrent * (1 - reset)
        factors = torch.stack((by_reset, by_update, by_recurrent), 3)
        state_gradients = _as_steps(gradient)
        _retreat(state_gradients, factors, update, weight)
        by_weight = factors.transpose(0, 1).flatten(3).flatten(1, 2)
        weight_gradient = by_weight.transpose(1, 2) @ previous.transpose(0, 1).flatten(1, 2)
        bias_gradient = factors[:, :, :, 2].sum((0, 2))
        factors[:, :, :, 2] = state_gradients * by_candidate
        return _as_frames(factors.flatten(3)), weight_gradient, bias_gradient


def _advance(gates: Tensor, candidates: Tensor, states: Tensor, weight: Tensor) -> None:
    """pr, pz, b -> r, z, m, and pn -> n, and zeros -> h, all in place."""
    units = weight.shape[1]
    views = zip(
        gates.unbind(),
        gates[..., : 2 * units].unbind(),
        gates[..., :units].unbind(),
        gates[..., units : 2 * units].unbind(),
        gates[..., 2 * units :].unbind(),
        candidates.unbind(),
        states[:-1].unbind(),
        states[1:].unbind(),
        strict=True,
    )
    with _one_thread():
        for gate, sigmoids, reset, update, recurrent, candidate, state, following in views:
            gate.baddbmm_(state, weight)
            sigmoids.sigmoid_()
            candidate.addcmul_(reset, recurrent).tanh_()
            torch.lerp(candidate, state, update, out=following)


def _retreat(gradients: Tensor, factors: Tensor, update: Tensor, weight: Tensor) -> None:
    """Output's gradients -> dh, and factors -> dr, dz, dm, in place."""
    views = zip(
        gradients.unbind()[:0:-1],
        gradients.unbind()[-2::-1],
        gradients.unsqueeze(3).unbind()[:0:-1],
        factors.unbind()[:0:-1],
        factors.flatten(3).unbind()[:0:-1],
        update.unbind()[:0:-1],
        strict=True,
    )
    with _one_thread():
        for gradient, preceding, broadcast, factor, gate, keep in views:
            factor.mul_(broadcast)
            preceding.addcmul_(gradient, keep).baddbmm_(gate, weight)
        factors[0] *= gradients[0].unsqueeze(2)


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
    """Leave the other threads out: to wake them takes longer than one step's arithmetic."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
