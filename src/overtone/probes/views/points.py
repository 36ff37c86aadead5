"""The view of targets at scattered places in 1 to 3 dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from overtone.probes.reading import target_of
from overtone.probes.samples import batch_of
from overtone.probes.views.sampled import SampledView
from overtone.spectra import Bands, PointsTransform
from overtone.spectra._points_density import Density
from overtone.spectra._points_methods import Method
from overtone.spectra._points_modes import Box


def points(
    coords: Tensor | Any,
    targets: Any,
    *,
    bands: Bands | Sequence[float] | None = None,
    domain: Box | Sequence[float] | Sequence[Sequence[float]] | None = None,
    periodic: bool | Iterable[bool] = False,
    method: Method | None = None,
    density: Density | None = None,
    classes: int | None = None,
    unit: str = "coordinate",
    held_out: Tensor | None = None,
    name: str = "points",
) -> SampledView:
    """Watch targets at scattered places, by `spectra.PointsTransform`.

    Args:
        coords: (N, d) places, d from 1 to 3; the network is evaluated there.
        targets: (N, C) values or (N,) labels, see `Target`.
        bands: Bands in cycles per unit; None for bands up to what the sampling supports.
        domain: The box that the places stand for.
        periodic: Whether the function wraps around at its ends; else it is mirrored.
        method: `LeastSquares()` or `Quadrature()`.
        density: How the places are weighted.
        classes: Number of classes, where labels are meant.
        unit: Unit of the coordinates.
        held_out: (N,) bool, the places that the network is not trained on.
        name: Names the record.

    Raises:
        InputError: If places coincide, lie on a line, are too few for the bands, or do not fit the targets.
    """
    samples = batch_of(coords)
    transform = PointsTransform(
        samples.features(), bands, domain=domain, periodic=periodic, method=method, density=density
    )
    return SampledView(
        samples,
        target_of(targets, classes),
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
