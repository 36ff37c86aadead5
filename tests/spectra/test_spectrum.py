from __future__ import annotations

import math

import pytest
import torch

from overtone.errors import InputError
from overtone.spectra import Bands, Spectrum, grid


def spectrum(*power):
    table = torch.tensor(power, dtype=torch.float64)
    return Spectrum(Bands((0, 1, 2, 4, 8)), table, torch.zeros(table.shape[1]), "by hand")


def test_bandwidth_is_interpolated_within_the_band():
    found = spectrum([9, 0, 0], [1, 0, 0], [1, 0, 0], [2, 0, 4]).bandwidth(0.75)
    assert found.tolist() == [6.0, 0.0, 7.0]
    assert spectrum([0], [1], [1], [2]).bandwidth(0.5).tolist() == [4.0]
    assert spectrum([0], [1], [1], [2]).bandwidth(1).tolist() == [8.0]
    assert spectrum([0], [1], [0], [0]).bandwidth(1).tolist() == [2.0]


def test_bandwidth_of_a_constant_and_of_a_single_band_is_zero():
    assert grid(torch.full((50, 50), 0.1)).bandwidth().tolist() == [0]
    assert Spectrum(Bands((0, 8)), torch.ones(1, 2), torch.zeros(2), "by hand").bandwidth().tolist() == [0, 0]


def test_bandwidth_refuses_shares_outside_0_1():
    for share in (0, -1, 1.1, float("nan")):
        with pytest.raises(InputError, match="share: expected a share of the power in"):
            spectrum([0], [1], [1], [2]).bandwidth(share)


def test_amplitude_is_that_of_a_harmonic_and_the_mean_itself():
    x = torch.arange(64, dtype=torch.float64) / 64
    found = grid(-2 + 3 * torch.cos(2 * math.pi * 5 * x), periodic=True, bands=[0, 0.5, 8])
    assert found.amplitude[:2, 0].tolist() == pytest.approx([2, 3])


def test_missing_power_counts_towards_the_mean_square():
    found = Spectrum(Bands((0, 1)), torch.tensor([[2.0]]), torch.tensor([0.5]), "by hand")
    assert found.mean_square.tolist() == [2.5]
