"""The target and the network's reconstruction of it at five moments of training."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from overtone.errors import InputError
from overtone.plots import _labels as text
from overtone.records import Snapshots, metrics
from overtone.records._attributes import peak as peak_of

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

    `kept_start`, `kept_shape` and `kept_step` say which of its samples the snapshots hold, if not all.
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
    """Target and predictions as arrays on the signal's lattice, up to the network that was handed back.

    Returns:
        A dataset with `target` (axis_0, ..., channel) and `prediction` (moment, axis_0, ..., channel) in the value's
        physical unit, coordinate `moment` (the step), and one coordinate per axis in the geometry's units; attribute
        `samples`, in words, what quality is taken over.

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
    there = np.asarray(list(snapshots.steps("prediction")))
    until = there[there <= metrics.network_step(record)] if record.sizes.get("step") else there
    chosen = moments(until if until.size else there, most)
    target = _real(snapshots.get("target", TARGET_STEP))
    where, lattice = geometry(record), shape(record, snapshots)
    if not lattice or not math.prod(lattice) or target.size % math.prod(lattice):
        raise _apart(f"snapshots on a lattice of shape {lattice}", f"shape {target.shape}")
    full = (*lattice, target.size // math.prod(lattice))
    axes = [f"axis_{i}" for i in range(len(lattice))]
    predicted = [_real(snapshots.get("prediction", int(s))) for s in chosen]
    for one in predicted:
        if one.size != target.size:
            raise _apart(f"predictions of the target's {target.size:,} numbers", f"{one.size:,}")
    stack = np.stack([one.reshape(full) for one in predicted])
    usual: dict[str, list[Any]] = {"spacing": [1.0 / n for n in lattice], "origin": [0.0] * len(lattice)}
    usual |= {"kept_start": [0] * len(lattice), "units": ["array"] * len(lattice)}
    spacing, origin, start, units = (where.get(name, value) for name, value in usual.items())
    if any(len(values) != len(lattice) for values in (spacing, origin, start, units)):
        raise _apart(f"a lattice of {len(lattice)} axes", "spacing, origin or units of others")
    thinned = int(where.get("kept_step", 1))
    coords = {
        a: origin[i] + spacing[i] * (start[i] + thinned * np.arange(lattice[i])) for i, a in enumerate(axes)
    }
    units = [str(u) for u in units]
    return xr.Dataset(
        {
            "target": ((*axes, "channel"), target.reshape(full)),
            "prediction": (("moment", *axes, "channel"), stack),
        },
        coords={"moment": chosen, **coords},
    ).assign_attrs(
        units=units,
        value_unit=str(record.attrs.get("value_unit", "")),
        peak=_peak(record, target),
        samples=over(record, lattice),
    )


def over(record: xr.Dataset, kept: tuple[int, ...]) -> str:
    """Which of the signal's samples the snapshots hold, in words that follow "over".

    Args:
        record: A record.
        kept: Samples per axis of the snapshots.
    """
    where = geometry(record)
    whole = tuple(where.get("shape", kept))
    if math.prod(kept) == math.prod(whole):
        return "all samples"
    step, start = int(where.get("kept_step", 1)), where.get("kept_start", [0] * len(kept))
    if step > 1:
        return f"one of every {step} samples along each axis"
    if not len(start) == len(kept) == len(whole):
        return "the samples shown"
    inside = " and ".join(
        f"{text.count(a)} to {text.count(a + n - 1)} of {text.count(m)}"
        for a, n, m in zip(start, kept, whole, strict=True)
        if m > 1
    )
    return f"one block of the samples, numbers {inside}"


def _real(snapshot: np.ndarray) -> np.ndarray:
    if np.iscomplexobj(snapshot):
        raise _apart("snapshots of real numbers", f"dtype {snapshot.dtype}")
    return np.asarray(snapshot, dtype=np.float64)


def _apart(expected: str, got: str) -> InputError:
    return InputError(expected, got, "make the report from a record that overtone wrote", "reconstruction")


def _peak(record: xr.Dataset, target: np.ndarray) -> float:
    return peak_of(record.attrs) or float(np.ptp(target)) or 1.0


def psnr(target: np.ndarray, prediction: np.ndarray, peak: float) -> float:
    """Peak signal-to-noise ratio in dB over all samples given: 10 log10(peak^2 / mean |prediction - target|^2)."""
    error = float(np.mean((prediction - target) ** 2))
    return 10 * math.log10(peak**2 / error) if error > 0 else math.inf
