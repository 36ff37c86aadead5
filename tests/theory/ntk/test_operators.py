from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from overtone.errors import InputError, RunError
from overtone.theory.ntk import expm_multiply, top_eigenpairs
from overtone.theory.ntk._empirical.inner_products import OutputLayout
from overtone.theory.ntk._operators.base import MatrixOperator
from overtone.theory.ntk._operators.lanczos import Lanczos
from overtone.theory.ntk._operators.network import JacobianOperator
from tests.theory.ntk import zoo
from tests.theory.ntk.slow import kernel, randomise, seeded


def samples(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(1), dtype=torch.float64)


def mlp() -> nn.Module:
    return randomise(
        nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)).double()
    )


def decaying(n: int = 30) -> torch.Tensor:
    q = torch.linalg.qr(samples(n, n))[0]
    return q @ torch.diag(10.0 ** -torch.linspace(0, 6, n, dtype=torch.float64)) @ q.mT


@pytest.mark.parametrize(
    ("build", "x"),
    [
        (mlp, samples(9, 2)),
        (zoo.Tied, samples(5, 5)),
        (lambda: zoo.Recurrent(nn.RNN), samples(3, 4, 3)),
        (lambda: zoo.Recurrent(nn.LSTM), samples(3, 4, 3)),
        (lambda: zoo.Recurrent(nn.GRU), samples(3, 4, 3)),
        (zoo.Transformer, samples(3, 6, 8)),
        (lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Flatten()), samples(4, 2, 5)),
    ],
    ids=["mlp", "tied", "rnn", "lstm", "gru", "transformer", "convolution"],
)
def test_products_agree_with_the_kernel(build, x):
    network = randomise(build().double()).train()
    exact = kernel(network, x, OutputLayout.BLOCKS)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    random = torch.get_rng_state()
    for chunk in (2, 100):
        operator = JacobianOperator(network, x, chunk=chunk)
        vector = torch.randn(operator.size, generator=seeded(2), dtype=torch.float64)
        assert torch.allclose(
            operator @ vector, exact @ vector, rtol=0, atol=1e-12 * float(exact.abs().sum(1).max())
        )
    assert network.training
    assert all(p.grad is None for p in network.parameters())
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


def test_top_eigenpairs_are_those_of_the_dense_kernel():
    network, x = mlp(), samples(20, 2)
    exact = kernel(network, x, OutputLayout.BLOCKS)
    values = torch.linalg.eigvalsh(exact).flip(0)
    for operator in (JacobianOperator(network, x), MatrixOperator(exact)):
        found = top_eigenpairs(operator, 5)
        assert torch.allclose(found.values, values[:5], rtol=1e-10)
        assert torch.allclose(
            exact @ found.vectors, found.vectors * found.values, atol=1e-9 * float(values[0])
        )
    repeated = top_eigenpairs(MatrixOperator(exact), 5)
    assert torch.equal(repeated.vectors, top_eigenpairs(MatrixOperator(exact), 5).vectors)


def test_top_eigenpairs_in_single_precision():
    exact = decaying()
    found = top_eigenpairs(MatrixOperator(exact.float()), 3)
    assert found.values.dtype == torch.float32
    assert torch.allclose(found.values.double(), torch.linalg.eigvalsh(exact).flip(0)[:3], rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(1, 25),
    rank=st.integers(1, 25),
    times=st.lists(st.floats(0, 100), min_size=1, max_size=4),
    tolerance=st.sampled_from([1e-3, 1e-8]),
)
def test_expm_multiply_is_the_matrix_exponential(seed, n, rank, times, tolerance):
    root = torch.randn(n, rank, generator=seeded(seed), dtype=torch.float64) / math.sqrt(rank)
    matrix, vector = root @ root.mT, torch.randn(n, generator=seeded(seed + 1), dtype=torch.float64)
    found = expm_multiply(MatrixOperator(matrix), vector, times, tolerance=tolerance)
    exact = torch.stack([torch.linalg.matrix_exp(-t * matrix) @ vector for t in times])
    assert float((found - exact).norm(dim=1).max()) < (tolerance + 1e-11) * float(vector.norm())


def test_expm_multiply_needs_fewer_products_than_rows():
    class Counting(MatrixOperator):
        def __matmul__(self, vector):
            nonlocal products
            products += 1
            return super().__matmul__(vector)

    products = 0
    matrix, vector = decaying(200), samples(200)
    found = expm_multiply(Counting(matrix), vector, [0.0, 1.0, 100.0], tolerance=1e-6)
    assert products < 60
    assert torch.allclose(found[0], vector, atol=1e-10)


def test_expm_multiply_of_nothing():
    matrix = decaying()
    assert torch.equal(
        expm_multiply(MatrixOperator(matrix), torch.zeros(30), [1.0, 2.0]), torch.zeros(2, 30).double()
    )
    vector = samples(30)
    assert torch.allclose(
        expm_multiply(MatrixOperator(torch.zeros(30, 30).double()), vector, [5.0])[0], vector
    )


def test_expm_multiply_says_when_it_cannot():
    with pytest.raises(RunError, match=r"an error below 1e-12, got .* after 3 steps"):
        expm_multiply(MatrixOperator(decaying()), samples(30), [1e4], tolerance=1e-12, steps=3)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MatrixOperator(torch.ones(2, 3)), "a square matrix"),
        (lambda: MatrixOperator(torch.eye(2)) @ torch.ones(3), r"a vector of 2, got shape \(3,\)"),
        (lambda: top_eigenpairs(MatrixOperator(torch.eye(3)), 3), "a count between 1 and 2, got 3"),
        (
            lambda: expm_multiply(MatrixOperator(torch.eye(3)), torch.ones(3), [-1.0]),
            "finite times of 0 or more",
        ),
        (lambda: JacobianOperator(mlp(), samples(3, 2), chunk=0), "at least one sample per pass"),
        (lambda: JacobianOperator(mlp(), samples(0, 2)), "at least one sample, got shape"),
        (
            lambda: JacobianOperator(mlp().requires_grad_(False), samples(3, 2)),
            "parameters that require gradients",
        ),
    ],
)
def test_wrong_input_is_named(build, message):
    with pytest.raises(InputError, match=message):
        build()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(3, 25), vectors=st.integers(1, 3))
def test_lanczos_tridiagonalises_with_and_without_reorthogonalisation(seed, n, vectors):
    root = torch.randn(n, n, generator=seeded(seed), dtype=torch.float64) / math.sqrt(n)
    matrix = root @ root.mT
    start = torch.nn.functional.normalize(
        torch.randn(vectors, n, generator=seeded(seed + 1), dtype=torch.float64), dim=1
    )
    spaces = [Lanczos(lambda v: v @ matrix, start, reorthogonalise=full) for full in (True, False)]
    for space in spaces:
        for _ in range(3):
            space.step()
    full, plain = spaces
    basis = torch.stack(full.basis, 1)
    identity = torch.eye(3, dtype=torch.float64).expand(vectors, 3, 3)
    scale = float(matrix.norm())
    assert torch.allclose(basis @ basis.mT, identity, atol=1e-12)
    assert torch.allclose(basis @ matrix @ basis.mT, full.tridiagonal(), atol=1e-12 * scale)
    # In the first steps the three-term recurrence is orthogonal by itself, up to rounding over the remainders.
    smallest = float(torch.stack(plain.below[:2]).min()) / scale
    assert torch.allclose(full.tridiagonal(), plain.tridiagonal(), atol=1e-10 * scale / smallest**2)
