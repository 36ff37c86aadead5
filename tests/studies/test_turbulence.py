"""The solver of two-dimensional turbulence: conserved quantities, exact decay, order of the steps."""

from __future__ import annotations

import math

import pytest
import torch

from overtone.studies._claims._turbulence import (
    VorticityModel,
    analysis_error,
    forecasts,
    model_of,
    random_vorticity,
)


@pytest.fixture
def start():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = VorticityModel(24, 0.0)
        # Rough fields: every resolved mode takes part.
        rough = 0.5 * torch.randn(2, 24, 24, dtype=torch.float64)
        return model.resolved(random_vorticity(model, 2).double() + rough)


def test_energy_and_enstrophy_are_constant_without_viscosity(start):
    def change(step):
        model = VorticityModel(24, 0.0, step=step)
        end = model.run(start, 1.0)
        assert (end - start).std() > 0.5 * start.std()
        enstrophy = end.square().mean((1, 2)) / start.square().mean((1, 2)) - 1
        energy = model.energy(end) / model.energy(start) - 1
        return float(energy.abs().max()), float(enstrophy.abs().max())

    coarse, fine = change(0.04), change(0.01)
    # The error of the steps is of fourth order per unit of time: a factor of 4^4, of which 100 is asked.
    for larger, smaller in zip(coarse, fine, strict=True):
        assert smaller < 1e-6
        assert smaller < larger / 100


def test_the_steps_are_of_fourth_order(start):
    ends = [VorticityModel(24, 1e-6, step=step).run(start, 0.32) for step in (0.02, 0.01, 0.005)]
    ratio = float((ends[0] - ends[1]).norm() / (ends[1] - ends[2]).norm())
    assert 13 < ratio < 19


@pytest.mark.parametrize(("rows", "columns", "order"), [(3, 0, 1), (2, 5, 1), (4, 3, 4)])
def test_a_single_mode_decays_exactly(rows, columns, order):
    axis = 2 * math.pi * torch.arange(32, dtype=torch.float64) / 32
    wave = torch.cos(rows * axis[:, None] + columns * axis + 0.4)[None]
    square = rows**2 + columns**2
    viscosity = 0.7 / square**order
    end = VorticityModel(32, viscosity, order, step=0.1).run(wave, 1.5)
    torch.testing.assert_close(end, math.exp(-0.7 * 1.5) * wave, rtol=0, atol=1e-12)


def test_the_energy_is_that_of_the_velocity():
    axis = 2 * math.pi * torch.arange(16, dtype=torch.float64) / 16
    # psi = -cos(3 x) / 9 has the velocity sin(3 x) / 3, of mean square 1 / 18.
    wave = torch.cos(3 * axis).expand(1, 16, 16)
    assert float(VorticityModel(16, 0.0).energy(wave)) == pytest.approx(1 / 36, rel=1e-12)


def test_the_advection_of_two_waves_is_that_of_the_formula():
    axis = 2 * math.pi * torch.arange(16, dtype=torch.float64) / 16
    y, x = axis[:, None], axis
    start, step = (torch.cos(y) + torch.cos(2 * x))[None], 1e-4
    # psi = -cos(y) - cos(2 x) / 4, so u = -sin(y) and v = sin(2 x) / 2.
    rate = -sum([-torch.sin(y) * -2 * torch.sin(2 * x), torch.sin(2 * x) / 2 * -torch.sin(y)])
    change = (VorticityModel(16, 0.0, step=step).run(start, step) - start)[0] / step
    torch.testing.assert_close(change, rate, rtol=0, atol=10 * step)


def test_forecasts_repeat_with_the_seed_and_have_errors_of_small_scales_only():
    first = forecasts(3, 16, 4, (0.2, 0.4), 0.2)
    forecasts.cache_clear()
    again, other = forecasts(3, 16, 4, (0.2, 0.4), 0.2), forecasts(4, 16, 4, (0.2, 0.4), 0.2)
    assert torch.equal(first.states, again.states)
    assert torch.equal(first.analysis, again.analysis)
    assert not torch.equal(first.states, other.states)
    assert first.states.shape == (4, 2, 16, 16)
    direct = model_of(16).run(first.initial[:, 0] * 3.0, 0.4) / 3.0
    torch.testing.assert_close(first.states[:, 1], direct, rtol=0, atol=1e-4)
    error = analysis_error(model_of(16), first.initial[:, 0], 0.2)
    assert float(error.std()) < 0.2
    state = torch.fft.rfft2(first.initial[:, 0]).abs().square().mean(0)
    assert (torch.fft.rfft2(error).abs().square().mean(0) < 8 * state + 1e-9).all()
    known, others = first.split(1)
    assert len(known.states) == 1
    assert len(others.analysis) == 3
