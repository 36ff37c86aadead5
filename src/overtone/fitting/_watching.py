"""The probe that suits a signal, and the errors that a run ends with."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from overtone._state import evaluation_mode
from overtone._utils.seeding import generator
from overtone.errors import InputError
from overtone.fitting._monitor import WatchPlan
from overtone.nn import Field
from overtone.planning import measure_noise
from overtone.probes import Probe, Values, View, views
from overtone.probes._evaluator import chunk_size, predict_at
from overtone.probes._run_writer import ResumedRecord
from overtone.signals import Geometry, Grid, Points, Signal
from overtone.spectra import NoiseFloor

PLACES, ROWS = 4096, 512
"""Scattered samples that are watched, and rows of a table, whose neighbours have to be found."""


@functools.singledispatch
def noise_estimator(_: Geometry, _signal: Signal[Geometry]) -> Callable[[], NoiseFloor] | None:
    """Return the estimator of a signal's noise floor, which runs once; None at scattered points."""
    return None


@noise_estimator.register(Grid)
def _(_: Grid, signal: Signal[Grid]) -> Callable[[], NoiseFloor]:
    return functools.cache(lambda: measure_noise(signal))


@functools.singledispatch
def snapshot(_: Geometry, _probe: Probe, _step: int) -> None:
    """Record the whole prediction of a run, which is done on grids alone."""


@snapshot.register(Grid)
def _(_: Grid, probe: Probe, step: int) -> None:
    probe.snapshot(step)


@functools.singledispatch
def watch(
    _: Geometry,
    signal: Signal[Any],
    field: Field,
    path: Path | ResumedRecord,
    _plan: WatchPlan,
    _noise: NoiseFloor | None,
    **options: Any,
) -> Probe:
    """Make the strict probe of a run.

    Args:
        _: Geometry of the signal.
        signal: What is learned.
        field: The network.
        path: The run directory.
        _plan: The window and snapshots, of a signal on a grid.
        _noise: Its noise floor.
        **options: Passed on to `Probe`.
    """
    return Probe(_view(signal), field, path, strict=True, **options)


@watch.register(Grid)
def _(
    _: Grid,
    signal: Signal[Grid],
    field: Field,
    path: Path | ResumedRecord,
    plan: WatchPlan,
    noise: NoiseFloor | None,
    **options: Any,
) -> Probe:
    view = views.GridView(signal, plan.window, noise=noise, snapshots=plan.snapshots)
    return Probe(view, field, path, strict=True, **options)


def first_band(probe: Probe) -> float:
    """Upper edge of the band that holds the mean, in cycles per unit."""
    return float(probe.views[0].header({}).band_high[0])


def unit_of(probe: Probe) -> str:
    """Unit of the recorded frequencies."""
    return str(probe.views[0].header({}).attrs["frequency_unit"])


@functools.singledispatch
def last_errors(
    geometry: Geometry, _probe: Probe, signal: Signal[Geometry], field: Field
) -> dict[str, float]:
    """Mean square errors over all samples: `train`, and `held_out` where there are any."""
    with evaluation_mode(field):
        found = predict_at(field, geometry, None, chunk=chunk_size(field, 1.0))
    wrong = (found.double() - signal.values.cpu().double()).square().mean(1)
    parts = {"train": signal.train_index, "held_out": signal.held_out_index}
    return {name: float(wrong[index.cpu()].mean()) for name, index in parts.items() if len(index)}


@last_errors.register(Grid)
def _(_: Grid, probe: Probe, _signal: Signal[Grid], _field: Field) -> dict[str, float]:
    return probe.final_errors()


def _view(signal: Signal[Points]) -> View:
    """Frequencies of the places in up to three coordinates of one unit, else those of the graph of neighbours.

    On the graph each coordinate counts in its extent, since coordinates of different units have no distance in common.
    """
    units = signal.geometry.units
    if len(units) <= 3 and len(set(units)) == 1:
        index = _drawn(signal, PLACES)
        unit = signal.geometry.frequency_unit.removeprefix("cycles per ")
        with contextlib.suppress(InputError):
            return views.points(
                signal.coords[index],
                Values(signal.values[index], signal.channels),
                unit="s" if unit == "Hz" else unit,
                held_out=_held_out(signal, index),
            )
    index = _drawn(signal, ROWS)
    places = signal.geometry
    scale = torch.tensor(places.extent, dtype=torch.float64, device="cpu")
    return views.graph(
        signal.coords[index],
        Values(signal.values[index], signal.channels),
        features=(signal.coords[index] - torch.tensor(places.origin, dtype=torch.float64, device="cpu"))
        / scale,
        unit="extent",
        held_out=_held_out(signal, index),
    )


def _drawn(signal: Signal[Points], most: int) -> torch.Tensor:
    used = torch.cat([signal.train_index, signal.held_out_index])
    if len(used) <= most:
        return used.sort().values
    chosen = generator(0, "watch").choice(len(used), most, replace=False)
    return used[torch.from_numpy(chosen)].sort().values


def _held_out(signal: Signal[Points], index: torch.Tensor) -> torch.Tensor | None:
    return None if signal.held_out is None else signal.held_out[index]
