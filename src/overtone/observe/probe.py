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
from overtone.observe.measurement import Measurement, mean_square, trained
from overtone.observe.schedule import LogSchedule, Schedule
from overtone.observe.untouched import untouched
from overtone.observe.window import Window
from overtone.records import Header, Writer, load
from overtone.rng import generator
from overtone.signals import Signal
from overtone.spectra import Bands, NoiseFloor, noise_floor

if TYPE_CHECKING:
    import xarray

WHOLE_SNAPSHOT, PART_SNAPSHOT = 1 << 20, 1 << 18
"""Signals up to the first size are kept whole in snapshots; of larger ones a central block of the second size is."""

FINAL_SAMPLES = 1 << 21
"""Largest number of samples from which final errors are computed."""


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
        self._snapshots = frozenset(snapshots)
        self._began = time.perf_counter() - elapsed
        self.path = _record_path(path)
        self.highest_learned = math.nan
        self.check()
        grid = signal.geometry
        self._measurement = Measurement(signal, window or Window.whole(grid), bands)
        whole = grid.samples <= WHOLE_SNAPSHOT
        self._shown = Window.whole(grid) if whole else Window.central(grid, PART_SNAPSHOT)
        self._shown_index = None if whole else self._shown.index(grid)
        if resume_after is None:
            noise = noise or noise_floor(
                signal.grid_values, grid.spacing, periodic=grid.periodic, channel_axis=-1
            )
            self._writer = Writer.create(self.path, self._header(noise, attrs or {}))
            target = signal.values if self._shown_index is None else signal.values[self._shown_index]
            self._writer.snapshot("target", -1, self._pictured(target))
        else:
            self._writer = Writer.resume(self.path, last_step=resume_after)

    def check(self) -> None:
        """Evaluate the network on a few samples and compare the shape of its output with the signal's.

        Raises:
            InputError: If it returns anything but one value per sample and channel.
        """
        output = self.predict(torch.arange(min(2, self.signal.geometry.samples)))
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
        row = self._measurement.row(self.predict(self._measurement.index))
        row["loss"] = math.nan if loss is None else float(loss.detach() if isinstance(loss, Tensor) else loss)
        row["learning_rate"] = math.nan if learning_rate is None else float(learning_rate)
        row["time"] = self.elapsed
        self.highest_learned = self._measurement.reach(row["residual_power"])
        self._writer.append(step, row)
        if step in self._snapshots:
            self.snapshot(step)
        return True

    def predict(self, index: Tensor | None = None) -> Tensor:
        """The network's present predictions, (M, C), at flat sample indices, or at every sample."""
        grid = self.signal.geometry
        with untouched(self.network):
            return predict(self.network, grid, index, chunk=self._chunk, forward=self._forward)

    def final_errors(self) -> dict[str, float]:
        """Mean square errors of the network as it is: "train", "held_out" and "held_out_clean", those that exist.

        Over all samples of the signal, not of the window alone; of signals beyond 2 million samples, over as many
        drawn at random.
        """
        signal, samples = self.signal, self.signal.geometry.samples
        index = torch.arange(samples)
        if samples > FINAL_SAMPLES:
            drawn = generator(0, "probe", "final").choice(
                samples, FINAL_SAMPLES, replace=False, shuffle=False
            )
            index = torch.from_numpy(drawn)
        prediction = self.predict(index)
        square = mean_square(signal.values[index], prediction)
        out = {"train": float(square[trained(signal)[index]].mean())}
        held = None if signal.held_out is None else signal.held_out[index]
        if held is not None:
            out["held_out"] = float(square[held].mean())
        if signal.clean is not None:
            clean = mean_square(signal.clean[index], prediction)
            out["held_out_clean"] = float((clean if held is None else clean[held]).mean())
        return out

    def snapshot(self, step: int) -> None:
        """Keep the network's prediction; of signals beyond a million samples, that of a central block."""
        self._writer.snapshot("prediction", step, self._pictured(self.predict(self._shown_index)))

    def annotate(self, **attrs: Any) -> None:
        """Add attributes that are known only later."""
        self._writer.annotate(**attrs)

    @property
    def bands(self) -> Bands:
        """The frequency bands of the record; the first one holds the mean."""
        return self._measurement.bands

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

    def _pictured(self, values: Tensor) -> np.ndarray:
        return values.reshape(*self._shown.shape, -1).float().numpy()

    def _header(self, noise: NoiseFloor, attrs: Mapping[str, Any]) -> Header:
        seen = self._measurement
        described = describe_measurement(self.signal, seen.grid, seen.index is None, noise, seen.estimator)
        described["geometry"] |= {
            "kept_start": list(self._shown.start),
            "kept_shape": list(self._shown.shape),
        }
        return Header(
            band_low=seen.bands.low,
            band_high=seen.bands.high,
            channels=self.signal.channels,
            static={"target_power": seen.target_power.numpy(), "noise_power": seen.noise_power(noise)},
            attrs=described | describe_network(self.network) | dict(attrs),
        )


def _record_path(path: str | Path | None) -> Path:
    if path is None:
        return Path(tempfile.mkdtemp(prefix="overtone-")) / "record.sqlite"
    path = Path(path)
    return path if path.suffix == ".sqlite" else path / "record.sqlite"
