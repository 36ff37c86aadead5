from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from overtone.errors import InputError
from overtone.nn import MLP
from overtone.nn.activations import Activation, Sine
from overtone.nn.activations._base import HasInit, default_initialise, uninitialised_linear
from overtone.nn.activations._registry import build_activation
from tests.nn.measured import bandwidth, power


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("relu", lambda z: z.clamp(min=0)),
        ("leaky-relu", lambda z: torch.where(z > 0, z, 0.01 * z)),
        ("tanh", lambda z: (z.exp() - (-z).exp()) / (z.exp() + (-z).exp())),
        ("sigmoid", lambda z: 1 / (1 + (-z).exp())),
        ("silu", lambda z: z / (1 + (-z).exp())),
        ("swish", lambda z: z / (1 + (-z).exp())),
        ("gelu", lambda z: z * (1 + torch.erf(z / math.sqrt(2))) / 2),
        ("softplus", lambda z: (1 + z.exp()).log()),
        ("sine", lambda z: torch.sin(30 * z)),
    ],
)
def test_each_name_is_its_function(name, reference):
    z = torch.linspace(-3, 3, 31, dtype=torch.float64)
    torch.testing.assert_close(build_activation(Activation(name))(z), reference(z), rtol=1e-12, atol=1e-12)


def test_every_activation_is_listed():
    assert {a.value for a in Activation} >= {
        "relu",
        "tanh",
        "sigmoid",
        "silu",
        "gelu",
        "softplus",
        "sine",
        "swish",
    }
    with pytest.raises(InputError, match=r"expected one of relu, leaky-relu, .* got 'gausses'"):
        Activation("gausses")


@pytest.mark.parametrize("omega", [0.0, -3.0, math.nan, math.inf])
def test_sine_refuses_a_bad_factor(omega):
    with pytest.raises(InputError, match="omega: expected a positive finite number"):
        Sine(omega)


def uniform_checks(weight: torch.Tensor, bound: float) -> None:
    """Within the bound, reaching it, and with its standard deviation to four standard errors."""
    n = weight.numel()
    assert weight.abs().max() <= bound
    assert weight.abs().max() > bound * (1 - 20 / n)
    # Var of the sample variance of U(-1, 1) is (1/5 - 1/9)/n, so the relative error of the std is
    # sqrt(0.2/n).
    assert weight.double().std().item() == pytest.approx(bound / math.sqrt(3), rel=4 * math.sqrt(0.2 / n))
    assert weight.double().mean().abs() < 4 * bound / math.sqrt(3 * n)


@pytest.mark.parametrize("omega", [30.0, 5.0])
def test_sine_networks_begin_as_siren(omega):
    network = MLP(2, 3, width=256, depth=3, activation=Sine(omega), seed=4)
    first, *hidden, last = network.linears
    uniform_checks(first.weight, 1 / 2)
    uniform_checks(first.bias, 1 / math.sqrt(2))
    for linear in (*hidden, last):
        uniform_checks(linear.weight, math.sqrt(6 / 256) / omega)
        assert linear.bias.abs().max() <= 1 / 16


def test_sine_activations_stay_alike_with_depth():
    """What the initialisation is for: the argument of every later sine has a standard deviation near 1."""
    network = MLP(2, 1, width=512, depth=6, activation=Sine(30.0), seed=1)
    hidden = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    spreads = []
    with torch.no_grad():
        for linear, activation in zip(network.linears[:-1], network.activations, strict=True):
            spreads.append((30 * (linear(hidden) - linear.bias)).std().item())
            hidden = activation(linear(hidden))
    # 1 for inputs of variance 1/2; weights of one draw scatter it by about 1/sqrt(width).
    assert spreads[1:] == pytest.approx([1.0] * 5, abs=0.15)


def test_an_ordinary_initialisation_would_be_noticed():
    network = MLP(2, 1, width=512, depth=3, activation=nn.Tanh())
    with pytest.raises(AssertionError):
        uniform_checks(network.linears[1].weight, math.sqrt(6 / 512) / 30)


def test_first_and_later_factors_may_differ():
    network = MLP(1, 1, width=64, depth=3, activation=[Sine(3000.0), Sine(30.0), Sine(30.0)])
    uniform_checks(network.linears[0].weight, 1.0)
    uniform_checks(network.linears[2].weight, math.sqrt(6 / 64) / 30)
    assert network.bandwidth == pytest.approx((0.9 * 3000 / (2 * math.pi),))


@pytest.mark.parametrize(("omega", "inputs"), [(30.0, 2), (300.0, 2), (400.0, 1), (600.0, 3)])
def test_first_layer_bandwidth_is_measured(omega, inputs):
    """Across [-1, 1] a first layer holds frequencies up to omega / (n pi), 90 % of them below 0.9 of that."""
    network = MLP(inputs, 1, width=4096, depth=1, activation=Sine(omega), seed=2)

    def features(x: np.ndarray) -> np.ndarray:
        coords = torch.zeros(len(x), inputs)
        coords[:, 0] = torch.from_numpy(x)
        with torch.no_grad():
            return network.activations[0](network.linears[0](coords)).numpy()

    measured = bandwidth(features, (-1, 1))
    # Four standard errors of the 90 % quantile of a uniform law from 4096 draws, relative to 0.9, and one
    # bin.
    assert measured == pytest.approx(2 * network.bandwidth[0], rel=4 * math.sqrt(0.09 / 4096) / 0.9, abs=1)
    spectrum = power(features, (-1, 1))
    highest = omega / (inputs * math.pi)
    assert spectrum[math.ceil(highest) + 3 :].sum() < 1e-3 * spectrum.sum()
    if highest > 20:
        assert spectrum[math.floor(highest) - 3 :].sum() > 0.02 * spectrum.sum()


def test_thirty_on_a_picture_is_below_five_cycles():
    """omega = 30 with two coordinates: at most 4.8 cycles across the picture, standard deviation 2.8."""
    weights = MLP(2, 1, width=8192, depth=1, activation=Sine(30.0)).linears[0].weight[:, 0].double()
    cycles = 2 * 30 * weights / (2 * math.pi)
    assert cycles.abs().max().item() == pytest.approx(4.775, abs=0.01)
    assert cycles.std().item() == pytest.approx(2.757, rel=4 * math.sqrt(0.2 / 8192))
    assert cycles.abs().quantile(0.9).item() == pytest.approx(2 * Sine(30.0).bandwidth(2), rel=0.03)


def test_from_bandwidth():
    assert Sine.from_bandwidth(50.0, 2).bandwidth(2) == pytest.approx(50.0)


def test_half_precision_sine_takes_its_argument_in_float32():
    z = torch.linspace(-1, 1, 513, dtype=torch.bfloat16)
    exact = torch.sin(100 * z.double())
    assert (Sine(100.0)(z).double() - exact).abs().max() <= 2**-9
    assert (torch.sin(100 * z).double() - exact).abs().max() > 0.1


class Marked(nn.Module):
    """An activation of one's own, with an initialisation of its own."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z

    def initialise_first(self, linear: nn.Linear, source: torch.Generator) -> None:
        nn.init.constant_(linear.weight, 1.0)
        nn.init.zeros_(linear.bias)

    def initialise_later(self, linear: nn.Linear, source: torch.Generator) -> None:
        nn.init.constant_(linear.weight, 2.0)
        nn.init.zeros_(linear.bias)


def test_own_activations_can_initialise():
    assert isinstance(Marked(), HasInit)
    assert not isinstance(nn.ReLU(), HasInit)
    network = MLP(1, 1, width=1, depth=2, activation=Marked())
    assert network(torch.ones(1, 1)).item() == 4.0


def test_an_uninitialised_layer_is_a_linear_layer_and_draws_nothing():
    usual = nn.Linear(3, 4)
    state = torch.random.get_rng_state()
    layer = uninitialised_linear(3, 4)
    assert torch.equal(torch.random.get_rng_state(), state)
    # A new version of PyTorch may add attributes that its constructor sets.
    assert vars(layer).keys() == vars(usual).keys()
    assert (type(layer), repr(layer)) == (type(usual), repr(usual))
    layer.load_state_dict(usual.state_dict())
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer(x), usual(x))


def test_default_initialisation_draws_what_pytorch_draws():
    linear = torch.nn.utils.skip_init(nn.Linear, 17, 5)
    default_initialise(linear, torch.Generator().manual_seed(11))
    with torch.random.fork_rng():
        torch.manual_seed(11)
        reference = nn.Linear(17, 5)
    assert torch.equal(linear.weight, reference.weight)
    assert torch.equal(linear.bias, reference.bias)
    default_initialise(nn.Linear(3, 2, bias=False), torch.Generator())
