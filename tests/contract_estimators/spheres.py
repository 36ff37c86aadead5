"""Estimators on the sphere, with and without missing cells, and of boxes with gaps or open borders."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.special import sph_harm_y
from torch import Tensor

from overtone.spectra import (
    BandTransform,
    HealpixGrid,
    HealpixTransform,
    MaskedTransform,
    SphereGrid,
    SphereTransform,
    WindowedTransform,
    WindTransform,
)
from overtone.spectra._sphere_grid import SphereGridKind
from tests.contract_estimators.estimator import Estimator, Known
from tests.contract_estimators.fields import ROUNDED, in_band, normal

GRID = SphereGrid(SphereGridKind.CELLS, 12, 24)
EDGES = [0, 0.5, 2.5, 4.5, 5.5, 7.5]


def wave(theta: Tensor, phi: Tensor) -> Tensor:
    """The harmonic (5, 3) of mean square 1/2."""
    values = sph_harm_y(5, 3, theta.numpy(), phi.numpy()).real * np.sqrt(4 * np.pi)
    return torch.from_numpy(np.asarray(values))[..., None]


def powers(transform: BandTransform) -> Callable[[Tensor], Tensor]:
    return lambda values: transform.power(transform.coefficients(values))


def on_sphere() -> Estimator:
    transform = SphereTransform(GRID, EDGES)
    power = powers(transform)

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        resolved = transform.synthesis(transform.coefficients(values))
        return power(resolved).sum(0), transform.mean_square(resolved)

    return Estimator(
        draw=lambda seed: normal(12, 24, 2, seed=seed),
        power=power,
        known=lambda: Known(wave(*transform.angles), in_band(transform.bands.count, 3), ROUNDED),
        closure=closure,
        moved=lambda v: power(v.roll(5, 1).flip(0)),
        rough=lambda v: power(v.roll(2, 0)),
        coefficients=lambda v: transform.coefficients(v).flatten(0, 1),
        twins=(
            "spectra/test_sphere.py::test_powers_are_those_of_the_sum_of_harmonics_up_to_the_stated_degree",
        ),
    )


def on_healpix() -> Estimator:
    transform = HealpixTransform(HealpixGrid(4), EDGES)
    power = powers(transform)
    counts = transform.grid.rings()[0].tolist()

    def turned(values: Tensor) -> Tensor:
        """Values a quarter of a turn further east."""
        return torch.cat([ring.roll(len(ring) // 4, 0) for ring in values.split(counts)])

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        resolved = transform.synthesis(transform.coefficients(values))
        return transform.coefficients(resolved).flatten(0, 1), transform.coefficients(values).flatten(0, 1)

    return Estimator(
        draw=lambda seed: normal(192, 2, seed=seed),
        power=power,
        known=lambda: Known(wave(*transform.angles), in_band(transform.bands.count, 3), 1e-6),
        closure=closure,
        moved=lambda v: power(turned(v)),
        rough=lambda v: power(v.roll(1, 0)),
        coefficients=lambda v: transform.coefficients(v).flatten(0, 1),
        twins=(
            "spectra/test_healpix.py::test_powers_are_those_of_the_sum_of_harmonics_up_to_the_stated_degree",
        ),
        slack=1e-6,
    )


def of_winds() -> Estimator:
    """Eastward winds, by their rotational part; that of cos(latitude) is solid rotation, of degree 1."""
    split = WindTransform(SphereTransform(GRID, EDGES))

    def both(values: Tensor) -> Tensor:
        components = torch.stack([values, torch.zeros_like(values)], -1).flatten(-2)
        return split.power(split.coefficients(components))

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        # A zonal mean wind from west to east turns, and has no divergence.
        zonal = values.mean(1, keepdim=True).expand_as(values)
        return both(zonal)[:, 1::2] + both(zonal)[:, ::2], both(zonal)[:, ::2]

    rotation = torch.from_numpy(np.sin(GRID.colatitude))[:, None, None].expand(12, 24, 1)
    return Estimator(
        draw=lambda seed: normal(12, 24, 2, seed=seed),
        power=lambda v: both(v)[:, ::2],
        known=lambda: Known(rotation, in_band(split.bands.count, 1, 1 / 3), ROUNDED),
        closure=closure,
        moved=lambda v: both(v.roll(5, 1).flip(0))[:, ::2],
        rough=lambda v: both(v.roll(2, 0))[:, ::2],
        twins=("spectra/test_winds.py::test_energies_by_degree_are_those_of_the_potentials",),
    )


def with_gaps(sphere: bool) -> Estimator:
    """Power under a mask is right in the mean over fields: of one field, within a third."""
    mask = torch.ones(12, 24, dtype=torch.bool)
    mask[3:6, 4:12] = False

    def built(valid: Tensor) -> MaskedTransform:
        if sphere:
            return MaskedTransform.of_sphere(valid, GRID, EDGES, slope=0.0)
        return MaskedTransform.of_box(valid, (1 / 12, 1 / 24), True, [0, 0.5, 2.5, 3.5, 6], slope=0.0)

    transform, moved = built(mask), built(mask.roll(5, 1))
    power = powers(transform)

    def known() -> Known:
        place = 2 * np.pi * torch.arange(24, dtype=torch.float64) / 24
        values = (
            wave(*SphereTransform(GRID).angles) if sphere else (3 * place).cos().expand(12, 24)[..., None]
        )
        bands = transform.bands.count
        return Known(
            values, in_band(bands, int(transform.bands.index(torch.tensor([5.0 if sphere else 3.0])))), 1 / 6
        )

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        weights = mask * (torch.from_numpy(GRID.area)[:, None] if sphere else 1.0)
        mean = (values * weights[..., None]).sum((0, 1)) / weights.sum()
        return power(values)[0], mean.square()

    return Estimator(
        draw=lambda seed: normal(12, 24, 2, seed=seed),
        power=power,
        known=known,
        closure=closure,
        moved=lambda v: powers(moved)(v.roll(5, 1)),
        rough=lambda v: power(v.roll(5, 1)),
        coefficients=lambda v: transform.coefficients(v).flatten(0, -2),
        twins=(
            "spectra/test_masked.py::test_coupling_on_the_sphere_is_that_of_simulated_fields"
            if sphere
            else "spectra/test_masked.py::test_known_spectra_are_measured_under_real_gaps",
        ),
    )


def in_window() -> Estimator:
    """A wave of the box leaks to its neighbours, within its band."""
    transform = WindowedTransform((32, 10), (1 / 32, 1 / 10), (False, True), [0, 0.5, 4.5, 9.5, 16])
    power = powers(transform)
    place = torch.arange(32, dtype=torch.float64) / 32

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        return power(values)[0], values.mean((0, 1)).square()

    return Estimator(
        draw=lambda seed: normal(32, 10, 2, seed=seed),
        power=power,
        known=lambda: Known(
            (2 * np.pi * 7 * place).cos()[:, None, None].expand(32, 10, 1),
            in_band(transform.bands.count, 2),
            0.02,
        ),
        closure=closure,
        moved=lambda v: power(v.roll(3, 1).flip(0)),
        rough=lambda v: power(v.roll(5, 0)),
        coefficients=lambda v: transform.coefficients(v).flatten(0, 1),
        twins=("spectra/test_windowed.py::test_powers_are_those_of_explicit_sums",),
    )
