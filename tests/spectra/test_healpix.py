"""Power by degree on HEALPix grids, against sums of spherical harmonics at the pixels' centres."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from overtone.errors import InputError
from overtone.spectra import HealpixGrid, HealpixTransform
from overtone.spectra._healpix import nested_to_ring
from tests.spectra.test_sphere import power_by_degree, random_harmonics


def synthesis(coefficients: np.ndarray, theta: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """Sum of c_lm Y_lm with harmonics of unit mean square, term by term."""
    field = np.zeros(theta.shape)
    for m, row in enumerate(coefficients):
        for degree in range(m, len(row)):
            wave = row[degree] * sph_harm_y(degree, m, theta, phi) * np.sqrt(4 * np.pi)
            field += (1 if m == 0 else 2) * wave.real
    return field


@pytest.mark.parametrize(
    ("nside", "nested"), [(1, True), (2, False), (4, True), (5, False), (8, True), (8, False)]
)
def test_powers_are_those_of_the_sum_of_harmonics_up_to_the_stated_degree(nside, nested):
    grid = HealpixGrid(nside, nested)
    transform = HealpixTransform(grid)
    assert transform.degree == 2 * nside - 1
    first, second = (random_harmonics(transform.degree, seed) for seed in (1, 2))
    values = torch.from_numpy(np.stack([synthesis(c, *grid.positions()) for c in (first, second)], -1))
    result = transform.coefficients(values + 280)
    power = transform.by_degree(result).numpy()
    # Six iterations at a rate of 1 / 20.
    np.testing.assert_allclose(power[1:, 0], power_by_degree(first)[1:], rtol=1e-6)
    np.testing.assert_allclose(power[1:, 1], power_by_degree(second)[1:], rtol=1e-6)
    np.testing.assert_allclose(result[0, 0].real, [280 + c[0, 0].real for c in (first, second)], rtol=1e-9)
    products = (first * second.conj()).real
    cross = transform.by_degree(result[..., :1], result[..., 1:]).numpy()[1:, 0]
    np.testing.assert_allclose(cross, (products[0] + 2 * products[1:].sum(0))[1:], rtol=1e-5, atol=1e-6)
    # Pixels have equal areas, but products of two harmonics are not integrated exactly.
    total = transform.power(result)[1:].sum(0)
    expected = [power_by_degree(c)[1:].sum() for c in (first, second)]
    np.testing.assert_allclose(total, expected, rtol=1e-7)
    torch.testing.assert_close(transform.synthesis(result), values + 280, rtol=0, atol=1e-6)


def test_pixels_lie_where_the_definition_puts_them():
    """Base pixels, children within their parents, and the published numbers of the first nested pixels."""
    assert nested_to_ring(2)[:10].tolist() == [13, 5, 4, 0, 15, 7, 6, 1, 17, 9]
    theta, phi = HealpixGrid(1).positions()
    np.testing.assert_allclose(np.cos(theta), [2 / 3] * 4 + [0] * 4 + [-2 / 3] * 4, atol=1e-15)
    np.testing.assert_allclose(phi / np.pi, [0.25, 0.75, 1.25, 1.75, 0, 0.5, 1, 1.5, 0.25, 0.75, 1.25, 1.75])
    for nside in (1, 2, 4, 16):
        order = nested_to_ring(nside)
        assert sorted(order) == list(range(12 * nside**2))
        parents, children = (vectors(HealpixGrid(n, nested=True)) for n in (nside, 2 * nside))
        # The centres of four children surround that of their parent.
        distance = np.linalg.norm(children.reshape(-1, 4, 3) - parents[:, None], axis=-1)
        assert distance.max() < 0.75 / nside
        # Child 1 lies to the north-east of child 0, and child 2 to the north-west, in the belt.
        if nside >= 2:
            theta, phi = (x.reshape(-1, 4) for x in HealpixGrid(2 * nside, nested=True).positions())
            belt = np.abs(np.cos(theta)).max(1) < 2 / 3
            east = np.mod(phi - phi[:, :1] + np.pi, 2 * np.pi) - np.pi
            assert (theta[belt, 1] < theta[belt, 0]).all()
            assert (theta[belt, 2] < theta[belt, 0]).all()
            assert (east[belt, 1] > 0).all()
            assert (east[belt, 2] < 0).all()


def vectors(grid: HealpixGrid) -> np.ndarray:
    theta, phi = grid.positions()
    return np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)


def test_white_noise_has_equal_power_in_all_coefficients_and_the_transform_is_linear():
    transform = HealpixTransform(HealpixGrid(4))
    noise = torch.randn(192, 400, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    coefficients = transform.coefficients(noise)
    power = transform.by_degree(coefficients).mean(1).numpy()
    # Least squares amplifies noise where the pixels resolve a harmonic less well, at the highest degrees.
    np.testing.assert_allclose(power, (2 * np.arange(8) + 1) * transform.noise, rtol=0.15)
    mixed = transform.coefficients(noise[:, :1] - 3 * noise[:, 1:2])
    torch.testing.assert_close(
        mixed, coefficients[..., :1] - 3 * coefficients[..., 1:2], rtol=1e-9, atol=1e-12
    )


def test_gradients_pass():
    transform = HealpixTransform(HealpixGrid(2, nested=True))
    values = torch.randn(
        48, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True
    )
    assert torch.autograd.gradcheck(lambda x: transform.power(transform.coefficients(x)), values)


def test_numbers_of_pixels_that_no_grid_has_are_refused():
    with pytest.raises(InputError, match="12 nside\\^2 values along the axis of pixels, got 100"):
        HealpixGrid.of_size(100)
    with pytest.raises(InputError, match="a power of two, got 3"):
        HealpixGrid(3, nested=True)
    with pytest.raises(InputError, match="values of 48 pixels"):
        HealpixTransform(HealpixGrid(2)).coefficients(torch.zeros(40, 1))
