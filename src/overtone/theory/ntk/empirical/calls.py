"""A matrix applied at many positions: what it saw, its gradients, and products with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from overtone.theory.ntk.empirical.features import Explicit
from overtone.theory.ntk.empirical.memory import fresh
from overtone.theory.ntk.empirical.unfold import Unfold

NEAR = {"cpu": 1 << 19}
"""Numbers that are formed at once, so that they are used while they are in the cache."""

FAR = 1 << 25
"""The same on other devices, which want few large products."""


def near(values: Tensor) -> int:
    """Numbers that are best formed at once where `values` lie."""
    return NEAR.get(values.device.type, FAR)


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
    unfold: Unfold
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
        return self.unfold.width(self.inputs)

    def rows(self, part: slice) -> Calls:
        """What the matrix saw in some of the samples."""
        return replace(self, inputs=self.inputs[part], grads=self.grads[:, part])

    @staticmethod
    def joined(calls: Sequence[Calls]) -> Calls:
        """What the matrix saw in all samples, one after the other."""
        inputs = torch.cat([each.inputs for each in calls])
        return replace(calls[0], inputs=inputs, grads=torch.cat([each.grads for each in calls], 1))

    def explicit(self) -> Explicit:
        """All gradients (C, N, G out (in + 1)), a few samples at a time."""
        channels, n = self.grads.shape[:2]
        values = fresh(n, channels, *self.shape, like=self.grads).transpose(0, 1)
        for rows in self._few():
            self.rows(rows).form(self.seen(rows), values[:, rows])
        return Explicit(values.flatten(2))

    def seen(self, rows: slice) -> Tensor:
        """(h, 1) of some samples, as far as it is multiplied by what is trained: (n, G, T, in + 1)."""
        if self.weight:
            return self.unfold.whole(self.inputs[rows], self.bias)
        n, groups, places = self.grads[0, rows].shape[:3]
        return self.grads.new_ones(1, 1, 1, 1).expand(n, groups, places, 1)

    def form(self, seen: Tensor, values: Tensor) -> None:
        """Write the gradients sum_t g_t s_t^T, for s = `seen` (N, G, T, w), to `values` (C, N, G, out, w)."""
        for c, k in torch.cartesian_prod(*map(torch.arange, values.shape[::2][:2])).tolist():
            torch.bmm(self.grads[c, :, k].mT, seen[:, k], out=values[c, :, k])

    def parts(self, most: int) -> Iterator[Tensor]:
        """All gradients (C, N, P) in parts of at most about `most` columns of the matrix, one after the other."""
        channels, n, groups, _, out = self.grads.shape
        if self.bias:
            yield self.grads.sum(-2).flatten(2)
        for seen in self.unfold.parts(self.inputs, most) if self.weight else ():
            values = self.grads.new_empty(channels, n, groups, out, seen.shape[-1])
            self.form(seen, values)
            yield values.flatten(2)

    def pull(self, weights: Tensor) -> Tensor:
        """J^T w for (C, N) weights, (G, out, in + 1)."""
        g = (self.grads * weights[..., None, None, None]).sum(0)
        total = g.new_zeros(self.shape)
        for rows in self._few():
            h = self.seen(rows)
            total += g[rows].movedim(0, 1).flatten(1, 2).mT @ h.movedim(0, 1).flatten(1, 2)
        return total

    def push(self, direction: Tensor) -> Tensor:
        """J u for (G, out, in + 1) u, (C, N)."""
        made = []
        for rows in self._few():
            moved = self.seen(rows) @ direction.mT
            made.append((self.grads[:, rows] * moved).sum((2, 3, 4)))
        return torch.cat(made, 1)

    def _few(self) -> list[slice]:
        _, n, groups, places, _ = self.grads.shape
        few = max(1, near(self.grads) // (groups * places * (self.width + 1)))
        return [slice(start, start + few) for start in range(0, n, few)]
