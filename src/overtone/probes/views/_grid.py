"""The view of a signal on a grid: its spectrum band by band, exact."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from overtone._utils.seeding import generator
from overtone.errors import InputError
from overtone.probes._describe import describe_measurement
from overtone.probes._grid_measurement import GridMeasurement, Window, squared_errors, trained_mask
from overtone.probes._inputs import CoordinateInputs
from overtone.probes._spread_measurement import SpreadMeasurement
from overtone.probes._spread_sampling import Spread
from overtone.probes._view import OutputView, Predict, Row
from overtone.records import Header
from overtone.signals import Signal, require_grid
from overtone.spectra import Bands, NoiseFloor, noise_floor

WHOLE_SNAPSHOT, PART_SNAPSHOT = 1 << 20, 1 << 18
"""Signals up to the first size are kept whole in snapshots; of larger ones about as many samples as the second."""

FINAL_SAMPLES = 1 << 21
"""Largest number of samples from which final errors are computed."""


@final
class GridView(OutputView):
    """A signal and a network from its coordinates to its values.

    Args:
        signal: What is being learned.
        window: The part of the grid that is measured, a block or samples spread over all of it; all of it unless
            said.
        bands: Frequency bands; the default of `spectra.Bands.log` unless said.
        noise: The noise floor, if it is already known; estimated from the signal if None.
        name: Names its record.
    """

    def __init__(
        self,
        signal: Signal,
        window: Window | Spread | None = None,
        bands: Bands | None = None,
        noise: NoiseFloor | None = None,
        name: str = "grid",
    ) -> None:
        advice = "watch it with probes.views.points(signal.coords, signal.values)"
        grid = require_grid(signal, "a view of the grid", advice).geometry
        self.name, self.signal, self._noise = name, signal, noise
        self.measurement = make_measurement(signal, window, bands)
        self.samples = CoordinateInputs(grid, self.measurement.index)
        self._shown = SnapshotSamples.of(signal)

    def header(self, attrs: Mapping[str, Any]) -> Header:
        """Target and noise power, and a description of the signal and the measurement."""
        seen, grid = self.measurement, self.signal.geometry
        noise = self._noise or noise_floor(
            self.signal.grid_values, grid.spacing, periodic=grid.periodic, channel_axis=-1
        )
        described = describe_measurement(self.signal, seen.geometry, noise, seen.estimator)
        described["geometry"] |= self._shown.geometry
        return Header(
            band_low=seen.bands.low,
            band_high=seen.bands.high,
            channels=self.signal.channels,
            static={"target_power": seen.target_power.numpy(), "noise_power": seen.noise_power(noise)},
            attrs=described | dict(attrs),
        )

    def check(self, outputs: Tensor) -> None:
        """Refuse outputs that are not one value per channel."""
        channels = self.signal.values.shape[1]
        if outputs.ndim != 2:
            raise InputError(
                f"the network to return one tensor of shape (samples, {channels})",
                f"shape {tuple(outputs.shape)}",
                "pass forward=, a function from coordinates (N, d) to values (N, C)",
                "network",
            )
        if outputs.shape[1] != channels:
            raise InputError(
                f"{channels} output channels, as the signal has",
                f"{outputs.shape[1]}",
                "give the network's last layer one feature per channel",
                "network",
            )

    def compare(self, outputs: Tensor) -> Row:
        """Powers and errors of predictions (M, C) at the samples."""
        self.check(outputs)
        return self.measurement.row(outputs)

    def target_snapshot(self) -> np.ndarray:
        """The signal as it is kept for reports, see `Shown`."""
        values, index = self.signal.values, self._shown.index
        return self._pictured(values if index is None else values[index])

    def snapshot(self, predict: Predict) -> np.ndarray:
        """The network's prediction of the same samples."""
        return self._pictured(predict(CoordinateInputs(self.signal.geometry, self._shown.index)))

    def final_errors(self, predict: Predict) -> dict[str, float]:
        """Mean square errors of the network as it is: "train", "held_out" and "held_out_clean", those that exist.

        Over all samples of the signal, not only those that rows are measured on; of signals beyond 2 million samples,
        over as many drawn at random.
        """
        signal, samples = self.signal, self.signal.geometry.samples
        index = torch.arange(samples, device="cpu")
        if samples > FINAL_SAMPLES:
            drawn = generator(0, "probe", "final").choice(
                samples, FINAL_SAMPLES, replace=False, shuffle=False
            )
            index = torch.from_numpy(drawn)
        prediction = predict(CoordinateInputs(signal.geometry, index))
        square = squared_errors(signal.values[index], prediction)
        out = {"train": float(square[trained_mask(signal)[index]].mean())}
        held = None if signal.held_out is None else signal.held_out[index]
        if held is not None:
            out["held_out"] = float(square[held].mean())
        if signal.clean is not None:
            clean = squared_errors(signal.clean[index], prediction)
            out["held_out_clean"] = float((clean if held is None else clean[held]).mean())
        return out

    def _pictured(self, values: Tensor) -> np.ndarray:
        return values.reshape(*self._shown.shape, -1).float().numpy()


@final
@dataclass(frozen=True)
class SnapshotSamples:
    """What snapshots keep of a signal: all of it up to a million samples.

    Of larger pictures and volumes every n-th sample along each axis, from all over them; of longer signals of one axis,
    which are heard and drawn at full resolution, one block where they vary.

    Attributes:
        start: The first sample kept, per axis.
        shape: How many are kept, per axis.
        step: Every how manieth, along each axis.
        index: (M,) flat indices of those kept, or None if all are.
    """

    start: tuple[int, ...]
    shape: tuple[int, ...]
    step: int
    index: Tensor | None

    @staticmethod
    def of(signal: Signal) -> SnapshotSamples:
        """What is kept of a signal."""
        grid = signal.geometry
        axes = sum(n > 1 for n in grid.shape)
        if grid.samples <= WHOLE_SNAPSHOT:
            return SnapshotSamples((0,) * len(grid.shape), grid.shape, 1, None)
        if axes == 1:
            block = Window.where_it_varies(signal.values, grid, PART_SNAPSHOT)
            return SnapshotSamples(block.start, block.shape, 1, block.index(grid))
        step = math.ceil((grid.samples / PART_SNAPSHOT) ** (1 / axes))
        index = torch.zeros((), dtype=torch.int64, device="cpu")
        for n in grid.shape:
            index = index[..., None] * n + torch.arange(0, n, step, device="cpu")
        return SnapshotSamples((0,) * len(grid.shape), tuple(index.shape), step, index.reshape(-1))

    @property
    def geometry(self) -> dict[str, Any]:
        """The same as attributes of the record's geometry."""
        return {"kept_start": list(self.start), "kept_shape": list(self.shape), "kept_step": self.step}


def make_measurement(
    signal: Signal, window: Window | Spread | None, bands: Bands | None = None
) -> GridMeasurement | SpreadMeasurement:
    """What rows are measured by.

    Args:
        signal: What is being learned.
        window: A block of the grid, or samples spread over it; all of it if None, or if it has no more samples.
        bands: Frequency bands; the default of `spectra.Bands.log` if None.
    """
    if isinstance(window, Spread):
        if signal.geometry.samples > window.samples:
            return SpreadMeasurement(signal, window, bands)
        window = None
    return GridMeasurement(signal, window or Window.whole(signal.geometry), bands)
