from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from overtone.spectra import Bands, GridTransform
from overtone.spectra import _bands as radial
from overtone.spectra._bands import RadialSums
from overtone.spectra._grid_modes import GridModes


def coefficients(lattice, seed=0):
    generator = torch.Generator().manual_seed(seed)
    random = torch.randn(*lattice.stored, 2, generator=generator, dtype=torch.float64)
    return torch.view_as_complex(random) if lattice.around else random[..., 0].contiguous()


@pytest.mark.parametrize("shape", [(33,), (9, 12), (5, 4, 6)])
@pytest.mark.parametrize("size", [1, 7, 64])
def test_blocks_do_not_change_the_sums(shape, size, monkeypatch):
    for periodic in itertools.product([True, False], repeat=len(shape)):
        lattice = GridModes.of(shape, periodic=periodic)
        sums = RadialSums(lattice, Bands.log(shape, periodic=periodic).cuts)
        first, second = coefficients(lattice), coefficients(lattice, 1)
        modes, power, cross = sums.modes(), sums.products(first), sums.products(first, second)
        with monkeypatch.context() as patch:
            patch.setattr(radial, "_CACHED", size)
            assert torch.equal(sums.modes(), modes)
            torch.testing.assert_close(sums.products(first), power, rtol=1e-13, atol=0)
            torch.testing.assert_close(sums.products(first, second), cross, rtol=1e-12, atol=1e-12)


def test_the_way_under_gradients_gives_the_same_sums():
    for periodic in (True, False, (True, False)):
        lattice = GridModes.of((9, 12), periodic=periodic)
        sums = RadialSums(lattice, Bands.log((9, 12), periodic=periodic).cuts)
        modes = coefficients(lattice)
        plain = sums.products(modes)
        tracked = sums.products(modes.requires_grad_())
        assert tracked.requires_grad
        torch.testing.assert_close(tracked.detach(), plain, rtol=1e-13, atol=0)


def test_a_weak_band_beside_a_strong_one_keeps_its_digits():
    lattice = GridModes.of((64,), periodic=True)
    bands = Bands.linear((64,), periodic=True)
    modes = torch.zeros(33, dtype=torch.complex128)
    modes[3], modes[20] = 1.0, 1e-15
    power = RadialSums(lattice, bands.cuts).products(modes)
    assert power[3] == 2.0
    assert power[20] == pytest.approx(2e-30, rel=1e-12)
    assert power.count_nonzero() == 2


def test_the_coefficients_are_left_as_they_are():
    lattice = GridModes.of((8, 8))
    modes = coefficients(lattice)
    before = modes.clone()
    RadialSums(lattice, Bands.log((8, 8)).cuts).products(modes)
    assert torch.equal(modes, before)


def test_modes_per_band_are_counted_in_three_dimensions():
    transform = GridTransform((4, 4, 4), 1.0, True, bands=[0, 0.1, 0.26, 0.5])
    k = np.abs(np.fft.fftfreq(4))
    radius = np.sqrt(k[:, None, None] ** 2 + k[:, None] ** 2 + k**2)
    wanted = [1, ((radius > 0) & (radius < 0.26)).sum(), ((radius > 0.26) & (radius <= 0.5)).sum()]
    assert transform.modes.tolist() == [*wanted, (radius > 0.5).sum()]
