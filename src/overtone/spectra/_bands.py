"""Bands: half-open frequency intervals that together contain every mode of a grid exactly once."""

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
"""Coefficients per block: small enough for a CPU cache; large enough to occupy an accelerator."""


@dataclass(frozen=True)
class _Block:
    """Rectangle of stored coefficients with the length of each shell's run in each of its rows."""

    rows: slice
    columns: slice
    runs: Tensor


@final
class RadialSums:
    """Sums over shells of radial frequency, f = sqrt(sum_i f_i^2).

    The frequency grows along the last axis, so each shell is one run of consecutive modes within a row. Only
    the ends of the runs are computed; no index map of the size of the data is allocated.

    Args:
        lattice: The modes.
        cuts: (B - 1,) ascending frequencies; shell b holds cuts[b - 1] <= f < cuts[b].
        device: Device of the coefficients.
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
        """Return the (rows, B + 1) int64 columns at which each shell begins and the last shell ends."""
        along = (self._cuts.square() - self._across[rows, None]).clamp_(min=0).sqrt_().div_(self._step)
        # First column at or beyond the cut. A row entirely outside a shell gets an empty run.
        inner = along.ceil_().clamp_(max=self._columns).long()
        return torch.nn.functional.pad(torch.nn.functional.pad(inner, (1, 0)), (0, 1), value=self._columns)

    def _blocks(self) -> Iterator[_Block]:
        # A block has at most `size` coefficients and `size` run ends, independent of the size of the data.
        size = _CACHED if self._across.device.type == "cpu" else _STREAMED
        block_columns = min(self._columns, size)
        block_rows = max(1, size // max(block_columns, self.shells))
        group = block_rows * max(1, size // (block_rows * self.shells))
        for first in range(0, len(self._across), group):
            ends = self._ends(slice(first, first + group))
            for row in range(0, len(ends), block_rows):
                rows = slice(first + row, first + row + block_rows)
                for column in range(0, self._columns, block_columns):
                    columns = slice(column, min(column + block_columns, self._columns))
                    # Runs are cut at block borders: a run that crosses a border is summed in two parts.
                    clipped = ends[row : row + block_rows].clamp(columns.start, columns.stop)
                    yield _Block(rows, columns, clipped.diff(dim=1))

    def modes(self) -> Tensor:
        """Return the (B,) int64 number of real modes per shell; the numbers sum to the number of samples."""
        # Prefix sums turn the count in a run into a difference of two entries.
        prefix_sums = torch.nn.functional.pad(self._column_weight.cumsum(0), (1, 0))
        total = self._row_weight.new_zeros(self.shells)
        block_rows = max(1, _CACHED // self.shells)
        for row in range(0, len(self._across), block_rows):
            rows = slice(row, row + block_rows)
            total += self._row_weight[rows] @ prefix_sums[self._ends(rows)].diff(dim=1)
        return total.round_().long()

    def products(self, first: Tensor, second: Tensor | None = None) -> Tensor:
        """Return the (B,) float64 sum over each shell of Re(first * conj(second)), each mode counted once.

        Args:
            first: Coefficients in the lattice's stored shape, real or complex.
            second: Coefficients of the same shape, or None for `first`.
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
    parts = _float64_parts(first)
    parts = parts.square_() if second is None else parts.mul_(_float64_parts(second))
    return parts[..., 0] + parts[..., 1] if first.is_complex() else parts


def _float64_parts(modes: Tensor) -> Tensor:
    """Return a float64 copy, with the real and imaginary parts of complex modes along a new last axis."""
    real = torch.view_as_real(modes) if modes.is_complex() else modes
    return real.to(torch.float64, copy=True)


def _run_sums(values: Tensor, runs: Tensor) -> Tensor:
    """Sum consecutive runs of the specified lengths; values without a gradient take a faster path."""
    if values.requires_grad:
        # index_add supports higher derivatives; segment_reduce does not, but is faster.
        owner = torch.repeat_interleave(runs, output_size=values.numel())
        return values.new_zeros(runs.numel()).index_add(0, owner, values)
    ends = torch.nn.functional.pad(runs.cumsum(0), (1, 0))
    return torch.segment_reduce(values, "sum", offsets=ends, axis=0, unsafe=True)


_TOLERANCE = 1e-9
"""Relative distance below which a frequency counts as equal to an edge: far above rounding, far below f0."""


@dataclass(frozen=True)
class Bands:
    """Frequency bands [edges[b], edges[b + 1]), in cycles per unit of the coordinate.

    The last band below the corner region includes its upper edge, so that a mode at exactly the Nyquist
    frequency does not count as corner.

    Attributes:
        edges: Ascending finite frequencies from 0, one more than there are bands.
        corner: Whether the last band is the corner region of a grid, beyond the radial Nyquist frequency.

    Raises:
        InputError: If the edges are not ascending and finite, do not start at 0, or are too few.

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
        """Return bands of equal frequency ratio for a grid, from f0 / 2 to the radial Nyquist frequency.

        The first band, [0, f0 / 2), contains only the mean. Inner edges are half-odd multiples of the
        fundamental f0 (the grid's lowest non-zero frequency), so no harmonic of f0 coincides with an edge;
        bands are at least f0 wide. Every band contains at least one mode.

        Args:
            shape: Samples per axis.
            spacing: Distance between neighbouring samples; None for frequencies in cycles per array.
            periodic: Whether the axes wrap around.
            count: Maximum number of bands below the Nyquist frequency, including that of the mean and
                excluding the corner.

        Raises:
            InputError: If the grid is invalid or `count` is below 2.
        """
        lattice = GridModes.of(shape, spacing, periodic)
        _check_count(count)
        # In units of the fundamental: with edges at half-odd multiples, every harmonic is inside a band.
        end = lattice.nyquist / lattice.fundamental
        edges = [0.5]
        for remaining in range(count - 1, 1, -1):
            # The ratio is recomputed at every edge, because low bands widened to one fundamental leave less
            # of the frequency range to the remaining bands.
            multiple = round(edges[-1] * (end / edges[-1]) ** (1 / remaining) - 0.5) + 0.5
            edges.append(max(edges[-1] + 1, multiple))
        return _non_empty_bands(lattice, [e for e in edges if e < end * (1 - _TOLERANCE)])

    @staticmethod
    def linear(
        shape: Sequence[int],
        spacing: float | Iterable[float] | None = None,
        *,
        periodic: bool | Iterable[bool] = False,
        count: int | None = None,
    ) -> Bands:
        """Return bands of equal width up to the radial Nyquist frequency of a grid.

        Without `count`, bands are one fundamental f0 wide and centred on its integer multiples, so that band
        k contains harmonic k. With `count`, the width is the smallest whole number of fundamentals that gives
        at most `count` bands. A band without modes is merged into the band below.

        Args:
            shape: Samples per axis.
            spacing: Distance between neighbouring samples; None for frequencies in cycles per array.
            periodic: Whether the axes wrap around.
            count: Maximum number of bands below the Nyquist frequency, including that of the mean.

        Raises:
            InputError: If the grid is invalid or `count` is below 2.
        """
        lattice = GridModes.of(shape, spacing, periodic)
        end = lattice.nyquist / lattice.fundamental
        width = 1
        if count is not None:
            _check_count(count)
            # Without the tolerance, rounding of an exact quotient would add one fundamental to every band.
            width = max(1, int(np.ceil((end - 0.5) / (count - 1) - _TOLERANCE)))
        return _non_empty_bands(lattice, list(np.arange(0.5, end * (1 - _TOLERANCE), width)))

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
        """(count - 1,) float64 inner edges, shifted by the rounding tolerance: starts of bands 1 and up."""
        cuts = np.array(self.edges[1:-1]) * (1 - _TOLERANCE)
        if self.corner:
            # A mode at exactly the radial Nyquist frequency belongs to the band below the corner.
            cuts[-1] = self.edges[-2] * (1 + _TOLERANCE)
        return torch.from_numpy(cuts)

    def index(self, frequency: Tensor) -> Tensor:
        """Return the int64 band of each frequency; frequencies above the top edge belong to the last band."""
        return torch.bucketize(frequency.abs().double(), self.cuts.to(frequency.device), right=True)

    def extended_to(self, nyquist: float, top: float) -> Bands:
        """Extend the last edge, or append bands, so that the bands contain every mode.

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
            "at least 2 bands, one of them for the mean", f"{count}", "pass a larger count", "count"
        )


def _non_empty_bands(lattice: GridModes, multiples: list[float]) -> Bands:
    """Return the non-empty bands with inner edges at `multiples` of the fundamental."""
    inner = [float(m) * lattice.fundamental for m in multiples]
    full = Bands((0.0, *inner, lattice.nyquist)).extended_to(lattice.nyquist, lattice.top)
    # A band without modes has power 0 for every signal; it is merged into the band below.
    has_modes = RadialSums(lattice, full.cuts).modes().numpy() > 0
    starts = [low for low, used in zip(full.edges[:-1], has_modes, strict=True) if used]
    return Bands((*starts, full.edges[-1]), full.corner)
