"""The network that a run hands back, and the figures that are told of it: at which step, on which samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from overtone.records.attributes import peak
from overtone.records.metrics.quality import psnr

if TYPE_CHECKING:
    import xarray

SAMPLES = ("train", "held_out", "held_out_clean")
"""What figures of quality there are."""

PROBABILITY = "probability"
"""Unit of the values of a record whose targets are labels."""

CLEAN = "the clean reference at {samples}"


@dataclass(frozen=True)
class Level:
    """The quality of a run's network on some of the samples.

    Attributes:
        name: "train", "held_out" or "held_out_clean".
        samples: The same in words.
        psnr: Peak signal-to-noise ratio in dB; infinite for a perfect prediction.
        whole: Whether it was taken over all such samples; else over those that rows are measured on.
    """

    name: str
    samples: str
    psnr: float
    whole: bool


def network_step(record: xarray.Dataset) -> int:
    """The step of the network that the run handed back: the one that was put back, else the last one recorded.

    Args:
        record: Of one run, with at least one row. What a run noted when it ended counts as long as no row has been
            added since.
    """
    kept = record.attrs.get("kept")
    steps = record.step.values
    known = _ended(record) and isinstance(kept, int) and not isinstance(kept, bool) and kept in steps
    return int(kept) if known and kept is not None else int(steps[-1])


def until_network(record: xarray.Dataset) -> xarray.Dataset:
    """The record up to the network that was handed back: its last row is that network's."""
    return record.sel(step=slice(None, network_step(record)))


def levels(record: xarray.Dataset) -> list[Level]:
    """The quality of the network that was handed back, in the order of `SAMPLES`; what is unknown is left out.

    Over all samples where the run noted that when it ended, else by the network's row. None without a positive `peak`,
    and of labels, which have none (`has_psnr`).

    Args:
        record: Of one run, with at least one row.
    """
    if not has_psnr(record):
        return []
    largest = peak(record.attrs)
    noted = record.attrs.get("final_errors") if _ended(record) else None
    if isinstance(noted, dict):
        errors = {name: float(noted[name]) for name in SAMPLES if _is_error(noted.get(name))}
        clean = "held-out samples" if "held_out" in errors else "all samples"
        known = {name: _decibels(largest, error) for name, error in errors.items()}
    else:
        row = psnr(until_network(record)).isel(step=-1)
        clean = "all samples"
        known = {name: value for name in SAMPLES if not math.isnan(value := float(row[name]))}
    words = {
        "train": "training samples",
        "held_out": "held-out samples",
        "held_out_clean": CLEAN.format(samples=clean),
    }
    return [Level(name, words[name], value, isinstance(noted, dict)) for name, value in known.items()]


def has_psnr(record: xarray.Dataset) -> bool:
    """Whether a PSNR means anything: a positive `peak` is known, and the values are no probabilities of classes."""
    return peak(record.attrs) > 0 and record.attrs.get("value_unit") != PROBABILITY


def training_seconds(record: xarray.Dataset) -> float:
    """Wall-clock seconds that training took, watching included: as the run noted, else by its last row; NaN if unknown.

    Args:
        record: Of one run, with at least one row.
    """
    noted = record.attrs.get("seconds") if _ended(record) else None
    return float(noted) if isinstance(noted, int | float) and _is_error(noted) else float(record.time[-1])


def _ended(record: xarray.Dataset) -> bool:
    """Whether what the run noted at its end is still true: no row was added since."""
    steps = record.attrs.get("steps")
    return steps is None or bool(steps == record.step.values[-1])


def _is_error(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _decibels(peak: float, error: float) -> float:
    return 10 * float(np.log10(peak) * 2 - np.log10(error)) if error > 0 else math.inf
