"""The view of targets along sequences: power per band of temporal frequency, averaged over the sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from overtone.errors import InputError
from overtone.probes.reading import target_of
from overtone.probes.samples import batch_of
from overtone.probes.views.sampled import SampledView
from overtone.spectra import Bands
from overtone.spectra.sequence import EvenExtension, SequenceTransform, TemporalEstimator


def sequence(
    inputs: Any,
    targets: Any,
    *,
    rate: float | None = None,
    unit: str | None = None,
    estimator: TemporalEstimator | None = None,
    bands: Bands | Sequence[float] | None = None,
    classes: int | None = None,
    channel_axis: int | None = None,
    held_out: Tensor | None = None,
    name: str = "sequence",
) -> SampledView:
    """Watch targets (N, T, C) along time, by `spectra.sequence.SequenceTransform`.

    Args:
        inputs: What the network is called with, sequences along the first axis.
        targets: (N, T, C) values, or (N, T) labels with `classes`; the network returns (N, T, C).
        rate: Samples per unit of time; None for frequencies in cycles per step.
        unit: Unit of time that the rate counts in; the second, which gives Hz, if a rate is given and None.
        estimator: How sequences are taken to frequency; `EvenExtension()` if None.
        bands: Bands in cycles per unit of time.
        classes: Number of classes, where labels are meant.
        channel_axis: The axis of targets and outputs that holds the channels; 1 for (N, C, T), the last one if None.
        held_out: (N,) bool, the sequences that the network is not trained on.
        name: Names the record.

    Raises:
        InputError: If the targets are no sequences, or too short for the estimator, or the rate is not one per step.
    """
    unit = unit or ("step" if rate is None else "s")
    if unit == "step" and rate not in (None, 1.0):
        raise InputError("a unit of time with a rate", "'step'", "name the unit, for instance s", "unit")
    rate = 1.0 if rate is None else rate
    target = target_of(targets, classes, channel_axis)
    if target.values.ndim != 3:
        raise InputError(
            "targets of shape (sequences, time, channels)",
            f"shape {tuple(target.values.shape)}",
            "reshape them, or watch single outputs with views.graph",
            "targets",
        )
    steps = target.values.shape[1]
    transform = SequenceTransform(steps, rate, bands, estimator or EvenExtension())
    return SampledView(
        batch_of(inputs),
        target,
        transform,
        name=name,
        held_out=held_out,
        attrs={
            "estimator": f"sequence: {transform.estimator.name}",
            "frequency_unit": "Hz" if unit == "s" else f"cycles per {unit}",
            "nyquist": [0.5 * rate],
            "kind": "sequences",
            "geometry": {"samples": len(target.values), "moments": steps, "rate": rate},
        },
    )
