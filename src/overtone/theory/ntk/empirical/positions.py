"""Layers that apply one matrix at many positions: on sequences, in convolutions, or by being called twice."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.theory.ntk.empirical.calls import Calls, near
from overtone.theory.ntk.empirical.features import Features
from overtone.theory.ntk.empirical.outputs import Outputs, accumulate, contract, weigh, window

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


class Way(ABC):
    """How inner products of the gradients of one matrix at many positions are taken."""

    @abstractmethod
    def add(self, total: Tensor, one: Calls, two: Calls, outputs: Outputs) -> None:
        """Add the inner products of the gradients of `one` and `two` to `total`."""

    @abstractmethod
    def scratch(self, calls: Calls) -> int:
        """Numbers that a product holds for a while, beside its workspace."""


@final
@dataclass(frozen=True)
class ByTiles(Way):
    """Gradients are formed for a few rows of the matrix at a time.

    Attributes:
        workspace: Numbers that may be held while multiplying.
    """

    workspace: int

    def add(self, total: Tensor, one: Calls, two: Calls, outputs: Outputs) -> None:
        """J J^T, summed over tiles of the matrix's rows."""
        channels, n = one.grads.shape[:2]
        first = one.unfold(one.inputs)
        second = first if two is one else two.unfold(two.inputs)
        samples = max(n, two.grads.shape[1]) * channels
        tile = max(1, self.workspace // (2 * samples * first.shape[1] * (first.shape[-1] + 1)))
        for start in range(0, one.grads.shape[-1], tile):
            rows = slice(start, start + tile)
            left = _gradients(one, first, rows)
            right = left if two is one else _gradients(two, second, rows)
            for mine, theirs in zip(left, right, strict=True):
                accumulate(total, mine, theirs, outputs)

    def scratch(self, calls: Calls) -> int:
        """The unfolded inputs."""
        return len(calls.inputs) * calls.unfold(calls.inputs[:1]).numel()


def _gradients(calls: Calls, unfolded: Tensor, rows: slice) -> list[Tensor]:
    g = calls.grads[..., rows]
    parts = [torch.matmul(g.mT, unfolded).flatten(2)] if calls.weight else []
    return [*parts, g.sum(-2).flatten(2)] if calls.bias else parts


@final
@dataclass(frozen=True)
class ByPairs(Way):
    """Where the weight is trained and positions are few: sum over pairs of positions of (g g^T) * (h h^T + 1).

    Attributes:
        workspace: Numbers that may be held while multiplying.
    """

    workspace: int

    def add(self, total: Tensor, one: Calls, two: Calls, outputs: Outputs) -> None:
        """The sum, for some pairs of samples at a time."""
        channels, n, groups, places, _ = one.grads.shape
        m = two.grads.shape[1]
        per_pair = total.numel() // (n * m)
        room = min(self.workspace, 4 * near(total))
        tile = max(1, int((room / (2 * places**2 * (per_pair + 1))) ** 0.5))
        for rows in _slices(n, tile):
            h = one.unfold(one.inputs[rows])
            for columns in _slices(m, tile):
                h2 = two.unfold(two.inputs[columns])
                for k in range(groups):
                    inner = h[:, k].flatten(0, 1) @ h2[:, k].flatten(0, 1).mT
                    g, g2 = one.grads[:, rows, k], two.grads[:, columns, k]
                    part = _over_positions(inner.add_(1) if one.bias else inner, g, g2, outputs)
                    window(total, rows, columns, channels, outputs).add_(part)

    def scratch(self, calls: Calls) -> int:  # noqa: ARG002
        """None."""
        return 0


@final
@dataclass(frozen=True)
class Placed(Features):
    """Gradients of a matrix applied at many positions, as what it saw.

    Attributes:
        calls: What the matrix saw.
        way: How inner products are taken.
    """

    calls: Calls
    way: Way

    def add(self, total: Tensor, other: Features, outputs: Outputs) -> None:
        """J J^T, on the way that is cheapest."""
        assert isinstance(other, Placed)
        self.way.add(total, self.calls, other.calls, outputs)

    def rows(self, part: slice) -> Placed:
        """What the matrix saw in these samples."""
        return Placed(self.calls.rows(part), self.way)

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
        """What the way holds for a while."""
        return self.way.scratch(self.calls)


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
        return Placed(calls, ByPairs(room.workspace))
    if gradients <= max(room.each, calls.size // n):
        return calls.explicit()
    return Placed(calls, ByTiles(room.workspace))
