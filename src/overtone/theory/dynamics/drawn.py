"""A run of a linearised network on minibatches that are really drawn."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from overtone.theory.dynamics.linear import Linearised
from overtone.theory.dynamics.rules import Descent, State

SLOW = 1e-6
"""Drive of a mode times steps below which it is not moved."""


def draw(
    network: Linearised,
    state: State,
    rule: Descent,
    rate: float,
    batches: Tensor,
    ceiling: float = math.inf,
) -> State:
    """The state after one step per batch, each on the residual of its own samples.

    With w_n how often sample n of N is in a batch of B, times N / B,

        b <- m b + (1 - d) gain (w * r),    a <- a + rate b,    r <- r - rate (K b + inherited).

    Unlike the mean, such a run carries the jitter of its parameters along, which is what slows the learning of
    features down where batches are small.

    Args:
        network: The expansion.
        state: Where training is.
        rule: The optimizer.
        rate: Learning rate.
        batches: (steps, B) rows of the trained samples.
        ceiling: As in `propagate`.
    """
    values = network.eigenvalues
    if ceiling < math.inf:
        values = values.clamp_max(ceiling * rule.limit(rate) / network.gain)
    moved = network.gain * rate * values * len(batches) > SLOW
    modes, held = network.modes[:, moved], values[moved]
    r, b, p = (modes @ each[moved] for each in (state.residual, state.velocity, state.inherited))
    still = network.modes @ state.residual - r
    a, m, left = torch.zeros_like(b), rule.momentum, 1.0
    samples, channels = len(network.train), network.outputs.shape[1]
    for rows in batches:
        weight = torch.bincount(rows, minlength=samples).to(r) * (samples / len(rows))
        pull = (weight[:, None] * (r + still).reshape(samples, channels)).reshape(-1)
        b = m * b + (1 - rule.dampening) * network.gain * pull
        left *= m
        a = a + rate * b
        r = r - rate * (modes @ (held * (modes.mT @ b)) + left * p)
    known = network.eigenvalues > 0
    ratio = torch.where(known, values / torch.where(known, network.eigenvalues, 1.0), 1.0)
    gone = rate * state.fading * (m - m * left) / (1 - m)
    along = network.modes.mT
    return replace(
        state,
        residual=along @ (r + still),
        dual=state.dual + (along @ a) * ratio,
        velocity=along @ b,
        inherited=left * state.inherited,
        carried=state.carried + gone,
        fading=state.fading * left,
    )
