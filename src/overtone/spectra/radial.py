"""Sums of coefficients over shells of radial frequency, in float64 and a bounded amount of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import final

import torch
from torch import Tensor

from overtone.spectra.lattice import Lattice

_CACHED, _STREAMED = 1 << 17, 1 << 24
"""Coefficients per block: what a processor's cache holds, and what keeps an accelerator busy."""


@dataclass(frozen=True)
class _Block:
    """A rectangle of stored coefficients and the length of each shell's run in each of its rows."""

    rows: slice
    columns: slice
    runs: Tensor


@final
class RadialSums:
    """Sums over shells of radial frequency, f = sqrt(sum_i f_i^2).

    Along the last axis the frequency grows, so within a row of modes each shell is one run of neighbours.
    Only the ends of the runs are computed; a map of shells as large as the data never exists.

    Args:
        lattice: The modes.
        cuts: (B - 1,) ascending frequencies; shell b holds cuts[b - 1] <= f < cuts[b].
        device: Where the coefficients will be.
    """

    def __init__(self, lattice: Lattice, cuts: Tensor, device: torch.device | None = None) -> None:
        self._lattice = lattice
        self._cuts = cuts.to(device=device, dtype=torch.float64)
        last = len(lattice.shape) - 1
        self._step = lattice.step(last)
        self._columns = lattice.stored[last]
        self._column_weight = lattice.weights(last, device)
        self._halved = lattice.halved == last
        self._row_weight = torch.ones(1, dtype=torch.float64, device=device or "cpu")
        self._across = torch.zeros(1, dtype=torch.float64, device=device or "cpu")
        for axis in range(last):
            squares = lattice.frequencies(axis, device).square()
            self._across = (self._across[:, None] + squares).flatten()
            self._row_weight = (self._row_weight[:, None] * lattice.weights(axis, device)).flatten()

    @property
    def shells(self) -> int:
        """Number of shells."""
        return len(self._cuts) + 1

    def _ends(self, rows: slice) -> Tensor:
        """(rows, B + 1) int64: where along the row each shell begins, and where the last ends."""
        along = (self._cuts.square() - self._across[rows, None]).clamp_(min=0).sqrt_().div_(self._step)
        inner = along.ceil_().clamp_(max=self._columns).long()
        return torch.nn.functional.pad(torch.nn.functional.pad(inner, (1, 0)), (0, 1), value=self._columns)

    def _blocks(self) -> Iterator[_Block]:
        size = _CACHED if self._across.device.type == "cpu" else _STREAMED
        wide = min(self._columns, size)
        tall = max(1, size // max(wide, self.shells))
        group = tall * max(1, size // (tall * self.shells))
        for first in range(0, len(self._across), group):
            ends = self._ends(slice(first, first + group))
            for row in range(0, len(ends), tall):
                rows = slice(first + row, first + row + tall)
                for column in range(0, self._columns, wide):
                    columns = slice(column, min(column + wide, self._columns))
                    inside = ends[row : row + tall].clamp(columns.start, columns.stop)
                    yield _Block(rows, columns, inside.diff(dim=1))

    def modes(self) -> Tensor:
        """(B,) int64 number of real modes per shell; they sum to the number of samples."""
        before = torch.nn.functional.pad(self._column_weight.cumsum(0), (1, 0))
        total = self._row_weight.new_zeros(self.shells)
        tall = max(1, _CACHED // self.shells)
        for row in range(0, len(self._across), tall):
            rows = slice(row, row + tall)
            total += self._row_weight[rows] @ before[self._ends(rows)].diff(dim=1)
        return total.round_().long()

    def products(self, first: Tensor, second: Tensor | None = None) -> Tensor:
        """(B,) float64 sum over each shell of Re(first * conj(second)), each mode counted once.

        Args:
            first: Coefficients in the lattice's stored shape, real or complex.
            second: The same, or None for `first` itself.
        """
        table = (prod(self._lattice.stored[:-1]), self._columns)
        first = first.reshape(table)
        second = None if second is None else second.reshape(table)
        total = self._row_weight.new_zeros(self.shells)
        for block in self._blocks():
            window = (block.rows, block.columns)
            part = _real_product(first[window], None if second is None else second[window])
            if self._halved:
                part = part.mul_(self._column_weight[block.columns])
            sums = _run_sums(part.flatten(), block.runs.flatten())
            total = total + self._row_weight[block.rows] @ sums.view_as(block.runs)
        return total


def _real_product(first: Tensor, second: Tensor | None) -> Tensor:
    parts = _parts(first)
    parts = parts.square_() if second is None else parts.mul_(_parts(second))
    return parts[..., 0] + parts[..., 1] if first.is_complex() else parts


def _parts(modes: Tensor) -> Tensor:
    """A float64 copy; real and imaginary parts of complex modes along a new last axis."""
    real = torch.view_as_real(modes) if modes.is_complex() else modes
    return real.to(torch.float64, copy=True)


def _run_sums(values: Tensor, runs: Tensor) -> Tensor:
    """Sums over consecutive runs of the given lengths; without a gradient by the faster of two equal ways."""
    if values.requires_grad:
        owner = torch.repeat_interleave(runs, output_size=values.numel())
        return values.new_zeros(runs.numel()).index_add(0, owner, values)
    ends = torch.nn.functional.pad(runs.cumsum(0), (1, 0))
    return torch.segment_reduce(values, "sum", offsets=ends, axis=0, unsafe=True)
