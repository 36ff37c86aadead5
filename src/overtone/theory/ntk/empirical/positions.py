"""Layers that apply one matrix at many positions: on sequences, in convolutions, or by being called twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.theory.ntk.empirical.features import Explicit, Features
from overtone.theory.ntk.empirical.outputs import Outputs, allocate, contract, weigh, window

NEAR = {"cpu": 1 << 19}
"""Numbers of patches that are formed at once, so that they are used while they are in the cache."""

FAR = 1 << 25
"""The same on other devices, which want few large products."""

ELEMENTWISE = 200
"""Multiplications and additions of a matrix product in the time of one pass over an entry of its result."""


def _near(values: Tensor) -> int:
    return NEAR.get(values.device.type, FAR)


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


@dataclass(frozen=True)
class Calls:
    """One matrix at T positions in each of G groups: its gradient is sum_t g_t (h_t, 1)^T.

    Attributes:
        inputs: (N, ...) the layer's input as it came.
        grads: (C, N, G, T, out) g.
        unfold: From `inputs` to the (N, G, T, in) vectors h that the matrix multiplies.
        weight: Whether the weight is trained.
        bias: Whether there is a bias and it is trained.
    """

    inputs: Tensor
    grads: Tensor
    unfold: Callable[[Tensor], Tensor]
    weight: bool
    bias: bool

    @property
    def size(self) -> int:
        """Numbers held."""
        return self.inputs.numel() + self.grads.numel()

    @property
    def shape(self) -> tuple[int, ...]:
        """The trained parameters, (G, out, in + 1)."""
        return self.grads.shape[2], self.grads.shape[4], self.width * self.weight + self.bias

    @property
    def width(self) -> int:
        """Length of h."""
        return self.unfold(self.inputs[:1]).shape[-1]

    def explicit(self) -> Explicit:
        """All gradients (C, N, G out (in + 1)), a few samples at a time."""
        channels, n, groups, places, out = self.grads.shape
        width = self.width
        columns = groups * out * (self.weight * width + self.bias)
        values = self.grads.new_empty(n, channels, columns).transpose(0, 1)
        split = columns - groups * out * self.bias
        if self.bias:
            values[..., split:].unflatten(-1, (groups, out)).copy_(self.grads.sum(-2))
        if self.weight:
            side = self.grads.permute(1, 2, 0, 4, 3)
            for rows in self._few():
                g, h = side[rows], self.unfold(self.inputs[rows])
                made = torch.matmul(g.reshape(*g.shape[:2], channels * out, places), h)
                shaped = made.view(len(h), groups, channels, out, width).permute(2, 0, 1, 3, 4)
                values[:, rows, :split].unflatten(-1, (groups, out, width)).copy_(shaped)
        return Explicit(values)

    def pull(self, weights: Tensor) -> Tensor:
        """J^T w for (C, N) weights, (G, out, in + 1)."""
        g = (self.grads * weights[..., None, None, None]).sum(0)
        total = [g.new_zeros(*g.shape[1::2], self.width)] if self.weight else []
        for rows in self._few() if self.weight else ():
            h = self.unfold(self.inputs[rows])
            total[0] += g[rows].movedim(0, 1).flatten(1, 2).mT @ h.movedim(0, 1).flatten(1, 2)
        if self.bias:
            total.append(g.sum((0, 2))[..., None])
        return torch.cat(total, -1)

    def push(self, direction: Tensor) -> Tensor:
        """J u for (G, out, in + 1) u, (C, N)."""
        made = []
        for rows in self._few():
            moved = self.grads.new_zeros(())
            if self.weight:
                moved = self.unfold(self.inputs[rows]) @ direction[..., : self.width].mT
            if self.bias:
                moved = moved + direction[:, None, :, -1]
            made.append((self.grads[:, rows] * moved).sum((2, 3, 4)))
        return torch.cat(made, 1)

    def _few(self) -> list[slice]:
        _, n, groups, places, _ = self.grads.shape
        few = max(1, _near(self.grads) // (groups * places * self.width))
        return [slice(start, start + few) for start in range(0, n, few)]


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
        room = min(self.workspace, 4 * _near(total))
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
