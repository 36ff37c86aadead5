"""The target and the network's reconstruction of it at five moments of training."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from overtone.errors import InputError
from overtone.records import Snapshots

TARGET_STEP = -1


def moments(steps: np.ndarray, most: int = 5) -> np.ndarray:
    """At most `most` of the steps, first and last among them, evenly spread on a logarithmic axis.

    Args:
        steps: (S,) ascending non-negative steps.
        most: How many to keep.

    Returns:
        (M,) ascending steps, M = min(S, most).
    """
    steps = np.unique(np.asarray(steps))
    if steps.size <= most:
        return steps
    place = np.log1p(steps.astype(np.float64))
    kept: list[int] = []
    for turn, wish in enumerate(np.linspace(place[0], place[-1], most)):
        free = np.arange(kept[-1] + 1 if kept else 0, steps.size - (most - 1 - turn))
        kept.append(int(free[np.argmin(np.abs(place[free] - wish))]))
    return steps[kept]


def geometry(record: xr.Dataset) -> dict[str, Any]:
    """The signal's lattice: `shape`, `spacing`, `origin` and `units` per axis.

    `kept_start` and `kept_shape` say which block of it the snapshots hold, if not all.
    """
    kept = record.attrs.get("geometry", {})
    found = json.loads(kept) if isinstance(kept, str) and kept else kept
    return dict(found) if isinstance(found, Mapping) else {}


def shape(record: xr.Dataset, snapshots: Snapshots) -> tuple[int, ...]:
    """Samples per axis of the lattice the snapshots lie on."""
    where = geometry(record)
    kept = tuple(int(n) for n in where.get("kept_shape", where.get("shape", ())))
    return kept or np.shape(snapshots.get("target", TARGET_STEP))[:-1]


def data(record: xr.Dataset, snapshots: Snapshots, most: int = 5) -> xr.Dataset:
    """Target and predictions as arrays on the signal's lattice.

    Returns:
        A dataset with `target` (axis_0, ..., channel) and `prediction` (moment, axis_0, ..., channel) in the value's
        physical unit, coordinate `moment` (the step), and one coordinate per axis in the geometry's units.

    Raises:
        InputError: If there is no target or no prediction among the snapshots.
    """
    names = list(snapshots.names)
    if "target" not in names or "prediction" not in names:
        raise InputError(
            "snapshots named 'target' and 'prediction'",
            f"{names or 'none'}",
            "open the run's .sqlite file or directory, which keeps them",
            "reconstruction",
        )
    chosen = moments(np.asarray(list(snapshots.steps("prediction"))), most)
    target = np.asarray(snapshots.get("target", TARGET_STEP), dtype=np.float64)
    where, lattice = geometry(record), shape(record, snapshots)
    if target.size % math.prod(lattice):
        raise InputError(
            f"snapshots on a lattice of shape {lattice}",
            f"shape {target.shape}",
            "check the record",
            "target",
        )
    full = (*lattice, target.size // math.prod(lattice))
    axes = [f"axis_{i}" for i in range(len(lattice))]
    stack = np.stack(
        [np.asarray(snapshots.get("prediction", int(s)), np.float64).reshape(full) for s in chosen]
    )
    spacing, origin = (
        where.get("spacing", [1.0 / n for n in lattice]),
        where.get("origin", [0.0] * len(lattice)),
    )
    start = where.get("kept_start", [0] * len(lattice))
    coords = {a: origin[i] + spacing[i] * (start[i] + np.arange(lattice[i])) for i, a in enumerate(axes)}
    units = [str(u) for u in where.get("units", ["array"] * len(lattice))]
    return xr.Dataset(
        {
            "target": ((*axes, "channel"), target.reshape(full)),
            "prediction": (("moment", *axes, "channel"), stack),
        },
        coords={"moment": chosen, **coords},
    ).assign_attrs(
        units=units, value_unit=str(record.attrs.get("value_unit", "")), peak=_peak(record, target)
    )


def _peak(record: xr.Dataset, target: np.ndarray) -> float:
    peak = float(record.attrs.get("peak") or 0)
    return peak if peak > 0 else float(np.ptp(target)) or 1.0


def psnr(target: np.ndarray, prediction: np.ndarray, peak: float) -> float:
    """Peak signal-to-noise ratio in dB over all samples: 10 log10(peak^2 / mean |prediction - target|^2)."""
    error = float(np.mean((prediction - target) ** 2))
    return 10 * math.log10(peak**2 / error) if error > 0 else math.inf
