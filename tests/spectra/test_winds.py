"""Rotational and divergent kinetic energy of winds, against gradients of planted potentials."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from overtone.errors import InputError
from overtone.spectra import GridTransform, SphereGrid, SphereTransform, WindowedTransform, WindTransform
from overtone.spectra._sphere_grid import SphereGridKind
from tests.spectra.test_sphere import latitudes, power_by_degree, random_harmonics


def gradient(
    coefficients: np.ndarray, latitude: np.ndarray, longitude: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Eastward and northward derivative of sum c_lm Y_lm on the unit sphere; away from the poles."""
    theta, phi = np.meshgrid(np.radians(90 - latitude), np.radians(longitude), indexing="ij")
    east, north = np.zeros(theta.shape), np.zeros(theta.shape)
    for m, row in enumerate(coefficients):
        for degree in range(m, len(row)):
            _, slope = sph_harm_y(degree, m, theta, phi, diff_n=1)
            wave = (1 if m == 0 else 2) * np.sqrt(4 * np.pi) * row[degree] * slope
            north -= wave[..., 0].real
            east += wave[..., 1].real / np.sin(theta)
    return east, north


def winds(psi: np.ndarray, chi: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """(latitude, longitude, 2) winds u = -psi_y + chi_x, v = psi_x + chi_y."""
    # At a pole, the limit along each meridian.
    latitude = np.clip(latitude, -90 + 1e-7, 90 - 1e-7)
    (psi_x, psi_y), (chi_x, chi_y) = (gradient(c, latitude, longitude) for c in (psi, chi))
    return np.stack([-psi_y + chi_x, psi_x + chi_y], -1)


@pytest.mark.parametrize("south_first", [False, True])
@pytest.mark.parametrize(
    ("kind", "rows", "columns", "cut"),
    [
        (SphereGridKind.POLES, 13, 24, slice(None)),
        (SphereGridKind.POLES, 13, 24, slice(1, None)),
        (SphereGridKind.CELLS, 12, 25, slice(None)),
        (SphereGridKind.GAUSS, 11, 24, slice(None)),
    ],
)
def test_energies_by_degree_are_those_of_the_potentials(kind, rows, columns, cut, south_first):
    latitude, longitude = latitudes(kind, rows)[cut], np.arange(columns) * 360 / columns + 5
    latitude = latitude[::-1] if south_first else latitude
    transform = SphereTransform(SphereGrid.of(latitude, longitude))
    split = WindTransform(transform, directions=(1 if south_first else -1, 1))
    psi, chi = (random_harmonics(split.degree, seed, 3.0) for seed in (1, 2))
    values = torch.from_numpy(winds(psi, chi, latitude, longitude))
    coefficients = split.coefficients(values)
    products = coefficients.abs().square()
    by_degree = (2 * products.sum(0) - products[0]).numpy()
    degree = np.arange(split.degree + 1)
    for part, potential in enumerate((psi, chi)):
        expected = degree * (degree + 1) / 2 * power_by_degree(potential)
        np.testing.assert_allclose(by_degree[:, part], expected, rtol=1e-6, atol=1e-9)
    # Both parts add up to the kinetic energy, half of the mean square of the Cartesian components.
    if not any(transform.grid.absent):
        area = transform.grid.area
        total = (area[:, None, None] * (values.numpy() ** 2)).mean(1).sum() / 2
        assert float(split.power(coefficients).sum()) == pytest.approx(total, rel=0.02)


def test_cross_power_channels_and_directions():
    """Two winds and a scalar as channels: each as if alone; a mirrored grid has the same energies."""
    latitude, longitude = latitudes(SphereGridKind.CELLS, 12), np.arange(24) * 15.0
    transform = SphereTransform(SphereGrid.of(latitude, longitude))
    split = WindTransform(transform)
    psi, chi = (random_harmonics(9, seed, 2.0) for seed in (3, 4))
    values = torch.from_numpy(winds(psi, chi, latitude, longitude))
    energy = split.power(split.coefficients(values))
    scalar = torch.randn(12, 24, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    several = WindTransform(transform, 3, (2, 0))
    mixed = torch.cat([values[..., 1:], scalar, values[..., :1]], -1)
    power = several.power(several.coefficients(torch.cat([mixed, 2 * mixed], -1)))
    torch.testing.assert_close(power[:, [2, 0]], energy)
    torch.testing.assert_close(power[:, 3:], 4 * power[:, :3])
    by_degree = transform.by_degree(transform.coefficients(scalar))[: split.degree + 1]
    torch.testing.assert_close(power[:, 1].sum(), by_degree.sum())
    both = split.coefficients(values)
    torch.testing.assert_close(split.cross(both, -0.5 * both), -0.5 * energy)
    westward = WindTransform(transform, directions=(-1, -1))
    torch.testing.assert_close(westward.power(westward.coefficients(values.flip(1))), energy)
    # The wrong direction is no small error.
    wrong = westward.power(westward.coefficients(values))
    assert float((wrong - energy).abs().sum()) > 0.1 * float(energy.sum())


@pytest.mark.parametrize("shape", [(16, 20), (15, 21)])
def test_boxes_split_waves_along_and_across_the_wavevector(shape):
    generator = np.random.default_rng(0)
    y, x = np.meshgrid(np.arange(shape[0]) * 2.0, np.arange(shape[1]) * 3.0, indexing="ij")
    u, v, expected = np.zeros(shape), np.zeros(shape), np.zeros(2)
    for p, q in ((1, 2), (-2, 3), (0, 4), (5, 0), (3, 3)):
        f_y, f_x = p / (shape[0] * 2.0), q / (shape[1] * 3.0)
        phase = 2 * np.pi * (f_y * y + f_x * x)
        turning, opening = generator.standard_normal(2)
        expected += np.array([turning, opening]) ** 2 / 4
        length = np.hypot(f_x, f_y)
        u += (opening * f_x * np.sin(phase) - turning * f_y * np.cos(phase)) / length
        v += (opening * f_y * np.sin(phase) + turning * f_x * np.cos(phase)) / length
    values = torch.from_numpy(np.stack([u + 7, v], -1))
    split = WindTransform(GridTransform(shape, (2.0, 3.0), True))
    power = split.power(split.coefficients(values)).sum(0)
    np.testing.assert_allclose(power, expected, rtol=1e-10)
    descending = WindTransform(GridTransform(shape, (2.0, 3.0), True), directions=(-1, 1))
    power = descending.power(descending.coefficients(values.flip(0))).sum(0)
    np.testing.assert_allclose(power, expected, rtol=1e-10)


def test_windows_keep_the_parts_apart():
    """A steep divergent field cut out of a larger one leaks little into the rotational part."""
    n = 128
    generator = torch.Generator().manual_seed(0)
    f_y, f_x = torch.meshgrid(torch.fft.fftfreq(n), torch.fft.rfftfreq(n), indexing="ij")
    radius = torch.hypot(f_y, f_x).clamp(min=1 / n)
    chi = torch.fft.rfft2(torch.randn(20, n, n, generator=generator, dtype=torch.float64)) * radius**-3
    u, v = (torch.fft.irfft2(2j * np.pi * f * chi)[:, :64, :64] for f in (f_x, f_y))
    values = torch.stack([u, v], -1).movedim(0, -2).flatten(-2)
    split = WindTransform(WindowedTransform((64, 64), 1.0))
    power = split.power(split.coefficients(values)).unflatten(-1, (-1, 2)).mean(1)
    inside = np.array([low >= 5 / 64 for low in split.bands.low[:-1]])
    share = (power[:, 0] / power.sum(1)).numpy()[:-1][inside]
    assert share.max() < 0.05


def test_what_has_no_winds_is_refused():
    with pytest.raises(InputError, match="two axes of space"):
        WindTransform(GridTransform((8,), periodic=True))
    with pytest.raises(InputError, match="WindowedTransform"):
        WindTransform(GridTransform((8, 8)))
    with pytest.raises(InputError, match="two of 2 channels"):
        WindTransform(GridTransform((8, 8), periodic=True), components=(1, 1))
    with pytest.raises(InputError, match="multiple of 2 channels"):
        split = WindTransform(GridTransform((8, 8), periodic=True))
        split.coefficients(torch.zeros(8, 8, 3))
