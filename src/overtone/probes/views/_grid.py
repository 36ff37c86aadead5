"""View of a signal on a grid: its spectrum band by band, exact or estimated from samples spread over it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from overtone._utils.seeding import numpy_generator
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
"""Snapshot size: signals up to the first limit are stored whole, larger ones with about the second number."""

FINAL_SAMPLES = 1 << 21
"""Largest number of samples from which final errors are computed."""


@final
class GridView(OutputView):
    """View of a signal on a grid, for networks that map coordinates to values.

    Args:
        signal: The signal to learn.
        window: The part of the grid that is measured: a `Window`, one block, or a `Spread` over the whole grid; the
            whole grid by default.
        bands: Frequency bands; those of `spectra.Bands.log` by default.
        noise: The noise floor, if known; estimated from the signal if None.
        snapshots: Steps at which a probe stores the whole prediction, for reports.
        name: Name of the record.

    Example:
        >>> import torch
        >>> from overtone import signals
        >>> from overtone.probes import Spread
        >>> signal = signals.array(torch.rand(64, 64), spacing=1.0)
        >>> GridView(signal).inputs.count, GridView(signal, Spread(1024)).inputs.count <= 1024 + 256
        (4096, True)
    """

    def __init__(
        self,
        signal: Signal,
        window: Window | Spread | None = None,
        bands: Bands | None = None,
        noise: NoiseFloor | None = None,
        *,
        snapshots: Iterable[int] = (),
        name: str = "grid",
    ) -> None:
        advice = "measure it with probes.views.points(signal.coords, signal.values)"
        grid = require_grid(signal, "a view of the grid", advice).geometry
        self.name, self.signal, self._noise = name, signal, noise
        self.measurement = make_measurement(signal, window, bands)
        self.inputs = CoordinateInputs(grid, self.measurement.index)
        self.snapshot_steps = frozenset(snapshots)
        self._stored = SnapshotSamples.of(signal)

    def header(self, attrs: Mapping[str, Any]) -> Header:
        """Return target and noise power, and a description of the signal and the measurement."""
        measured, grid = self.measurement, self.signal.geometry
        # Estimated here, not at construction: a resumed record has its header already.
        noise = self._noise or noise_floor(
            self.signal.grid_values, grid.spacing, periodic=grid.periodic, channel_axis=-1
        )
        described = describe_measurement(self.signal, measured.geometry, noise, measured.estimator)
        described["geometry"] |= self._stored.geometry
        return Header(
            band_low=measured.bands.low,
            band_high=measured.bands.high,
            channels=self.signal.channels,
            static={
                "target_power": measured.target_power.numpy(),
                "noise_power": measured.noise_power(noise),
            },
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
                f"{channels} output channels, like the signal",
                f"{outputs.shape[1]}",
                "give the network's last layer one feature per channel",
                "network",
            )

    def compare(self, outputs: Tensor) -> Row:
        """Return powers and errors of predictions (M, C) at the inputs."""
        self.check(outputs)
        return self.measurement.row(outputs)

    def target_snapshot(self) -> np.ndarray:
        """Return the signal at the snapshot's samples."""
        values, index = self.signal.values, self._stored.index
        return self._as_array(values if index is None else values[index])

    def snapshot(self, predict: Predict) -> np.ndarray:
        """Return the network's prediction at the same samples."""
        return self._as_array(predict(CoordinateInputs(self.signal.geometry, self._stored.index)))

    def final_errors(self, predict: Predict) -> dict[str, float]:
        """Return mean square errors of the network: "train", "held_out" and "held_out_clean", where defined.

        All samples of the signal count, not only the measured part of the grid; of signals beyond 2 million samples,
        as many are drawn at random.
        """
        samples = self.signal.geometry.samples
        index = torch.arange(samples, device="cpu")
        # Two million samples determine a mean to 0.1 %; more would cost as much as training.
        if samples > FINAL_SAMPLES:
            chosen = numpy_generator(0, "probe", "final").choice(
                samples, FINAL_SAMPLES, replace=False, shuffle=False
            )
            index = torch.from_numpy(chosen)
        return self._errors(index, predict(CoordinateInputs(self.signal.geometry, index)))

    def snapshot_and_errors(self, predict: Predict) -> tuple[np.ndarray, dict[str, float]]:
        """Return `snapshot` and `final_errors`, of one evaluation where snapshots have all samples."""
        if self._stored.index is not None:
            return self.snapshot(predict), self.final_errors(predict)
        prediction = predict(CoordinateInputs(self.signal.geometry, None))
        index = torch.arange(self.signal.geometry.samples, device="cpu")
        return self._as_array(prediction), self._errors(index, prediction)

    def _errors(self, index: Tensor, prediction: Tensor) -> dict[str, float]:
        signal = self.signal
        square = squared_errors(signal.values[index], prediction)
        out = {"train": float(square[trained_mask(signal)[index]].mean())}
        held_out = None if signal.held_out is None else signal.held_out[index]
        if held_out is not None:
            out["held_out"] = float(square[held_out].mean())
        if signal.clean is not None:
            clean = squared_errors(signal.clean[index], prediction)
            out["held_out_clean"] = float((clean if held_out is None else clean[held_out]).mean())
        return out

    def _as_array(self, values: Tensor) -> np.ndarray:
        return values.reshape(*self._stored.shape, -1).float().numpy()


@final
@dataclass(frozen=True)
class SnapshotSamples:
    """Samples of a signal in its snapshots: all samples up to a million.

    Larger pictures and volumes are stored with a stride along each axis; longer signals with one axis, which are
    played and plotted at full resolution, as one block of large variation.

    Attributes:
        start: The first stored sample, per axis.
        shape: Number of stored samples, per axis.
        step: Stride along each axis.
        index: (M,) flat indices of the stored samples, or None for all.
    """

    start: tuple[int, ...]
    shape: tuple[int, ...]
    step: int
    index: Tensor | None

    @staticmethod
    def of(signal: Signal) -> SnapshotSamples:
        """Choose the samples of a signal."""
        grid = signal.geometry
        axes = sum(n > 1 for n in grid.shape)
        if grid.samples <= WHOLE_SNAPSHOT:
            return SnapshotSamples((0,) * len(grid.shape), grid.shape, 1, None)
        if axes == 1:
            block = Window.of_variation(signal.values, grid, PART_SNAPSHOT)
            return SnapshotSamples(block.start, block.shape, 1, block.index(grid))
        # The stride that leaves about PART_SNAPSHOT samples, the same along each axis that is longer than 1.
        step = math.ceil((grid.samples / PART_SNAPSHOT) ** (1 / axes))
        index = torch.zeros((), dtype=torch.int64, device="cpu")
        for n in grid.shape:
            index = index[..., None] * n + torch.arange(0, n, step, device="cpu")
        return SnapshotSamples((0,) * len(grid.shape), tuple(index.shape), step, index.reshape(-1))

    @property
    def geometry(self) -> dict[str, Any]:
        """Return the attributes of the record's geometry."""
        return {"kept_start": list(self.start), "kept_shape": list(self.shape), "kept_step": self.step}


def make_measurement(
    signal: Signal, window: Window | Spread | None, bands: Bands | None = None
) -> GridMeasurement | SpreadMeasurement:
    """Make the measurement of a signal's rows.

    Args:
        signal: The signal to learn.
        window: A block of the grid, or samples spread over it; the whole grid if None, or if it has no more samples.
        bands: Frequency bands; the default of `spectra.Bands.log` if None.
    """
    if isinstance(window, Spread):
        if signal.geometry.samples > window.samples:
            return SpreadMeasurement(signal, window, bands)
        window = None
    return GridMeasurement(signal, window or Window.whole(signal.geometry), bands)
