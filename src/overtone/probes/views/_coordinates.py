"""Views of targets at scattered points and along time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from overtone.errors import InputError
from overtone.probes._inputs import as_tensor_inputs
from overtone.probes._target_reading import as_target
from overtone.probes._view import TransformView
from overtone.spectra import Bands, PointsTransform
from overtone.spectra._points_density import Density
from overtone.spectra._points_methods import PointsMethod
from overtone.spectra._points_modes import Box
from overtone.spectra.sequence import SequenceTransform, TemporalEstimator


def points(
    coords: Tensor | Any,
    targets: Any,
    *,
    bands: Bands | Sequence[float] | None = None,
    domain: Box | Sequence[float] | Sequence[Sequence[float]] | None = None,
    periodic: bool | Iterable[bool] = False,
    method: PointsMethod | None = None,
    density: Density | None = None,
    classes: int | None = None,
    channels: Sequence[str] | None = None,
    unit: str = "coordinate",
    held_out: Tensor | None = None,
    name: str = "points",
) -> TransformView:
    """Measure targets at scattered points, by `spectra.PointsTransform`.

    Args:
        coords: (N, d) coordinates, d from 1 to 3; the network is evaluated there.
        targets: (N, C) values or (N,) labels, see `probes.Values`.
        bands: Bands in cycles per unit; None for bands up to the limit of the sampling.
        domain: The box that the points represent.
        periodic: Whether the function is periodic over the box; otherwise it is mirrored.
        method: `LeastSquares()` or `Quadrature()`.
        density: Weighting of the points.
        classes: Number of classes, if the targets are labels.
        channels: Names of the channels of values; "0", "1", ... if None.
        unit: Unit of the coordinates.
        held_out: (N,) bool, the points excluded from the training.
        name: Name of the record.

    Raises:
        InputError: If points coincide, lie on a line, are too few for the bands, or do not match the targets.

    Example:
        >>> import torch
        >>> x = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
        >>> points(x, (20 * x[:, :1]).sin(), unit="m").header({}).attrs["frequency_unit"]
        'cycles per m'
    """
    samples = as_tensor_inputs(coords)
    transform = PointsTransform(
        samples.features(), bands, domain=domain, periodic=periodic, method=method, density=density
    )
    return TransformView(
        samples,
        as_target(targets, classes, channels=channels),
        transform,
        name=name,
        held_out=held_out,
        attrs={
            "estimator": f"points: {type(method).__name__ if method else 'LeastSquares'}",
            "frequency_unit": "Hz" if unit == "s" else f"cycles per {unit}",
            "nyquist": [transform.supported],
            "kind": "points",
            "geometry": {
                "samples": samples.count,
                "low": list(transform.domain.low),
                "high": list(transform.domain.high),
            },
        },
    )


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
) -> TransformView:
    """Measure targets (N, T, C) along time, by `spectra.sequence.SequenceTransform`.

    Args:
        inputs: Arguments of the network, sequences along the first axis.
        targets: (N, T, C) values, or (N, T) labels with `classes`; the network returns (N, T, C).
        rate: Samples per unit of time; None for frequencies in cycles per step.
        unit: Unit of time of the rate; seconds, for frequencies in Hz, if a rate is passed and the unit is None.
        estimator: Spectral estimator of sequences; `EvenExtension()` if None.
        bands: Bands in cycles per unit of time.
        classes: Number of classes, if the targets are labels.
        channel_axis: The axis of targets and outputs that holds the channels; 1 for (N, C, T), the last one if None.
        held_out: (N,) bool, the sequences excluded from the training.
        name: Name of the record.

    Raises:
        InputError: If the targets are not sequences, or too short for the estimator, or the unit does not fit the
        rate.

    Example:
        >>> import torch
        >>> x = torch.randn(8, 50, 1, generator=torch.Generator().manual_seed(0))
        >>> sequence(x, x.cumsum(1), rate=100.0).header({}).attrs["frequency_unit"]
        'Hz'
    """
    unit = unit or ("step" if rate is None else "s")
    if unit == "step" and rate not in (None, 1.0):
        raise InputError("a unit of time with a rate", "'step'", "name the unit, for instance s", "unit")
    rate = 1.0 if rate is None else rate
    target = as_target(targets, classes, channel_axis)
    if target.values.ndim != 3:
        raise InputError(
            "targets of shape (sequences, time, channels)",
            f"shape {tuple(target.values.shape)}",
            "reshape them, or measure single outputs with views.graph",
            "targets",
        )
    # Sequences share one transform: all have the same length and rate.
    steps = target.values.shape[1]
    transform = SequenceTransform(steps, rate, bands, estimator or TemporalEstimator.even_extension())
    return TransformView(
        as_tensor_inputs(inputs),
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
