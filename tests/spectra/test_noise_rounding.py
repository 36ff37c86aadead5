"""Differences as small as the rounding of the values are no noise, whatever the type, the level and the shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from overtone.spectra import NoiseVerdict, noise_floor

N = 256
T = np.arange(N) / N
GRID = np.add.outer(np.sin(2 * np.pi * 3 * T[:48]), np.cos(2 * np.pi * 2 * T[:48]))
BRIGHT = np.zeros((32, 32))
BRIGHT[5, 7] = 1.0
SMOOTH = {
    "a wave": np.sin(2 * np.pi * 5 * T),
    "a ramp": T,
    "a parabola": (T - 0.3) ** 2,
    "one bright sample": BRIGHT,
    "waves in two axes": GRID,
    "a wave of volts": 1e-6 * np.sin(2 * np.pi * 5 * T),
    "a large wave": 1e12 * np.sin(2 * np.pi * 5 * T),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_signals_have_none(name: str, dtype: torch.dtype) -> None:
    values = torch.from_numpy(SMOOTH[name]).to(dtype)
    found = noise_floor(values)
    assert found.verdict is NoiseVerdict.CLEAN
    rounding = torch.finfo(dtype).eps * float(values.abs().max())
    assert float(found.std) == 0 or float(found.std) > rounding
    assert float(found.low) == 0 or float(found.low) > rounding
    assert float(found.std) <= float(found.high)
    assert all(
        float(one) == 0 or float(one) > rounding for one in found.estimates.values() if not one.isnan()
    )


@pytest.mark.parametrize("size", [1e-2, 1e-5])
def test_noise_above_rounding_is_still_seen(size: float) -> None:
    noise = size * np.random.default_rng(0).standard_normal(4096)
    found = noise_floor(torch.from_numpy(np.sin(2 * np.pi * 5 * np.arange(4096) / 4096) + noise))
    assert float(found.std) == pytest.approx(size, rel=0.2)
