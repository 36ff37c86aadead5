"""Bands: half-open intervals of frequency that together hold every mode of a grid exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import final

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._grid_modes import GridModes

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

    def __init__(self, lattice: GridModes, cuts: Tensor, device: torch.device | None = None) -> None:
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
            # Squares of the other axes, flattened in the storage order of the rows.
            self._across = (self._across[:, None] + squares).flatten()
            self._row_weight = (self._row_weight[:, None] * lattice.weights(axis, device)).flatten()

    @property
    def shells(self) -> int:
        """Number of shells."""
        return len(self._cuts) + 1

    def _ends(self, rows: slice) -> Tensor:
        """(rows, B + 1) int64: where along the row each shell begins, and where the last ends."""
        along = (self._cuts.square() - self._across[rows, None]).clamp_(min=0).sqrt_().div_(self._step)
        # The first column at or beyond the cut; rows that lie outside a shell altogether get an empty run.
        inner = along.ceil_().clamp_(max=self._columns).long()
        return torch.nn.functional.pad(torch.nn.functional.pad(inner, (1, 0)), (0, 1), value=self._columns)

    def _blocks(self) -> Iterator[_Block]:
        # One block holds at most `size` coefficients and `size` run ends: neither grows with the data.
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
                    # Runs are cut at the block; a run that crosses its border is summed in two parts.
                    inside = ends[row : row + tall].clamp(columns.start, columns.stop)
                    yield _Block(rows, columns, inside.diff(dim=1))

    def modes(self) -> Tensor:
        """(B,) int64 number of real modes per shell; they sum to the number of samples."""
        # Prefix sums turn the count in a run into a difference of two entries.
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
                # Coefficients with k > 0 also stand for their complex conjugates, which are not stored.
                part = part.mul_(self._column_weight[block.columns])
            sums = _run_sums(part.flatten(), block.runs.flatten())
            # Not in place: gradients pass through `total`.
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
        # index_add can be differentiated again and again; segment_reduce is faster where nothing is.
        owner = torch.repeat_interleave(runs, output_size=values.numel())
        return values.new_zeros(runs.numel()).index_add(0, owner, values)
    ends = torch.nn.functional.pad(runs.cumsum(0), (1, 0))
    return torch.segment_reduce(values, "sum", offsets=ends, axis=0, unsafe=True)


_TOLERANCE = 1e-9
"""Relative distance below which a frequency counts as lying on an edge: far above rounding, far below f0."""


@dataclass(frozen=True)
class Bands:
    """Bands [edges[b], edges[b + 1]) of frequency, in cycles per unit of the coordinate.

    The edge where the last band inside the Nyquist frequency ends belongs to that band, so that a mode at
    exactly the Nyquist frequency is not counted as corner.

    Attributes:
        edges: Ascending finite frequencies from 0, one more than there are bands.
        corner: Whether the last band is the corner region of a grid, beyond the radial Nyquist frequency.

    Raises:
        InputError: If the edges are not ascending, finite and starting at 0, or too few.

    Example:
        >>> from overtone.spectra import Bands
        >>> Bands((0, 0.5, 4, 16)).centre.round(3).tolist()
        [0.0, 1.414, 8.0]
        >>> Bands.linear((16,), periodic=True).edges[:4]
        (0.0, 0.5, 1.5, 2.5)
    """

    edges: tuple[float, ...]
    corner: bool = False

    def __post_init__(self) -> None:
        edges = tuple(float(e) for e in self.edges)
        do = "pass ascending finite frequencies that start at 0, such as [0, 0.5, 4, 16]"
        if len(edges) < 2 + self.corner:
            raise InputError(f"at least {2 + self.corner} band edges", f"{len(edges)}", do, "bands")
        if not np.isfinite(edges).all():
            raise InputError("finite band edges", f"{edges}", do, "bands")
        if edges[0] != 0:
            raise InputError("band edges that start at 0", f"{edges[0]} as the first", do, "bands")
        if not (np.diff(edges) > 0).all():
            at = int(np.argmax(np.diff(edges) <= 0))
            raise InputError("ascending band edges", f"{edges[at]} followed by {edges[at + 1]}", do, "bands")
        object.__setattr__(self, "edges", edges)

    @staticmethod
    def log(
        shape: Sequence[int],
        spacing: float | Iterable[float] | None = None,
        *,
        periodic: bool | Iterable[bool] = False,
        count: int = 32,
    ) -> Bands:
        """Bands of equal ratio from half the fundamental to the radial Nyquist frequency, for a grid.

        The mean is a band of its own, [0, f0 / 2). Inner edges lie at half-odd multiples of the fundamental
        f0 (the grid's lowest non-zero frequency), so no harmonic of it sits on an edge; bands that would be
        narrower than f0 are f0 wide. Every band holds at least one mode.

        Args:
            shape: Samples per axis.
            spacing: Distance of neighbours; None for cycles per array.
            periodic: Whether the axes wrap around.
            count: Maximum number of bands inside the Nyquist frequency, the mean's included; the corner comes on top.

        Raises:
            InputError: If the grid is impossible or `count` is below 2.
        """
        lattice = GridModes.of(shape, spacing, periodic)
        _check_count(count)
        # In units of the fundamental: edges at half-odd multiples leave every harmonic inside a band.
        end = lattice.nyquist / lattice.fundamental
        edges = [0.5]
        for left in range(count - 1, 1, -1):
            # The ratio is taken anew at every edge, so that low bands widened to one fundamental do not
            # shorten the rest.
            multiple = round(edges[-1] * (end / edges[-1]) ** (1 / left) - 0.5) + 0.5
            edges.append(max(edges[-1] + 1, multiple))
        return _on(lattice, [e for e in edges if e < end * (1 - _TOLERANCE)])

    @staticmethod
    def linear(
        shape: Sequence[int],
        spacing: float | Iterable[float] | None = None,
        *,
        periodic: bool | Iterable[bool] = False,
        count: int | None = None,
    ) -> Bands:
        """Bands of equal width up to the radial Nyquist frequency, for a grid.

        Without `count` they are one fundamental f0 wide and centred on its integer multiples, so that band k
        holds harmonic k; with it they are the least whole number of fundamentals wide that keeps to `count`.
        Bands that hold no mode are merged into the one below.

        Args:
            shape: Samples per axis.
            spacing: Distance of neighbours; None for cycles per array.
            periodic: Whether the axes wrap around.
            count: Maximum number of bands inside the Nyquist frequency, the mean's included.

        Raises:
            InputError: If the grid is impossible or `count` is below 2.
        """
        lattice = GridModes.of(shape, spacing, periodic)
        end = lattice.nyquist / lattice.fundamental
        width = 1
        if count is not None:
            _check_count(count)
            # Without the tolerance, rounding of an exact quotient would add one fundamental to every band.
            width = max(1, int(np.ceil((end - 0.5) / (count - 1) - _TOLERANCE)))
        return _on(lattice, list(np.arange(0.5, end * (1 - _TOLERANCE), width)))

    @property
    def count(self) -> int:
        """Number of bands."""
        return len(self.edges) - 1

    @property
    def low(self) -> np.ndarray:
        """(band,) float64 lower edges."""
        return np.array(self.edges[:-1])

    @property
    def high(self) -> np.ndarray:
        """(band,) float64 upper edges."""
        return np.array(self.edges[1:])

    @property
    def centre(self) -> np.ndarray:
        """(band,) float64 geometric centres, sqrt(low * high); 0 for the band that starts at 0."""
        return np.sqrt(self.low * self.high)

    @property
    def cuts(self) -> Tensor:
        """(count - 1,) float64: band b + 1 starts at cuts[b], an edge with the tolerance of its rounding."""
        cuts = np.array(self.edges[1:-1]) * (1 - _TOLERANCE)
        if self.corner:
            # A mode at exactly the radial Nyquist frequency belongs to the band below the corner.
            cuts[-1] = self.edges[-2] * (1 + _TOLERANCE)
        return torch.from_numpy(cuts)

    def index(self, frequency: Tensor) -> Tensor:
        """Band of each frequency, int64 in its shape; what lies above the top goes to the last band."""
        return torch.bucketize(frequency.abs().double(), self.cuts.to(frequency.device), right=True)

    def reaching(self, nyquist: float, top: float) -> Bands:
        """Extend these bands at their end until they hold every mode.

        Args:
            nyquist: The radial Nyquist frequency of the modes.
            top: The highest frequency of any mode.
        """
        if self.corner:
            return replace(self, edges=(*self.edges[:-1], max(self.edges[-1], top)))
        edges = self.edges
        if edges[-1] < nyquist * (1 - _TOLERANCE):
            edges = (*edges, nyquist)
        if edges[-1] < top * (1 - _TOLERANCE):
            return Bands((*edges, top), corner=True)
        return Bands(edges)


def _check_count(count: int) -> None:
    if count < 2:
        raise InputError(
            "at least 2 bands, the mean and the rest", f"{count}", "pass a larger count", "count"
        )


def _on(lattice: GridModes, multiples: list[float]) -> Bands:
    """Bands with inner edges at `multiples` of the fundamental, without those that would hold no mode."""
    inner = [float(m) * lattice.fundamental for m in multiples]
    full = Bands((0.0, *inner, lattice.nyquist)).reaching(lattice.nyquist, lattice.top)
    # A band without modes has power 0 whatever the signal; it is merged into the one below.
    filled = RadialSums(lattice, full.cuts).modes().numpy() > 0
    starts = [low for low, used in zip(full.edges[:-1], filled, strict=True) if used]
    return Bands((*starts, full.edges[-1]), full.corner)
