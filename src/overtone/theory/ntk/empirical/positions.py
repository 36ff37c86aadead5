"""Layers that apply one matrix at many positions: on sequences, in convolutions, or by being called twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.theory.ntk.empirical.calls import Calls, near
from overtone.theory.ntk.empirical.features import Features
from overtone.theory.ntk.empirical.outputs import Outputs, allocate, contract, weigh, window

ELEMENTWISE = 200
"""Multiplications and additions of a matrix product in the time of one pass over an entry of its result."""


@dataclass(frozen=True)
class Room:
    """What a layer's features may take.

    Attributes:
        workspace: Numbers that one product may hold for a while.
        samples: Samples of the whole kernel.
        each: Numbers that one sample's gradients may hold in one layer.
    """

    workspace: int
    samples: int
    each: int


@final
@dataclass(frozen=True)
class Tiled(Features):
    """Gradients of a matrix applied at many positions, formed a few rows of the matrix at a time.

    Attributes:
        calls: What the matrix saw.
        workspace: Numbers that may be held while multiplying.
    """

    calls: Calls
    workspace: int

    def gram(self, other: Features, outputs: Outputs) -> Tensor:
        """J J^T, summed over tiles of the matrix's rows."""
        assert isinstance(other, Tiled)
        grads, theirs = self.calls.grads, other.calls.grads
        channels, n = grads.shape[:2]
        total = allocate(n, theirs.shape[1], channels, outputs, grads).zero_()
        unfolded = self.calls.unfold(self.calls.inputs)
        second = unfolded if other is self else other.calls.unfold(other.calls.inputs)
        samples = max(n, theirs.shape[1]) * channels
        tile = max(1, self.workspace // (2 * samples * unfolded.shape[1] * (unfolded.shape[-1] + 1)))
        for start in range(0, grads.shape[-1], tile):
            rows = slice(start, start + tile)
            left = self._gradients(unfolded, rows)
            right = left if other is self else other._gradients(second, rows)
            for one, two in zip(left, right, strict=True):
                total += contract(one, two, outputs)
        return total

    def _gradients(self, unfolded: Tensor, rows: slice) -> list[Tensor]:
        g = self.calls.grads[..., rows]
        parts = [torch.matmul(g.mT, unfolded).flatten(2)] if self.calls.weight else []
        return [*parts, g.sum(-2).flatten(2)] if self.calls.bias else parts

    def pull(self, weights: Tensor) -> Tensor:
        """J^T w, a few samples at a time."""
        return self.calls.pull(weights)

    def push(self, direction: Tensor) -> Tensor:
        """J u, a few samples at a time."""
        return self.calls.push(direction)

    @property
    def shape(self) -> tuple[int, ...]:
        """(G, out, in + 1)."""
        return self.calls.shape

    @property
    def like(self) -> Tensor:
        """The gradients at the result."""
        return self.calls.grads

    @property
    def size(self) -> int:
        """Numbers of the inputs and of the gradients at the result."""
        return self.calls.size

    @property
    def scratch(self) -> int:
        """The unfolded inputs."""
        return len(self.calls.inputs) * self.calls.unfold(self.calls.inputs[:1]).numel()


@final
@dataclass(frozen=True)
class Pairs(Features):
    """A matrix applied at few positions: sum over pairs of positions of (g g^T) * (h h^T + 1).

    Attributes:
        calls: What the matrix saw; its weight is trained.
        workspace: Numbers that may be held while multiplying.
    """

    calls: Calls
    workspace: int

    def gram(self, other: Features, outputs: Outputs) -> Tensor:
        """The sum, for some pairs of samples at a time."""
        assert isinstance(other, Pairs)
        channels, n, groups, places, _ = self.calls.grads.shape
        m = other.calls.grads.shape[1]
        total = allocate(n, m, channels, outputs, self.calls.grads).zero_()
        per_pair = total.numel() // (n * m)
        room = min(self.workspace, 4 * near(total))
        tile = max(1, int((room / (2 * places**2 * (per_pair + 1))) ** 0.5))
        for rows in _slices(n, tile):
            h = self.calls.unfold(self.calls.inputs[rows])
            for columns in _slices(m, tile):
                h2 = other.calls.unfold(other.calls.inputs[columns])
                for k in range(groups):
                    inner = h[:, k].flatten(0, 1) @ h2[:, k].flatten(0, 1).mT
                    g, g2 = self.calls.grads[:, rows, k], other.calls.grads[:, columns, k]
                    part = _over_positions(inner.add_(1) if self.calls.bias else inner, g, g2, outputs)
                    window(total, rows, columns, channels, outputs).add_(part)
        return total

    def pull(self, weights: Tensor) -> Tensor:
        """J^T w."""
        return self.calls.pull(weights)

    def push(self, direction: Tensor) -> Tensor:
        """J u."""
        return self.calls.push(direction)

    @property
    def shape(self) -> tuple[int, ...]:
        """(G, out, in + 1)."""
        return self.calls.shape

    @property
    def like(self) -> Tensor:
        """The gradients at the result."""
        return self.calls.grads

    @property
    def size(self) -> int:
        """Numbers of the inputs and of the gradients at the result."""
        return self.calls.size


def _slices(count: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _over_positions(inner: Tensor, g: Tensor, g2: Tensor, outputs: Outputs) -> Tensor:
    """Sum of `inner` * (g g^T) over the positions, for g (C, n, T, out)."""
    (c, n, t), (m, u) = g.shape[:3], g2.shape[1:3]
    pairs = weigh(contract(g.flatten(1, 2), g2.flatten(1, 2), outputs), inner, outputs)
    if outputs is Outputs.BLOCKS:
        return pairs.view(n, t, c, m, u, c).sum((1, 4)).flatten(2).flatten(0, 1)
    return pairs.unflatten(-1, (m, u)).unflatten(-3, (n, t)).sum((-3, -1))


def features_of(calls: Calls, room: Room) -> Features:
    """The form of a layer's gradients that takes the fewest operations in the room there is.

    Args:
        calls: What the matrix saw.
        room: What the features may take.
    """
    channels, n, groups, places, out = calls.grads.shape
    width = calls.width
    gradients = channels * groups * out * width
    explicit = 2 * gradients * (1 + 2 * places / room.samples)
    pairs = groups * places**2 * (2 * (width + channels * out) + ELEMENTWISE)
    if calls.weight and pairs < explicit:
        return Pairs(calls, room.workspace)
    if gradients <= max(room.each, calls.size // n):
        return calls.explicit()
    return Tiled(calls, room.workspace)
