"""View of the field itself where it is known: errors by frequency band on a grid, or at scattered points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone.errors import InputError
from overtone.probes._inputs import CoordinateInputs
from overtone.probes._view import Metric, MetricView, Row
from overtone.signals import Grid, Measured, Points
from overtone.signals._measured import ReferenceSamples
from overtone.spectra import GridTransform, PointsTransform

SOLUTION_LINE, SOLUTION_SIDE = 256, 48
"""Samples of a domain per axis at which errors of the solution are measured, in 1-D and above."""

SOLUTION_PLACES = 16384
"""Samples of a domain of four axes or more, in all."""


def solution(problem: Measured, *, name: str = "solution") -> MetricView:
    """Measure errors of the field by frequency band where its reference is known.

    Args:
        problem: A problem with a `reference`.
        name: Name of the record.

    Raises:
        InputError: If it has no reference.
    """
    if problem.reference is None:
        raise InputError("a problem with a reference", "none", "set reference= of the problem", "problem")
    if isinstance(problem.reference, ReferenceSamples):
        return _sampled_solution(problem, problem.reference, name)
    grid = solution_lattice(problem)
    values = real_values(problem.reference(grid.coords()))
    transform = GridTransform(grid.shape, grid.spacing, grid.periodic)
    metric = _SolutionMetric(transform, values, problem.channels, grid.shape)
    return MetricView(
        CoordinateInputs(grid),
        metric,
        name=name,
        attrs=grid_attributes(grid) | {"kind": "solution", "estimator": "spectrum of the field on a grid"},
    )


def _sampled_solution(problem: Measured, reference: ReferenceSamples, name: str) -> MetricView:
    """Errors of the field at scattered points where it is known."""
    geometry = problem.geometry
    box = [(o, o + e) for o, e in zip(geometry.origin, geometry.extent, strict=True)]
    transform = PointsTransform(reference.points, domain=box, periodic=False)
    attrs = {
        "frequency_unit": geometry.frequency_unit,
        "geometry": {"samples": len(reference.points), "units": list(geometry.units)},
        "kind": "solution",
        "estimator": "spectrum of the field at scattered points",
    }
    metric = _SolutionMetric(transform, reference.values, problem.channels, None)
    return MetricView(
        CoordinateInputs(Points(reference.points, geometry.units)), metric, name=name, attrs=attrs
    )


def solution_lattice(problem: Measured) -> Grid:
    """The grid on which the field is shown and its errors are measured."""
    geometry = problem.geometry
    if isinstance(geometry, Grid):
        return geometry
    axes = geometry.axes
    side = SOLUTION_LINE if axes == 1 else SOLUTION_SIDE if axes == 2 else SOLUTION_SIDE // 2
    if axes > 3:
        side = max(2, int(SOLUTION_PLACES ** (1 / axes)))
    spacing = tuple(extent / side for extent in geometry.extent)
    origin = tuple(o + s / 2 for o, s in zip(geometry.origin, spacing, strict=True))
    return Grid((side,) * axes, spacing, origin, geometry.units, (False,) * axes)


def grid_attributes(grid: Grid) -> dict[str, Any]:
    """Return what a record says of a grid.

    Args:
        grid: The grid.
    """
    return {
        "frequency_unit": grid.frequency_unit,
        "nyquist": list(grid.nyquist),
        "geometry": {
            "shape": list(grid.shape),
            "spacing": list(grid.spacing),
            "origin": list(grid.origin),
            "units": list(grid.units),
            "samples": grid.samples,
        },
    }


def real_values(values: Tensor) -> Tensor:
    """Return (N, C) values as (N, C) or, of complex ones, (N, 2 C) real numbers.

    Args:
        values: The values.
    """
    values = values.detach().cpu()
    if values.is_complex():
        return torch.view_as_real(values.to(torch.complex128)).flatten(1)
    return values.double()


def channel_power(power: Tensor, channels: int) -> Tensor:
    """Return the power per band and channel, of complex channels that of both parts.

    Args:
        power: (band, outputs) of real numbers.
        channels: Number of channels.
    """
    return power.reshape(len(power), channels, -1).sum(2)


def picture(values: Tensor, shape: Sequence[int], channels: int) -> NDArray[np.float32]:
    """Return outputs (P, C), or (P, 2 C) of a complex field, as a picture (*shape, C): magnitudes of complex values.

    Args:
        values: Outputs at all samples.
        shape: Samples per axis.
        channels: Number of channels, C.
    """
    parts = values.reshape(len(values), channels, -1)
    shown = parts[..., 0] if parts.shape[2] == 1 else parts.square().sum(2).sqrt()
    return shown.reshape(*shape, channels).float().numpy()


@final
class _SolutionMetric(Metric):
    """Errors of the field on a grid, or at scattered points, which are not shown as pictures."""

    def __init__(
        self,
        transform: GridTransform | PointsTransform,
        values: Tensor,
        channels: tuple[str, ...],
        shape: tuple[int, ...] | None,
    ) -> None:
        self._transform, self._values, self._shape = transform, values, shape
        self.bands, self.channels = transform.bands, channels
        self._coefficients = self._transformed(values)
        self.target_power = channel_power(transform.power(self._coefficients).double(), len(channels)).numpy()

    def check(self, outputs: Tensor) -> None:
        """Refuse outputs of another shape than the reference."""
        if outputs.ndim != 2 or outputs.shape[1] != self._values.shape[1]:
            raise InputError(
                f"{self._values.shape[1]} outputs of the network",
                f"shape {tuple(outputs.shape)}",
                "give its last layer as many features",
                "network",
            )

    def row(self, outputs: Tensor) -> Row:
        """Return errors by band, and the picture."""
        error = outputs.double() - self._values
        count = len(self.channels)
        coefficients = self._transformed(error)
        shared = channel_power(
            self._transform.cross(coefficients, self._coefficients).double(), count
        ).numpy()
        square = float(error.square().reshape(len(error), count, -1).sum(2).mean())
        row: Row = {
            "residual_power": channel_power(self._transform.power(coefficients).double(), count).numpy(),
            "cross_power": self.target_power + shared,
            "clean_error": square,
        }
        if self._shape is None:
            return row
        pictures = {
            "target": picture(self._values, self._shape, count),
            "prediction": picture(outputs.double(), self._shape, count),
        }
        return row | {"pictures": pictures}

    def _transformed(self, values: Tensor) -> Tensor:
        if isinstance(self._transform, GridTransform):
            values = self._transform.field(values)
        return self._transform.coefficients(values)
