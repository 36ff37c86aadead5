"""Measured part of a grid and the accuracy of its figures, in sentences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from overtone._utils.text import count, number, percent
from overtone.plots import _bands as bands
from overtone.plots._snapshots import snapshot_geometry
from overtone.records import metrics

_MARGIN = "half the width of their 95 % interval"


def coverage_sentences(record: xr.Dataset) -> list[str]:
    """Return sentences on what was measured; none if it is the network that was handed back, on the whole grid.

    Args:
        record: Of one run.
    """
    return [*_averaging(record), *_part(record)]


def _averaging(record: xr.Dataset) -> list[str]:
    if record.attrs.get("averaged") is not True:
        return []
    return [
        "Bands and curves are those of the weights in training; the returned network has their moving average."
    ]


def _part(record: xr.Dataset) -> list[str]:
    """State which part of the grid was measured, if not the whole."""
    geometry = snapshot_geometry(record)
    if geometry.get("measured_whole", True):
        return []
    whole = tuple(geometry.get("shape", ()))
    spread = geometry.get("measured_spread")
    if not spread:
        return [
            f"Rows were measured on {block_only(record)} alone; they say nothing about the other samples."
        ]
    side = " × ".join(count(n) for n in spread["tile_shape"])
    samples = spread["tiles"] * math.prod(spread["tile_shape"]) + spread["samples"]
    sentences = [
        f"Rows are measured on {count(samples)} of {count(math.prod(whole))} samples, spread over the whole: "
        f"{spread['tiles']} tiles of {side} and {count(spread['samples'])} single ones. Half of these are spread "
        "evenly, half lie where the target varies; weights correct for that.",
        _resolution(record, spread),
    ]
    errors = _errors(record)
    if errors:
        sentences.append(errors)
    return sentences


def block_only(record: xr.Dataset) -> str:
    """Describe the only block that was measured: "a block of 64 × 64 of the 256 × 256 samples in the middle".

    Args:
        record: Of one run.

    Returns:
        "" where the whole was measured, or samples spread over it.
    """
    geometry = snapshot_geometry(record)
    if geometry.get("measured_whole", True) or geometry.get("measured_spread"):
        return ""
    shape, whole = tuple(geometry.get("measured_shape", ())), tuple(geometry.get("shape", ()))
    sizes = [" × ".join(count(n) for n in lengths) for lengths in (shape, whole)]
    start = geometry.get("measured_start")
    # Old records name no start: their block lay in the middle.
    if start is None or list(start) == [(n - m) // 2 for n, m in zip(whole, shape, strict=False)]:
        return f"a block of {sizes[0]} of the {sizes[1]} samples in the middle"
    return f"a block of {sizes[0]} of the {sizes[1]} samples that begins at ({', '.join(count(n) for n in start)})"


def row_margin(row: xr.Dataset) -> np.ndarray | None:
    """Return half the 95 % interval of a row's residual power over the target's, (band,); None if it is exact.

    Args:
        row: A record of one run whose last row is meant.
    """
    margin = _margins(row).get("relative_power")
    fits = isinstance(margin, list) and len(margin) == row.sizes["band"]
    return np.asarray(margin, float) if fits else None


def _margins(record: xr.Dataset) -> dict[str, Any]:
    """Return the margins of the last row, by variable."""
    margins = (record.attrs.get("margins") or {}).get(str(int(record.step[-1])))
    return margins if isinstance(margins, dict) else {}


def _resolution(record: xr.Dataset, spread: dict[str, Any]) -> str:
    begin, unit = float(spread["tiles_resolve_from"]), bands.unit(record)
    edges = np.asarray(record.band_low, float)
    # Bands below the tiles' resolution exist only where single samples suffice to measure them.
    if not ((edges > 0) & (edges < begin * (1 - 1e-9))).any():
        return (
            f"Frequencies below {number(begin)} {unit}, whose waves are longer than a tile and too weak to be measured "
            "from single samples, are counted with the mean."
        )
    return f"Bands from {number(begin)} {unit} on come from the tiles, those below from the single samples."


def _errors(record: xr.Dataset) -> str:
    """State the relative accuracy of the errors of the network that was handed back."""
    last = metrics.until_network(record)
    margins, parts = _margins(last), []
    for name, label in (("train_error", "training"), ("held_out_error", "held-out")):
        half, error = margins.get(name), float(last[name][-1])
        if isinstance(half, int | float) and math.isfinite(half) and error > 0:
            parts.append(f"{percent(half / error)} on {label} samples")
    if not parts:
        return ""
    return (
        f"The mean square errors at step {count(float(last.step[-1]))} are known to within {' and '.join(parts)}, "
        f"{_MARGIN}."
    )
