from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from overtone.spectra import points
from overtone.spectra._points_density import Density, local_density
from overtone.spectra._points_methods import PointsMethod
from overtone.spectra._points_modes import Box

UNIT = {axes: Box((0.0,) * axes, (1.0,) * axes) for axes in (1, 2, 3)}


def uniform(n, axes, seed=0):
    return np.random.default_rng(seed).random((n, axes))


def shares(x, periodic, draws=400_000):
    """The cells by throwing places at random and giving each to the nearest sample of all periodic images."""
    spots = uniform(draws, x.shape[1], seed=99)
    turns = [1.0 if wraps else 0.0 for wraps in periodic]
    owner = cKDTree(x, boxsize=turns).query(spots)[1]
    return np.bincount(owner, minlength=len(x)) / draws


@pytest.mark.parametrize(
    "density", [Density.voronoi(), Density.neighbours(), Density.known(np.arange(1, 51))]
)
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("wraps", [True, False])
def test_weights_are_positive_shares(density, axes, wraps):
    weights = density.weights(uniform(50, axes), UNIT[axes], (wraps,) * axes)
    assert (weights > 0).all()
    assert weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("wraps", [True, False])
def test_intervals_on_a_line_are_the_cells(wraps):
    x = uniform(20, 1)
    wanted = shares(x, (wraps,))
    found = Density.voronoi().weights(x, UNIT[1], (wraps,))
    assert np.abs(found - wanted).max() < 5 * np.sqrt(wanted.max() / 400_000)


@pytest.mark.parametrize("periodic", [(True, True), (False, True)])
def test_cells_in_the_plane_are_as_exact_as_the_lattice(periodic):
    x = uniform(60, 2)
    wanted = shares(x, periodic)
    errors = [
        np.abs(Density.voronoi(resolution).weights(x, UNIT[2], periodic) - wanted).mean() * 60
        for resolution in (8, 128)
    ]
    assert errors[0] < 1 / np.sqrt(8)
    assert errors[1] < errors[0] / 2


def test_a_grid_has_equal_weights():
    along = (np.arange(6) + 0.5) / 6
    x = np.stack(np.meshgrid(along, along), -1).reshape(-1, 2)
    for density in (Density.voronoi(9), Density.neighbours(4)):
        for wraps in (True, False):
            np.testing.assert_allclose(density.weights(x, UNIT[2], (wraps, True)), 1 / 36, rtol=1e-9)


def test_weights_follow_the_density():
    x = uniform(4000, 2)
    x[:, 0] **= 2
    for density in (Density.voronoi(), Density.neighbours()):
        weights = density.weights(x, UNIT[2], (False, False))
        in_halves = weights[x[:, 0] < 0.5].sum()
        assert in_halves == pytest.approx(0.5, abs=0.02)
        assert (x[:, 0] < 0.5).mean() > 0.65


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_local_density_is_that_of_a_lattice(axes):
    n = {1: 400, 2: 40, 3: 14}[axes]
    along = (np.arange(n) + 0.5) / n
    x = np.stack(np.meshgrid(*[along] * axes), -1).reshape(-1, axes)
    spots = uniform(200, axes, 1)
    for wraps in (True, False):
        found = local_density(x, UNIT[axes], (wraps,) * axes, 16, spots)
        assert np.median(found) == pytest.approx(n**axes, rel=0.1)
        assert found.min() > 0.7 * n**axes, "borders are no holes"


def test_any_weights_give_a_band_limited_signal():
    x = uniform(300, 1)
    y = np.cos(2 * np.pi * 7 * x[:, 0] + 1)
    for density in (Density.voronoi(), Density.neighbours(), Density.known(np.ones(300))):
        found = points(x, y, edges=[0, 5, 10], density=density, method=PointsMethod.least_squares(2000))
        assert found.power[1, 0] == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "n"),
    [(0.0, 1.0, 200), (-1.0, 1.0, 500), (0.0, 6.0, 100), (-20.0, 50.0, 300), (1e-6, 3e-6, 200)],
)
def test_the_domain_is_the_round_box_places_were_drawn_from(low, high, n):
    x = low + (high - low) * uniform(n, 1)
    box = Box.around(x)
    assert box.low == (low,)
    assert box.high == (high,)


def test_the_domain_never_leaves_samples_out_nor_reaches_far():
    for seed in range(50):
        generator = np.random.default_rng(seed)
        x = generator.normal() * 10 + generator.random((40, 2)) * 10.0 ** generator.uniform(-6, 6)
        box = Box.around(x)
        gap = np.ptp(x, axis=0) / 39
        assert (x >= box.low).all()
        assert (x <= box.high).all()
        assert (x.min(0) - box.low <= 6.001 * gap).all()
        assert (np.array(box.high) - x.max(0) <= 6.001 * gap).all()


def test_a_lattice_of_cell_centres_gets_its_cells():
    x = (np.arange(10)[:, None] + 0.5) / 10
    assert Box.around(x) == Box((0.0,), (1.0,))
