from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from overtone.errors import InputError
from overtone.nn import MLP, ResidualMLP
from overtone.nn.activations import Activation, Sine

BOTH = pytest.mark.parametrize("kind", [MLP, ResidualMLP])


def unrolled(network: MLP | ResidualMLP, x: torch.Tensor) -> torch.Tensor:
    """The same network written as matrices."""
    *hidden, last = network.linears
    h = x
    for i, (linear, activation) in enumerate(zip(hidden, network.activations, strict=True)):
        step = activation(h @ linear.weight.T + linear.bias)
        h = h + step if isinstance(network, ResidualMLP) and i > 0 else step
    return h @ last.weight.T + last.bias


@BOTH
@settings(deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 5).map(lambda half: 2 * half),  # complex activations take pairs
    st.integers(1, 4),
    st.sampled_from(list(Activation)),
)
def test_shapes_and_values(kind, inputs, outputs, width, depth, activation):
    network = kind(inputs, outputs, width, depth, activation, seed=depth).double()
    x = torch.rand(2, 5, inputs, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert network(x).shape == (2, 5, outputs)
    torch.testing.assert_close(network(x), unrolled(network, x), rtol=1e-10, atol=1e-12)
    expected = inputs * width + width + (depth - 1) * (width * width + width) + width * outputs + outputs
    assert sum(p.numel() for p in network.parameters()) == expected


def test_the_two_differ_by_the_skips_alone():
    plain, skips = MLP(2, 1, 8, 3, seed=5), ResidualMLP(2, 1, 8, 3, seed=5)
    skips.load_state_dict(plain.state_dict())
    x = torch.rand(4, 2, generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(plain(x), skips(x))
    assert torch.equal(MLP(2, 1, 8, 1)(x), ResidualMLP(2, 1, 8, 1)(x))


@BOTH
def test_building_neither_reads_nor_moves_the_global_state(kind):
    torch_state, numpy_state, python_state = (
        torch.get_rng_state(),
        np.random.get_state()[1].copy(),
        random.getstate(),
    )
    first = kind(3, 2, 16, 3, Sine(), seed=1)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    assert random.getstate() == python_state
    with torch.random.fork_rng():
        torch.manual_seed(1234)
        second = kind(3, 2, 16, 3, Sine(), seed=1)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


@BOTH
def test_seeds(kind):
    weights = [kind(3, 2, 16, 2, seed=s).linears[1].weight for s in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    source = torch.Generator().manual_seed(1)
    assert not torch.equal(
        kind(3, 2, seed=source).linears[1].weight, kind(3, 2, seed=source).linears[1].weight
    )


@BOTH
def test_begins_exactly_as_pytorch_would(kind):
    ours = kind(3, 2, 16, 2, Activation.TANH, seed=torch.Generator().manual_seed(8))
    with torch.random.fork_rng():
        torch.manual_seed(8)
        theirs = [nn.Linear(3, 16), nn.Linear(16, 16), nn.Linear(16, 2)]
    for a, b in zip(ours.linears, theirs, strict=True):
        assert torch.equal(a.weight, b.weight)
        assert torch.equal(a.bias, b.bias)


def test_default_weights_fill_their_interval():
    weight = MLP(2, 1, width=512, depth=2).linears[1].weight.double()
    bound = 1 / math.sqrt(512)
    assert weight.abs().max() <= bound
    # relative standard error of the std of U is sqrt(0.2/n)
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=4 * math.sqrt(0.2 / 512**2))


def test_one_activation_per_layer():
    prelu = nn.PReLU()
    network = MLP(1, 1, 4, 3, [nn.Tanh(), Activation.SINE, prelu])
    assert [type(a) for a in network.activations] == [nn.Tanh, Sine, nn.PReLU]
    assert network.describe() == "MLP 3 x 4 1 x Tanh, 1 x Sine(omega=30), 1 x PReLU(num_parameters=1)"
    assert MLP(1, 1, 4, 3, prelu).activations[0] is not prelu
    assert len({id(a) for a in MLP(1, 1, 4, 3, prelu).activations}) == 3


def test_descriptions():
    assert MLP(2, 3).describe() == "MLP 3 x 256 ReLU"
    assert ResidualMLP(2, 3, 64, 2, Sine(60)).describe() == "ResidualMLP 2 x 64 Sine(omega=60)"


def test_bandwidth_is_that_of_a_first_sine():
    assert MLP(2, 1).bandwidth is None
    assert MLP(2, 1, 4, 2, [nn.ReLU(), Sine()]).bandwidth is None
    assert MLP(2, 1, 4, 2, Sine(30.0)).bandwidth == pytest.approx((0.9 * 30 / (4 * math.pi),) * 2)


@BOTH
def test_gradients(kind):
    network = kind(2, 1, 5, 3, Activation.TANH).double()
    x = torch.rand(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(network, (x,))
    network(x).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@BOTH
def test_state_round_trip(kind):
    stored, other = kind(2, 1, 8, 2, seed=1), kind(2, 1, 8, 2, seed=2)
    other.load_state_dict(stored.state_dict())
    x = torch.rand(4, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(stored(x), other(x))


@BOTH
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "depth: expected a whole number of at least 1, got 0"),
        ({"width": 0}, "width: expected a whole number of at least 1, got 0"),
        ({"width": True}, "width: expected a whole number of at least 1, got True"),
        ({"in_features": -1}, "in_features: expected a whole number of at least 1, got -1"),
        ({"out_features": 1.5}, "out_features: expected a whole number of at least 1, got 1.5"),
        (
            {"activation": [nn.ReLU()]},
            r"activation: expected one activation or one per hidden layer \(3\), got 1",
        ),
    ],
)
def test_bad_input_is_named(kind, arguments, message):
    with pytest.raises(InputError, match=message):
        kind(**{"in_features": 2, "out_features": 1, **arguments})


@BOTH
def test_wrong_feature_count_is_named(kind):
    with pytest.raises(InputError, match=r"features of shape \(..., 2\), got shape \(4, 3\)"):
        kind(2, 1)(torch.zeros(4, 3))
