"""Rows at the end of a record that could not be measured, in contrast to those of outputs that are not finite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from overtone.records.schema import NOT_FINITE

if TYPE_CHECKING:
    import xarray


def without_unmeasured(record: xarray.Dataset) -> xarray.Dataset:
    """The record up to its last row that says something of the network.

    A row of NaN, for which the attribute `faults` has a reason other than outputs that are not finite, says nothing:
    the network could not be evaluated at that moment. Such rows at the end are left out, and a sentence is added to
    the attribute `notes`. A row whose loss is infinite stays.

    Args:
        record: Of one run.
    """
    axes = [d for d in ("band", "channel") if d in record.dims]
    faults = record.attrs.get("faults")
    if (
        "step" not in record.dims
        or set(record.dims) - {"step", "band", "channel"}
        or not isinstance(faults, list)
    ):
        return record
    why = {
        f.get("step"): str(f.get("why")) for f in faults if isinstance(f, dict) and f.get("why") != NOT_FINITE
    }
    empty = np.asarray(record.residual_power.isnull().all(axes)) & ~np.isinf(np.asarray(record.loss, float))
    silent = empty & np.array([int(step) in why for step in record.step.values], dtype=bool)
    told = np.flatnonzero(~silent)
    if not told.size or told[-1] == len(silent) - 1:
        return record
    kept = record.isel(step=slice(0, int(told[-1]) + 1))
    first, last = int(kept.step[-1]), int(record.step[-1])
    note = f"The rows after step {first}, up to step {last}, could not be measured ({why[last].rstrip('.')})."
    notes = record.attrs.get("notes") or []
    return kept.assign_attrs(notes=[*([notes] if isinstance(notes, str) else notes), note])
