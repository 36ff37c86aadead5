"""Spectra and errors of a prediction on a whole grid, estimated from samples spread over it."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from overtone.probes._coarse_modes import CoarseModes
from overtone.probes._grid_measurement import noise_variance, squared_errors, trained_mask
from overtone.probes._residual import residual_of
from overtone.probes._spread_sampling import Spread, Tiles, draw_single_samples
from overtone.signals import Signal
from overtone.signals._blocks import Blocks
from overtone.spectra import Bands, GridTransform, NoiseFloor
from overtone.spectra._bands import RadialSums
from overtone.spectra._grid import describe
from overtone.spectra._grid_modes import GridModes

MIN_WAVES, TARGET_WAVES = 2.0, 3.0
"""Lowest frequency measured with tiles, in units of the frequency of a tile's longest wave: minimum, preferred value.
Slower waves leak into neighbouring bands."""


@final
class SpreadMeasurement:
    """Comparison of predictions with a signal on tiles and single samples spread over the whole grid.

    Mean square errors are estimated from the single samples. The power in bands above a tile's resolution limit is
    the mean over tiles, weighted by the part of the grid that each represents; the power in lower bands comes from
    the modes of the whole grid, exact for the target and estimated from the single samples for a residual.

    Args:
        signal: The signal to learn, on a grid of more samples than the spread has.
        spread: Number of samples, and their seed.
        bands: Frequency bands; the default of `spectra.Bands.log` for the whole grid if None. Bands too narrow for a
            tile are merged.

    Attributes:
        index: Flat indices of the samples to predict: tiles first, then single samples.
        bands: The bands.
        target_power: (band, channel) float64 power of the signal.
        estimator: Description of the spectral estimator.
        geometry: Attributes of the measured part.
    """

    def __init__(self, signal: Signal, spread: Spread, bands: Bands | None = None) -> None:
        self._signal, grid = signal, signal.geometry
        shape = spread.tile(grid.shape)
        counts = tuple(1 if s == n else math.ceil(2 * n / s) for n, s in zip(grid.shape, shape, strict=True))
        blocks = Blocks.of(signal.values, grid.shape, counts)
        self._tiles = Tiles.of(grid, blocks, shape, spread.tiles, spread.seed)
        whole = GridModes(grid.shape, grid.spacing, grid.periodic)
        cut = tuple(s < n for s, n in zip(shape, grid.shape, strict=True))
        around = tuple(p and not c for p, c in zip(grid.periodic, cut, strict=True))
        tile = GridModes(shape, grid.spacing, around)
        slowest = max(tile.step(axis) for axis, c in enumerate(cut) if c)
        requested = bands or Bands.log(grid.shape, grid.spacing, periodic=grid.periodic)
        fine, low = _resolved(requested.extended_to(whole.nyquist, whole.top), tile, slowest)
        roles = _roles(signal)
        # Half of the budget resolves fine structure (tiles), half provides unbiased errors and low modes (single
        # samples).
        self._roles = draw_single_samples(
            roles, _role_counts(roles, spread.samples // 2), blocks, spread.seed
        )
        self._names = list(self._roles)
        self._coarse = CoarseModes(whole, fine.cuts[:low], list(self._roles.values()), spread.seed)
        single = np.concatenate([role.index for role in self._roles.values()])
        self.index = torch.from_numpy(np.concatenate([self._tiles.index.reshape(-1), single]))
        self._target = signal.values.cpu()[self.index]
        self._clean = None if signal.clean is None else signal.clean.cpu()[self.index]
        self._singles = self._target[self._tiles.index.size :]
        self._known = self._coarse.exact(signal.values)
        self.bands, self._low = self._resolvable(fine, low)
        self._transform = GridTransform(shape, grid.spacing, around, self.bands)
        self._modes = RadialSums(whole, self.bands.cuts).modes().double()
        tile_share = self._transform.modes.double() / self._transform.modes.sum()
        # White noise has equal power in each mode: scaling a tile's band by the ratio of shares of modes turns its
        # power into that of the whole grid.
        density = self._modes / self._modes.sum() / tile_share.clamp_min(1e-300)
        density[0] = 1.0
        self._density = density[self._low :, None]
        self._fine = self._coefficients(self._target)
        self.target_power = self._known_power(self._known, self._fine)
        self.estimator = f"{describe(whole)}, from {self._tiles.count} tiles and {len(single)} samples"
        self.geometry: dict[str, Any] = {
            "measured_whole": False,
            "measured_spread": {
                "tiles": self._tiles.count,
                "tile_shape": list(shape),
                "samples": len(single),
                "tiles_resolve_from": float(self.bands.low[max(self._low, 1)]),
                "seed": spread.seed,
            },
        }

    def row(self, prediction: Tensor) -> dict[str, Any]:
        """Return the measured part of a row.

        Args:
            prediction: (M, C) values at `index`, in the signal's units. If any is not finite, every power is NaN.

        Returns:
            `residual_power` and `cross_power` (band, channel) and the mean square errors, as NumPy arrays and floats,
            and `margins`, half the widths of 95 % intervals of the errors, of the residual power for all channels
            together, and, as `relative_power`, of the ratio of residual to target power.
        """
        residual = residual_of(self._target, prediction)
        row: dict[str, Any] = {}
        margins: dict[str, Any] = {}
        if bool(residual.isfinite().all()):
            fine = self._coefficients(residual)
            # Below the tiles' resolution limit single samples estimate modes of the whole grid; above it tiles are
            # used.
            low = self._coarse.estimate(residual[self._tiles.index.size :], self._singles, self._known)
            high, margin = self._over_tiles(fine)
            row["residual_power"] = torch.cat([low.power, high]).numpy()
            known = self._coarse.power(self._known)
            cross = self._over_tiles(self._fine)[0] - self._over_tiles(fine, self._fine)[0]
            row["cross_power"] = torch.cat([known - low.cross, cross]).numpy()
            # 1.96 standard errors for the sum over many modes, which is nearly normal; Student's quantile for tiles.
            margins["residual_power"] = torch.cat([1.96 * low.error, margin]).sum(1).tolist()
            margins["relative_power"] = self._relative(1.96 * low.error, fine)
        else:
            row["residual_power"] = np.full(tuple(self.target_power.shape), math.nan)
        errors = {"train_error": "trained", "held_out_error": "held out"}
        parts = self._by_role(squared_errors(self._target, prediction))
        for name, role in errors.items():
            if role in parts:
                row[name], margins[name] = self._roles[role].mean(parts[role])
        if self._clean is not None:
            row["clean_error"] = self._grid_mean(self._by_role(squared_errors(self._clean, prediction)))
        row["margins"] = margins
        return row

    def noise_power(self, noise: NoiseFloor) -> np.ndarray:
        """Return the noise power per band and channel: measured with a clean signal, NaN where it is unknown."""
        if self._signal.clean is not None and self._clean is not None:
            known = self._coarse.exact(self._signal.values.cpu() - self._signal.clean.cpu())
            return self._known_power(known, self._coefficients(self._target - self._clean)).numpy()
        return self.white_noise_power(noise)

    def white_noise_power(self, noise: NoiseFloor) -> np.ndarray:
        """Return the power per band and channel of white noise of the floor's variance, whatever reference exists."""
        return np.asarray((self._modes / self._modes.sum()).numpy()[:, None] * noise_variance(noise))

    def _resolvable(self, fine: Bands, low: int) -> tuple[Bands, int]:
        """Merge the bands below the tiles' resolution limit until each is detectable.

        Returns all bands, and the number of merged ones.

        A band is detectable if a quarter of its power, the residual at which it counts as learned, is twice the
        standard error of its estimate while no band above it is learned. If even a single merged band is not
        detectable, tiles measure it together with the mean.
        """
        coarse = self._coarse
        if low == 1:
            return fine, 1
        power = coarse.power(self._known).sum(1).numpy()
        values = self._signal.values
        whole = sum(float(v) for v in values.double().var(0, correction=0)) if len(values) else 0.0
        variance = coarse.mode_variance(self._singles) / whole if whole > 0 else 0.0
        above = np.clip(whole - np.concatenate([[0.0], power[1:].cumsum()]), 0, None)
        modes = coarse.modes.numpy()

        def detectable(begin: int, end: int) -> bool:
            error = math.sqrt(2 * modes[begin:end].sum()) * variance * above[end - 1]
            return bool(power[begin:end].sum() >= 8 * error)

        starts = [1]
        for band in range(2, low + 1):
            if detectable(starts[-1], band):
                starts.append(band)
        starts = starts[:-1] if starts[-1] == low and len(starts) > 1 else starts
        while not detectable(starts[-1], low):
            starts.pop()
            if not starts:
                coarse.divide(fine.cuts[:0])
                return Bands((0.0, *fine.edges[low:]), fine.corner), 0
        bands = Bands((0.0, *(fine.edges[s] for s in starts), *fine.edges[low:]), fine.corner)
        coarse.divide(
            bands.cuts[: len(starts) + 1], mean_apart=power[0] >= 8 * math.sqrt(2) * variance * whole
        )
        return bands, len(starts) + 1

    def _known_power(self, known: Tensor, fine: Tensor) -> Tensor:
        """Return the power (band, channel) of values known at all samples."""
        return torch.cat([self._coarse.power(known), self._over_tiles(fine)[0]])

    def _coefficients(self, values: Tensor) -> Tensor:
        """Return the tiles' coefficients, arranged as channels."""
        tiles = self._tiles
        part = values[: tiles.index.size].reshape(tiles.count, *tiles.shape, -1)
        return self._transform.coefficients(part.movedim(0, -2).flatten(-2))

    def _over_tiles(self, fine: Tensor, other: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the mean over tiles, (band, channel), in the bands they resolve, and half its interval's width."""
        each = self._each(fine, other)
        weight = torch.from_numpy(self._tiles.weight)
        margin = torch.from_numpy(self._tiles.margin(each.movedim(1, 0).numpy()))
        return torch.einsum("btc,t->bc", each, weight), margin

    def _each(self, fine: Tensor, other: Tensor | None = None) -> Tensor:
        """Return the (band, tile, channel) power, or the product with a second set, in the bands that tiles resolve."""
        each = self._transform.power(fine) if other is None else self._transform.cross(fine, other)
        return each[self._low :].reshape(len(self._density), self._tiles.count, -1) * self._density[..., None]

    def _relative(self, low: Tensor, fine: Tensor) -> list[float]:
        """Return half the width of the interval of residual over target power per band, channels combined.

        Tiles with more target power also have more residual power: this shared variation is removed.
        """
        weight = self._tiles.weight
        target, residual = (self._each(part).sum(2).numpy() for part in (self._fine, fine))
        whole = np.maximum(weight @ target.T, np.finfo(np.float64).tiny)
        apart = residual - (weight @ residual.T / whole)[:, None] * target
        high = self._tiles.margin(apart.T) / whole
        slow = low.sum(1).numpy() / np.maximum(
            self.target_power[: self._low].sum(1).numpy(), np.finfo(np.float64).tiny
        )
        return [float(m) for m in np.minimum(np.concatenate([slow, high]), np.finfo(np.float32).max)]

    def _by_role(self, square: Tensor) -> dict[str, np.ndarray]:
        """Return squared errors of the single samples by role."""
        single = square[self._tiles.index.size :].numpy()
        ends = np.cumsum([len(role.index) for role in self._roles.values()])[:-1]
        return dict(zip(self._names, np.split(single, ends), strict=True))

    def _grid_mean(self, parts: dict[str, np.ndarray]) -> float:
        members = {name: role.members / self._signal.geometry.samples for name, role in self._roles.items()}
        return sum(members[name] * role.mean(parts[name])[0] for name, role in self._roles.items())


def _roles(signal: Signal) -> dict[str, Tensor]:
    """Return a mask (N,) for each role that has samples."""
    masks = {"trained": trained_mask(signal), "held out": signal.held_out, "unused": signal.ignored}
    return {name: mask.cpu() for name, mask in masks.items() if mask is not None and bool(mask.any())}


def _role_counts(roles: dict[str, Tensor], samples: int) -> dict[str, float]:
    """Return the number of single samples per role: half are held-out ones, on which early stopping depends."""
    members = {name: float(mask.sum()) for name, mask in roles.items()}
    counts = {}
    remaining = float(samples)
    if "held out" in members:
        counts["held out"] = min(members["held out"], samples / 2)
        remaining -= counts["held out"]
    others = sum(count for name, count in members.items() if name != "held out")
    return {name: counts.get(name, remaining * members[name] / max(others, 1.0)) for name in roles}


def _resolved(bands: Bands, tile: GridModes, slowest: float) -> tuple[Bands, int]:
    """Return the bands above the tiles' resolution limit, and the index of the first one.

    Args:
        bands: Bands that hold every mode of the whole grid.
        tile: Lattice of a tile.
        slowest: Frequency of the tile's longest wave, in cycles per unit.
    """
    inner = np.array(bands.edges[1:-1])
    enough = inner[inner >= MIN_WAVES * slowest * (1 - 1e-9)]
    if not len(enough):
        bands = Bands(tuple(sorted({*bands.edges, TARGET_WAVES * slowest})), bands.corner)
        enough = np.array([TARGET_WAVES * slowest])
    begin = float(enough[np.abs(np.log(enough / (TARGET_WAVES * slowest))).argmin()])
    filled = RadialSums(tile, bands.cuts).modes().tolist()
    edges, inside = [bands.edges[0]], filled[0]
    # A band without a mode of the tile would have zero power: dropping its edge merges it with the next band.
    for low, modes in zip(bands.edges[1:-1], filled[1:], strict=True):
        if low <= begin or inside > 0:
            edges.append(low)
            inside = 0
        inside += modes
    if not inside and edges[-1] > begin:
        edges.pop()
    corner = bands.corner and edges[-1] == bands.edges[-2]
    return Bands((*edges, bands.edges[-1]), corner), edges.index(begin)
