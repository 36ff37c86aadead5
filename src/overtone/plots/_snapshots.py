"""Snapshots of the target and of its reconstruction at several steps of training."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import xarray as xr

from overtone._utils.statistics import psnr_from_error
from overtone.errors import InputError
from overtone.records import Snapshots, metrics
from overtone.records._attributes import peak as peak_of

TARGET_STEP = -1


class Selection(Enum):
    """Selection of the samples of snapshots among those of a signal."""

    ALL = "all"
    EVERY_NTH = "every nth"
    BLOCK = "block"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SampleSelection:
    """The samples of a signal that its snapshots hold.

    Attributes:
        selection: How they were chosen.
        step: One of every `step` samples along each axis.
        start: Index of the first one per axis.
        shape: Samples per axis of the snapshots.
        whole: Samples per axis of the signal.
    """

    selection: Selection
    step: int
    start: tuple[int, ...]
    shape: tuple[int, ...]
    whole: tuple[int, ...]


def moments(steps: np.ndarray, limit: int = 5) -> np.ndarray:
    """Choose at most `limit` of the steps, first and last among them, evenly spread on a logarithmic axis.

    Args:
        steps: (S,) ascending non-negative steps.
        limit: Most moments to return.

    Returns:
        (M,) ascending steps, M = min(S, limit).

    Example:
        >>> import numpy as np
        >>> moments(np.arange(1000), 4).tolist()
        [0, 9, 99, 999]
    """
    steps = np.unique(np.asarray(steps))
    if steps.size <= limit:
        return steps
    place = np.log1p(steps.astype(np.float64))
    chosen: list[int] = []
    for turn, target in enumerate(np.linspace(place[0], place[-1], limit)):
        # Leave enough later steps for the moments still to come, so that no step is chosen twice.
        free = np.arange(chosen[-1] + 1 if chosen else 0, steps.size - (limit - 1 - turn))
        chosen.append(int(free[np.argmin(np.abs(place[free] - target))]))
    return steps[chosen]


def snapshot_geometry(record: xr.Dataset) -> dict[str, Any]:
    """Return the signal's lattice: `shape`, `spacing`, `origin` and `units` per axis.

    `kept_start`, `kept_shape` and `kept_step` say which of its samples the snapshots hold, if not all.
    """
    stored = record.attrs.get("geometry", {})
    lattice = json.loads(stored) if isinstance(stored, str) and stored else stored
    return dict(lattice) if isinstance(lattice, Mapping) else {}


def snapshot_shape(record: xr.Dataset, snapshots: Snapshots) -> tuple[int, ...]:
    """Return the samples per axis of the snapshots' lattice."""
    lattice = snapshot_geometry(record)
    shape = tuple(int(n) for n in lattice.get("kept_shape", lattice.get("shape", ())))
    return shape or np.shape(snapshots.get("target", TARGET_STEP))[:-1]


def snapshot_data(record: xr.Dataset, snapshots: Snapshots, limit: int = 5) -> xr.Dataset:
    """Return target and predictions on the signal's lattice, up to the network that was handed back.

    Returns:
        A dataset with `target` (axis_0, ..., channel) and `prediction` (moment, axis_0, ..., channel) in the value's
        physical unit, coordinate `moment` (the step), and one coordinate per axis in the geometry's units; attribute
        `samples`, the `SampleSelection` that they are of.

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
    # Later snapshots are of networks that the run gave up.
    until = there[there <= metrics.network_step(record)] if record.sizes.get("step") else there
    chosen = moments(until if until.size else there, limit)
    target = _real(snapshots.get("target", TARGET_STEP))
    stored, lattice = snapshot_geometry(record), snapshot_shape(record, snapshots)
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
    spacing, origin, start, units = (stored.get(name, value) for name, value in usual.items())
    if any(len(values) != len(lattice) for values in (spacing, origin, start, units)):
        raise _apart(f"a lattice of {len(lattice)} axes", "spacing, origin or units of others")
    # Snapshots of large signals hold a block or every n-th sample: coordinates start and advance accordingly.
    thinned = int(stored.get("kept_step", 1))
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
        samples=snapshot_samples_of(record, lattice),
    )


def snapshot_samples_of(record: xr.Dataset, shape: tuple[int, ...]) -> SampleSelection:
    """Return which of the signal's samples the snapshots hold.

    Args:
        record: A record.
        shape: Samples per axis of the snapshots.
    """
    stored = snapshot_geometry(record)
    whole = tuple(stored.get("shape", shape))
    step, start = int(stored.get("kept_step", 1)), tuple(stored.get("kept_start", [0] * len(shape)))
    selection = Selection.BLOCK
    if math.prod(shape) == math.prod(whole):
        selection = Selection.ALL
    elif step > 1:
        selection = Selection.EVERY_NTH
    elif not len(start) == len(shape) == len(whole):
        selection = Selection.UNKNOWN
    return SampleSelection(selection, step, start, shape, whole)


def _real(snapshot: np.ndarray) -> np.ndarray:
    if np.iscomplexobj(snapshot):
        raise _apart("snapshots of real numbers", f"dtype {snapshot.dtype}")
    return np.asarray(snapshot, dtype=np.float64)


def _apart(expected: str, got: str) -> InputError:
    return InputError(expected, got, "make the report from a record that overtone wrote", "reconstruction")


def _peak(record: xr.Dataset, target: np.ndarray) -> float:
    return peak_of(record.attrs) or float(np.ptp(target)) or 1.0


def snapshot_psnr(target: np.ndarray, prediction: np.ndarray, peak: float) -> float:
    """Return the PSNR in dB over all samples passed."""
    return psnr_from_error(float(np.mean((prediction - target) ** 2)), peak)
