from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from overtone.errors import InputError
from overtone.spectra import Bands, axis_grid, bandwidth
from overtone.spectra import _grid as axis
from tests.spectra.twins import band_of, dense_modes


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def waves(n, k, amplitude, shift):
    x = (torch.arange(n, dtype=torch.float64) + shift) / n
    return sum(a * torch.cos(2 * math.pi * f * x) for f, a in zip(k, amplitude, strict=True))


@pytest.mark.parametrize("chunk", [1 << 18, 12])
@pytest.mark.parametrize("periodic", [(True, False, True), (False, True, False)])
@pytest.mark.parametrize("along", [0, 1, -1])
def test_axis_power_is_the_dense_sum_over_the_other_axes(along, periodic, chunk, monkeypatch):
    monkeypatch.setattr(axis, "_CHUNK", chunk)
    field, spacing = random(5, 6, 7) + 2, (1.0, 0.5, 3.0)
    found = axis_grid(field, along, spacing, periodic=periodic)
    modes, frequencies = dense_modes(field.numpy(), spacing, periodic)
    others = tuple(i for i in range(3) if i != along % 3)
    lines = np.square(np.abs(modes)).sum(others) / field.numel()
    wanted = np.zeros(found.bands.count)
    for frequency, power in zip(frequencies[along % 3], lines, strict=True):
        wanted[band_of(frequency, found.bands)] += power
    np.testing.assert_allclose(found.power[:, 0], wanted, rtol=1e-12)
    torch.testing.assert_close(found.mean_square[0], field.square().mean(), rtol=1e-13, atol=0)


def test_power_that_varies_along_other_axes_only_lies_at_frequency_zero():
    field = waves(16, [3], [2.0], 0)[:, None].expand(16, 8)
    across = axis_grid(field, 1, periodic=True)
    assert across.power[0, 0] == pytest.approx(2)
    assert across.power[1:].sum() <= 1e-25
    assert across.estimator == "grid: periodic, axis 1"


def test_axis_bands_are_those_of_the_axis():
    found = axis_grid(random(32, 12), 1, (1.0, 0.25), periodic=True)
    assert found.bands == Bands.log((12,), 0.25, periodic=True)


@pytest.mark.parametrize(("periodic", "shift"), [(True, 0.0), (False, 0.5)])
def test_bandwidth_is_the_mode_where_the_share_is_reached(periodic, shift):
    line = 5 + waves(64, [2, 9, 20], [1.0, 1.0, 1.0], shift)
    shares = {0.3: 2, 0.5: 9, 0.6: 9, 0.7: 20, 0.9: 20}
    for share, wanted in shares.items():
        assert bandwidth(line, periodic=periodic, share=share).tolist() == [[wanted]]
    assert bandwidth(line, 0.5, periodic=periodic).tolist() == [[20 / 32]]


def test_bandwidth_is_per_axis_and_channel():
    rows, columns = waves(32, [3], [1.0], 0), waves(48, [11], [1.0], 0)
    both = torch.stack([rows[:, None] * columns, rows[:, None].expand(32, 48)], dim=-1)
    assert bandwidth(both, periodic=True, channel_axis=-1).tolist() == [[3, 3], [11, 0]]
    assert bandwidth(rows[:, None], periodic=True).tolist() == [[3], [0]]


@pytest.mark.parametrize("value", [0.0, 0.1, -1e7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_has_no_bandwidth(value, dtype):
    assert bandwidth(torch.full((37, 41), value, dtype=dtype)).tolist() == [[0], [0]]


def test_a_large_mean_does_not_hide_the_bandwidth():
    line = 1e4 + waves(64, [9], [1.0], 0).float()
    assert bandwidth(line, periodic=True).tolist() == [[9]]


def test_impossible_axes_and_shares_are_refused():
    with pytest.raises(
        InputError, match="axis: expected an axis below 2, got 2; do not count the channel axis"
    ):
        axis_grid(random(4, 5), 2)
    with pytest.raises(
        InputError, match="axis 1: expected at least two samples along the axis, got 1; choose"
    ):
        axis_grid(random(4, 1), 1)
    with pytest.raises(InputError, match=r"share: expected a share of the power in \(0, 1\], got 0; pass"):
        bandwidth(random(4), share=0)
    with pytest.raises(InputError, match=r"finite values, got nan at index \(1,\) of channel 0"):
        bandwidth([0.0, float("nan"), 1.0])
