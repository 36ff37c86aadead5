"""The Wiener bound: reached by its own shrinkage, undercut by none, met in simulation."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.theory import risk

power = st.one_of(st.just(0.0), st.floats(1e-200, 1e6))
powers = st.lists(st.tuples(power, power), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None)
@given(powers, st.floats(0, 1))
def test_no_shrinkage_goes_below_the_bound(pairs, h):
    signal, noise = (torch.tensor(column, dtype=torch.float64) for column in zip(*pairs, strict=True))
    found = risk.WienerBound.of(signal, noise)
    reached = found.error_of(torch.full_like(signal, h))
    assert bool((reached >= found.error * (1 - 1e-14)).all())
    excess = (signal + noise) * (h - found.gain).square()
    torch.testing.assert_close(
        reached, found.error + excess, rtol=1e-12, atol=1e-12 * float((signal + noise).max())
    )
    torch.testing.assert_close(found.error_of(found.gain), found.error, rtol=1e-12, atol=1e-300)
    # Sum, quotient and product round by half an eps each.
    assert bool(
        (found.error <= torch.minimum(signal, noise) * (1 + 2 * torch.finfo(torch.float64).eps)).all()
    )


def test_simulated_best_shrinkage_meets_the_bound():
    g = torch.Generator().manual_seed(0)
    shape = (40000, 3)
    signal, noise = torch.tensor([4.0, 1.0, 0.01]), torch.tensor([1.0, 1.0, 1.0])
    s = torch.randn(shape, generator=g) * signal.sqrt()
    y = s + torch.randn(shape, generator=g) * noise.sqrt()
    gain = (s * y).mean(0) / y.square().mean(0)
    error = (gain * y - s).square().mean(0).double()
    found = risk.WienerBound.of(signal, noise)
    # A mean of 40000 squared Gaussians has the relative deviation sqrt(2 / 40000) = 0.7 %.
    torch.testing.assert_close(error, found.error, rtol=0.035, atol=0.0)
    torch.testing.assert_close(found.error, torch.tensor([0.8, 0.5, 0.01 / 1.01], dtype=torch.float64))


def test_shared_frequencies_cost_and_separate_ones_do_not():
    apart = risk.WienerBound.of(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
    shared = risk.WienerBound.of(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]))
    assert float(apart.total) == 0.0
    assert float(apart.removable) == 1.0
    assert float(shared.total) == 0.5
    assert float(risk.WienerBound.of(torch.ones(2), torch.zeros(2)).removable) == 1.0
    assert float(risk.WienerBound.of(torch.zeros(2), torch.zeros(2)).total) == 0.0


def test_finer_bands_lower_the_bound():
    fine = risk.WienerBound.of(torch.tensor([3.0, 1.0]), torch.tensor([1.0, 2.0]))
    coarse = risk.WienerBound.of(torch.tensor([4.0]), torch.tensor([3.0]))
    assert float(fine.total) < float(coarse.total)


def test_early_stopping_stays_above_the_bound_and_says_by_how_much():
    lam = 1 / torch.arange(1, 65, dtype=torch.float64).square()
    power, noise = 64 * lam.square(), 0.01
    rule = risk.GradientFlow()
    found = risk.expected_risk(lam, power, noise, rule, rule.steps(lam))
    bound = risk.WienerBound.of(power / 64, torch.full((64,), noise / 64))
    assert float(bound.total) < float(found.total.min())
    reached = bound.error_of(torch.stack([rule.learned(lam, t) for t in found.steps.tolist()]))
    torch.testing.assert_close(reached.sum(1), found.total)


def test_signal_power_from_observed_power():
    found = risk.WienerBound.from_observed(torch.tensor([5.0, 0.5]), torch.tensor([1.0, 1.0])).signal
    assert found.tolist() == [4.0, 0.0]


def test_bad_input_is_named():
    with pytest.raises(InputError, match="noise_power: expected noise powers of shape"):
        risk.WienerBound.of(torch.ones(2), torch.ones(3))
    with pytest.raises(InputError, match="signal_power: expected numbers of 0 or more"):
        risk.WienerBound.of(-torch.ones(2), torch.ones(2))
    with pytest.raises(InputError, match="noise_power: expected finite numbers"):
        risk.WienerBound.of(torch.ones(1), torch.tensor([math.inf]))
