"""Layers that apply one matrix at many positions: on sequences, in convolutions, or by being called twice."""

from __future__ import annotations

import enum
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from torch import Tensor

from overtone.theory.ntk.empirical.calls import Calls, near
from overtone.theory.ntk.empirical.features import Features
from overtone.theory.ntk.empirical.outputs import (
    Outputs,
    accumulate,
    accumulate_lower,
    contract,
    weigh,
    window,
)

ELEMENTWISE = 200
"""Multiplications and additions of a matrix product in the time of one pass over an entry of its result."""


FRESH = 5
"""Reads of a number from memory in the time in which one is written for the first time and kept."""


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

    def add_lower(self, total: Tensor, calls: Calls, outputs: Outputs) -> None:
        """Add the inner products of the gradients with themselves, at least to the lower half of `total`."""
        self.add(total, calls, calls, outputs)

    @abstractmethod
    def scratch(self, calls: Calls) -> int:
        """Numbers that a product holds for a while, beside its workspace."""


@final
@dataclass(frozen=True)
class ByParts(Way):
    """Gradients are formed for a few columns of the matrix at a time, few enough to be multiplied in the cache.

    Attributes:
        workspace: Numbers that may be held while multiplying.
    """

    workspace: int

    def add(self, total: Tensor, one: Calls, two: Calls, outputs: Outputs) -> None:
        """J J^T, summed over parts."""
        most = min(_columns(each.grads, self.workspace) for each in (one, two))
        for left, right in zip(one.parts(most), two.parts(most), strict=True):
            accumulate(total, left, right, outputs)

    def add_lower(self, total: Tensor, calls: Calls, outputs: Outputs) -> None:
        """Half of it; each part is formed once."""
        for part in calls.parts(_columns(calls.grads, self.workspace)):
            accumulate_lower(total, part, outputs)

    def scratch(self, calls: Calls) -> int:
        """The padded inputs."""
        return 2 * calls.inputs.numel()


def _columns(grads: Tensor, workspace: int) -> int:
    """Columns of the matrix whose gradients are formed at once."""
    samples, groups, out = grads.shape[0] * grads.shape[1], grads.shape[2], grads.shape[4]
    return max(1, min(near(grads), workspace // 2) // (samples * groups * out))


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
            h = one.unfold.whole(one.inputs[rows])
            for columns in _slices(m, tile):
                h2 = two.unfold.whole(two.inputs[columns])
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

    def add_lower(self, total: Tensor, outputs: Outputs) -> None:
        """The same, at least to the lower half."""
        self.way.add_lower(total, self.calls, outputs)

    def rows(self, part: slice) -> Placed:
        """What the matrix saw in these samples."""
        return Placed(self.calls.rows(part), self.way)

    def joined(self, others: Sequence[Features]) -> Placed | None:
        """What the matrix saw in all of these samples, if it saw as much of each."""
        calls = [self.calls, *(each.calls for each in others if isinstance(each, Placed))]
        if len({each.inputs.shape[1:] for each in calls}) > 1:
            return None
        return Placed(Calls.joined(calls), self.way)

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


class Form(enum.Enum):
    """In which form the gradients of a matrix at many positions are kept."""

    PAIRS = enum.auto()
    PARTS = enum.auto()
    EXPLICIT = enum.auto()


def cheapest(calls: Calls, channels: int, room: Room) -> Form:
    """The form that takes the fewest operations, or the least traffic to memory, in the room there is.

    Args:
        calls: What the matrix saw, for some of the outputs.
        channels: Outputs of the network.
        room: What the features may take.
    """
    _, n, groups, places, out = calls.grads.shape
    given, width = calls.inputs.numel() // n, calls.width
    gradients = channels * groups * out * width
    operations = 2 * gradients * (1 + 2 * places / room.samples)
    pairs = groups * places**2 * (2 * (width + channels * out) + ELEMENTWISE)
    if calls.weight and pairs < operations:
        return Form.PAIRS
    if gradients > max(room.each, given + channels * groups * places * out):
        return Form.PARTS
    at_results = channels * groups * places * out
    columns = max(1, near(calls.grads) // (room.samples * channels * groups * out))
    repeats = math.ceil(width / columns)
    parts = FRESH * (given + at_results) + repeats * at_results + groups * places * width
    return Form.PARTS if parts < (FRESH + 1) * gradients else Form.EXPLICIT


def features_of(calls: Calls, room: Room) -> Features:
    """A layer's gradients in the cheapest form.

    Args:
        calls: What the matrix saw.
        room: What the features may take.
    """
    match cheapest(calls, len(calls.grads), room):
        case Form.PAIRS:
            return Placed(calls, ByPairs(room.workspace))
        case Form.PARTS:
            return Placed(calls, ByParts(room.workspace))
        case Form.EXPLICIT:
            return calls.explicit()
