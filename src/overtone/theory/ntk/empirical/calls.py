"""A matrix applied at many positions: what it saw, its gradients, and products with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from overtone.theory.ntk.empirical.features import Explicit

NEAR = {"cpu": 1 << 19}
"""Numbers of patches that are formed at once, so that they are used while they are in the cache."""

FAR = 1 << 25
"""The same on other devices, which want few large products."""

NARROW = 32
"""Rows of a product below which a CPU's matrix product is slower than its convolution."""


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
        direct: From inputs and (N, G, T, out) gradients to each sample's (N, G, out, in) sum_t g_t h_t^T without
            the vectors, faster on CPUs where the matrix has few rows; None if there is no such way.
    """

    inputs: Tensor
    grads: Tensor
    unfold: Callable[[Tensor], Tensor]
    weight: bool
    bias: bool
    direct: Callable[[Tensor, Tensor], Tensor] | None = None

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

    def rows(self, part: slice) -> Calls:
        """What the matrix saw in some of the samples."""
        return replace(self, inputs=self.inputs[part], grads=self.grads[:, part])

    def explicit(self) -> Explicit:
        """All gradients (C, N, G out (in + 1)), a few samples at a time."""
        channels, n, groups, _, out = self.grads.shape
        width = self.width
        columns = groups * out * (self.weight * width + self.bias)
        values = self.grads.new_empty(n, channels, columns).transpose(0, 1)
        split = columns - groups * out * self.bias
        if self.bias:
            values[..., split:].unflatten(-1, (groups, out)).copy_(self.grads.sum(-2))
        if self.weight:
            weights = values[..., :split].unflatten(-1, (groups, out, width))
            narrow = values.device.type == "cpu" and channels * out <= NARROW
            if self.direct is not None and narrow:
                for c in range(channels):
                    weights[c].copy_(self.direct(self.inputs, self.grads[c]))
            else:
                self._by_products(weights)
        return Explicit(values)

    def _by_products(self, weights: Tensor) -> None:
        """Fill (C, N, G, out, in), a few samples at a time; all outputs in one product."""
        channels, _, _, places, out = self.grads.shape
        side = self.grads.permute(1, 2, 0, 4, 3)
        for rows in self._few():
            g, h = side[rows], self.unfold(self.inputs[rows])
            if channels == h.shape[1] == 1:
                torch.bmm(g[:, 0, 0], h[:, 0], out=weights[0, rows, 0])
                continue
            made = torch.matmul(g.reshape(*g.shape[:2], channels * out, places), h)
            weights[:, rows] = made.unflatten(2, (channels, out)).permute(2, 0, 1, 3, 4)

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
        few = max(1, near(self.grads) // (groups * places * self.width))
        return [slice(start, start + few) for start in range(0, n, few)]
