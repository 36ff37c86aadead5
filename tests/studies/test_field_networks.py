"""Networks from fields to fields, and the parts of the studies of them."""

from __future__ import annotations

import math

import pytest
import torch

from overtone.studies._claims._field_networks import (
    FNO,
    UNet,
    compare,
    power_decibels,
    predict,
    train_on_fields,
    upper_bands,
)
from overtone.studies._claims._turbulence import analysis_error, model_of, posterior, random_vorticity
from overtone.studies._claims.field_operators import _carried, _FourierWeights, _whitened


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def fields(samples, side=32):
    return model_of(side).run(random_vorticity(model_of(side), samples), 1.0) / 3


def wave(rows, columns, side=32):
    axis = 2 * math.pi * torch.arange(side) / side
    return torch.cos(rows * axis[:, None] + columns * axis)[None, None]


def test_networks_commute_with_shifts_along_periodic_axes():
    x = fields(2)[:, None]
    for network in (UNet(1, 2, 4), FNO(1, 2, 4, 6)):
        y = network(x)
        assert y.shape == (2, 2, 32, 32)
        assert y.std() > 1e-4
        # The U-Net halves the resolution twice: shifts by multiples of four cells.
        moved = network(x.roll((4, 8), (-2, -1)))
        torch.testing.assert_close(moved, y.roll((4, 8), (-2, -1)), rtol=1e-4, atol=1e-5)


def test_a_spectral_layer_acts_on_its_modes_only():
    network = FNO(1, 1, 3, 4, bypass=False)
    weight = torch.view_as_complex(network.weights[0])
    for rows, columns in ((0, 3), (3, 0), (-3, 2), (2, 3)):
        assert network._spectral(wave(rows, columns).expand(1, 3, 32, 32), weight).std() > 0.1
    for rows, columns in ((0, 4), (4, 0), (-5, 1)):
        result = network._spectral(wave(rows, columns).expand(1, 3, 32, 32), weight)
        torch.testing.assert_close(result, torch.zeros_like(result), rtol=0, atol=1e-5)


def test_training_lowers_the_loss_and_says_its_steps():
    x = fields(8, 16)[:, None]
    network, steps = _FourierWeights(16), []
    target = _carried(x, (1.5, 0.0))
    train_on_fields(network, x, target, 150, rate=5e-2, observe=steps.append)
    assert steps == list(range(1, 151))
    power = compare(predict(network, x), target)
    assert power.error_ratio[1:4, 0].max() < 0.05


def test_fields_are_carried_by_whole_and_by_broken_cells():
    x = fields(1)
    torch.testing.assert_close(_carried(x, (2.0, 5.0)), x.roll((2, 5), (-2, -1)), rtol=0, atol=1e-5)
    half = _carried(_carried(x, (0.5, -1.5)), (0.5, 1.5))
    torch.testing.assert_close(half, x.roll(1, -2), rtol=0, atol=1e-5)


def test_whitened_fields_have_equal_power_per_mode():
    x = fields(12)[:, None]
    white, same = _whitened([x, 2 * x])
    power = compare(white, white).target[:, 0]
    numbers = torch.arange(1, 11)
    torch.testing.assert_close(power[1:11], numbers / 55.0, rtol=1e-3, atol=0, check_dtype=False)
    assert float(power[11:].sum()) < 1e-6
    torch.testing.assert_close(same, 2 * white)


def test_states_that_an_analysis_allows_have_the_states_power_and_scatter_as_the_truth():
    states, error = fields(96), 0.5
    analysis = states + analysis_error(model_of(32), states, error)
    members = posterior(states, analysis, error, 8)
    assert members.shape == (8, 96, 32, 32)
    power = compare(members.flatten(0, 1)[:, None], states.repeat(8, 1, 1)[:, None])
    bands = upper_bands(32)
    assert abs(power_decibels(power.prediction, power.target, bands)) < 0.3
    # The truth is exchangeable with the members: their mean misses it by the spread times 1 + 1 / members.
    spread = (members.var(0) * (1 + 1 / 8)).mean()
    assert float(spread / (members.mean(0) - states).square().mean()) == pytest.approx(1, abs=0.1)
    # The mean lacks the power of what the analysis does not determine.
    mean = compare(members.mean(0)[:, None], states[:, None])
    assert power_decibels(mean.prediction, mean.target, bands) < -1
    # Analyses with another error added have too much power.
    twice = analysis + analysis_error(model_of(32), states, error)
    power = compare(twice[:, None], states[:, None])
    assert power_decibels(power.prediction, power.target, bands) > 1
