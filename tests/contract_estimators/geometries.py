"""Estimators on grids, points and clouds as the contract asks for them."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from overtone.spectra import GridTransform, PointsMethod, PointsTransform, axis_grid
from overtone.spectra.clouds import DirectionTransform, GaussianFilter, GraphTransform, KernelSums
from tests.contract_estimators.estimator import Estimator, Known
from tests.contract_estimators.fields import ROUNDED, harmonic, in_band, mean_square, normal


def on_grid(periodic: bool) -> Estimator:
    edges = [0, 0.5, 2.5, 3.5, 6, 12]
    transform = GridTransform((24, 10), (1 / 24, 1 / 24), periodic, edges)

    def power(values: Tensor) -> Tensor:
        return transform.power(transform.coefficients(values))

    def known() -> Known:
        wave = harmonic(24, 3, even=not periodic)[:, None].expand(24, 10, 1)
        return Known(wave, in_band(transform.bands.count, 2), ROUNDED)

    return Estimator(
        draw=lambda seed: normal(24, 10, 2, seed=seed),
        power=power,
        known=known,
        closure=lambda v: (power(v).sum(0), mean_square(v)),
        moved=lambda v: power(v.roll((5, 3), (0, 1)) if periodic else v.flip(0, 1)),
        rough=None if periodic else lambda v: power(v.roll((5, 3), (0, 1))),
        coefficients=lambda v: transform.coefficients(v).flatten(0, 1),
        twins=("spectra/test_grid.py::test_power_and_cross_power_are_the_dense_sums",),
    )


def on_axis() -> Estimator:
    def power(values: Tensor) -> Tensor:
        return axis_grid(
            values, 0, 1 / 24, periodic=True, channel_axis=-1, bands=[0, 0.5, 2.5, 3.5, 12]
        ).power

    return Estimator(
        draw=lambda seed: normal(24, 10, 2, seed=seed),
        power=power,
        known=lambda: Known(harmonic(24, 3)[:, None].expand(24, 10, 1), in_band(4, 2), ROUNDED),
        closure=lambda v: (power(v).sum(0), mean_square(v)),
        moved=lambda v: power(v.roll(5, 0)),
        twins=("spectra/test_axis.py::test_axis_power_is_the_dense_sum_over_the_other_axes",),
    )


def at_points(method: PointsMethod, scattered: bool) -> Estimator:
    """Least squares at random places; quadrature on even ones, where it is exact."""
    count, top = 90, 20.0
    x = (
        np.random.default_rng(1).random((count, 1))
        if scattered
        else (np.arange(count)[:, None] + 0.5) / count
    )
    edges = [0, 0.5, 2.5, 3.5, 8, top]

    def built(places: np.ndarray) -> PointsTransform:
        return PointsTransform(places, edges, domain=(0, 1), method=method)

    transform, shifted = built(x), built((x + 0.3) % 1)

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        found = transform.spectrum(values)
        fit = transform.reconstruct(transform.coefficients(values))
        weights = transform._sampling.weights
        whole = transform.coefficients(values).abs().square().sum(0) + weights @ (values - fit).square()
        return found.power.sum(0) + found.missing, whole

    return Estimator(
        draw=lambda seed: normal(count, 2, seed=seed),
        power=lambda v: transform.power(transform.coefficients(v)),
        known=lambda: Known(torch.from_numpy(np.cos(2 * np.pi * 3 * x)), in_band(5, 2), 1e-6),
        closure=closure,
        moved=lambda v: shifted.power(shifted.coefficients(v)),
        rough=(lambda v: transform.power(transform.coefficients(v.roll(1, 0)))) if scattered else None,
        coefficients=transform.coefficients,
        twins=(
            "spectra_points/test_points.py::test_least_squares_is_the_dense_one"
            if scattered
            else "spectra_points/test_points.py::test_quadrature_is_the_dense_sum",
        ),
        slack=1e-5 if scattered else 0.0,
    )


def ring(count: int) -> tuple[Tensor, Tensor]:
    """Rows at even places on a circle of circumference 1 in 4 dimensions, and their angles."""
    angle = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
    zero = torch.zeros_like(angle)
    return torch.stack([angle.cos(), angle.sin(), zero, zero], 1) / (2 * math.pi), angle


def through_filters(sums: KernelSums, error: float) -> Estimator:
    """A wave around a ring is passed by the share that the weights around any row give it.

    Near and far draws change with the last digit of a distance, which moved rows change: there it is the unit that is
    changed, by a power of two.
    """
    count, widths = 120, [0.03, 0.1]
    x, angle = ring(count)
    turned = torch.linalg.qr(normal(4, 4, seed=5)).Q

    def powers(rows: Tensor, values: Tensor, unit: float = 1.0) -> Tensor:
        parts = GaussianFilter(rows, [unit * w for w in widths], sums).split(values)
        return torch.stack([parts.low, parts.high]).square().mean(2).flatten(0, 1)

    def known() -> Known:
        weight = torch.exp(
            -(x - x[0]).square().sum(1) / (2 * torch.tensor(widths, dtype=torch.float64)[:, None] ** 2)
        )
        passed = (weight * torch.cos(3 * angle)).sum(1) / weight.sum(1)
        wanted = torch.cat([passed.square(), (1 - passed).square()])[:, None] / 2
        return Known(torch.cos(3 * angle)[:, None], wanted, error)

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        parts = GaussianFilter(x, widths, sums).split(values)
        return parts.low + parts.high, values.double().expand_as(parts.low)

    return Estimator(
        draw=lambda seed: normal(count, 2, seed=seed),
        power=lambda v: powers(x, v),
        known=known,
        closure=closure,
        moved=lambda v: powers(x @ turned + 3, v) if sums.complete else powers(4 * x, v, 4),
        rough=lambda v: powers(2 * x, v),
        coefficients=lambda v: GaussianFilter(x, widths, sums).split(v).low.flatten(0, 1),
        twins=("spectra_clouds/test_filtering.py::test_exact_sums_are_the_loop_over_pairs",)
        if sums.complete
        else ("spectra_clouds/test_filtering.py::test_the_approximation_tells_its_error",),
    )


def along_directions() -> Estimator:
    """Powers along a direction do not add up; what is told instead is the mean, and the floor of random values."""
    count = 200
    x = torch.cat(
        [(torch.arange(count, dtype=torch.float64)[:, None] + 0.5) / count, 0.1 * normal(count, 3)], 1
    )
    transform = DirectionTransform(x, [[1.0, 0, 0, 0]], 16)
    moved = DirectionTransform(7 * x + 5, [[1.0, 0, 0, 0]], 16)

    def known() -> Known:
        """The samples' extent is 199 / 200 of a period of the wave: that of the sums is off by a hundredth."""
        wave = torch.cos(2 * math.pi * 3 * transform.frequency[0, 1] * x[:, :1])
        return Known(wave, in_band(17, 3), 0.01)

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        return transform.power(transform.coefficients(values))[0, 0], values.mean(0).square()

    return Estimator(
        draw=lambda seed: normal(count, 2, seed=seed),
        power=lambda v: transform.power(transform.coefficients(v))[0],
        known=known,
        closure=closure,
        moved=lambda v: moved.power(moved.coefficients(v))[0],
        rough=lambda v: transform.power(transform.coefficients(v.roll(50, 0)))[0],
        coefficients=lambda v: transform.coefficients(v)[0],
        twins=("spectra_clouds/test_directions.py::test_coefficients_are_the_direct_sums",),
    )


def on_graph() -> Estimator:
    x, angle = ring(120)
    edges = [0, 0.5, 2.5, 3.5, 6]
    transform = GraphTransform(x, 11, neighbours=4, bands=edges)
    moved = GraphTransform(x + 3, 11, neighbours=4, bands=edges)

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        found = transform.spectrum(values)
        return found.power.sum(0) + found.missing, mean_square(values)

    return Estimator(
        draw=lambda seed: normal(120, 2, seed=seed),
        power=lambda v: transform.power(transform.coefficients(v)),
        known=lambda: Known(torch.cos(3 * angle)[:, None], in_band(4, 2), 1e-7),
        closure=closure,
        moved=lambda v: moved.power(moved.coefficients(v)),
        rough=lambda v: transform.power(
            transform.coefficients(v[torch.randperm(120, generator=torch.Generator().manual_seed(0))])
        ),
        coefficients=transform.coefficients,
        twins=("spectra_clouds/test_graph.py::test_modes_are_those_of_the_dense_matrix",),
        slack=1e-6,
    )
