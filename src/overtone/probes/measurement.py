"""What one row of a record holds: the spectra and errors of a prediction against a signal, on a window of its grid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overtone.probes.window import Window
from overtone.signals import Signal
from overtone.spectra import Bands, GridTransform, NoiseFloor, NoiseVerdict
from overtone.spectra._grid import describe


class Measurement:
    """Compares predictions with a signal; built once, used for every row.

    Args:
        signal: What is being learned.
        window: The part of the grid that is measured.
        bands: Frequency bands; the default of `spectra.Bands.log` if None.

    Attributes:
        index: Flat indices of the measured samples, or None if they are all.
        grid: Geometry of the window.
        bands: The bands.
        transform: From the window's values to their power.
        target: (M, C) the signal's values on the window.
        target_power: (band, channel) float64 power of the signal.
        estimator: How the power is found.
        geometry: Attributes of what is measured.
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
        """The measured part of a row.

        Args:
            prediction: (M, C) values at the window's samples, in the signal's units. If any is not finite, every
                power is NaN.

        Returns:
            `residual_power` and `cross_power` (band, channel) and the mean square errors, as NumPy arrays and floats.
        """
        residual = self.target - prediction.to(self.target.dtype)
        row: dict[str, Any] = {}
        if bool(residual.isfinite().all()):
            coefficients = self.transform.coefficients(self._on_grid(residual))
            cross = self.target_power - self.transform.cross(coefficients, self._coefficients)
            row = {
                "residual_power": self.transform.power(coefficients).numpy(),
                "cross_power": cross.numpy(),
            }
        else:
            row["residual_power"] = np.full(tuple(self.target_power.shape), math.nan)
        square = mean_square(self.target, prediction)
        for name, part in self._parts.items():
            row[name] = float(square[part].mean())
        if self._clean is not None:
            row["clean_error"] = float(mean_square(self._clean, prediction).mean())
        return row

    def noise_power(self, noise: NoiseFloor) -> np.ndarray:
        """The noise per band and channel: exact where the clean signal is known, NaN where nobody can tell."""
        if self._clean is not None:
            return self.transform.power(
                self.transform.coefficients(self._on_grid(self.target - self._clean))
            ).numpy()
        share = (self.transform.modes.double() / self.transform.modes.sum()).numpy()[:, None]
        return np.asarray(share * noise_variance(noise))

    def _take(self, values: Tensor) -> Tensor:
        return values if self.index is None else values[self.index]

    def _on_grid(self, values: Tensor) -> Tensor:
        return values.reshape(*self.grid.shape, -1)

    def _error_parts(self) -> dict[str, Tensor]:
        """Positions within the window of the samples that each error is taken over."""
        masks = {"train_error": trained(self._signal), "held_out_error": self._signal.held_out}
        parts = {
            name: self._take(mask).nonzero().squeeze(-1) for name, mask in masks.items() if mask is not None
        }
        return {name: part for name, part in parts.items() if part.numel()}


def noise_variance(noise: NoiseFloor) -> np.ndarray:
    """(channel,) variance of the noise: 0 where there certainly is none, NaN where nobody can tell."""
    variance = np.square(np.asarray(noise.std, dtype=np.float64))
    if noise.verdict is NoiseVerdict.NOISE:
        return variance
    return np.full_like(variance, 0.0 if noise.verdict is NoiseVerdict.CLEAN else math.nan)


def mean_square(values: Tensor, prediction: Tensor) -> Tensor:
    """(M,) float64 square errors, averaged over channels."""
    return (values - prediction.to(values.dtype)).double().square().mean(dim=1)


def trained(signal: Signal) -> Tensor:
    """(N,) bool: samples that are neither held out nor ignored."""
    mask = torch.ones(signal.geometry.samples, dtype=torch.bool, device="cpu")
    for out in (signal.held_out, signal.ignored):
        if out is not None:
            mask &= ~out
    return mask
