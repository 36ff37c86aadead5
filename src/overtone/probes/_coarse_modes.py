"""Low-frequency modes of a whole grid: exact for known values, estimated from random samples for other values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone.probes._spread_sampling import SingleSamples
from overtone.spectra._grid_modes import GridModes

WORK, MEMORY = 1 << 30, 1 << 25
"""Limits for one row: products of a sample and a mode, and numbers in memory."""

_CELLS, _CHUNK, _ROWS = 64, 1 << 22, 512


@final
@dataclass(frozen=True)
class PowerEstimate:
    """Power per band and channel of values that are known at random samples only.

    Attributes:
        power: (band, channel) float64, unbiased, but at least its own standard error: power too small to be detected
            is not reported as zero.
        error: (band, channel) standard error of the power.
        cross: (band, channel) product with the modes of the known values.
    """

    power: Tensor
    error: Tensor
    cross: Tensor


@final
class CoarseModes:
    """Modes of a whole grid below a frequency.

    With orthonormal real modes phi_k, coefficients of known values t are sums over the whole grid; those of a residual
    r known at samples i, drawn independently with probability p_i, are m_k = sum_i u_i r_i phi_k(i) with u_i in
    proportion to 1 / p_i. E m_k^2 = c_k^2 + Var m_k, and sum_i (1 - p_i) (u_i r_i phi_k(i))^2 estimates Var m_k: the
    difference estimates the power c_k^2 without bias. Only the part of the residual that a straight line
    through the known values does not explain is estimated by sampling: before training, that part is zero.

    Args:
        lattice: Modes of the whole grid.
        cuts: (B,) ascending frequencies: band b holds the modes from cuts[b - 1], or 0, to below cuts[b].
        roles: The random samples, one set per role; the roles together cover the grid.
        seed: Seed of the random subset of samples that is used if all of them would exceed the limits.
    """

    def __init__(self, lattice: GridModes, cuts: Tensor, roles: list[SingleSamples], seed: int) -> None:
        self._lattice = lattice
        index = np.concatenate([role.index for role in roles])
        chance = np.concatenate([role.chance for role in roles])
        waves = [_waves(lattice, axis, float(cuts[-1])) for axis in range(len(lattice.shape))]
        modes = math.prod(len(frequency) for _, _, frequency in waves)
        stored = sum(len(frequency) for _, _, frequency in waves)
        part = min(1.0, min(WORK / modes, MEMORY / stored) / max(1, len(index)))
        used = numpy_generator(seed, "watch", "coarse").random(len(index)) < part
        self._used = torch.from_numpy(np.flatnonzero(used))
        weight = (
            np.concatenate([role.weight * (role.members / lattice.samples) for role in roles])[used] / part
        )
        self._weight = torch.from_numpy(weight)
        self._open = torch.from_numpy(1 - chance[used] * part)
        positions = np.unravel_index(index[used], lattice.shape)
        self._values = [
            torch.cat(
                [
                    _table(lattice, axis, part, *wave[:2]).float()
                    for part in torch.from_numpy(position).split(_ROWS)
                ]
            )
            for axis, (position, wave) in enumerate(zip(positions, waves, strict=True))
        ]
        self._waves = waves
        self._cells = torch.from_numpy(_cells(positions, lattice.shape))
        square = torch.zeros((), dtype=torch.float64, device="cpu")
        for _, _, frequency in waves:
            square = square[..., None] + frequency.square()
        self._frequency = square.sqrt().reshape(-1)
        self.divide(cuts)

    def divide(self, cuts: Tensor, mean_apart: bool = True) -> None:
        """Divide the modes into new bands.

        Args:
            cuts: (B,) ascending frequencies, at most the last one passed before.
            mean_apart: Whether the mean forms band 0 alone; otherwise it belongs to band 1, and band 0 is empty.
        """
        self._bands = len(cuts)
        self._owner = torch.bucketize(self._frequency, cuts, right=True)
        if not mean_apart:
            self._owner = self._owner.clamp(min=1)
        self._sizes: Tensor | None = None

    @property
    def modes(self) -> Tensor:
        """(band,) number of modes in each band."""
        return torch.bincount(self._owner, minlength=self._bands + 1)[: self._bands].double()

    def exact(self, values: Tensor) -> Tensor:
        """Return the coefficients (mode, C) of values known at all samples, (N, C)."""
        shape, channels = self._lattice.shape, values.shape[1]
        whole = values.detach().cpu().numpy().reshape(*shape, channels)
        rows = max(1, _CHUNK // max(1, whole[0].size)) if len(shape) > 1 else shape[0]
        parts = []
        # Transforms are separable: slabs of rows are reduced along all axes but the first, which is transformed last,
        # so that the whole grid never exists in float64.
        for begin in range(0, shape[0], rows):
            part = whole[begin : begin + rows].astype(np.float64)
            for axis in range(len(shape) - 1, 0, -1):
                part = self._transform_axis(part, axis)
            parts.append(part)
        return torch.from_numpy(self._transform_axis(np.concatenate(parts), 0).reshape(-1, channels).copy())

    def _transform_axis(self, field: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        """Replace the samples along one axis by its modes."""
        from scipy import fft  # heavy to import, and used for large grids only

        n, (k, sine, _) = field.shape[axis], self._waves[axis]
        if not self._lattice.periodic[axis]:
            return np.take(fft.dct(field, norm="forward", axis=axis), k, axis) * _size(
                n, k, False, axis, field.ndim
            )
        modes = np.take(fft.rfft(field, norm="forward", axis=axis), k, axis)
        is_sine = sine.numpy().reshape([-1 if a == axis else 1 for a in range(field.ndim)])
        return np.where(is_sine, -modes.imag, modes.real) * _size(n, k, True, axis, field.ndim)

    def power(self, coefficients: Tensor, other: Tensor | None = None) -> Tensor:
        """Return the (band, channel) power of coefficients (mode, C), or their product with a second set."""
        product = coefficients * (coefficients if other is None else other)
        sums = torch.zeros(self._bands + 1, product.shape[1], dtype=torch.float64, device="cpu")
        return sums.index_add_(0, self._owner, product.double())[:-1]

    def mode_variance(self, values: Tensor) -> float:
        """Return the variance of a mode's coefficient that is estimated from values (M, C) at the samples.

        If the variance is concentrated in one region, errors of the modes are correlated, which increases it.
        """
        sampled = values[self._used].double()
        noise = (
            self._open[:, None] * (self._weight[:, None] * (sampled - self._mean(sampled))).square()
        ).sum(1)
        return float(noise.sum()) * math.sqrt(_clumping(noise, self._cells))

    def estimate(self, residual: Tensor, values: Tensor, known: Tensor) -> PowerEstimate:
        """Estimate the power of a residual.

        Args:
            residual: (M, C) residual at the samples, role by role.
            values: (M, C) known values at the samples.
            known: (mode, C) coefficients of the known values.
        """
        if not self._bands:
            none = torch.zeros(0, residual.shape[1], dtype=torch.float64, device="cpu")
            return PowerEstimate(none, none, none)
        sampled, reference = residual[self._used].double(), values[self._used].double()
        # Residuals late in training may be tiny: their squares would underflow in float32 products.
        scale = float(sampled.abs().max()) or 1.0
        sampled, reference = sampled / scale, reference - self._mean(reference)
        # Regression estimator: r = level + slope t + remainder. The first two are known exactly on the grid, so that
        # only the remainder contributes sampling variance.
        level, weight = self._mean(sampled), self._weight[:, None]
        spread = (weight * reference.square()).sum(0)
        slope = (weight * reference * (sampled - level)).sum(0) / torch.where(spread > 0, spread, 1.0)
        remainder = sampled - level - slope * reference
        load = weight * remainder
        # Horvitz-Thompson: (1 - p_i) (u_i r_i phi_k(i))^2 summed over samples is an unbiased estimate of Var m_k.
        noise = self._open[:, None] * load.square()
        coefficients = self._project(load) + slope * known
        coefficients[0] = coefficients[0] + level - slope * known[0]
        # Squares of modes at the samples are the same for every row: they are computed once.
        if self._sizes is None:
            self._sizes = torch.cat([self._squares(part) for part in self._parts()])
        variance, raw = self._sizes.T @ noise, self.power(coefficients)
        clump = _clumping(noise.sum(1), self._cells)
        per_mode = variance / self.modes.clamp_min(1)[:, None]
        # Var(m_k^2) = 2 v^2 + 4 v c_k^2 for a Gaussian m_k of variance v; `clump` widens it where errors correlate.
        error = (clump * per_mode * (2 * variance + 4 * raw)).sqrt()
        power = raw - variance
        return PowerEstimate(
            torch.maximum(power, error) * scale**2, error * scale**2, self.power(coefficients, known) * scale
        )

    def _mean(self, values: Tensor) -> Tensor:
        return (self._weight[:, None] * values).sum(0) / self._weight.sum()

    def _parts(self) -> list[slice]:
        """Return slices of the samples, each small enough for a bounded amount of memory."""
        transverse_count = math.prod(t.shape[1] for t in self._values[1:])
        rows = max(1, _CHUNK // max(transverse_count, self._values[0].shape[1]))
        return [slice(begin, begin + rows) for begin in range(0, len(self._used), rows)]

    def _transverse_modes(self, part: slice) -> Tensor:
        """Return (M, modes of all axes but the first) values of the modes along these axes at some samples."""
        products = torch.ones(len(self._used[part]), 1, dtype=torch.float32, device="cpu")
        for table in self._values[1:]:
            products = (products[:, :, None] * table[part][:, None, :]).flatten(1)
        return products

    def _project(self, load: Tensor) -> Tensor:
        """Return (mode, C) sums over samples of the load (M, C) times each mode."""
        first, load = self._values[0], load.float()
        transverse_count = math.prod(t.shape[1] for t in self._values[1:])
        sums = torch.zeros(load.shape[1], first.shape[1], transverse_count, dtype=torch.float64, device="cpu")
        for part in self._parts():
            transverse = self._transverse_modes(part)
            for channel in range(load.shape[1]):
                sums[channel] += (first[part] * load[part, channel, None]).T @ transverse
        return sums.flatten(1).T

    def _squares(self, part: slice) -> Tensor:
        """Return (M, band) float64 sums of the squares of a band's modes at some samples."""
        owners = self._owner.reshape(self._values[0].shape[1], -1)
        transverse, first = self._transverse_modes(part).square(), self._values[0][part].square()
        squares = torch.zeros(len(transverse), self._bands + 1, dtype=torch.float64, device="cpu")
        for mode, owner in enumerate(owners):
            sums = torch.zeros(len(transverse), self._bands + 1, dtype=torch.float32, device="cpu")
            squares += first[:, mode, None] * sums.index_add_(1, owner, transverse)
        return squares[:, :-1]


def _waves(lattice: GridModes, axis: int, limit: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the numbers k, sine flags and frequencies of the modes along an axis below a limit."""
    n, step = lattice.shape[axis], lattice.step(axis)
    top = n // 2 if lattice.periodic[axis] else n - 1
    k = torch.arange(min(top, math.ceil(limit / step)) + 1, device="cpu")
    sine = torch.zeros_like(k, dtype=torch.bool)
    if lattice.periodic[axis]:
        pairs = k[(k > 0) & (2 * k < n)]
        k, sine = torch.cat([k, pairs]), torch.cat([sine, torch.ones_like(pairs, dtype=torch.bool)])
    below = k * step < limit
    return k[below], sine[below], k[below].double() * step


def _size(n: int, k: Tensor, wraps: bool, axis: int, axes: int) -> NDArray[np.float64]:
    """Return the factors from SciPy's coefficients along an axis to those of modes of mean square 1."""
    alone = (k == 0) | (2 * k == n) if wraps else k == 0
    size = np.where(alone.numpy(), 1.0, math.sqrt(2.0))
    return np.asarray(size.reshape([-1 if a == axis else 1 for a in range(axes)]))


def _table(lattice: GridModes, axis: int, position: Tensor, k: Tensor, sine: Tensor) -> Tensor:
    """Return (M, modes) float64 values of an axis' modes at positions, of mean square 1 over the axis."""
    n = lattice.shape[axis]
    # The product of integers is reduced before the conversion: angles stay exact for large grids.
    if lattice.periodic[axis]:
        angle = (2 * math.pi / n) * ((position[:, None] * k) % n).double()
        alone = (k == 0) | (2 * k == n)
    else:
        angle = (math.pi / (2 * n)) * (((2 * position[:, None] + 1) * k) % (4 * n)).double()
        alone = k == 0
    return torch.where(sine, angle.sin(), angle.cos()) * torch.where(alone, 1.0, math.sqrt(2.0)).double()


def _cells(positions: tuple[NDArray[np.int64], ...], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return for each sample the index of its cell among 64 equal cells of the grid."""
    per_axis = round(_CELLS ** (1 / sum(n > 1 for n in shape)))
    cell = np.zeros(len(positions[0]), dtype=np.int64)
    for position, n in zip(positions, shape, strict=True):
        if n > 1:
            cell = cell * per_axis + position * per_axis // n
    return cell


def _clumping(noise: Tensor, cells: Tensor) -> float:
    """Return the concentration of the variance on the grid: 1 if it is spread evenly, at most 64.

    Errors of the modes are independent only if the variance is spread over the grid; variance in one region makes all
    errors equal.
    """
    parts = torch.zeros(_CELLS, dtype=torch.float64, device="cpu")
    parts.index_add_(0, cells.clamp(max=_CELLS - 1), noise.double())
    whole = float(parts.sum())
    return float(_CELLS * parts.square().sum() / whole**2) if whole > 0 else 1.0
