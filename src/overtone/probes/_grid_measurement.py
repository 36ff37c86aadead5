"""Spectra and errors of a prediction on a window of a signal's grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.probes._residual import residual_of
from overtone.signals import Grid, Signal
from overtone.signals._blocks import Blocks
from overtone.spectra import Bands, GridTransform, NoiseFloor, NoiseVerdict
from overtone.spectra._grid import describe

MIN_VARIATION = 0.25
"""Variation of the central block, relative to the mean over the grid, below which another block is chosen."""


@dataclass(frozen=True)
class Window:
    """A contiguous block of a grid: `shape` samples beginning at `start`, per axis.

    A block represents only itself, not the remainder of the grid; a `Spread` estimates the whole grid.

    Example:
        >>> import numpy as np
        >>> from overtone import signals
        >>> Window.central(signals.array(np.eye(64), spacing=1.0).geometry, 1024)
        Window(start=(16, 16), shape=(32, 32))
    """

    start: tuple[int, ...]
    shape: tuple[int, ...]

    @staticmethod
    def whole(grid: Grid) -> Window:
        """Return the window that is the grid itself."""
        return Window((0,) * len(grid.shape), grid.shape)

    @staticmethod
    def central(grid: Grid, samples: int) -> Window:
        """Return the central block of at most `samples` samples with the grid's proportions.

        Args:
            grid: The grid.
            samples: Maximum number of samples; the whole grid if it has no more.

        Returns:
            The window; at least 2 samples along each axis longer than 1.
        """
        if samples < 1:
            raise InputError(
                "at least one sample to measure", f"{samples}", "pass a larger number", "samples"
            )
        if grid.samples <= samples:
            return Window.whole(grid)
        long = sum(n > 1 for n in grid.shape)
        factor = (samples / grid.samples) ** (1 / long)
        shape = [min(n, max(2, math.floor(n * factor))) for n in grid.shape]
        # Rounding down leaves part of the budget unused: it goes to the longest axes first.
        for axis in sorted(range(len(shape)), key=shape.__getitem__, reverse=True):
            others = math.prod(shape) // shape[axis]
            shape[axis] = min(shape[axis], max(2, samples // others))
        return Window(tuple((n - w) // 2 for n, w in zip(grid.shape, shape, strict=True)), tuple(shape))

    @staticmethod
    def of_variation(values: Tensor, grid: Grid, samples: int) -> Window:
        """Return the central block or, if the values hardly vary in it, the block of the largest variation.

        Args:
            values: (N, C) values on the grid.
            grid: The grid.
            samples: Maximum number of samples in the block; the whole grid if it has no more.
        """
        central = Window.central(grid, samples)
        if central.covers(grid):
            return central
        # Blocks of half the window's width: any position of the window contains at least one of them.
        counts = tuple(
            1 if w == n else math.ceil(2 * n / w) for n, w in zip(grid.shape, central.shape, strict=True)
        )
        blocks = Blocks.of(values, grid.shape, counts)
        varies = blocks.variation.reshape(counts)
        if varies[tuple(m // 2 for m in counts)] >= MIN_VARIATION * varies.mean():
            return central
        best = np.unravel_index(int(varies.argmax()), counts)
        start = tuple(
            min(max(0, round(float(edges[b] + edges[b + 1] - w) / 2)), n - w)
            for edges, b, w, n in zip(blocks.edges, best, central.shape, grid.shape, strict=True)
        )
        return Window(start, central.shape)

    def covers(self, grid: Grid) -> bool:
        """Return whether the window is the whole grid."""
        return self.shape == grid.shape

    def restrict(self, grid: Grid) -> Grid:
        """Return the geometry of the block. An axis that is cut is no longer periodic."""
        return Grid(
            self.shape,
            grid.spacing,
            tuple(o + s * d for o, s, d in zip(grid.origin, self.start, grid.spacing, strict=True)),
            grid.units,
            tuple(p and w == n for p, w, n in zip(grid.periodic, self.shape, grid.shape, strict=True)),
        )

    def index(self, grid: Grid) -> Tensor:
        """Return flat row-major indices, in the full grid, of the block's samples: (M,) int64."""
        flat = torch.zeros((), dtype=torch.int64, device="cpu")
        for n, start, width in zip(grid.shape, self.start, self.shape, strict=True):
            flat = flat[..., None] * n + torch.arange(start, start + width, device="cpu")
        return flat.reshape(-1)


class GridMeasurement:
    """Comparison of predictions with a signal on a window of its grid, for every row of a record.

    Args:
        signal: The signal to learn.
        window: The part of the grid that is measured.
        bands: Frequency bands; the default of `spectra.Bands.log` if None.

    Attributes:
        index: Flat indices of the measured samples, or None if they are all.
        grid: Geometry of the window.
        bands: The bands.
        transform: Transform from the window's values to their power.
        target: (M, C) the signal's values on the window.
        target_power: (band, channel) float64 power of the signal.
        estimator: Description of the spectral estimator.
        geometry: Attributes of the measured part.
    """

    def __init__(self, signal: Signal, window: Window, bands: Bands | None = None) -> None:
        self._signal = signal
        self.index = None if window.covers(signal.geometry) else window.index(signal.geometry)
        self.grid = window.restrict(signal.geometry)
        self.transform = GridTransform(self.grid.shape, self.grid.spacing, self.grid.periodic, bands)
        self.bands, self.estimator = self.transform.bands, describe(self.transform.lattice)
        self.target = self._take(signal.values)
        self._clean = None if signal.clean is None else self._take(signal.clean)
        self._coefficients = self.transform.coefficients(self._on_grid(self.target))
        self.target_power = self.transform.power(self._coefficients)
        self._parts = self._error_parts()
        self.geometry: dict[str, Any] = {
            "measured_whole": self.index is None,
            "measured_shape": list(self.grid.shape),
            "measured_start": list(window.start),
        }

    def row(self, prediction: Tensor) -> dict[str, Any]:
        """Return the measured part of a row.

        Args:
            prediction: (M, C) values at the window's samples, in the signal's units. If any is not finite, every
                power is NaN.

        Returns:
            `residual_power` and `cross_power` (band, channel) and the mean square errors, as NumPy arrays and floats.
        """
        residual = residual_of(self.target, prediction)
        row: dict[str, Any] = {}
        if bool(residual.isfinite().all()):
            # Linearity: the cross power with the prediction follows from that with the residual, without a second
            # transform.
            coefficients = self.transform.coefficients(self._on_grid(residual))
            cross = self.target_power - self.transform.cross(coefficients, self._coefficients)
            row = {
                "residual_power": self.transform.power(coefficients).numpy(),
                "cross_power": cross.numpy(),
            }
        else:
            row["residual_power"] = np.full(tuple(self.target_power.shape), math.nan)
        square = squared_errors(self.target, prediction)
        for name, part in self._parts.items():
            row[name] = float(square[part].mean())
        if self._clean is not None:
            row["clean_error"] = float(squared_errors(self._clean, prediction).mean())
        return row

    def noise_power(self, noise: NoiseFloor) -> np.ndarray:
        """Return the noise power per band and channel: exact with a clean signal, NaN where it is unknown."""
        if self._clean is not None:
            return self.transform.power(
                self.transform.coefficients(self._on_grid(self.target - self._clean))
            ).numpy()
        return self.white_noise_power(noise)

    def white_noise_power(self, noise: NoiseFloor) -> np.ndarray:
        """Return the power per band and channel of white noise of the floor's variance, whatever reference exists."""
        # White noise has the same expected power in each mode, so a band holds its share of the modes.
        share = (self.transform.modes.double() / self.transform.modes.sum()).numpy()[:, None]
        return np.asarray(share * noise_variance(noise))

    def _take(self, values: Tensor) -> Tensor:
        return values if self.index is None else values[self.index]

    def _on_grid(self, values: Tensor) -> Tensor:
        return values.reshape(*self.grid.shape, -1)

    def _error_parts(self) -> dict[str, Tensor]:
        """Return the positions within the window of the samples of each error."""
        masks = {"train_error": trained_mask(self._signal), "held_out_error": self._signal.held_out}
        parts = {
            name: self._take(mask).nonzero().squeeze(-1) for name, mask in masks.items() if mask is not None
        }
        return {name: part for name, part in parts.items() if part.numel()}


def noise_variance(noise: NoiseFloor) -> np.ndarray:
    """Return the variance of the noise per channel: 0 where the signal is clean, NaN where it is unknown."""
    variance = np.square(np.asarray(noise.std, dtype=np.float64))
    if noise.verdict is NoiseVerdict.NOISE:
        return variance
    return np.full_like(variance, 0.0 if noise.verdict is NoiseVerdict.CLEAN else math.nan)


def squared_errors(values: Tensor, prediction: Tensor) -> Tensor:
    """Return (M,) float64 squared errors, averaged over channels."""
    return (values - prediction.to(values.dtype)).double().square().mean(dim=1)


def trained_mask(signal: Signal) -> Tensor:
    """Return (N,) bool: samples that are neither held out nor ignored."""
    mask = torch.ones(signal.geometry.samples, dtype=torch.bool, device="cpu")
    for out in (signal.held_out, signal.ignored):
        if out is not None:
            mask &= ~out
    return mask
