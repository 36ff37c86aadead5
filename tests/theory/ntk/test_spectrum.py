from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.theory import ntk
from overtone.theory.ntk import BandBasis, circulant_eigenvalues, sphere_eigenvalues
from tests.theory.ntk.slow import seeded

EPS = np.finfo(float).eps


def relu_kernel(hidden: int, sigma_b: float):
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk(math.sqrt(2), sigma_b)] * (hidden + 1), ntk.DualActivation.relu()
    )
    return lambda a, b: wide(a, b).ntk


def circle(n: int) -> torch.Tensor:
    angle = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    return torch.stack([angle.cos(), angle.sin()], 1)


def slope(values: torch.Tensor, degrees: range) -> float:
    k = np.array(degrees)
    return float(np.polyfit(np.log(k), np.log(values.numpy()[k]), 1)[0])


@pytest.mark.parametrize(
    ("hidden", "bias", "degrees"),
    [(1, 0.0, range(10, 41, 2)), (1, math.sqrt(0.1), range(10, 41)), (5, math.sqrt(0.1), range(20, 61))],
)
def test_eigenvalues_on_the_circle_fall_with_the_square_of_the_frequency(hidden, bias, degrees):
    assert -2.1 < slope(sphere_eigenvalues(relu_kernel(hidden, bias), 2, 64), degrees) < -1.9


def test_odd_frequencies_are_not_learned_without_bias():
    without, having = (
        sphere_eigenvalues(relu_kernel(1, 0.0), 2, 32),
        sphere_eigenvalues(relu_kernel(1, math.sqrt(0.1)), 2, 32),
    )
    assert float(without[3::2].abs().max()) < 1e-10
    assert float(having[3::2].min()) > 1e-5
    assert float(without[1]) > 0.1


@pytest.mark.parametrize("dimension", [3, 4])
def test_eigenvalues_on_spheres_fall_with_the_dimension(dimension):
    found = sphere_eigenvalues(relu_kernel(1, 0.0), dimension, 80)
    assert abs(slope(found, range(40, 79, 2)) + dimension) < 0.1
    assert float(found[3::2].abs().max()) < 1e-10


def test_the_circle_agrees_with_its_grid():
    """The grid's eigenvalue k is the sum of the continuous ones that alias onto it, k + n j; they fall as k^-2."""
    n, kernel = 512, relu_kernel(2, 0.3)
    x = circle(n)
    by_grid = circulant_eigenvalues(kernel(x, x[:1])[:, 0]) / n
    by_degree = sphere_eigenvalues(kernel, 2, 20)
    tail = 4 * (20 / n) ** 2 * float(by_degree[19]) * (math.pi**2 / 6) * 2
    assert torch.allclose(by_grid[:20], by_degree, rtol=0, atol=tail)


def test_a_zonal_kernel_of_one_degree_has_one_eigenvalue():
    """k = P_2(x.x') in three dimensions: mu_2 = 1 / 5 by the addition theorem, all others 0."""
    found = sphere_eigenvalues(lambda a, b: (3 * (a @ b.mT) ** 2 - 1) / 2, 3, 8)
    assert torch.allclose(found, torch.eye(8)[2].double() / 5, atol=100 * EPS)


@settings(max_examples=20, deadline=None)
@given(shape=st.lists(st.integers(1, 7), min_size=1, max_size=3), seed=st.integers(0, 2**31))
def test_periodic_eigenvalues_are_those_of_the_matrix(shape, seed):
    row = torch.randn(shape, generator=seeded(seed), dtype=torch.float64)
    mirrored = row.flip(tuple(range(len(shape)))).roll([1] * len(shape), tuple(range(len(shape))))
    row = row + mirrored
    points = list(itertools.product(*(range(n) for n in shape)))
    matrix = torch.stack(
        [
            torch.stack(
                [row[tuple((a - b) % n for a, b, n in zip(p, q, shape, strict=True))] for q in points]
            )
            for p in points
        ]
    )
    exact = torch.linalg.eigvalsh(matrix)
    assert torch.allclose(
        circulant_eigenvalues(row).flatten().sort().values, exact, atol=1e-12 * float(1 + row.abs().sum())
    )


def test_fourier_features_make_the_kernel_stationary():
    x = torch.arange(32, dtype=torch.float64)[:, None] / 32
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk()] * 3,
        ntk.DualActivation.relu(),
        ntk.FeatureMap.fourier(torch.tensor([[1.0], [2.0], [5.0]])),
    )
    full = wide(x).ntk
    found = circulant_eigenvalues(full[0]).sort().values
    assert torch.allclose(found, torch.linalg.eigvalsh(full), atol=1e-6 * float(full[0, 0]))


def test_an_asymmetric_row_is_refused():
    with pytest.raises(InputError, match="a symmetric row"):
        circulant_eigenvalues(torch.arange(8.0))


def test_bands_of_a_stationary_kernel_are_means_of_its_eigenvalues():
    x = torch.arange(64, dtype=torch.float64)[:, None] / 64
    kernel = relu_kernel(2, 0.3)(circle(64), circle(64))
    eigenvalues = circulant_eigenvalues(kernel[0])
    basis = BandBasis(x, [0, 0.5, 1.5, 4.5, 20.5, 32.5], period=[1.0])
    assert basis.modes == [1, 2, 6, 32, 23]
    ranges = [range(1), range(1, 2), range(2, 5), range(5, 21)]
    exact = torch.stack([eigenvalues[list(r)].mean() for r in ranges])
    # where two inputs coincide, arccos turns a rounding of their product into its square root
    rounding = 2 * torch.finfo(torch.float64).eps ** 0.5 * float(kernel.diagonal().max())
    assert torch.allclose(basis.eigenvalues(kernel)[:4], exact, rtol=1e-10, atol=rounding)
    _, vectors = torch.linalg.eigh(kernel)
    share = basis.share(vectors)
    assert torch.allclose(share.sum(0), torch.ones(64).double(), atol=1e-12)
    assert float((share * (1 - share)).abs().max()) < 1e-6


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(40, 80), axes=st.integers(1, 2))
def test_shares_on_scattered_points_never_exceed_the_whole(seed, n, axes):
    x = torch.rand(n, axes, generator=seeded(seed), dtype=torch.float64) * 3
    vectors = torch.randn(n, 3, generator=seeded(seed + 1), dtype=torch.float64)
    basis = BandBasis(x, [0, 0.2, 0.8, 1.5])
    share = basis.share(vectors)
    assert bool((share >= 0).all())
    assert bool((share.sum(0) <= 1 + 1e-12).all())
    together = torch.cat(basis.bases, 1)
    assert torch.allclose(together.mT @ together, torch.eye(together.shape[1]).double(), atol=1e-10)


def test_a_wave_lies_in_its_band():
    x = torch.rand(200, 1, generator=seeded(5), dtype=torch.float64) * 2
    length = float(x.max() - x.min())
    basis = BandBasis(x, [0, 1, 2, 3, 4])
    for band, order in enumerate((1, 5, 9, 13)):
        wave = torch.cos(math.pi * order * (x - x.min()) / length)
        assert band == int(order / (2 * length))
        assert (
            float(basis.share(wave)[band]) > 0.99
            if band == 0
            else float(basis.share(wave)[: band + 1].sum()) > 0.9
        )
        assert float(basis.share(wave)[band + 1 :].sum()) < 1e-9


def test_low_frequencies_have_the_larger_eigenvalues_on_scattered_points():
    x = torch.rand(150, 2, generator=seeded(6), dtype=torch.float64)
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk(math.sqrt(2), 0.3)] * 3, ntk.DualActivation.relu()
    )
    found = BandBasis(x, [0, 0.25, 1.0, 2.0, 3.0]).eigenvalues(wide(x).ntk).tolist()
    assert found == sorted(found, reverse=True)
    assert found[0] > 100 * found[-1]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: sphere_eigenvalues(relu_kernel(1, 0.0), 1, 4), "a dimension of at least 2"),
        (lambda: sphere_eigenvalues(relu_kernel(1, 0.0), 2, 0), "at least one degree"),
        (lambda: BandBasis(torch.ones(5), [0, 1]), r"\(N, d\) finite coordinates"),
        (lambda: BandBasis(torch.rand(5, 1), [1, 1]), "ascending band edges"),
        (lambda: BandBasis(torch.rand(5, 1), [0, 1e4]), "the resolution of 5 points"),
        (lambda: BandBasis(torch.rand(5, 1), [0, 1], period=[1.0, 2.0]), "1 positive periods"),
    ],
)
def test_wrong_input_is_named(build, message):
    with pytest.raises(InputError, match=message):
        build()
