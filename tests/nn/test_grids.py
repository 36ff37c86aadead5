"""Grids against slow twins that loop over levels and corners, and what the gather promises."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from overtone import nn
from overtone.errors import InputError
from overtone.nn.encodings import DenseGrid, HashGrid, Interpolation, Triplane
from overtone.nn.encodings._grids import PRIMES, MultiResolution
from overtone.nn.encodings._lookup import lookup

EPS = 2.0**-53


def kernel_weight(kernel: Interpolation, distance: float) -> float:
    """The kernel as a function of the distance to a node, piece by piece."""
    r = abs(distance)
    match kernel:
        case Interpolation.LINEAR:
            return max(0.0, 1 - r)
        case Interpolation.SMOOTHSTEP:
            return 1 - 3 * r**2 + 2 * r**3 if r < 1 else 0.0
        case Interpolation.CUBIC:
            return 2 / 3 - r**2 + r**3 / 2 if r < 1 else (2 - r) ** 3 / 6 if r < 2 else 0.0


def slow(encoding: MultiResolution, point: list[float]) -> list[float]:
    """Level by level, node by node, in plain Python."""
    found, start = [], 0
    table = encoding.table.detach().double()
    back = 1 if encoding.kernel is Interpolation.CUBIC else 0
    for cells in encoding.resolution.tolist():
        nodes = [math.floor(n + 0.5) + encoding.kernel.taps for n in cells]
        held = math.prod(nodes) if encoding.rows is None else min(math.prod(nodes), encoding.rows)
        place = [min(max(x, 0.0), 1.0) * n + 0.5 for x, n in zip(point, cells, strict=True)]
        total = torch.zeros(encoding.features, dtype=torch.float64)
        reach = [range(math.floor(p) - back, math.floor(p) - back + encoding.kernel.taps) for p in place]
        for node in itertools.product(*reach):
            weight = math.prod(
                kernel_weight(encoding.kernel, p - i) for p, i in zip(place, node, strict=True)
            )
            shifted = [i + back for i in node]
            if held == math.prod(nodes):
                row = 0
                for i, n in zip(shifted, nodes, strict=True):
                    row = row * n + i
            else:
                row = 0
                for i, prime in zip(shifted, PRIMES, strict=False):
                    row ^= i * prime
                row %= held
            total += weight * table[start + row]
        found += total.tolist()
        start += held
    return found


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 3),
    st.sampled_from(Interpolation),
    st.booleans(),
    st.floats(1.0, 6.0),
    st.floats(0.0, 10.0),
    st.lists(st.floats(-0.2, 1.2), min_size=3, max_size=3),
)
def test_grids_are_their_slow_twins(axes, kernel, hashed, coarsest, more, point):
    sizes = {"coarsest": coarsest, "levels": 3, "features": 2, "kernel": kernel}
    finest = coarsest + more
    encoding = HashGrid(axes, finest, log2_rows=4, **sizes) if hashed else DenseGrid(axes, finest, **sizes)
    encoding = encoding.double()
    x = torch.tensor(point[:axes], dtype=torch.float64)
    expected = torch.tensor(slow(encoding, point[:axes]), dtype=torch.float64)
    # slopes of at most 2 per cell and axis times places known to 16 cells * eps, 64 terms of size 1e-4
    torch.testing.assert_close(encoding(x), expected, rtol=0, atol=1e-4 * 64 * 3 * 2 * 32 * EPS)


def test_a_wrong_hash_would_be_noticed():
    encoding = HashGrid(2, 16.0, 8.0, 2, log2_rows=4).double()
    x = torch.tensor([0.3, 0.6], dtype=torch.float64)
    good = torch.tensor(slow(encoding, x.tolist()), dtype=torch.float64)
    encoding._step[:, 1] += 2
    assert (encoding(x) - good).abs().max() > 1e-6


@pytest.mark.parametrize("kernel", list(Interpolation))
def test_a_triplane_is_three_planes(kernel):
    encoding = Triplane([3.0, 4.5, 6.0], 2, kernel, seed=2).double()
    x = torch.tensor([[0.2, 0.7, 0.4], [1.3, -0.5, 0.99]], dtype=torch.float64)
    expected, start = torch.zeros(2, 2, dtype=torch.float64), 0
    for pair in ((0, 1), (0, 2), (1, 2)):
        cells = [encoding.resolution.tolist()[axis] for axis in pair]
        plane = DenseGrid(2, cells, cells, 1, 2, kernel).double()
        rows = len(plane.table)
        plane.table.data = encoding.table.data[start : start + rows]
        expected += plane(x[:, list(pair)])
        start += rows
    assert start == len(encoding.table)
    torch.testing.assert_close(encoding(x), expected, rtol=0, atol=1e-14)


@given(st.sampled_from(Interpolation), st.floats(0, 1))
def test_weights_are_a_partition_of_unity(kernel, x):
    encoding = DenseGrid(2, 7.0, 3.0, 2, 1, kernel).double()
    encoding.table.data.fill_(1.0)
    found = encoding(torch.tensor([x, 1 - x], dtype=torch.float64))
    torch.testing.assert_close(found, torch.ones_like(found), rtol=0, atol=16 * EPS)


def jumps(kernel: Interpolation, order: int) -> float:
    """How far the derivative of an order jumps across the nodes, beside its size."""
    encoding = DenseGrid(1, 4.0, 4.0, 1, 1, kernel, seed=1).double()
    node = (torch.arange(1, 4, dtype=torch.float64) + 0.5) / 4
    sides = []
    for side in (-1e-9, 1e-9):
        x = (node + side)[:, None].requires_grad_()
        value = encoding(x)
        for _ in range(order):
            (value,) = torch.autograd.grad(value.sum(), x, create_graph=True)
        sides.append(value.detach())
    size = torch.cat(sides).abs().max()
    return float((sides[1] - sides[0]).abs().max() / size) if size > 0 else 0.0


def test_which_derivatives_are_continuous():
    # across 2e-9 a continuous derivative moves by 4 cells^... * 2e-9, of order 1e-7 of its size
    assert jumps(Interpolation.LINEAR, 0) < 1e-6 < 1e-2 < jumps(Interpolation.LINEAR, 1)
    assert jumps(Interpolation.CUBIC, 1) < 1e-6
    assert jumps(Interpolation.CUBIC, 2) < 1e-6
    assert jumps(Interpolation.SMOOTHSTEP, 2) > 1e-2


def plain(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    return (table[index] * weight[..., None]).sum(-2)


@pytest.mark.filterwarnings(
    "ignore:`torch.jit.script` is deprecated:DeprecationWarning"
)  # forward mode's own
def test_the_gather_is_a_sum_of_rows_in_every_derivative():
    source = torch.Generator().manual_seed(0)
    table = torch.randn(9, 3, dtype=torch.float64, generator=source).requires_grad_()
    weight = torch.randn(4, 2, 5, dtype=torch.float64, generator=source).requires_grad_()
    index = torch.randint(0, 9, (4, 2, 5), generator=source)
    torch.testing.assert_close(lookup(table, index, weight), plain(table, index, weight))

    def function(t: Tensor, w: Tensor) -> Tensor:
        return lookup(t, index, w)

    assert torch.autograd.gradcheck(function, (table, weight), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, (table, weight))
    jacobian = torch.func.vmap(torch.func.jacrev(lookup, argnums=(0, 2)), (None, 0, 0))(table, index, weight)
    expected = torch.func.vmap(torch.func.jacrev(plain, argnums=(0, 2)), (None, 0, 0))(table, index, weight)
    for one, other in zip(jacobian, expected, strict=True):
        torch.testing.assert_close(one, other)
    tables = torch.stack([table, 2 * table])
    torch.testing.assert_close(
        torch.func.vmap(lookup, (0, None, None))(tables, index, weight),
        torch.stack([plain(t, index, weight) for t in tables]),
    )


def test_a_compiled_grid_learns_as_a_plain_one():
    encoding = HashGrid(2, 40.0, log2_rows=8)
    x = torch.rand(20, 2, generator=torch.Generator().manual_seed(0))
    encoding(x).square().sum().backward()
    expected = encoding.table.grad.clone()
    encoding.table.grad = None
    torch.compile(encoding, backend="eager", fullgraph=True)(x).square().sum().backward()
    # sums over up to 80 corners in another order, in float32
    rounding = 80 * 2**-24
    torch.testing.assert_close(
        encoding.table.grad, expected, rtol=rounding, atol=rounding * float(expected.abs().max())
    )
    torch.compiler.reset()


def test_levels_and_settings_are_those_of_the_paper():
    encoding = HashGrid(2, 512.0)
    assert encoding.out_features == 32
    ratio = encoding.resolution[1:, 0] / encoding.resolution[:-1, 0]
    torch.testing.assert_close(ratio, torch.full_like(ratio, 32 ** (1 / 15)))
    assert encoding.table.abs().max() <= 1e-4
    assert len(HashGrid(3, 512.0, log2_rows=10).table) == 16 * 2**10
    assert HashGrid(2, 64.0, log2_rows=10).describe() == (
        "HashGrid(16 levels from 16 x 16 to 64 x 64, 2^10 rows, linear)"
    )


def test_coordinates_that_are_not_numbers_stay_so():
    found = HashGrid(2, 20.0, log2_rows=6)(torch.tensor([[math.nan, 0.5], [0.5, 0.5]]))
    assert found[0].isnan().all()
    assert found[1].isfinite().all()


def test_a_window_closes_levels_from_the_finest():
    encoding = HashGrid(2, 256.0, 8.0, 6, log2_rows=8)
    encoding.window(20.0)
    gains = encoding.gain.tolist()
    assert gains == sorted(gains, reverse=True)
    assert gains[0] == 1
    assert gains[-1] == 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: HashGrid(2, 8.0, 16.0), "finest: expected a finest resolution of at least the coarsest"),
        (lambda: HashGrid(2, log2_rows=40), r"log2_rows: expected at most 2\^28 rows"),
        (lambda: HashGrid(9), "in_features: expected at most 7 coordinates, got 9"),
        (lambda: DenseGrid(3, 4096.0), "finest: expected a table of at most 268435456 rows"),
        (lambda: Triplane(1e5), "resolution: expected planes of at most 268435456 nodes"),
        (lambda: DenseGrid(2, math.nan), "finest: expected positive finite numbers"),
        (lambda: HashGrid.from_bandwidth(2, [1.0, -1.0]), "bandwidth: expected positive finite numbers"),
        (lambda: nn.parameter_groups(torch.nn.Linear(1, 1), 0.0), "lr: expected a positive finite number"),
    ],
)
def test_bad_input_is_named(build, message):
    with pytest.raises(InputError, match=message):
        build()
