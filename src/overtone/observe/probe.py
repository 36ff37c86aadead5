"""The Probe: watches a network during training and writes what it saw into a Record."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.observe.describe import describe_measurement, describe_network
from overtone.observe.evaluate import Forward, chunk_size, predict
from overtone.observe.schedule import LogSchedule, Schedule
from overtone.observe.untouched import untouched
from overtone.observe.window import Window
from overtone.records import Header, Writer, load
from overtone.signals import Signal
from overtone.spectra import Bands, GridTransform, NoiseFloor, NoiseVerdict, noise_floor
from overtone.spectra.grid import describe

if TYPE_CHECKING:
    import xarray

SNAPSHOT_SAMPLES = 1 << 20
"""Largest signal of which whole predictions are kept."""

LEARNED = 0.5
"""Relative error below which a band counts as learned."""

CONTENT = 1e-10
"""Share of the power outside the mean below which a band holds nothing to learn."""


class Probe:
    """Measures, at scheduled steps, how much of each frequency band of a signal a network has learned.

    One row holds, per band and channel, the residual power |F(target - prediction)|^2 and the cross power
    Re<F(prediction), F(target)> (see `spectra.grid`), the loss you pass, seconds since the probe was made, and the mean
    square errors on training, held-out and clean samples; everything in the signal's own units.

    The network is left exactly as it was: parameters, buffers, train/eval flags, gradient mode and random generators.

    Args:
        signal: What is being learned.
        network: Maps coordinates (N, d), in the signal's units, to values (N, C).
        path: Run directory (or `.sqlite` file) to write to; a temporary one if None. Appended row by row.
        schedule: When to record; `LogSchedule()` unless said.
        window: The part of the grid that is measured; all of it unless said.
        bands: Frequency bands; the default of `spectra.Bands.log` unless said.
        noise: The noise floor, if it is already known; estimated from the signal if None.
        forward: A function from coordinates to values to call instead of the network, for instance
            `lambda x: network(2 * x.float() - 1)`.
        snapshots: Steps at which the whole prediction is kept, for reports.
        memory: Memory budget for evaluating the network, in GiB.
        resume_after: Continue an existing record, dropping its rows after this step.
        elapsed: Seconds that a resumed run had already taken.
        attrs: Further attributes of the record.

    Raises:
        InputError: If the network's output does not fit the signal, or `path` already holds a record.
    """

    def __init__(
        self,
        signal: Signal,
        network: nn.Module,
        path: str | Path | None = None,
        *,
        schedule: Schedule | None = None,
        window: Window | None = None,
        bands: Bands | None = None,
        noise: NoiseFloor | None = None,
        forward: Forward | None = None,
        snapshots: Sequence[int] = (),
        memory: float = 1.0,
        resume_after: int | None = None,
        elapsed: float = 0.0,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        self.signal, self.network, self.schedule = signal, network, schedule or LogSchedule()
        self._forward, self._chunk = forward, chunk_size(network, memory)
        self._window = window or Window.whole(signal.geometry)
        self._whole = self._window.covers(signal.geometry)
        self._index = None if self._whole else self._window.index(signal.geometry)
        self._grid = self._window.restrict(signal.geometry)
        self._transform = GridTransform(self._grid.shape, self._grid.spacing, self._grid.periodic, bands)
        self._target = self._take(signal.values)
        self._coefficients = self._transform.coefficients(self._on_grid(self._target))
        self._target_power = self._transform.power(self._coefficients)
        self._parts = self._error_parts()
        self._snapshots = frozenset(snapshots)
        self._began = time.perf_counter() - elapsed
        self.path = _record_path(path)
        self.check()
        self.highest_learned = math.nan
        if resume_after is None:
            noise = noise or noise_floor(
                signal.grid_values,
                signal.geometry.spacing,
                periodic=signal.geometry.periodic,
                channel_axis=-1,
            )
            self._writer = Writer.create(self.path, self._header(noise, attrs or {}))
            self.snapshot("target", -1, signal.values)
        else:
            self._writer = Writer.resume(self.path, last_step=resume_after)

    def check(self) -> None:
        """Evaluate the network on a few samples and compare the shape of its output with the signal's.

        Raises:
            InputError: If it returns anything but one value per sample and channel.
        """
        few = torch.arange(min(2, self.signal.geometry.samples))
        with untouched(self.network):
            output = predict(self.network, self.signal.geometry, few, chunk=2, forward=self._forward)
        if output.shape[1] != self.signal.values.shape[1]:
            raise InputError(
                f"{self.signal.values.shape[1]} output channels, as the signal has",
                f"{output.shape[1]}",
                "give the network's last layer one feature per channel",
                "network",
            )

    def __call__(
        self,
        step: int,
        loss: float | Tensor | None = None,
        learning_rate: float | None = None,
        *,
        force: bool = False,
    ) -> bool:
        """Record a row if `step` is due.

        Args:
            step: Optimizer steps taken so far; 0 is the untrained network.
            loss: The training loss at this step, if there is one.
            learning_rate: The current learning rate, if known.
            force: Record even if the schedule does not ask for it (the last step of a run).

        Returns:
            Whether a row was recorded.
        """
        if not (force or self.schedule.due(step)):
            return False
        prediction = self.predict(self._index)
        row = self.measure(prediction)
        row["loss"] = float("nan") if loss is None else float(loss)
        row["learning_rate"] = float("nan") if learning_rate is None else float(learning_rate)
        row["time"] = self.elapsed
        self.highest_learned = self._reach(row["residual_power"])
        self._writer.append(step, row)
        if step in self._snapshots:
            self.snapshot("prediction", step, prediction if self._whole else self.predict(None))
        return True

    def predict(self, index: Tensor | None = None) -> Tensor:
        """The network's present predictions, (M, C), at flat sample indices, or at every sample."""
        with untouched(self.network):
            return predict(
                self.network, self.signal.geometry, index, chunk=self._chunk, forward=self._forward
            )

    def measure(self, prediction: Tensor) -> dict[str, Any]:
        """The measured part of a row, from predictions at the window's samples.

        Args:
            prediction: (M, C) values in the signal's units.

        Returns:
            `residual_power` and `cross_power` (band, channel) and the mean square errors, as NumPy arrays and floats.
        """
        residual = self._target - prediction.to(self._target.dtype)
        coefficients = self._transform.coefficients(self._on_grid(residual))
        cross = self._target_power - self._transform.cross(coefficients, self._coefficients)
        row: dict[str, Any] = {
            "residual_power": self._transform.power(coefficients).numpy(),
            "cross_power": cross.numpy(),
        }
        square = residual.square().mean(dim=1, dtype=torch.float64)
        for name, part in self._parts.items():
            row[name] = float(square[part].mean())
        if self.signal.clean is not None:
            clean = self._take(self.signal.clean) - prediction.to(self._target.dtype)
            row["clean_error"] = float(clean.square().mean(dtype=torch.float64))
        return row

    def final_errors(self, prediction: Tensor) -> dict[str, float]:
        """Mean square errors of predictions at every sample: on training, held-out, and clean held-out samples."""
        values, out = self.signal.values, {}
        square = (values - prediction.to(values.dtype)).square().mean(dim=1, dtype=torch.float64)
        parts = {"train": self.signal.train_index, "held_out": self.signal.held_out_index}
        for name, part in parts.items():
            if part is not None and part.numel():
                out[name] = float(square[part].mean())
        if self.signal.clean is not None:
            square = (
                (self.signal.clean - prediction.to(values.dtype)).square().mean(dim=1, dtype=torch.float64)
            )
            part = parts["held_out"]
            out["held_out_clean"] = float((square if part is None else square[part]).mean())
        return out

    def snapshot(self, name: str, step: int, values: Tensor) -> None:
        """Keep a whole prediction (N, C) in the record; signals beyond a million samples are not kept."""
        if values.shape[0] <= SNAPSHOT_SAMPLES:
            grid = values.reshape(*self.signal.geometry.shape, -1)
            self._writer.snapshot(name, step, grid.float().numpy())

    def annotate(self, **attrs: Any) -> None:
        """Add attributes that are known only later."""
        self._writer.annotate(**attrs)

    @property
    def bands(self) -> Bands:
        """The frequency bands of the record; the first one holds the mean."""
        return self._transform.bands

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, over all its sessions."""
        return time.perf_counter() - self._began

    @property
    def record(self) -> xarray.Dataset:
        """What has been recorded so far."""
        return load(self.path)

    def close(self) -> None:
        """Close the record's file. It stays readable."""
        self._writer.close()

    def __enter__(self) -> Probe:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, values: Tensor) -> Tensor:
        return values if self._index is None else values[self._index]

    def _on_grid(self, values: Tensor) -> Tensor:
        return values.reshape(*self._grid.shape, -1)

    def _error_parts(self) -> dict[str, Tensor]:
        parts = {}
        for name, index in (
            ("train_error", self.signal.train_index),
            ("held_out_error", self.signal.held_out_index),
        ):
            if index is None or not index.numel():
                continue
            mask = torch.zeros(self.signal.geometry.samples, dtype=torch.bool)
            mask[index] = True
            inside = self._take(mask).nonzero().squeeze(-1)
            if inside.numel():
                parts[name] = inside
        return parts

    def _reach(self, residual_power: np.ndarray) -> float:
        """Upper edge of the bands learned without a gap, as `records.derived.highest_learned` defines it."""
        target, residual = self._target_power.numpy().sum(1), residual_power.sum(1)
        held = target > CONTENT * target[1:].sum()
        unlearned = held & (residual >= LEARNED**2 * target)
        first = int(np.argmax(unlearned)) if unlearned.any() else len(held)
        learned = np.flatnonzero(held[:first])
        return float(self._transform.bands.high[learned[-1]]) if learned.size else math.nan

    def _header(self, noise: NoiseFloor, attrs: Mapping[str, Any]) -> Header:
        bands = self._transform.bands
        return Header(
            band_low=bands.low,
            band_high=bands.high,
            channels=self.signal.channels,
            static={
                "target_power": self._target_power.cpu().numpy(),
                "noise_power": self._noise_power(noise),
            },
            attrs=describe_measurement(
                self.signal, self._grid, self._whole, noise, describe(self._transform.lattice)
            )
            | describe_network(self.network)
            | dict(attrs),
        )

    def _noise_power(self, noise: NoiseFloor) -> np.ndarray:
        """The noise per band and channel: exact where the clean signal is known, NaN where nobody can tell."""
        if self.signal.clean is not None:
            apart = self._take(self.signal.values - self.signal.clean)
            return self._transform.power(self._transform.coefficients(self._on_grid(apart))).numpy()
        share = (self._transform.modes.double() / self._transform.modes.sum()).numpy()[:, None]
        variance = np.square(np.asarray(noise.std, dtype=np.float64))
        if noise.verdict is not NoiseVerdict.NOISE:
            variance = np.full_like(variance, 0.0 if noise.verdict is NoiseVerdict.CLEAN else math.nan)
        return np.asarray(share * variance)


def _record_path(path: str | Path | None) -> Path:
    if path is None:
        return Path(tempfile.mkdtemp(prefix="overtone-")) / "record.sqlite"
    path = Path(path)
    return path if path.suffix == ".sqlite" else path / "record.sqlite"
