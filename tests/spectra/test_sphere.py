"""Power by degree on grids of the sphere, against sums of spherical harmonics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import roots_legendre, sph_harm_y

from overtone.errors import InputError
from overtone.spectra import SphereGrid, SphereTransform
from overtone.spectra._legendre import _recursion, degree_bands, legendre_functions
from overtone.spectra._sphere_grid import SphereGridKind, covers_sphere


def latitudes(kind: SphereGridKind, n: int) -> np.ndarray:
    """Latitudes from north to south in degrees, by other means than the program's."""
    if kind is SphereGridKind.POLES:
        return np.linspace(90, -90, n)
    if kind is SphereGridKind.CELLS:
        return 90 - 180 / n * (np.arange(n) + 0.5)
    return np.degrees(np.arcsin(roots_legendre(n)[0][::-1]))


GRIDS = [
    (SphereGridKind.POLES, 13, 24),
    (SphereGridKind.POLES, 12, 23),
    (SphereGridKind.CELLS, 12, 24),
    (SphereGridKind.CELLS, 11, 25),
    (SphereGridKind.GAUSS, 12, 24),
    (SphereGridKind.GAUSS, 9, 40),
]
EACH = pytest.mark.parametrize(("kind", "n", "columns"), GRIDS, ids=lambda x: getattr(x, "name", x))


def random_harmonics(degree: int, seed: int, exponent: float = 0.0) -> np.ndarray:
    """(order, degree) complex coefficients of a real field."""
    generator = np.random.default_rng(seed)
    shape = (degree + 1, degree + 1)
    result = np.triu(generator.standard_normal(shape) + 1j * generator.standard_normal(shape))
    result[0] = result[0].real
    return result * np.maximum(np.arange(degree + 1), 1.0) ** (-exponent / 2)


def synthesis(coefficients: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Sum of c_lm Y_lm with harmonics of unit mean square, term by term."""
    theta, phi = np.meshgrid(np.radians(90 - latitude), np.radians(longitude), indexing="ij")
    field = np.zeros(theta.shape)
    for m, row in enumerate(coefficients):
        for degree in range(m, len(row)):
            wave = row[degree] * sph_harm_y(degree, m, theta, phi) * np.sqrt(4 * np.pi)
            field += (1 if m == 0 else 2) * wave.real
    return field


def power_by_degree(coefficients: np.ndarray) -> np.ndarray:
    squares = np.abs(coefficients) ** 2
    return squares[0] + 2 * squares[1:].sum(0)


@EACH
def test_powers_are_those_of_the_sum_of_harmonics_up_to_the_stated_degree(kind, n, columns):
    latitude, longitude = latitudes(kind, n), np.arange(columns) * 360 / columns
    transform = SphereTransform(SphereGrid.of(latitude, longitude))
    first, second = (random_harmonics(transform.degree, seed) for seed in (1, 2))
    values = torch.from_numpy(np.stack([synthesis(c, latitude, longitude) for c in (first, second)], -1))
    result = transform.coefficients(values)
    power = transform.by_degree(result).numpy()
    np.testing.assert_allclose(power[:, 0], power_by_degree(first), rtol=1e-10)
    np.testing.assert_allclose(power[:, 1], power_by_degree(second), rtol=1e-10)
    cross = transform.by_degree(result[..., :1], result[..., 1:]).numpy()[:, 0]
    products = (first * second.conj()).real
    np.testing.assert_allclose(cross, products[0] + 2 * products[1:].sum(0), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(np.abs(result[..., 0].numpy()), np.abs(first), rtol=1e-9, atol=1e-11)
    # Closure: the bands sum to the area-weighted mean square.
    total = transform.power(result).sum(0)
    torch.testing.assert_close(total, transform.mean_square(values), rtol=1e-10, atol=0)
    np.testing.assert_allclose(total, [power_by_degree(c).sum() for c in (first, second)], rtol=1e-10)


@EACH
def test_directions_of_rows_and_origins_of_columns_do_not_matter(kind, n, columns):
    latitude, longitude = latitudes(kind, n), np.arange(columns) * 360 / columns
    grid = SphereGrid.of(latitude, longitude)
    assert SphereGrid.of(latitude[::-1], longitude) == grid
    assert SphereGrid.of(latitude.astype(np.float32), longitude - 180) == grid
    # 0 .. 180, -180 .. 0 with a jump in between.
    assert SphereGrid.of(latitude, (longitude + 180) % 360 - 180) == grid
    values = torch.from_numpy(np.random.default_rng(3).standard_normal((n, columns, 1)))
    transform = SphereTransform(grid)
    power = transform.power(transform.coefficients(values))
    for other in (values.flip(0), values.roll(5, 1), values.flip(1)):
        torch.testing.assert_close(
            transform.power(transform.coefficients(other)), power, rtol=1e-9, atol=1e-12
        )


def test_a_repeated_column_is_left_out():
    latitude, longitude = latitudes(SphereGridKind.CELLS, 8), np.arange(17) * 22.5
    grid = SphereGrid.of(latitude, longitude)
    assert (grid.longitudes, grid.duplicated) == (16, True)
    values = torch.from_numpy(np.random.default_rng(0).standard_normal((8, 16, 1)))
    repeated = torch.cat([values, values[:, :1]], 1)
    with_it = SphereTransform(grid)
    without = SphereTransform(SphereGrid.of(latitude, longitude[:-1]))
    torch.testing.assert_close(
        with_it.power(with_it.coefficients(repeated)), without.power(without.coefficients(values))
    )


def test_a_large_offset_in_float32_leaves_steep_spectra_right():
    """280 + a field with power ~ l^-3: rounding of the float32 values is all that is left, 1e-5 rms of white noise."""
    latitude, longitude = latitudes(SphereGridKind.POLES, 31), np.arange(60) * 6.0
    coefficients = random_harmonics(29, 5, exponent=3)
    field = 280 + synthesis(coefficients, latitude, longitude)
    transform = SphereTransform(SphereGrid.of(latitude, longitude))
    power = transform.by_degree(transform.coefficients(torch.from_numpy(field.astype(np.float32))[..., None]))
    np.testing.assert_allclose(power[1:, 0], power_by_degree(coefficients)[1:], rtol=1e-4)


def test_tables_computed_anew_are_those_stored(monkeypatch):
    values = torch.from_numpy(np.random.default_rng(1).standard_normal((40, 80, 3)))
    grid = SphereGrid(SphereGridKind.CELLS, 40, 80)
    stored = SphereTransform(grid).coefficients(values)
    monkeypatch.setattr("overtone.spectra._legendre._STORED", 0)
    assert torch.equal(SphereTransform(grid).coefficients(values), stored)


def test_legendre_functions_are_those_of_scipy_and_orthonormal_at_high_degree():
    theta = np.linspace(0, np.pi / 2, 9)
    table = legendre_functions(np.arange(3, 7), 12, np.cos(theta), np.sin(theta))
    for column, m in enumerate(range(3, 7)):
        for degree in range(m, 13):
            expected = np.abs(sph_harm_y(degree, m, theta, 0)) * np.sqrt(4 * np.pi)
            np.testing.assert_allclose(np.abs(table[degree - m, column]), expected, rtol=1e-10, atol=1e-13)
    # Orders 700 at degree 2400 begin below 1e-308 and end at 1.
    nodes, weights = roots_legendre(2500)
    half = nodes >= 0
    high = legendre_functions(np.array([700]), 2400, nodes[half], np.sqrt(1 - nodes[half] ** 2))[::2, 0]
    gram = high[-40:] * weights[half] @ high[-40:].T
    np.testing.assert_allclose(gram, np.eye(40), atol=1e-9)


def test_scaling_changes_nothing_where_it_is_not_needed():
    theta = np.linspace(0.05, np.pi / 2, 7)
    arguments = (np.arange(0, 40, 13), 120, np.cos(theta), np.sin(theta))
    np.testing.assert_allclose(
        _recursion(*arguments, True), _recursion(*arguments, False), rtol=1e-11, atol=1e-250
    )


def test_bands_are_whole_degrees_and_hold_all():
    for degree in (1, 5, 31, 179, 719):
        bands = degree_bands(degree)
        assert bands.edges[-1] == degree + 0.5
        assert bands.count <= 33
        assert all(edge % 1 == 0.5 for edge in bands.edges[1:])
    assert degree_bands(20).count == 21


FULL = np.arange(0, 360, 10.0)


@pytest.mark.parametrize(
    ("latitude", "longitude", "message"),
    [
        (np.linspace(90, -90, 19)[:-2], FULL, "without -80, -90"),
        (np.linspace(90, -90, 19)[2:], FULL, "without 90, 80"),
        (np.linspace(60, 20, 19), FULL, "verify the region as a box"),
        (np.linspace(90, -90, 19), FULL[:-1], "cover 350 of 360 degrees"),
        (np.linspace(90, -90, 19), np.delete(FULL, 5), "without 1 of them, the first after 40"),
        (np.linspace(90, -90, 19), np.insert(FULL, 5, 40.0), "with 40 after 40; remove the repeated columns"),
        (np.linspace(90, -90, 19), np.arange(0, 90, 10.0), "verify the region as a box"),
        (np.degrees(np.arcsin(np.linspace(1, -1, 19))), FULL, "equal steps or those of a Gauss grid"),
        (np.linspace(90, -90, 19)[[0, 2, 1, *range(3, 19)]], FULL, "change of direction"),
        (np.linspace(0, 180, 19), FULL, "-90 to 90"),
    ],
)
def test_grids_that_are_not_the_whole_sphere_are_refused(latitude, longitude, message):
    with pytest.raises(InputError, match=message):
        SphereGrid.of(latitude, longitude)


def test_a_globe_with_a_fault_is_no_region():
    assert covers_sphere(np.linspace(90, -90, 19)[:-1], FULL)
    assert covers_sphere(np.linspace(90, -90, 19), FULL[:-1])
    assert not covers_sphere(np.linspace(60, -60, 19), FULL)
    assert not covers_sphere(np.linspace(90, -90, 19), FULL[:20])


def test_values_of_another_grid_are_refused():
    transform = SphereTransform(SphereGrid(SphereGridKind.CELLS, 6, 12))
    with pytest.raises(InputError, match=r"shape \(6, 12\)"):
        transform.coefficients(torch.zeros(12, 6, 1))
