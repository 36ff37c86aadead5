"""From predicted outputs to a record: the rows that a probe would have measured."""

from __future__ import annotations

import datetime
import importlib.metadata
import math
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from overtone.records import Header
from overtone.records.dataset import assemble
from overtone.records.schema import PER_STEP, complete
from overtone.signals import Signal
from overtone.spectra import Bands, GridTransform, NoiseFloor, NoiseVerdict
from overtone.theory.dynamics.minibatch import Spread

if TYPE_CHECKING:
    import xarray

Row = dict[str, Any]


@final
class Ledger:
    """Turns predictions of a signal into the rows of a record, all in physical units.

    Args:
        signal: What is learned; every sample is predicted.
        bands: Frequency bands; those of `spectra.Bands.log` if None.
        noise: Its noise floor, if known.
    """

    def __init__(self, signal: Signal, bands: Bands | None = None, noise: NoiseFloor | None = None) -> None:
        grid = signal.geometry
        self.signal = signal
        self._transform = GridTransform(grid.shape, grid.spacing, grid.periodic, bands)
        self._target = signal.values.double()
        self._coefficients = self._transform.coefficients(self._on_grid(self._target))
        self._power = self._transform.power(self._coefficients)
        self._noise = noise
        self._rows: dict[int, Row] = {}

    def add(self, step: int, outputs: Tensor, loss: float, rate: float) -> None:
        """Note the prediction at a step; a later note of the same step replaces it.

        Args:
            step: Optimizer steps taken.
            outputs: (N, C) outputs as the loss sees them (normalised values).
            loss: Training loss.
            rate: Learning rate.
        """
        residual = self._target - self.signal.normalisation.restore(outputs.double())
        found = self._transform.coefficients(self._on_grid(residual))
        square = residual.square().mean(1)
        row: Row = {
            "residual_power": self._transform.power(found).numpy(),
            "cross_power": (self._power - self._transform.cross(found, self._coefficients)).numpy(),
            "loss": loss,
            "learning_rate": rate,
            "train_error": float(square[self.signal.train_index].mean()),
        }
        if self.signal.held_out_index.numel():
            row["held_out_error"] = float(square[self.signal.held_out_index].mean())
        if self.signal.clean is not None:
            error = residual - self._target + self.signal.clean.double()
            row["clean_error"] = float(error.square().mean())
        self._rows[step] = row

    def power(self, spread: Spread) -> NDArray[np.float64]:
        """(band, channel) power of a scatter of the outputs, in squared physical units."""
        found = spread.bands(self._transform, self.signal.geometry.shape).cpu()
        scaled: NDArray[np.float64] = (found * self.signal.normalisation.scale.square()).numpy()
        return scaled

    def record(self, attrs: dict[str, Any]) -> xarray.Dataset:
        """The record of everything noted, with `origin` "predicted".

        Args:
            attrs: Further attributes.
        """
        bands = self._transform.bands
        header = Header(
            band_low=bands.low,
            band_high=bands.high,
            channels=self.signal.channels,
            static={"target_power": self._power.numpy(), "noise_power": self._noise_power()},
            attrs=self._attrs() | attrs,
        )
        steps = sorted(self._rows)
        rows = [complete(self._rows[step], PER_STEP, header.sizes, f"step {step}") for step in steps]
        stacked = {name: np.stack([row[name] for row in rows]) for name in PER_STEP}
        return assemble(header, np.array(steps, dtype=np.int64), stacked)

    def _on_grid(self, values: Tensor) -> Tensor:
        return values.reshape(*self.signal.geometry.shape, -1)

    def _noise_power(self) -> np.ndarray:
        share = (self._transform.modes.double() / self._transform.modes.sum()).numpy()[:, None]
        if self.signal.clean is not None:
            apart = self._on_grid(self._target - self.signal.clean.double())
            return self._transform.power(self._transform.coefficients(apart)).numpy()
        if self._noise is None or self._noise.verdict is NoiseVerdict.CANNOT_TELL:
            return np.full(tuple(self._power.shape), math.nan)
        std = np.asarray(self._noise.std, dtype=np.float64)
        known = self._noise.verdict is NoiseVerdict.NOISE
        return np.asarray(share * (np.square(std) if known else np.zeros_like(std)))

    def _attrs(self) -> dict[str, Any]:
        grid = self.signal.geometry
        names = ("overtone", "torch", "numpy", "scipy", "xarray")
        return {
            "origin": "predicted",
            "frequency_unit": grid.frequency_unit,
            "value_unit": self.signal.value_unit,
            "estimator": "grid: " + " x ".join("periodic" if wraps else "even" for wraps in grid.periodic),
            "geometry": {
                "shape": list(grid.shape),
                "spacing": list(grid.spacing),
                "origin": list(grid.origin),
                "units": list(grid.units),
                "periodic": list(grid.periodic),
            },
            "nyquist": list(grid.nyquist),
            "kind": self.signal.kind,
            "signal": self.signal.name,
            "peak": self.signal.peak,
            "versions": {name: importlib.metadata.version(name) for name in names},
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
