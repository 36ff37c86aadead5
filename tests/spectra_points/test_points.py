from __future__ import annotations

import numpy as np
import pytest
import torch

from overtone.spectra import Bands, PointsMethod, PointsTransform, grid, points
from overtone.spectra._points_density import Density
from tests.spectra_points.twins import (
    band_limited,
    banded,
    basis,
    dense_least_squares,
    dense_quadrature,
    listed_modes,
)

LIMITS = {1: 60.0, 2: 6.0, 3: 3.0}
CASES = [(1, (True,)), (1, (False,)), (2, (True, True)), (2, (False, False)), (2, (True, False))]
CASES += [(3, (True, True, True)), (3, (False, True, False))]


def edges_to(top):
    """Bands that all hold modes: the mean alone, then two, or four where there are enough shells."""
    inner = (0.55,) if top < 5 else (0.3, 0.55, 0.8)
    return [0.0, 0.2, *(share * top for share in inner), top]


def uniform(n, axes, seed):
    return np.random.default_rng(seed).random((n, axes))


def four_to_one(n, axes, seed):
    """Places of density 8/5 in the first half of axis 0 and 2/5 in the second."""
    x = uniform(n, axes, seed)
    dense = np.arange(n) < 0.8 * n
    x[:, 0] = np.where(dense, x[:, 0] / 2, 0.5 + x[:, 0] / 2)
    return x


def sloping(n, axes, seed):
    """Places whose density falls linearly along axis 0 from 8/5 to 2/5."""
    x = uniform(n, axes, seed)
    x[:, 0] = (1.6 - np.sqrt(1.6**2 - 2.4 * x[:, 0])) / 1.2
    return x


def errors(x, periodic, top, seed, **options):
    axes = x.shape[1]
    y, coefficients, radii = band_limited(x, (0.0,) * axes, (1.0,) * axes, periodic, top, seed)
    edges = edges_to(top)
    found = points(x, y, edges=edges, domain=(0, 1), periodic=periodic, **options)
    truth = banded(coefficients**2, radii, edges)
    return np.abs(found.power.numpy() / truth - 1).max(), found


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("axes", "periodic"), CASES)
def test_twice_the_rate_at_random_places_gives_every_band(axes, periodic, seed):
    top = LIMITS[axes]
    rate = len(listed_modes((1.0,) * axes, periodic, top))
    error, found = errors(uniform(2 * rate, axes, seed), periodic, top, seed)
    assert error < 0.02
    assert found.missing_share.max() < 1e-6
    assert 0.8 * top < found.supported < 1.3 * top


@pytest.mark.parametrize(("axes", "periodic"), CASES)
def test_a_density_of_four_to_one_gives_every_band(axes, periodic):
    top = LIMITS[axes]
    rate = len(listed_modes((1.0,) * axes, periodic, top))
    error, found = errors(four_to_one(5 * rate, axes, 0), periodic, top, 0)
    assert error < 0.02
    assert found.supported > 0.8 * top


@pytest.mark.parametrize(("axes", "top"), [(1, 30.0), (2, 6.0), (3, 3.0)])
def test_a_sloping_density_of_twice_the_rate_on_average_gives_every_band(axes, top):
    periodic = (True,) * axes
    rate = len(listed_modes((1.0,) * axes, periodic, top))
    error, found = errors(sloping(2 * rate, axes, 1), periodic, top, 0)
    assert error < 0.02
    even = PointsTransform(uniform(2 * rate, axes, 1), domain=(0, 1))
    assert found.supported < 0.97 * even.supported, "the sparse end supports less, and it says so"


def test_quadrature_fails_where_least_squares_does_not():
    x = uniform(242, 1, 0)
    assert errors(x, (True,), 60.0, 0, method=PointsMethod.quadrature())[0] > 0.1
    assert errors(x, (True,), 60.0, 0)[0] < 0.02


def test_stopping_early_is_not_enough_for_a_noise_free_signal():
    x = uniform(242, 1, 0)
    assert errors(x, (True,), 60.0, 0, method=PointsMethod.least_squares(iterations=3))[0] > 0.02


@pytest.mark.parametrize(("axes", "periodic"), CASES)
def test_least_squares_is_the_dense_one(axes, periodic):
    """The dense solution errs by cond^(1/2) u, ours by cond (eps + tolerance), cond that of the normal matrix."""
    top = LIMITS[axes] / 1.5
    low, extent = (-1.0, 2.0, 0.5)[:axes], (2.0, 0.5, 1.0)[:axes]
    rate = len(listed_modes(extent, periodic, top))
    x = np.array(low) + uniform(4 * rate, axes, 3) * np.array(extent)
    y = np.random.default_rng(4).normal(size=(len(x), 2)) + 1
    edges = edges_to(top)
    domain = list(zip(low, (np.array(low) + extent).tolist(), strict=True))
    transform = PointsTransform(x, edges, domain=domain, periodic=periodic)
    reach = max(transform.supported, top)
    weights = transform._sampling.weights.numpy()
    found = transform.spectrum(y)
    wanted, radii = dense_least_squares(x, y, low, extent, periodic, reach, weights)
    functions, _ = basis(x, low, extent, periodic, reach)
    condition = np.linalg.cond(np.sqrt(weights)[:, None] * functions) ** 2
    inside = radii <= top * (1 + 1e-9)
    expected = banded(wanted[inside] ** 2, radii[inside], edges)
    scale = (wanted**2).sum(0)
    allowed = 2 * condition * (1e-10 + 1e-12)
    assert condition < 1e7, "or the bound below says nothing"
    assert (np.abs(found.power.numpy() - expected) <= allowed * scale).all()
    left = weights @ (y - functions @ wanted) ** 2 + (wanted[~inside] ** 2).sum(0)
    np.testing.assert_allclose(found.missing.numpy(), left, atol=(allowed * scale).max())


@pytest.mark.parametrize(("axes", "periodic"), CASES)
def test_quadrature_is_the_dense_sum(axes, periodic):
    """finufft promises eps = 1e-13 of the norm of the strengths, summed in quadrature over the modes."""
    top = LIMITS[axes] / 1.5
    low, extent = (0.0,) * axes, (1.0,) * axes
    rate = len(listed_modes(extent, periodic, top))
    x = uniform(3 * rate, axes, 5)
    y = np.random.default_rng(6).normal(size=(len(x), 3))
    edges = edges_to(top)
    transform = PointsTransform(x, edges, domain=(0, 1), periodic=periodic, method=PointsMethod.quadrature())
    weights = transform._sampling.weights.numpy()
    centred = y - weights @ y
    wanted, radii = dense_quadrature(x, centred, low, extent, periodic, top, weights)
    wanted[radii == 0] += weights @ y
    expected = banded(wanted**2, radii, edges)
    eps = 1e-13 * np.sqrt(rate * len(x)) * np.linalg.norm(weights[:, None] * y, axis=0)
    allowed = 2 * eps * np.sqrt(expected) * 10 + 10 * eps**2
    assert (np.abs(transform.spectrum(y).power.numpy() - expected) <= allowed).all()


@pytest.mark.parametrize("periodic", [True, False])
def test_points_on_a_grid_agree_with_the_grid(periodic):
    n = 24
    field = torch.randn(n, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    top = 0.4 * n
    smooth = field
    for axis in (0, 1):
        smooth = (smooth + smooth.roll(1, axis) + smooth.roll(-1, axis)) / 3
    along = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    coords = torch.stack(torch.meshgrid(along, along, indexing="ij"), -1).reshape(-1, 2)
    edges = [0, 0.3, 3.2, 6.1, top]
    ours = points(
        coords,
        smooth.reshape(-1),
        edges=edges,
        domain=(0, 1),
        periodic=periodic,
        method=PointsMethod.quadrature(),
        density=Density.known(np.ones(n * n)),
    )
    theirs = grid(smooth, periodic=periodic, bands=edges)
    torch.testing.assert_close(ours.power, theirs.power[:4], rtol=1e-10, atol=1e-14)


def test_power_and_missing_close_to_the_mean_square_of_the_fit_and_its_rest():
    x = uniform(400, 2, 0)
    y = np.random.default_rng(1).normal(size=(400, 2))
    transform = PointsTransform(x, [0, 2, 4], domain=(0, 1))
    found = transform.spectrum(y)
    coefficients = transform.coefficients(y)
    rest = torch.from_numpy(y) - transform.reconstruct(coefficients)
    fitted = coefficients.abs().square().sum(0)
    left = transform._sampling.weights @ rest.square()
    torch.testing.assert_close(found.mean_square, fitted + left, rtol=1e-12, atol=0)
    assert (found.missing > 0).all()


def test_power_beyond_the_bands_is_missing_and_not_folded_down():
    x = uniform(600, 1, 0)[:, 0]
    low, high = np.cos(2 * np.pi * 3 * x), np.cos(2 * np.pi * 40 * x)
    found = points(x, low + high, edges=[0, 2, 5, 10])
    np.testing.assert_allclose(found.power[:, 0], [0, 0.5, 0], atol=1e-6)
    assert found.missing[0] == pytest.approx(0.5, rel=1e-6)
    assert found.missing_share[0] == pytest.approx(0.5, rel=1e-6)


def test_the_power_of_noise_is_foretold():
    """Against the trace of the dense estimator; a mean over D draws of M squares errs by sqrt(2 / (D M))."""
    x = uniform(240, 1, 0)
    edges = [0, 20.5, 45]
    transform = PointsTransform(x, edges, domain=(0, 1))
    weights = transform._sampling.weights.numpy()
    reach = max(transform.supported, 45)
    identity = np.eye(240)
    response, radii = dense_least_squares(x, identity, (0.0,), (1.0,), (True,), reach, weights)
    inside = radii <= 45
    wanted = banded((response[inside] ** 2).sum(1), radii[inside], edges)
    np.testing.assert_allclose(transform.noise_power(draws=64), wanted, rtol=0.3)
    assert (wanted > 0.8 * transform.modes.numpy() / 240).all()


def test_reference_gives_cross_power_and_learned_fraction():
    x = uniform(500, 2, 0)
    target, _, _ = band_limited(x, (0.0, 0.0), (1.0, 1.0), (True, True), 4.0, 0, channels=2)
    found = points(x, 0.5 * target, edges=[0, 2, 4], domain=(0, 1), reference=target)
    torch.testing.assert_close(found.cross, 0.5 * found.reference_power, rtol=1e-7, atol=1e-12)
    assert points(x, target, edges=[0, 2, 4], domain=(0, 1)).cross is None


def test_a_transform_is_linear_so_residuals_need_no_further_one():
    x = uniform(300, 1, 0)
    one, two = np.random.default_rng(1).normal(size=(2, 300, 1))
    transform = PointsTransform(x, [0, 10, 20], domain=(0, 1))
    apart = transform.power(transform.coefficients(one) - transform.coefficients(two))
    torch.testing.assert_close(
        apart, transform.power(transform.coefficients(one - two)), rtol=1e-6, atol=1e-9
    )


def test_bands_are_exactly_those_asked_for():
    x = uniform(300, 1, 0)
    bands = Bands((0.0, 1.5, 9.0))
    for given in ({"bands": bands}, {"edges": [0, 1.5, 9]}):
        assert points(x, x, **given).bands == bands


def test_bands_of_its_own_reach_the_supported_frequency_and_hold_modes():
    for axes in (1, 2, 3):
        for periodic in (True, False):
            transform = PointsTransform(uniform(700, axes, 0), periodic=periodic)
            assert transform.bands.edges[-1] == pytest.approx(transform.supported)
            assert (transform.modes > 0).all()


def test_a_hole_in_the_sampling_lowers_the_supported_frequency():
    x = uniform(2000, 2, 0)
    whole = PointsTransform(x, domain=(0, 1)).supported
    hole = x[((x - 0.5) ** 2).sum(1) > 0.09]
    assert PointsTransform(hole, domain=(0, 1)).supported < 0.6 * whole


def test_bands_beyond_the_supported_frequency_are_not_trusted():
    x = sloping(100, 1, 0)
    found = points(x, x, edges=[0, 2, 12, 40], domain=(0, 1))
    assert found.trusted.tolist() == [True, True, False]


def test_supported_scales_with_the_unit_and_the_root_of_the_number():
    x = uniform(1000, 2, 0)
    here = PointsTransform(x, domain=(0, 1)).supported
    assert PointsTransform(10 * x, domain=(0, 10)).supported == pytest.approx(here / 10)
    more = PointsTransform(uniform(16000, 2, 1), domain=(0, 1)).supported
    assert more == pytest.approx(4 * here, rel=0.1)


def test_tensors_keep_their_device_and_float32_is_no_worse_than_its_rounding():
    x = uniform(300, 1, 0)
    y = np.cos(2 * np.pi * 5 * x)
    exact = points(x, y, edges=[0, 4, 8])
    rough = points(torch.from_numpy(x), torch.from_numpy(y).float(), edges=[0, 4, 8])
    assert rough.power.dtype == torch.float64
    assert rough.power.device == torch.device("cpu")
    np.testing.assert_allclose(rough.power, exact.power, atol=100 * 2.0**-24)


@pytest.mark.parametrize("missing", [slice(100, 130), slice(100, 110), slice(0, 0)])
def test_a_gap_in_even_samples_does_not_amplify_what_is_there(missing):
    x = np.delete(np.arange(0, 200, 0.25), missing)
    noise = np.random.default_rng(3).normal(size=len(x))
    y = np.sin(2 * np.pi * x / 24) + 0.1 * noise
    transform = PointsTransform(x, periodic=False)
    # The function hidden best in the gap may receive ten times the noise's variance, the next ones far less; without
    # the bound the sum is 1e10 at the widest gap.
    assert float(transform.noise_power().sum()) < 25
    found = transform.spectrum(y)
    assert float(found.power.sum()) == pytest.approx(np.mean(y**2), abs=25 * 0.1**2)
    strongest = int(found.power[1:, 0].argmax()) + 1
    assert found.bands.low[strongest - 1] <= 1 / 24 < found.bands.high[strongest + 1]


def test_holes_of_uniform_places_leave_the_supported_frequency_to_their_density():
    for axes, samples in ((1, 400), (2, 2000), (3, 4000)):
        found = PointsTransform(uniform(samples, axes, 0), domain=(0, 1)).supported
        density = (samples / {1: 2, 2: np.pi, 3: 4 / 3 * np.pi}[axes]) ** (1 / axes)
        assert 0.3 ** (1 / axes) * density < found < density
