from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.spectra import PointsTransform, points
from tests.spectra_points.twins import band_limited

EDGES = [0.0, 0.5, 2.2, 4.0]
TOLERANCE = 1e-6
"""Conjugate gradients stop at 1e-10 of the normal equations, whose condition on these samples is below 1e3."""

seeds = st.integers(0, 10_000)
few = settings(max_examples=8, deadline=None)


def sample(seed, axes=2, channels=2):
    """Values at one random place in each cell of a lattice, where least squares is well conditioned."""
    generator = np.random.default_rng(seed)
    n = 40 if axes == 1 else 12
    cells = np.stack(np.meshgrid(*[np.arange(n)] * axes), -1).reshape(-1, axes)
    x = (cells + generator.random(cells.shape)) / n
    return x, generator.normal(size=(len(x), channels)), generator


def power(x, y, **options):
    return points(x, y, edges=EDGES, domain=(0, 1), **options).power.numpy()


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, atol=TOLERANCE * np.abs(wanted).max(), rtol=0)


@few
@given(seeds, st.floats(-3, 3), st.floats(-3, 3), st.booleans())
def test_coefficients_are_linear(seed, a, b, periodic):
    x, y, generator = sample(seed)
    other = generator.normal(size=y.shape)
    transform = PointsTransform(x, EDGES, domain=(0, 1), periodic=periodic)
    combined = transform.coefficients(a * y + b * other)
    parts = a * transform.coefficients(y) + b * transform.coefficients(other)
    np.testing.assert_allclose(combined, parts, atol=TOLERANCE * (abs(a) + abs(b)) + 1e-300)


@few
@given(seeds, st.booleans())
def test_the_order_of_samples_does_not_matter(seed, periodic):
    x, y, generator = sample(seed)
    order = generator.permutation(len(x))
    close(power(x[order], y[order], periodic=periodic), power(x, y, periodic=periodic))


@few
@given(seeds, st.sampled_from([1, 2]))
def test_shifting_a_periodic_domain_does_not_matter(seed, axes):
    x, y, generator = sample(seed, axes)
    shift = generator.normal(size=axes)
    moved = points(x + shift, y, edges=EDGES, domain=[(s, s + 1) for s in shift])
    close(moved.power.numpy(), power(x, y))


@few
@given(seeds)
def test_rotating_a_periodic_function_does_not_matter(seed):
    """Samples pushed over the border of a periodic domain come in at the other side."""
    x, _, generator = sample(seed, axes=1)
    y, _, _ = band_limited(x, (0.0,), (1.0,), (True,), 4.0, seed)
    close(power((x + generator.random()) % 1, y), power(x, y))


@few
@given(seeds, st.booleans())
def test_reflecting_the_domain_does_not_matter(seed, periodic):
    x, _, _ = sample(seed)
    y, _, _ = band_limited(x, (0.0, 0.0), (1.0, 1.0), (periodic, periodic), 3.0, seed)
    close(power(1 - x, y, periodic=periodic), power(x, y, periodic=periodic))


@few
@given(seeds)
def test_channels_do_not_know_each_other(seed):
    x, y, _ = sample(seed, channels=3)
    y[:, 1] *= 1e6
    together = power(x, y)
    for channel in range(3):
        close(power(x, y[:, channel])[:, 0], together[:, channel])


@few
@given(seeds, st.floats(1e-3, 1e3))
def test_power_grows_with_the_square_and_frequencies_with_the_inverse_unit(seed, factor):
    x, y, _ = sample(seed)
    close(power(x, factor * y), factor**2 * power(x, y))
    scaled = points(factor * x, y, edges=[e / factor for e in EDGES], domain=(0, factor))
    close(scaled.power.numpy(), power(x, y))


@few
@given(seeds, st.floats(-1e6, 1e6))
def test_a_constant_is_all_in_the_first_band(seed, level):
    x, _, _ = sample(seed)
    found = points(x, np.full(len(x), level), edges=EDGES, domain=(0, 1))
    np.testing.assert_allclose(found.power[0, 0], level**2, rtol=1e-12)
    assert found.power[1:].abs().max() <= 1e-24 * level**2
    assert found.missing[0] <= 1e-24 * level**2
