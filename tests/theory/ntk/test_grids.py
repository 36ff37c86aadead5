"""Stationary kernels on grids against the dense kernel of `infinite`, which knows no lags and no FFTs."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.theory import ntk
from overtone.theory.ntk import circulant_eigenvalues, expm_multiply, top_eigenpairs
from overtone.theory.ntk._operators.stationary import (
    StationaryProfile,
    ToeplitzOperator,
    circulant_shape,
    stationary_kernel_lags,
)
from tests.theory.ntk.slow import seeded

# The table's cubics are off by h^4 |f''''| / 43 with h = pi / 8191, that is 1e-13 of the kernel for the
# profiles below; a product sums N <= 120 terms and its FFTs lose log2(N) eps. 1e-11 is a hundredfold margin.
TOLERANCE = 1e-11

DUALS = [
    ntk.DualActivation.relu(),
    ntk.DualActivation.leaky_relu(-0.5),
    ntk.DualActivation.erf(),
    ntk.DualActivation.gelu(),
    ntk.DualActivation.sine(2.0),
]


def wide(frequencies: torch.Tensor, dual: ntk.DualActivation, depth: int = 2) -> ntk.InfiniteNetwork:
    amplitudes = torch.linspace(0.5, 1.5, len(frequencies))
    inputs = ntk.FeatureMap.fourier(frequencies, amplitudes)
    return ntk.InfiniteNetwork.fully_connected([ntk.DenseLayer.ntk(sigma_b=0.3)] * (depth + 1), dual, inputs)


def least_distance(x: torch.Tensor, frequencies: torch.Tensor) -> float:
    """Of the encodings of two different samples."""
    phases = 2 * torch.pi * x @ frequencies.mT
    encoded = torch.cat([phases.cos(), phases.sin()], 1)
    return float(torch.pdist(encoded).min()) if len(x) > 1 else torch.inf


def points(shape: tuple[int, ...], spacing: tuple[float, ...]) -> torch.Tensor:
    axes = [torch.arange(n, dtype=torch.float64) * s for n, s in zip(shape, spacing, strict=True)]
    return torch.cartesian_prod(*axes).reshape(-1, len(shape))


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple),
    borders=st.lists(st.booleans(), min_size=3, max_size=3),
    dual=st.sampled_from(DUALS),
    depth=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_products_are_those_of_the_dense_kernel(shape, borders, dual, depth, seed):
    around = tuple(borders[: len(shape)])
    spacing = tuple(0.7 / n for n in shape)
    source = seeded(seed)
    frequencies = 3 * torch.randn(5, len(shape), generator=source, dtype=torch.float64)
    for axis, wraps in enumerate(around):
        if wraps:
            frequencies[:, axis] = frequencies[:, axis].round() / 0.7
    # Samples that whole cycles make one for the network have a correlation of 1 up to rounding, where the slope of a
    # ReLU's dense kernel is infinite: it would be off by sqrt(eps) itself.
    assume(least_distance(points(shape, spacing), frequencies) > 1e-6)
    network = wide(frequencies, dual, depth)
    exact = network(points(shape, spacing)).ntk
    present = torch.rand(shape, generator=source) < 0.7
    present.view(-1)[0] = True
    rows = present.reshape(-1)
    operator = ToeplitzOperator(
        stationary_kernel_lags(network, shape, spacing, around), shape, around, present
    )
    vectors = torch.randn(2, operator.size, generator=source, dtype=torch.float64)
    scale = float(exact.abs().sum(1).max() * vectors.abs().max())
    everywhere = operator.apply_everywhere(vectors)
    assert everywhere.shape == (2, *shape)
    assert torch.allclose(everywhere.reshape(2, -1), vectors @ exact[rows], atol=TOLERANCE * scale, rtol=0)
    assert torch.allclose(
        operator @ vectors[0], exact[rows][:, rows] @ vectors[0], atol=TOLERANCE * scale, rtol=0
    )
    assert float(operator.spectrum.max()) >= float(torch.linalg.eigvalsh(exact[rows][:, rows])[-1]) * (
        1 - 1e-10
    )


@pytest.mark.parametrize("shape", [(300,), (3, 150), (2, 3, 140)])
@pytest.mark.parametrize("precision", [torch.float64, torch.float32])
def test_frequencies_taken_in_several_parts_make_the_same_products(shape, precision):
    """A last axis of more than 64 frequencies is taken in parts; each entry of K is looked up."""
    source = seeded(0)
    sizes = circulant_shape(shape, (False,) * len(shape))
    given = torch.randn(sizes, generator=source, dtype=torch.float64)
    given = given + given.flip(tuple(range(len(sizes)))).roll((1,) * len(sizes), tuple(range(len(sizes))))
    places = torch.cartesian_prod(*map(torch.arange, shape)).reshape(-1, len(shape))
    apart = (places[:, None] - places[None]) % torch.tensor(sizes)
    exact = given[tuple(apart.unbind(-1))]
    operator = ToeplitzOperator(given.to(precision), shape)
    vectors = torch.randn(2, len(places), generator=source, dtype=torch.float64)
    # Each product sums N terms, and the FFTs lose log2(N) eps of their root mean square.
    scale = float(exact.norm() * vectors.norm())
    error = (
        (operator.apply_everywhere(vectors.to(precision)).reshape(2, -1).double() - vectors @ exact)
        .abs()
        .max()
    )
    assert sizes[-1] // 2 + 1 > 64
    assert float(error) < 16 * torch.finfo(precision).eps * scale


def test_leaving_gaps_out_matters():
    shape, spacing = (8, 8), (0.125, 0.125)
    network = wide(2 * torch.randn(5, 2, generator=seeded(0)), ntk.DualActivation.relu())
    present = torch.ones(shape, dtype=torch.bool)
    present[3:5] = False
    found = ToeplitzOperator(stationary_kernel_lags(network, shape, spacing), shape, None, present)
    full = ToeplitzOperator(stationary_kernel_lags(network, shape, spacing), shape)
    rows = full.at_samples(full.apply_everywhere(torch.ones(64)))[present.reshape(-1)]
    assert not torch.allclose(found @ torch.ones(found.size), rows, rtol=0.05)


def test_kernel_functions_go_through_the_grid():
    shape, spacing = (6, 7), (1 / 6, 1 / 7)
    network = wide(2 * torch.randn(8, 2, generator=seeded(1)), ntk.DualActivation.relu())
    present = torch.rand(shape, generator=seeded(2)) < 0.6
    operator = ToeplitzOperator(stationary_kernel_lags(network, shape, spacing), shape, None, present)
    exact = network(points(shape, spacing)[present.reshape(-1)]).ntk
    pairs = top_eigenpairs(operator, 4)
    assert torch.allclose(pairs.values, torch.linalg.eigvalsh(exact).flip(0)[:4], rtol=1e-9)
    vector = torch.randn(operator.size, generator=seeded(3), dtype=torch.float64)
    times = [0.0, 0.01, 1.0]
    slow = torch.stack([torch.linalg.matrix_exp(-t * exact) @ vector for t in times])
    assert float((expm_multiply(operator, vector, times) - slow).norm(dim=1).max()) < 2e-6 * float(
        vector.norm()
    )


def test_whole_cycles_make_the_matrix_circulant():
    network = wide(torch.tensor([[1.0, 0.0], [2.0, -3.0]]), ntk.DualActivation.relu())
    shape, spacing = (8, 6), (1 / 8, 1 / 6)
    row = stationary_kernel_lags(network, shape, spacing, (True, True))
    operator = ToeplitzOperator(row, shape, (True, True))
    assert row.shape == shape
    assert torch.allclose(operator.spectrum, circulant_eigenvalues(row), atol=1e-10 * float(row.sum()))


def test_many_gaussian_frequencies_are_stationary_too():
    network = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk()] * 3, ntk.DualActivation.relu(), ntk.FeatureMap.gaussian_fourier(2.0)
    )
    shape, spacing = (5, 4), (0.2, 0.25)
    exact = network(points(shape, spacing)).ntk
    found = ToeplitzOperator(stationary_kernel_lags(network, shape, spacing), shape).apply_everywhere(
        torch.eye(20, dtype=torch.float64)
    )
    assert torch.allclose(found.reshape(20, 20), exact, atol=TOLERANCE * float(exact.max()))


def test_single_precision():
    network = wide(torch.randn(5, 1, generator=seeded(4)), ntk.DualActivation.relu())
    row = stationary_kernel_lags(network, (16,), (1 / 16,))
    vector = torch.randn(16, generator=seeded(5))
    single, double = ToeplitzOperator(row.float(), (16,)), ToeplitzOperator(row, (16,))
    error = (single @ vector).double() - double @ vector
    # an FFT of 32 entries loses about log2(32) eps of the largest sum, three times over
    bound = 15 * torch.finfo(torch.float32).eps * float(double.spectrum.max() * vector.norm())
    assert (single @ vector).dtype == torch.float32
    assert float(error.norm()) < bound


@pytest.mark.parametrize("dual", [*DUALS, ntk.DualActivation.tanh()], ids=lambda dual: type(dual).__name__)
def test_the_profile_is_the_network(dual):
    network = wide(torch.tensor([[1.0]]), dual, depth=3)
    x = torch.rand(200, 1, generator=seeded(6), dtype=torch.float64)
    exact = network(x[:1], x).ntk[0]
    found = StationaryProfile(network)(network.inputs.product(x[:1], x)[0])
    assert torch.allclose(found, exact, atol=1e-8 * float(exact.abs().max()), rtol=0)


def test_embedding_doubles_only_what_does_not_wrap():
    for n, around in itertools.product((1, 2, 7, 100), (True, False)):
        (size,) = circulant_shape((n,), (around,))
        assert size == n if around or n == 1 else 2 * n - 1 <= size <= 2.2 * n


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda n: stationary_kernel_lags(ntk.InfiniteNetwork(n.layers), (4,), (0.25,)),
            "a Fourier encoding.*got CoordinateMap",
        ),
        (lambda n: stationary_kernel_lags(n, (4, 4), (0.25, 0.25)), "a grid of 1 axes, got 2"),
        (
            lambda n: stationary_kernel_lags(n, (4,), (0.3,), (True,)),
            "a whole number of cycles of every frequency along periodic axis 0",
        ),
        (lambda n: stationary_kernel_lags(n, (4,), (0.3, 0.3)), "1 to 3 axes"),
        (lambda n: ToeplitzOperator(torch.ones(4), (4,)), r"lags of shape \(8,\)"),
        (
            lambda n: ToeplitzOperator(
                stationary_kernel_lags(n, (4,), (0.25,)), (4,), None, torch.zeros(4, dtype=torch.bool)
            ),
            "a bool mask of shape",
        ),
        (
            lambda n: ToeplitzOperator(stationary_kernel_lags(n, (4,), (0.25,)), (4,)).apply_everywhere(
                torch.ones(3)
            ),
            "4 weights",
        ),
    ],
)
def test_wrong_input_is_named(build, message):
    with pytest.raises(InputError, match=message):
        build(wide(torch.tensor([[1.0], [2.0]]), ntk.DualActivation.relu()))
