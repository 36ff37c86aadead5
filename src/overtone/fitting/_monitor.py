"""Schedule and samples of the measurements of a run, at a small fraction of the cost of training."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import torch

from overtone._config import MonitorConfig
from overtone._state import evaluation_mode
from overtone._utils.seeding import draw_subset
from overtone.errors import InputError
from overtone.nn import Field
from overtone.probes import LogSchedule, Probe, Spread, View, Window, views
from overtone.probes._evaluator import chunk_size, predict_at
from overtone.probes.views._grid import WHOLE_SNAPSHOT
from overtone.signals import Geometry, Grid, Points, Signal
from overtone.spectra import NoiseFloor

COST_SHARE = 0.05
"""Share of the training's arithmetic that measuring may cost."""

FORWARD_COST = 1 / 3
"""Cost of evaluating a sample over that of training on it: one pass of three."""

MIN_SAMPLES = 4096
"""Samples of a grid that rows are measured on at least."""

SNAPSHOT_SHARES = (0.03, 0.15, 0.0, 0.005, 0.5)
"""Shares of the run at which whole predictions are recorded, besides the end; the first ones where few can be paid."""

SNAPSHOT_COST, CHEAP_SNAPSHOT = 0.1, 1 << 16
"""Share of the training's arithmetic that they may cost together, of grids of more samples than this."""

MAX_POINTS, MAX_TABLE_ROWS = 4096, 512
"""Scattered samples that are measured; rows of a table, whose neighbours have to be found."""


@functools.singledispatch
def plan_monitor(_: Geometry, _steps: int, _batch: int) -> MonitorConfig:
    """Decide what to measure so that it costs about a twentieth of the training.

    Scattered samples have neither a window nor snapshots. With R rows on W samples, R * W / 3 <= 0.05 * steps * batch;
    at least 4,096 samples, spread over all of a grid that has more. Whole predictions of a grid of more than 65,536
    samples cost another tenth at most. The result depends on nothing but the arguments, so that a resumed run is
    recorded as it began.

    Args:
        _: Geometry of the signal.
        _steps: Steps that the run will take.
        _batch: Samples per step.
    """
    return MonitorConfig()


@plan_monitor.register(Grid)
def _(grid: Grid, steps: int, batch: int) -> MonitorConfig:
    schedule = LogSchedule()
    samples = int(COST_SHARE * steps * batch / (FORWARD_COST * schedule.count(steps)))
    count = len(SNAPSHOT_SHARES)
    if grid.samples > CHEAP_SNAPSHOT:
        size = min(grid.samples, WHOLE_SNAPSHOT)
        count = min(count, int(SNAPSHOT_COST * steps * batch / (FORWARD_COST * size)))
    # A snapshot can only be taken with a row, so each share moves on to the next step that has one.
    shares = SNAPSHOT_SHARES[:count]
    due = {schedule.next_due(max(1, round(share * steps))) if share else 0 for share in shares}
    return MonitorConfig(max(MIN_SAMPLES, samples), snapshots=tuple(sorted(due)))


def window_of(monitor: MonitorConfig) -> Window | Spread | None:
    """Return the part of a grid that rows are measured on; None for scattered points."""
    if monitor.samples is not None:
        return Spread(monitor.samples, monitor.seed)
    if monitor.start is None or monitor.shape is None:
        return None
    return Window(monitor.start, monitor.shape)


def check_monitor(geometry: Geometry, monitor: MonitorConfig, run_path: str) -> None:
    """Check that recorded settings are settings for a geometry.

    Args:
        geometry: Geometry of the signal.
        monitor: The settings.
        run_path: The run directory, for the error.

    Raises:
        InputError: If they are those of another signal.
    """
    if not _fits(geometry, window_of(monitor)):
        raise InputError(
            "settings of a run whose measured samples lie within the signal",
            "samples outside it",
            "begin again with --overwrite",
            run_path,
        )


@functools.singledispatch
def _fits(_: Geometry, window: Window | Spread | None) -> bool:
    return window is None


@_fits.register(Grid)
def _(geometry: Grid, window: Window | Spread | None) -> bool:
    # No window is the whole grid, and samples are spread over any grid; a block has to lie within it.
    if not isinstance(window, Window):
        return True
    if not len(window.start) == len(window.shape) == geometry.axes:
        return False
    axes = zip(window.start, window.shape, geometry.shape, strict=True)
    return all(start >= 0 and length >= 1 and start + length <= n for start, length, n in axes)


@functools.singledispatch
def make_view(
    geometry: Geometry, signal: Signal[Any], _monitor: MonitorConfig, _noise: NoiseFloor | None
) -> View:
    """Return the view by which a run is measured.

    Of scattered samples it shows spectra at points in up to three coordinates of one unit, else on the graph of
    neighbours. On the graph each coordinate counts in its extent, since coordinates of different units have no common
    distance.

    Args:
        geometry: Geometry of the signal.
        signal: The signal to learn.
        _monitor: What is measured and recorded, of a signal on a grid.
        _noise: Noise floor of a signal on a grid.
    """
    units = geometry.units
    if len(units) <= 3 and len(set(units)) == 1:
        index = _sample_index(signal, MAX_POINTS)
        unit = geometry.frequency_unit.removeprefix("cycles per ")
        # Points on one line, or too few of them, have no spectrum of their own; the graph still has one.
        with contextlib.suppress(InputError):
            return views.points(
                signal.coords[index],
                signal.values[index],
                channels=signal.channels,
                unit="s" if unit == "Hz" else unit,
                held_out=_held_out(signal, index),
            )
    index = _sample_index(signal, MAX_TABLE_ROWS)
    origin, extent = (
        torch.tensor(values, dtype=torch.float64, device="cpu")
        for values in (geometry.origin, geometry.extent)
    )
    return views.graph(
        signal.coords[index],
        signal.values[index],
        channels=signal.channels,
        features=(signal.coords[index] - origin) / extent,
        unit="extent",
        held_out=_held_out(signal, index),
    )


@make_view.register(Grid)
def _(_: Grid, signal: Signal[Grid], monitor: MonitorConfig, noise: NoiseFloor | None) -> View:
    return views.GridView(signal, window_of(monitor), noise=noise, snapshots=monitor.snapshots)


@functools.singledispatch
def record_snapshot(_: Geometry, _probe: Probe, _step: int) -> None:
    """Record the whole prediction of a run on a grid; nothing at scattered points."""


@record_snapshot.register(Grid)
def _(_: Grid, probe: Probe, step: int) -> None:
    probe.snapshot(step)


def mean_band_edge(probe: Probe) -> float:
    """Return the upper edge of the band that holds the mean, in cycles per unit."""
    return float(probe.views[0].header({}).band_high[0])


def frequency_unit(probe: Probe) -> str:
    """Return the unit of the recorded frequencies."""
    return str(probe.views[0].header({}).attrs["frequency_unit"])


@functools.singledispatch
def final_errors(
    geometry: Geometry, _probe: Probe, signal: Signal[Geometry], field: Field
) -> dict[str, float]:
    """Return mean square errors over all samples: `train`, and `held_out` where there are any."""
    with evaluation_mode(field):
        prediction = predict_at(field, geometry, None, chunk=chunk_size(field, 1.0))
    error = (prediction.double() - signal.values.cpu().double()).square().mean(1)
    parts = {"train": signal.train_index, "held_out": signal.held_out_index}
    return {name: float(error[index.cpu()].mean()) for name, index in parts.items() if len(index)}


@final_errors.register(Grid)
def _(_: Grid, probe: Probe, _signal: Signal[Grid], _field: Field) -> dict[str, float]:
    return probe.final_errors()


@functools.singledispatch
def snapshot_and_errors(
    geometry: Geometry, probe: Probe, signal: Signal[Geometry], field: Field, _step: int
) -> dict[str, float]:
    """Record the whole prediction of a run on a grid, and return mean square errors over all samples."""
    return final_errors(geometry, probe, signal, field)


@snapshot_and_errors.register(Grid)
def _(_: Grid, probe: Probe, _signal: Signal[Grid], _field: Field, step: int) -> dict[str, float]:
    return probe.snapshot_and_errors(step)


def _sample_index(signal: Signal[Points], largest: int) -> torch.Tensor:
    used = torch.cat([signal.train_index, signal.held_out_index])
    # A seed of its own, not the run's: runs with other seeds are measured on the same samples.
    return used[torch.from_numpy(draw_subset(len(used), largest, 0, "watch"))].sort().values


def _held_out(signal: Signal[Points], index: torch.Tensor) -> torch.Tensor | None:
    return None if signal.held_out is None else signal.held_out[index]
