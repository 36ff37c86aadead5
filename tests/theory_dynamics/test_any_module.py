"""Predictions of modules that are no fields."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from overtone.errors import InputError
from overtone.signals import Signal
from overtone.theory.dynamics import predict
from overtone.theory.dynamics._relinearisation import check_twice_differentiable
from tests.theory.ntk.slow import randomise
from tests.theory.ntk.uneven import Reversed
from tests.theory_dynamics.models import tones


class Waves(nn.Module):
    """Waves of the coordinate, with anything behind them.

    Args:
        body: From four features to the values.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        angle = 2 * math.pi * torch.cat([x, 2 * x], 1)
        return self.body(torch.cat([angle.cos(), angle.sin()], 1))


class Routed(nn.Module):
    """Two halves of the domain with a layer each, values (N,)."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(1, 1), nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        for layer, which in ((self.left, x[:, 0] < 0.7), (self.right, x[:, 0] >= 0.7)):
            rows = which.nonzero()[:, 0]
            y = y.index_put((rows,), layer(x[rows]))
        return y[:, 0]


class Backbone(nn.Module):
    """Features from a part that is never trained, although it could be."""

    def __init__(self) -> None:
        super().__init__()
        self.fixed, self.head = nn.Linear(1, 8), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            h = torch.cos(5 * self.fixed(x))
        return self.head(h)


class Slope(nn.Module):
    """The derivative of an energy that is linear in its parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.energy = nn.Linear(2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        z = x.detach().requires_grad_()
        features = torch.cat([torch.sin(2 * math.pi * z), torch.cos(4 * math.pi * z)], 1)
        return torch.autograd.grad(self.energy(features).sum(), z, create_graph=True)[0]


class Kept(nn.Module):
    """A body behind a reentrant checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(1, 6), nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(lambda h: self.last(torch.tanh(h)), self.first(x), use_reentrant=True)


class Blind(nn.Linear):
    """Computes without gradients."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


class Turned(nn.Module):
    """Can be differentiated once."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(1, 16), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(Reversed.apply(Reversed.apply(torch.tanh(5 * self.first(x)))))


def loud() -> Signal:
    """Values between 90 and 110."""
    signal = tones()
    return Signal(
        100 + 3 * signal.values,
        signal.geometry,
        "synthetic",
        "loud",
        ("value",),
        "",
        20.0,
        signal.normalisation,
    )


def trained(network: nn.Module, optimizer: torch.optim.Optimizer, signal: Signal, steps: int) -> float:
    """Mean square error after training on the values as they are."""
    network, optimizer = copy.deepcopy((network, optimizer))
    x, y = signal.coords.double(), signal.values.double()
    for _ in range(steps):
        optimizer.zero_grad()
        (network(x).reshape(y.shape) - y).square().mean().backward()
        optimizer.step()
    return float((network(x).detach().reshape(y.shape) - y).square().mean())


LINEAR = {
    "sequence": lambda: nn.Sequential(nn.Linear(1, 1)),
    "waves": lambda: Waves(nn.Linear(4, 1)),
    "routed": Routed,
    "backbone": Backbone,
    "slope": Slope,
}


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("build", LINEAR.values(), ids=LINEAR)
def test_modules_that_are_linear_in_their_parameters_are_predicted_exactly(build, momentum):
    network, signal = randomise(build().double()), loud()
    sgd = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 1e-3, momentum=momentum)
    found = predict(signal, network, sgd, 40)
    exact = trained(network, sgd, signal, 40)
    assert float(found.record.loss.sel(step=40)) == pytest.approx(exact, rel=1e-9)
    assert float(found.record.residual_power.sel(step=40).sum()) == pytest.approx(exact, rel=1e-9)
    assert found.record.attrs["network"] == type(network).__name__


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
@pytest.mark.parametrize("build", [Backbone, Kept, Routed], ids=["backbone", "kept", "routed"])
def test_modules_with_odd_parts_are_followed_beyond_a_pilot(build, kind):
    network, signal = randomise(build().double()), tones((1, 2), samples=12)
    optimizer = kind(network.parameters(), 1e-3)
    found = predict(signal, network, optimizer, 24, pilot=6)
    exact = trained(network, optimizer, signal, 24)
    # Smooth small networks at a small rate: leaps are good to a few per cent.
    assert float(found.record.loss.sel(step=24)) == pytest.approx(exact, rel=0.05)


def test_modules_that_cannot_be_differentiated_twice_are_refused_at_the_edge_with_advice_that_works():
    network, signal = randomise(Turned().double()), tones((1, 2), samples=12)
    with pytest.raises(InputError, match=r"differentiated again.*pass part=signal"):
        check_twice_differentiable(network, signal.coords)
    check_twice_differentiable(
        nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)).double(), signal.coords
    )
    sgd = torch.optim.SGD(network.parameters(), 1e-3)
    assert predict(signal, network, sgd, 20, pilot=4, part=signal).record.sizes["step"] > 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.Linear(2, 1), "expected samples that the network accepts, got shape"),
        (
            lambda: nn.Linear(1, 2),
            "expected a network of 1 outputs, one for each channel of the signal, got 2",
        ),
        (
            lambda: nn.Sequential(nn.Linear(1, 4), nn.Dropout(), nn.Linear(4, 1)),
            "same in training and in evaluation",
        ),
        (
            lambda: nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)),
            "same in training and in evaluation",
        ),
        (
            lambda: nn.Sequential(nn.Linear(1, 4), nn.Flatten(0), nn.Unflatten(0, (-1, 2))),
            "one floating-point output",
        ),
        (
            lambda: Blind(1, 1),
            "a network whose outputs have gradients, got outputs without a gradient for any parameter",
        ),
        (lambda: nn.LazyLinear(1), "layers have their sizes, got network.weight"),
        (lambda: nn.Linear(1, 1).requires_grad_(False), "parameters that require gradients, got none"),
    ],
)
def test_modules_that_cannot_be_predicted_are_refused(build, message):
    network = build()
    with pytest.raises(InputError, match=message):
        predict(tones(), network, torch.optim.SGD(network.parameters(), 0.01), 10)


def test_what_is_no_module_and_coordinates_that_coincide_are_refused():
    network = nn.Linear(1, 1)
    sgd = torch.optim.SGD(network.parameters(), 0.01)
    with pytest.raises(InputError, match=r"expected a torch\.nn\.Module, got function"):
        predict(tones(), lambda x: x, sgd, 10)  # type: ignore[arg-type]
    coarse = nn.Linear(1, 1).half()
    fine = tones(samples=3000)
    with pytest.raises(
        InputError, match=r"coordinates that are distinct in float16, got 3000 points that are rounded to"
    ):
        predict(fine, coarse, torch.optim.SGD(coarse.parameters(), 0.01), 10)
