"""What one row of a record holds where a part of a grid, spread over all of it, stands for the whole."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from overtone.probes._coarse_modes import CoarseModes
from overtone.probes._grid_measurement import noise_variance, squared_errors, trained_mask
from overtone.probes._spread_sampling import Spread, Tiles, draw_single_samples
from overtone.signals import Signal
from overtone.signals._blocks import Blocks
from overtone.spectra import Bands, GridTransform, NoiseFloor
from overtone.spectra._bands import RadialSums
from overtone.spectra._grid import describe
from overtone.spectra._grid_modes import GridModes

LEAST, FINEST = 2.0, 3.0
"""Where tiles begin to tell frequencies apart, in frequencies of a tile's longest wave: at the least, and about here.
Slower waves leak, and less of a falling spectrum is seen than there is."""


@final
class SpreadMeasurement:
    """Compares predictions with a signal on tiles and single samples spread over the whole grid.

    Mean square errors come from the single samples. Bands above what a tile resolves are the mean over tiles, weighted
    by the part of the grid that each stands for; those below are the modes of the whole grid, exact for the target and
    estimated from the single samples for a residual.

    Args:
        signal: What is being learned, on a grid of more samples than the spread has.
        spread: How many samples, and their seed.
        bands: Frequency bands; the default of `spectra.Bands.log` for the whole grid if None. Those narrower than a
            tile can tell apart are joined.

    Attributes:
        index: Flat indices of the samples to predict: tiles first, then single samples.
        bands: The bands.
        target_power: (band, channel) float64 power of the signal.
        estimator: How the power is found.
        geometry: Attributes of what is measured.
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
        wanted = bands or Bands.log(grid.shape, grid.spacing, periodic=grid.periodic)
        fine, low = _resolved(wanted.reaching(whole.nyquist, whole.top), tile, slowest)
        roles = _roles(signal)
        self._roles = draw_single_samples(roles, _wanted(roles, spread.samples // 2), blocks, spread.seed)
        self._names = list(self._roles)
        self._coarse = CoarseModes(whole, fine.cuts[:low], list(self._roles.values()), spread.seed)
        single = np.concatenate([role.index for role in self._roles.values()])
        self.index = torch.from_numpy(np.concatenate([self._tiles.index.reshape(-1), single]))
        self._target = signal.values.cpu()[self.index]
        self._clean = None if signal.clean is None else signal.clean.cpu()[self.index]
        self._singles = self._target[self._tiles.index.size :]
        self._known = self._coarse.exact(signal.values)
        self.bands, self._low = self._told_apart(fine, low)
        self._transform = GridTransform(shape, grid.spacing, around, self.bands)
        self._modes = RadialSums(whole, self.bands.cuts).modes().double()
        own = self._transform.modes.double() / self._transform.modes.sum()
        density = self._modes / self._modes.sum() / own.clamp_min(1e-300)
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
        """The measured part of a row.

        Args:
            prediction: (M, C) values at `index`, in the signal's units. If any is not finite, every power is NaN.

        Returns:
            `residual_power` and `cross_power` (band, channel) and the mean square errors, as NumPy arrays and floats,
            and `margins`, half the widths of 95 % intervals of the errors, of the residual power for all channels
            together, and, as `relative_power`, of that over the target's.
        """
        residual = self._target - prediction.to(self._target.dtype)
        row: dict[str, Any] = {}
        margins: dict[str, Any] = {}
        if bool(residual.isfinite().all()):
            fine = self._coefficients(residual)
            low = self._coarse.estimate(residual[self._tiles.index.size :], self._singles, self._known)
            high, margin = self._over_tiles(fine)
            row["residual_power"] = torch.cat([low.power, high]).numpy()
            known = self._coarse.power(self._known)
            cross = self._over_tiles(self._fine)[0] - self._over_tiles(fine, self._fine)[0]
            row["cross_power"] = torch.cat([known - low.cross, cross]).numpy()
            margins["residual_power"] = torch.cat([1.96 * low.error, margin]).sum(1).tolist()
            margins["relative_power"] = self._relative(1.96 * low.error, fine)
        else:
            row["residual_power"] = np.full(tuple(self.target_power.shape), math.nan)
        errors = {"train_error": "trained", "held_out_error": "held out"}
        parts = self._apart(squared_errors(self._target, prediction))
        for name, role in errors.items():
            if role in parts:
                row[name], margins[name] = self._roles[role].mean(parts[role])
        if self._clean is not None:
            row["clean_error"] = self._everywhere(self._apart(squared_errors(self._clean, prediction)))
        row["margins"] = margins
        return row

    def noise_power(self, noise: NoiseFloor) -> np.ndarray:
        """The noise per band and channel: measured where the clean signal is known, NaN where nobody can tell."""
        if self._signal.clean is not None and self._clean is not None:
            known = self._coarse.exact(self._signal.values.cpu() - self._signal.clean.cpu())
            return self._known_power(known, self._coefficients(self._target - self._clean)).numpy()
        return np.asarray((self._modes / self._modes.sum()).numpy()[:, None] * noise_variance(noise))

    def _told_apart(self, fine: Bands, low: int) -> tuple[Bands, int]:
        """The bands, with those below what tiles resolve joined until each can be seen, and how many of these are left.

        A band is seen if a quarter of its power, what is left of it when it counts as learned, is twice the standard
        error of its estimate while nothing above it is learned. If not even all of them together are, tiles measure
        them as one with the mean.
        """
        coarse = self._coarse
        if low == 1:
            return fine, 1
        power = coarse.power(self._known).sum(1).numpy()
        values = self._signal.values
        whole = sum(float(v) for v in values.double().var(0, correction=0)) if len(values) else 0.0
        doubt = coarse.doubt(self._singles) / whole if whole > 0 else 0.0
        above = np.clip(whole - np.concatenate([[0.0], power[1:].cumsum()]), 0, None)
        modes = coarse.modes.numpy()

        def seen(begin: int, end: int) -> bool:
            error = math.sqrt(2 * modes[begin:end].sum()) * doubt * above[end - 1]
            return bool(power[begin:end].sum() >= 8 * error)

        starts = [1]
        for band in range(2, low + 1):
            if seen(starts[-1], band):
                starts.append(band)
        starts = starts[:-1] if starts[-1] == low and len(starts) > 1 else starts
        while not seen(starts[-1], low):
            starts.pop()
            if not starts:
                coarse.divide(fine.cuts[:0])
                return Bands((0.0, *fine.edges[low:]), fine.corner), 0
        bands = Bands((0.0, *(fine.edges[s] for s in starts), *fine.edges[low:]), fine.corner)
        coarse.divide(bands.cuts[: len(starts) + 1], mean_apart=power[0] >= 8 * math.sqrt(2) * doubt * whole)
        return bands, len(starts) + 1

    def _known_power(self, known: Tensor, fine: Tensor) -> Tensor:
        """(band, channel) of values known everywhere."""
        return torch.cat([self._coarse.power(known), self._over_tiles(fine)[0]])

    def _coefficients(self, values: Tensor) -> Tensor:
        """Coefficients of the tiles, side by side as channels."""
        tiles = self._tiles
        part = values[: tiles.index.size].reshape(tiles.count, *tiles.shape, -1)
        return self._transform.coefficients(part.movedim(0, -2).flatten(-2))

    def _over_tiles(self, fine: Tensor, other: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(band, channel) of the bands that tiles resolve: the mean over tiles, and half the width of its interval."""
        each = self._each(fine, other)
        weight = torch.from_numpy(self._tiles.weight)
        margin = torch.from_numpy(self._tiles.margin(each.movedim(1, 0).numpy()))
        return torch.einsum("btc,t->bc", each, weight), margin

    def _each(self, fine: Tensor, other: Tensor | None = None) -> Tensor:
        """(band, tile, channel) power, or product with other coefficients, of the bands that tiles resolve."""
        each = self._transform.power(fine) if other is None else self._transform.cross(fine, other)
        return each[self._low :].reshape(len(self._density), self._tiles.count, -1) * self._density[..., None]

    def _relative(self, low: Tensor, fine: Tensor) -> list[float]:
        """(band,) half the width of the interval of residual over target power, all channels together.

        The tiles that hold more of the target than others hold more of the residual too, which this leaves out.
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

    def _apart(self, square: Tensor) -> dict[str, np.ndarray]:
        """Square errors of the single samples by role."""
        rest = square[self._tiles.index.size :].numpy()
        ends = np.cumsum([len(role.index) for role in self._roles.values()])[:-1]
        return dict(zip(self._names, np.split(rest, ends), strict=True))

    def _everywhere(self, parts: dict[str, np.ndarray]) -> float:
        members = {name: role.members / self._signal.geometry.samples for name, role in self._roles.items()}
        return sum(members[name] * role.mean(parts[name])[0] for name, role in self._roles.items())


def _roles(signal: Signal) -> dict[str, Tensor]:
    """(N,) bool per role that any sample has."""
    masks = {"trained": trained_mask(signal), "held out": signal.held_out, "unused": signal.ignored}
    return {name: mask.cpu() for name, mask in masks.items() if mask is not None and bool(mask.any())}


def _wanted(roles: dict[str, Tensor], samples: int) -> dict[str, float]:
    """How many single samples of each role: half for those held out, which decide when to stop."""
    members = {name: float(mask.sum()) for name, mask in roles.items()}
    wanted = {}
    rest = float(samples)
    if "held out" in members:
        wanted["held out"] = min(members["held out"], samples / 2)
        rest -= wanted["held out"]
    others = sum(count for name, count in members.items() if name != "held out")
    return {name: wanted.get(name, rest * members[name] / max(others, 1.0)) for name in roles}


def _resolved(bands: Bands, tile: GridModes, slowest: float) -> tuple[Bands, int]:
    """Bands that tiles can tell apart from some band on, and which that is.

    Args:
        bands: That hold every mode of the whole grid.
        tile: The modes of a tile.
        slowest: Frequency of its longest wave, in cycles per unit.
    """
    inner = np.array(bands.edges[1:-1])
    enough = inner[inner >= LEAST * slowest * (1 - 1e-9)]
    if not len(enough):
        bands = Bands(tuple(sorted({*bands.edges, FINEST * slowest})), bands.corner)
        enough = np.array([FINEST * slowest])
    begin = float(enough[np.abs(np.log(enough / (FINEST * slowest))).argmin()])
    filled = RadialSums(tile, bands.cuts).modes().tolist()
    edges, inside = [bands.edges[0]], filled[0]
    for low, modes in zip(bands.edges[1:-1], filled[1:], strict=True):
        if low <= begin or inside > 0:
            edges.append(low)
            inside = 0
        inside += modes
    if not inside and edges[-1] > begin:
        edges.pop()
    corner = bands.corner and edges[-1] == bands.edges[-2]
    return Bands((*edges, bands.edges[-1]), corner), edges.index(begin)
