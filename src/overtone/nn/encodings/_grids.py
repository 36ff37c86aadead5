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
from overtone.nn._utils import Numbers, Seed, fill_uniform, generator, last_axis, per_axis, size
from overtone.nn.encodings._base import Encoding, cosine_window, precisions
from overtone.nn.encodings._lookup import combined, lookup, taps
from overtone.units._grids import Interpolation, lattice_bandwidth, lattice_levels, lattice_range

SINGLE = 4096.0
"""Cells along an axis up to which float32 places do: they are right to 4096 * 2^-24 = 2.4e-4 of a cell."""

INITIAL = 1e-4
"""Largest initial value; the reference codes begin with U(-1e-4, 1e-4)."""

PACE = 10.0
"""Factor of the table's learning rate: 1e-2 where weights take 1e-3."""

LARGEST = 1 << 28
"""Rows a table may have."""

PRIMES = (1, 2_654_435_761, 805_459_861, 3_674_653_429, 2_097_192_037, 1_434_869_437, 2_165_219_737)
"""Factors of the hash per axis, modulo 2^32: 32 bits multiply twice as fast as 64, and T of them are used."""


class MultiResolution(Encoding, ABC):
    """gamma(v) = the concatenation over levels l of F values interpolated between the nodes around N_l v + 1/2.

    N_l grows by a constant factor from the coarsest to the finest, per axis. All levels lie in one table and are
    looked up in one gather. The half cell keeps the lattices of the levels from sharing their borders. Coordinates
    outside of [0, 1] take the value at the border.

    Second derivatives with respect to coordinates: none for linear interpolation, between the nodes for smoothstep,
    everywhere and continuous for cubic.

    Args:
        in_features: d, the number of coordinates, at most 7.
        coarsest: Cells per unit of the first level, one for all axes or one per axis; need not be whole.
        finest: Those of the last.
        levels: How many.
        features: F, values per node.
        kernel: The interpolation.
        rows: Most rows of a level; levels of more nodes share them by a hash.
        seed: A seed, or the generator to draw the values from.

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
        axes, count = size(in_features, "in_features"), size(levels, "levels")
        if axes > len(PRIMES):
            raise InputError(f"at most {len(PRIMES)} coordinates", f"{axes}", "take fewer", "in_features")
        cells = _resolutions(per_axis(coarsest, axes, "coarsest"), per_axis(finest, axes, "finest"), count)
        self.in_features, self.out_features = axes, count * size(features, "features")
        self.levels, self.features, self.kernel, self.rows = count, features, kernel, rows
        self.domain = (0.0, 1.0)
        self.pace = {"table": PACE}
        self.register_buffer("frequencies", None)
        self.register_buffer("resolution", cells)
        self.register_buffer("gain", torch.ones(count, device="cpu"))
        self._lay_out()
        self.table = nn.Parameter(torch.empty(self._entries, features, device="cpu"))
        fill_uniform(self.table, INITIAL, generator(seed, "table"))
        self._note()
        self.register_load_state_dict_post_hook(lambda module, _: module._settle())

    def _settle(self) -> None:
        """Follow a loaded state."""
        self._lay_out()
        self._note()

    def _lay_out(self) -> None:
        """Where each level lies in the table, and what an axis's node adds to a row."""
        nodes = (self.resolution + 0.5).floor().to(torch.int64) + self.kernel.taps
        needed = [math.prod(level) for level in nodes.tolist()]
        held = [n if self.rows is None else min(n, self.rows) for n in needed]
        self._entries = sum(held)
        if self._entries > LARGEST:
            raise InputError(
                f"a table of at most {LARGEST} rows",
                f"{self._entries}",
                "take a HashGrid or a lower finest",
                "finest",
            )
        self._whole = sum(n == h for n, h in zip(needed, held, strict=True))
        strides = [[math.prod(level[axis + 1 :]) for axis in range(len(level))] for level in nodes.tolist()]
        primes = [(prime + (1 << 31)) % (1 << 32) - (1 << 31) for prime in PRIMES[: self.in_features]]
        steps = strides[: self._whole] + [primes] * (self.levels - self._whole)
        starts = [sum(held[:level]) for level in range(self.levels)]
        whole = {"_last": (nodes - self.kernel.taps).tolist(), "_step": steps, "_start": starts}
        for name, numbers in whole.items():
            self.register_buffer(
                name, torch.tensor(numbers, dtype=torch.int32, device=nodes.device), persistent=False
            )

    def _note(self) -> None:
        self._coarse = float(self.resolution.max()) <= SINGLE
        self._plain = bool((self.gain == 1).all())

    def window(self, cutoff: Numbers | None) -> None:
        """Fade out, in place, the levels whose bandwidth lies above `cutoff`; see `cosine_window`.

        Args:
            cutoff: The frequency from which on nothing passes, in cycles per unit, one or one per axis; None lets
                all levels pass again.

        Raises:
            InputError: If the number of cutoffs is wrong, or one is not positive and finite.
        """
        if cutoff is None:
            self.gain.fill_(1)
        else:
            bandwidths = self.resolution * lattice_bandwidth([1.0], self.kernel) / math.sqrt(self.in_features)
            self.gain.copy_(cosine_window(bandwidths, cutoff))
        self._note()

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Per axis, that of independent values at the nodes, all levels together; see `lattice_bandwidth`."""
        power = self.gain.double().square().tolist()
        return tuple(lattice_bandwidth(axis, self.kernel, power) for axis in self.resolution.T.tolist())

    def _range(self, bandwidth: Numbers) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """(coarsest, finest) per axis with a wanted bandwidth."""
        return ranges(bandwidth, self.resolution[0].tolist(), self.levels, self.kernel)

    @abstractmethod
    def describe(self) -> str:
        """One line for titles and records."""

    def _places(self, coords: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (..., levels, t^d) and weights of the nodes around coordinates (..., d)."""
        whole = self._whole
        cells, inside = self.resolution.to(coords.dtype), coords.clamp(0, 1)
        terms, weights = [], []
        for axis in range(self.in_features):
            first, shares = taps(inside[..., axis, None] * cells[:, axis] + 0.5, self.kernel)
            step = self._step[:, axis]
            lowest = torch.minimum(first.clamp(min=0), self._last[:, axis]) * step
            terms.append([lowest + node * step for node in range(self.kernel.taps)])
            weights.append(shares)
        parts = []
        if whole:
            parts.append(combined([[term[..., :whole] for term in axis] for axis in terms], add))
        if whole < self.levels:
            assert self.rows is not None
            hashed = combined([[term[..., whole:] for term in axis] for axis in terms], xor)
            parts.append(hashed & (self.rows - 1))
        rows = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)
        return rows + self._start[:, None], combined(weights, mul)

    def forward(self, coords: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Encode coordinates (..., d) as (..., levels * F), level by level. See `Encoding.forward`."""
        last_axis(coords, self.in_features, "coordinates")
        exact, out = precisions(coords, dtype, self._coarse)
        table = self.table.to(torch.promote_types(self.table.dtype, torch.float32))
        rows, weights = self._places(coords.to(exact))
        encoded = lookup(table, rows, weights.to(table.dtype))
        if not self._plain:
            encoded = encoded * self.gain.to(encoded.dtype)[:, None]
        return encoded.flatten(-2).to(out)


def ranges(
    bandwidth: Numbers, coarsest: Sequence[float], levels: int, kernel: Interpolation
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Coarsest and finest resolution per axis with a wanted bandwidth; see `lattice_range`."""
    bandwidths = per_axis(bandwidth, len(coarsest), "bandwidth")
    pairs = [lattice_range(b, c, levels, kernel) for b, c in zip(bandwidths, coarsest, strict=True)]
    return tuple(low for low, _ in pairs), tuple(high for _, high in pairs)


def _resolutions(coarsest: tuple[float, ...], finest: tuple[float, ...], levels: int) -> Tensor:
    if any(c > f for c, f in zip(coarsest, finest, strict=True)):
        raise InputError(
            "a finest resolution of at least the coarsest",
            f"{finest} and {coarsest}",
            "exchange them",
            "finest",
        )
    pairs: list[Any] = [lattice_levels(c, f, levels) for c, f in zip(coarsest, finest, strict=True)]
    return torch.tensor(pairs, dtype=torch.float64, device="cpu").T.contiguous()


@final
class HashGrid(MultiResolution):
    """Trained values on lattices of growing resolution; those with more nodes than 2^T rows share them by a hash.

    Müller et al. 2022 (instant-ngp), section 3, with the settings of the reference code: 16 levels of 2 values,
    2^19 rows, 16 cells at the coarsest, values from U(-1e-4, 1e-4). `nn.parameter_groups` gives the table ten times
    the learning rate of the weights. See `MultiResolution` for the formula and the derivatives.

    Args:
        in_features: d, the number of coordinates.
        finest: Cells per unit of the last level, one for all axes or one per axis.
        coarsest: Those of the first.
        levels: How many.
        features: Values per node and level.
        log2_rows: T.
        kernel: The interpolation.
        seed: A seed, or the generator to draw the values from.

    Raises:
        InputError: If a size is below 1 or the table too large, or the resolutions are not positive and ordered.
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
        if size(log2_rows, "log2_rows") > 28:
            raise InputError("at most 2^28 rows", f"2^{log2_rows}", "pass a smaller one", "log2_rows")
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
        """The encoding with the given bandwidth, by its finest level; 16 cells at the coarsest, or fewer.

        Args:
            in_features: d, the number of coordinates.
            bandwidth: In cycles per unit, one for all axes or one per axis.
            levels: How many.
            features: Values per node and level.
            log2_rows: T.
            kernel: The interpolation.
            seed: A seed, or the generator to draw the values from.

        Raises:
            InputError: As for the class.
        """
        coarsest, finest = ranges(
            bandwidth, (16.0,) * size(in_features, "in_features"), size(levels, "levels"), kernel
        )
        return HashGrid(in_features, finest, coarsest, levels, features, log2_rows, kernel, seed)

    def with_bandwidth(self, bandwidth: Numbers, seed: Seed = 0) -> HashGrid:
        """A new grid of the same sizes that reaches `bandwidth`, its values drawn anew from `seed`."""
        coarsest, finest = self._range(bandwidth)
        new = HashGrid(
            self.in_features, finest, coarsest, self.levels, self.features, self.log2_rows, self.kernel, seed
        )
        return new.to(self.table.device, self.table.dtype)

    def describe(self) -> str:
        """One line for titles and records."""
        low, high = (" x ".join(f"{n:.4g}" for n in self.resolution[level].tolist()) for level in (0, -1))
        return f"HashGrid({self.levels} levels from {low} to {high}, 2^{self.log2_rows} rows, {self.kernel.value})"


@final
class DenseGrid(MultiResolution):
    """Trained values on lattices of growing resolution, every node with its own; no collisions, more memory.

    The dense grid of Müller et al. 2022, section 5. See `MultiResolution` for the formula and the derivatives, and
    `HashGrid` for the beginning and the learning rate.

    Args:
        in_features: d, the number of coordinates.
        finest: Cells per unit of the last level, one for all axes or one per axis.
        coarsest: Those of the first.
        levels: How many.
        features: Values per node and level.
        kernel: The interpolation.
        seed: A seed, or the generator to draw the values from.

    Raises:
        InputError: If a size is below 1 or the table too large, or the resolutions are not positive and ordered.
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
        """The encoding with the given bandwidth, by its finest level; 16 cells at the coarsest, or fewer.

        Args:
            in_features: d, the number of coordinates.
            bandwidth: In cycles per unit, one for all axes or one per axis.
            levels: How many.
            features: Values per node and level.
            kernel: The interpolation.
            seed: A seed, or the generator to draw the values from.

        Raises:
            InputError: As for the class.
        """
        coarsest, finest = ranges(
            bandwidth, (16.0,) * size(in_features, "in_features"), size(levels, "levels"), kernel
        )
        return DenseGrid(in_features, finest, coarsest, levels, features, kernel, seed)

    def with_bandwidth(self, bandwidth: Numbers, seed: Seed = 0) -> DenseGrid:
        """A new grid of the same levels that reaches `bandwidth`, its values drawn anew from `seed`."""
        coarsest, finest = self._range(bandwidth)
        new = DenseGrid(self.in_features, finest, coarsest, self.levels, self.features, self.kernel, seed)
        return new.to(self.table.device, self.table.dtype)

    def describe(self) -> str:
        """One line for titles and records."""
        low, high = (" x ".join(f"{n:.4g}" for n in self.resolution[level].tolist()) for level in (0, -1))
        return f"DenseGrid({self.levels} levels from {low} to {high}, {self.kernel.value})"
