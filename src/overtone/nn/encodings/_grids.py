"""Multi-resolution grids of trained features, dense or hashed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from operator import add, mul, xor
from typing import Any, final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._utils import (
    Numbers,
    Seed,
    check_count,
    check_last_axis,
    fill_uniform,
    positive_per_axis,
    torch_generator,
)
from overtone.nn.encodings._base import Encoding, cosine_window, phase_and_output_dtype
from overtone.nn.encodings._lookup import combine_axes, interpolation_weights, lookup
from overtone.units._grids import Interpolation, lattice_bandwidth, lattice_levels, lattice_range

MAX_FLOAT32_CELLS = 4096.0
"""Cells along an axis up to which float32 positions suffice: they are right to 4096 * 2^-24 = 2.4e-4 of a cell."""

INITIAL_BOUND = 1e-4
"""Bound of the initial values; the reference codes sample U(-1e-4, 1e-4)."""

TABLE_LR_MULTIPLIER = 10.0
"""Factor of the table's learning rate: 1e-2 for weights at 1e-3."""

MAX_ROWS = 1 << 28
"""Largest number of rows of a table."""

PRIMES = (1, 2_654_435_761, 805_459_861, 3_674_653_429, 2_097_192_037, 1_434_869_437, 2_165_219_737)
"""Factors of the hash per axis, modulo 2^32: only the lowest T bits are used, and int32 is twice as fast as int64."""


class MultiResolution(Encoding, ABC):
    """Base class of grids: per level l, F values interpolated between the nodes around N_l v + 1/2, concatenated.

    N_l grows by a constant factor from the coarsest to the finest level, per axis. All levels lie in one table and are
    looked up in one gather. The offset of half a cell prevents nodes of all levels from coinciding at the borders.
    Coordinates outside [0, 1] take the value at the border.

    Second derivatives with respect to coordinates: none for linear interpolation, between the nodes for smoothstep,
    everywhere and continuous for cubic.

    Args:
        in_features: d, the number of coordinates, at most 7.
        coarsest: Cells per unit of the first level, one for all axes or one per axis; need not be whole.
        finest: Cells per unit of the last level.
        levels: Number of levels.
        features: F, values per node.
        kernel: The interpolation.
        rows: Largest number of rows of a level; levels of more nodes share rows by a hash. None for no limit.
        seed: A seed or a generator, for the initial values.

    Attributes:
        table: (rows of all levels, F) parameter.
        resolution: (levels, d) float64 cells per unit.
    """

    resolution: Tensor
    gain: Tensor
    _last: Tensor
    _step: Tensor
    _start: Tensor

    def __init__(
        self,
        in_features: int,
        coarsest: Numbers,
        finest: Numbers,
        levels: int,
        features: int,
        kernel: Interpolation,
        rows: int | None,
        seed: Seed,
    ) -> None:
        super().__init__()
        axes, count = check_count(in_features, "in_features"), check_count(levels, "levels")
        if axes > len(PRIMES):
            raise InputError(
                f"at most {len(PRIMES)} coordinates", f"{axes}", "use another encoding", "in_features"
            )
        cells = _resolutions(
            positive_per_axis(coarsest, axes, "coarsest"), positive_per_axis(finest, axes, "finest"), count
        )
        self.in_features, self.out_features = axes, count * check_count(features, "features")
        self.levels, self.features, self.kernel, self.rows = count, features, kernel, rows
        self.domain = (0.0, 1.0)
        self.lr_multipliers = {"table": TABLE_LR_MULTIPLIER}
        self.register_buffer("frequencies", None)
        self.register_buffer("resolution", cells)
        self.register_buffer("gain", torch.ones(count, device="cpu"))
        self._build_layout()
        self.table = nn.Parameter(torch.empty(self._entries, features, device="cpu"))
        fill_uniform(self.table, INITIAL_BOUND, torch_generator(seed, "table"))
        self._cache_flags()
        self.register_load_state_dict_post_hook(lambda module, _: module._after_load())

    def _after_load(self) -> None:
        """Rebuild what depends on the resolutions and the window after a state was loaded."""
        self._build_layout()
        self._cache_flags()

    def _build_layout(self) -> None:
        """Compute where each level starts in the table and by how much a node of an axis moves the row."""
        nodes = (self.resolution + 0.5).floor().to(torch.int64) + self.kernel.taps
        node_counts = [math.prod(level) for level in nodes.tolist()]
        row_counts = [n if self.rows is None else min(n, self.rows) for n in node_counts]
        self._entries = sum(row_counts)
        if self._entries > MAX_ROWS:
            raise InputError(
                f"a table of at most {MAX_ROWS} rows",
                f"{self._entries}",
                "use a HashGrid or a lower finest resolution",
                "finest",
            )
        self._dense_levels = sum(n == h for n, h in zip(node_counts, row_counts, strict=True))
        # Dense levels are row-major: the stride of an axis is the product of the lengths after it.
        strides = [[math.prod(level[axis + 1 :]) for axis in range(len(level))] for level in nodes.tolist()]
        # The same bits as a signed int32, so that products wrap around modulo 2^32.
        primes = [(prime + (1 << 31)) % (1 << 32) - (1 << 31) for prime in PRIMES[: self.in_features]]
        # Resolutions ascend, so the dense levels come first and the hashed ones last.
        steps = strides[: self._dense_levels] + [primes] * (self.levels - self._dense_levels)
        starts = [sum(row_counts[:level]) for level in range(self.levels)]
        layout = {"_last": (nodes - self.kernel.taps).tolist(), "_step": steps, "_start": starts}
        for name, numbers in layout.items():
            self.register_buffer(
                name, torch.tensor(numbers, dtype=torch.int32, device=nodes.device), persistent=False
            )

    def _cache_flags(self) -> None:
        self._float32_phases = float(self.resolution.max()) <= MAX_FLOAT32_CELLS
        self._unit_gain = bool((self.gain == 1).all())

    def window(self, cutoff: Numbers | None) -> None:
        """Attenuate, in place, the levels whose bandwidth lies above `cutoff`.

        Args:
            cutoff: The frequency above which the gain is 0, in cycles per unit, one or one per axis; None removes
                the window.

        Raises:
            InputError: If the number of cutoffs is wrong, or one is not positive and finite.
        """
        if cutoff is None:
            self.gain.fill_(1)
        else:
            # Divided by sqrt(d), so that the window's radial frequency of a level is its bandwidth along an axis.
            bandwidths = self.resolution * lattice_bandwidth([1.0], self.kernel) / math.sqrt(self.in_features)
            self.gain.copy_(cosine_window(bandwidths, cutoff))
        self._cache_flags()

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Bandwidth per axis of independent values at the nodes, all levels together, in cycles per unit."""
        power = self.gain.double().square().tolist()
        return tuple(lattice_bandwidth(axis, self.kernel, power) for axis in self.resolution.T.tolist())

    def _resolution_range(self, bandwidth: Numbers) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the resolutions (coarsest, finest) per axis that have a bandwidth."""
        return resolution_ranges(bandwidth, self.resolution[0].tolist(), self.levels, self.kernel)

    def _levels_shown(self) -> str:
        """Return the number of levels with the lowest and highest resolution, for `describe`."""
        low, high = (" x ".join(f"{n:.4g}" for n in self.resolution[level].tolist()) for level in (0, -1))
        return f"{self.levels} levels from {low} to {high}"

    @abstractmethod
    def describe(self) -> str:
        """Return one line for titles and records."""

    def _locate_nodes(self, coords: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows (..., levels, t^d) and weights of the nodes around coordinates (..., d)."""
        dense_levels = self._dense_levels
        cells, inside = self.resolution.to(coords.dtype), coords.clamp(0, 1)
        terms, weights = [], []
        for axis in range(self.in_features):
            first, axis_weights = interpolation_weights(
                inside[..., axis, None] * cells[:, axis] + 0.5, self.kernel
            )
            step = self._step[:, axis]
            # Rows stay inside the table also for a coordinate of NaN, whose weights are NaN.
            lowest = torch.minimum(first.clamp(min=0), self._last[:, axis]) * step
            # A product per axis and node; the products of all axes are then only added or xor-ed.
            terms.append([lowest + node * step for node in range(self.kernel.taps)])
            weights.append(axis_weights)
        parts = []
        if dense_levels:
            parts.append(combine_axes([[term[..., :dense_levels] for term in axis] for axis in terms], add))
        if dense_levels < self.levels:
            assert self.rows is not None
            hashed = combine_axes([[term[..., dense_levels:] for term in axis] for axis in terms], xor)
            # The number of rows is a power of two, so the mask is the remainder, also of a negative int32.
            parts.append(hashed & (self.rows - 1))
        rows = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)
        return rows + self._start[:, None], combine_axes(weights, mul)

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return the features (..., levels * F), level by level; see `Encoding.forward`."""
        check_last_axis(coords, self.in_features, "coordinates")
        phase_dtype, out = phase_and_output_dtype(coords, dtype, self._float32_phases)
        table = self.table.to(torch.promote_types(self.table.dtype, torch.float32))
        rows, weights = self._locate_nodes(coords.to(phase_dtype))
        encoded = lookup(table, rows, weights.to(table.dtype))
        if not self._unit_gain:
            encoded = encoded * self.gain.to(encoded.dtype)[:, None]
        return encoded.flatten(-2).to(out)


def resolution_ranges(
    bandwidth: Numbers, coarsest: Sequence[float], levels: int, kernel: Interpolation
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the coarsest and finest resolution per axis that have a bandwidth; see `lattice_range`."""
    bandwidths = positive_per_axis(bandwidth, len(coarsest), "bandwidth")
    pairs = [lattice_range(b, c, levels, kernel) for b, c in zip(bandwidths, coarsest, strict=True)]
    return tuple(low for low, _ in pairs), tuple(high for _, high in pairs)


def _resolutions(coarsest: tuple[float, ...], finest: tuple[float, ...], levels: int) -> Tensor:
    if any(c > f for c, f in zip(coarsest, finest, strict=True)):
        raise InputError(
            "a finest resolution of at least the coarsest",
            f"{finest} and {coarsest}",
            "swap them, or raise finest",
            "finest",
        )
    pairs: list[Any] = [lattice_levels(c, f, levels) for c, f in zip(coarsest, finest, strict=True)]
    return torch.tensor(pairs, dtype=torch.float64, device="cpu").T.contiguous()


def _default_ranges(
    in_features: int, bandwidth: Numbers, levels: int, kernel: Interpolation
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return coarsest and finest resolution of a grid with a bandwidth; the coarsest has 16 cells or fewer."""
    coarsest = (16.0,) * check_count(in_features, "in_features")
    return resolution_ranges(bandwidth, coarsest, check_count(levels, "levels"), kernel)


@final
class HashGrid(MultiResolution):
    """Trained values on lattices of growing resolution; lattices of more than 2^T nodes share rows by a hash.

    Müller et al. 2022 (instant-ngp), section 3, with the settings of the reference code: 16 levels of 2 values,
    2^19 rows, 16 cells at the coarsest level, values from U(-1e-4, 1e-4). `nn.parameter_groups` gives the table ten
    times the learning rate of the weights.

    Each level interpolates F values between the nodes around N_l v + 1/2, and the levels are concatenated. Second
    derivatives with respect to coordinates: none for linear interpolation, between the nodes for smoothstep,
    everywhere and continuous for cubic.

    Args:
        in_features: d, the number of coordinates.
        finest: Cells per unit of the last level, one for all axes or one per axis.
        coarsest: Cells per unit of the first level.
        levels: Number of levels.
        features: Values per node and level.
        log2_rows: T, the logarithm of the largest number of rows of a level.
        kernel: The interpolation.
        seed: A seed or a generator, for the initial values.

    Raises:
        InputError: If a size is below 1 or the table too large, or the resolutions are not positive and ordered.

    Example:
        >>> import torch
        >>> from overtone.nn.encodings import HashGrid
        >>> encoding = HashGrid(2, finest=512, log2_rows=12)
        >>> encoding(torch.rand(5, 2)).shape, [round(b) for b in encoding.bandwidth]
        (torch.Size([5, 32]), [86, 86])
    """

    def __init__(
        self,
        in_features: int,
        finest: Numbers = 1024.0,
        coarsest: Numbers = 16.0,
        levels: int = 16,
        features: int = 2,
        log2_rows: int = 19,
        kernel: Interpolation = Interpolation.LINEAR,
        seed: Seed = 0,
    ) -> None:
        if check_count(log2_rows, "log2_rows") > 28:
            raise InputError(
                "at most 2^28 rows", f"2^{log2_rows}", "pass log2_rows of at most 28", "log2_rows"
            )
        self.log2_rows = log2_rows
        super().__init__(in_features, coarsest, finest, levels, features, kernel, 1 << log2_rows, seed)

    @staticmethod
    def from_bandwidth(
        in_features: int,
        bandwidth: Numbers,
        levels: int = 16,
        features: int = 2,
        log2_rows: int = 19,
        kernel: Interpolation = Interpolation.LINEAR,
        seed: Seed = 0,
    ) -> HashGrid:
        """Return a grid with a bandwidth by choosing its finest level; the coarsest has 16 cells or fewer.

        Args:
            in_features: d, the number of coordinates.
            bandwidth: In cycles per unit, one for all axes or one per axis.
            levels: Number of levels.
            features: Values per node and level.
            log2_rows: Logarithm of the largest number of rows of a level.
            kernel: The interpolation.
            seed: A seed or a generator, for the initial values.

        Raises:
            InputError: As for the class.
        """
        coarsest, finest = _default_ranges(in_features, bandwidth, levels, kernel)
        return HashGrid(in_features, finest, coarsest, levels, features, log2_rows, kernel, seed)

    def with_bandwidth(self, bandwidth: Numbers, seed: Seed = 0) -> HashGrid:
        """Return a grid of the same sizes with another bandwidth and new initial values."""
        coarsest, finest = self._resolution_range(bandwidth)
        new = HashGrid(
            self.in_features, finest, coarsest, self.levels, self.features, self.log2_rows, self.kernel, seed
        )
        return new.to(self.table.device, self.table.dtype)

    def describe(self) -> str:
        """Return one line for titles and records."""
        return f"HashGrid({self._levels_shown()}, 2^{self.log2_rows} rows, {self.kernel.value})"


@final
class DenseGrid(MultiResolution):
    """Trained values on lattices of growing resolution, with a row for every node: no collisions, more memory.

    The dense grid of Müller et al. 2022, section 5. Formula, derivatives, initial values and learning rate are those of
    `HashGrid`.

    Args:
        in_features: d, the number of coordinates.
        finest: Cells per unit of the last level, one for all axes or one per axis.
        coarsest: Cells per unit of the first level.
        levels: Number of levels.
        features: Values per node and level.
        kernel: The interpolation.
        seed: A seed or a generator, for the initial values.

    Raises:
        InputError: If a size is below 1 or the table too large, or the resolutions are not positive and ordered.

    Example:
        >>> from overtone.nn.encodings import DenseGrid
        >>> encoding = DenseGrid.from_bandwidth(2, bandwidth=[20.0, 10.0])
        >>> [round(b, 3) for b in encoding.bandwidth]
        [20.0, 10.0]
    """

    def __init__(
        self,
        in_features: int,
        finest: Numbers = 128.0,
        coarsest: Numbers = 16.0,
        levels: int = 4,
        features: int = 2,
        kernel: Interpolation = Interpolation.LINEAR,
        seed: Seed = 0,
    ) -> None:
        super().__init__(in_features, coarsest, finest, levels, features, kernel, None, seed)

    @staticmethod
    def from_bandwidth(
        in_features: int,
        bandwidth: Numbers,
        levels: int = 4,
        features: int = 2,
        kernel: Interpolation = Interpolation.LINEAR,
        seed: Seed = 0,
    ) -> DenseGrid:
        """Return a grid with a bandwidth by choosing its finest level; the coarsest has 16 cells or fewer.

        Args:
            in_features: d, the number of coordinates.
            bandwidth: In cycles per unit, one for all axes or one per axis.
            levels: Number of levels.
            features: Values per node and level.
            kernel: The interpolation.
            seed: A seed or a generator, for the initial values.

        Raises:
            InputError: As for the class.
        """
        coarsest, finest = _default_ranges(in_features, bandwidth, levels, kernel)
        return DenseGrid(in_features, finest, coarsest, levels, features, kernel, seed)

    def with_bandwidth(self, bandwidth: Numbers, seed: Seed = 0) -> DenseGrid:
        """Return a grid of the same levels with another bandwidth and new initial values."""
        coarsest, finest = self._resolution_range(bandwidth)
        new = DenseGrid(self.in_features, finest, coarsest, self.levels, self.features, self.kernel, seed)
        return new.to(self.table.device, self.table.dtype)

    def describe(self) -> str:
        """Return one line for titles and records."""
        return f"DenseGrid({self._levels_shown()}, {self.kernel.value})"
