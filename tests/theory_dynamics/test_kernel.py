"""J D J^T, J u and the growth of a kernel, against explicit Jacobians and known powers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev

from overtone.errors import InputError
from overtone.theory.dynamics._linearised import KernelGrowth
from overtone.theory.dynamics._preconditioned import (
    SuccessiveExpansions,
    output_change,
    separable_kernel,
    tangent_kernel,
)
from overtone.theory.ntk import empirical_ntk, top_eigenpairs
from overtone.theory.ntk._empirical.inner_products import OutputLayout
from overtone.theory.ntk._operators.network import JacobianOperator

EXACT = 1e-10
"""Sums of some thousand products of order one in float64."""


class Odd(nn.Module):
    """Linear layers, a convolution and a bare parameter: every route at once."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3, bias=False)
        self.wave, self.scale = nn.Conv1d(1, 1, 3, padding=1), nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        seen = self.wave(x[:, None]).flatten(1)
        return self.last(torch.tanh(self.first(seen)) * self.scale)


def network(kind: int) -> tuple[nn.Module, Tensor, dict[str, Tensor]]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(kind)
        made = (
            nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)),
            Odd(),
        )[kind].double()
        weights = {name: torch.rand_like(p) + 0.1 for name, p in made.named_parameters()}
        return made, torch.randn(7, 6, dtype=torch.float64), weights


def jacobian(made: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """(N C, ...) per parameter."""
    parameters = {name: p.detach() for name, p in made.named_parameters()}
    found = jacrev(lambda p: functional_call(made, p, (x,)).reshape(-1))(parameters)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("kind", [0, 1])
def test_the_preconditioned_kernel_is_that_of_the_explicit_jacobian(kind: int) -> None:
    made, x, weights = network(kind)
    expected = sum(
        (rows.flatten(1) * weights[name].reshape(-1)) @ rows.flatten(1).mT
        for name, rows in jacobian(made, x).items()
    )
    found = tangent_kernel(made, x, weights)
    torch.testing.assert_close(found, expected, rtol=EXACT, atol=EXACT)
    plain = tangent_kernel(made, x)
    torch.testing.assert_close(plain, empirical_ntk(made, x, outputs=OutputLayout.BLOCKS).matrix)
    ones = {name: torch.ones_like(w) for name, w in weights.items()}
    torch.testing.assert_close(tangent_kernel(made, x, ones), plain, rtol=EXACT, atol=EXACT)
    assert not torch.allclose(found, plain, rtol=1e-2)


@pytest.mark.parametrize("kind", [0, 1])
def test_push_is_the_derivative_along_a_direction(kind: int) -> None:
    made, x, direction = network(kind)
    rows = jacobian(made, x)
    expected = sum(rows[name].flatten(1) @ u.reshape(-1) for name, u in direction.items()).reshape(7, 3)
    torch.testing.assert_close(output_change(made, x, direction, chunk=3), expected, rtol=EXACT, atol=EXACT)


def test_growth_finds_the_power_and_its_mean() -> None:
    values = torch.tensor([0.0, 1.0, 2.0, 4.0], dtype=torch.float64)
    power = torch.tensor([0.0, 0.0, 1.5, 3.0], dtype=torch.float64)
    modes = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0)).double())[0]
    earlier = modes @ torch.diag(values * 0.5**power) @ modes.mT
    found = KernelGrowth.between(earlier, values, modes, 10, 20)
    torch.testing.assert_close(found.exponents, power, rtol=0, atol=1e-9)
    t = torch.linspace(20, 50, 20001, dtype=torch.float64)
    mean = torch.stack([torch.trapezoid((t / 20) ** g, t) / 30 for g in power])
    torch.testing.assert_close(found.factor(20, 50), mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(found.slowed(0.5).exponents, power / 2, rtol=0, atol=1e-9)


def test_growth_is_bounded_and_never_shrinks() -> None:
    values = torch.tensor([1.0, 1.0], dtype=torch.float64)
    earlier = torch.diag(torch.tensor([1e-9, 3.0], dtype=torch.float64))
    found = KernelGrowth.between(earlier, values, torch.eye(2, dtype=torch.float64), 1, 2)
    assert found.exponents.tolist() == [4.0, 0.0]
    with pytest.raises(InputError, match="expected 1 <= first < second, got 2 and 2"):
        KernelGrowth.between(earlier, values, torch.eye(2, dtype=torch.float64), 2, 2)


@pytest.mark.parametrize("kind", [0, 1])
def test_products_alone_give_the_largest_eigenvalue_of_the_preconditioned_kernel(kind: int) -> None:
    made, x, weights = network(kind)
    operator = JacobianOperator(made, x, weights=weights)
    (largest,) = top_eigenpairs(operator, 1).values
    expected = torch.linalg.eigvalsh(tangent_kernel(made, x, weights))[-1]
    torch.testing.assert_close(largest, expected, rtol=EXACT, atol=EXACT)
    assert not torch.allclose(largest, torch.linalg.eigvalsh(tangent_kernel(made, x))[-1], rtol=1e-2)


@pytest.mark.parametrize("kind", [0, 1])
def test_expansions_at_later_parameters_are_those_of_the_changed_network(kind: int) -> None:
    made, x, weights = network(kind)
    successive = SuccessiveExpansions(made, x)
    before, _ = successive.separable_kernel(weights)
    successive.output_change(weights)
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.3 * torch.ones_like(p))
    successive.load(made)
    kernel, separable = successive.separable_kernel(weights)
    expected, factors = separable_kernel(made, x, weights)
    torch.testing.assert_close(kernel, expected, rtol=EXACT, atol=EXACT)
    torch.testing.assert_close(separable, factors, rtol=EXACT, atol=EXACT)
    torch.testing.assert_close(
        successive.output_change(weights), output_change(made, x, weights), rtol=EXACT, atol=EXACT
    )
    torch.testing.assert_close(
        successive.separable_kernel(None)[0], tangent_kernel(made, x), rtol=EXACT, atol=EXACT
    )
    assert not torch.allclose(kernel, before, rtol=1e-2)


class Switched(nn.Module):
    """A layer whose gradient is zero for every sample as long as its switch is off."""

    def __init__(self) -> None:
        super().__init__()
        self.always, self.switched = nn.Linear(6, 3), nn.Linear(6, 3)
        self.switch = nn.Parameter(-torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.always(x) + torch.relu(self.switch) * torch.tanh(self.switched(x))


def test_gradients_that_were_zero_at_first_are_found_when_verified_again() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made, x = Switched().double(), torch.randn(7, 6, dtype=torch.float64)
    weights = {name: torch.ones_like(p) for name, p in made.named_parameters()}
    successive = SuccessiveExpansions(made, x)
    successive.separable_kernel(weights)
    with torch.no_grad():
        made.switch.fill_(1.0)
    successive.load(made)
    successive.verify_again()
    expected, _ = separable_kernel(made, x, weights)
    torch.testing.assert_close(successive.separable_kernel(weights)[0], expected, rtol=EXACT, atol=EXACT)
    # The switched layer is most of the kernel: without it the two would differ.
    assert float(expected.trace()) > 1.2 * float(tangent_kernel(made.always, x).trace())
