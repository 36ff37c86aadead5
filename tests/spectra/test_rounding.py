"""Power of the rounding of stored values, against the distances of neighbouring numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from overtone.spectra import GridTransform, HealpixGrid, HealpixTransform, WindTransform
from overtone.spectra._rounding import rounding_power


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_squares_are_those_of_the_distances_of_neighbouring_numbers(kind):
    generator = np.random.default_rng(0)
    values = (
        generator.standard_normal((3, 2, 8, 6)) * 10.0 ** generator.integers(-3, 4, (3, 2, 8, 6))
    ).astype(kind)
    values[0, 0, 0, :3] = 0, np.nan, -1
    transform = GridTransform((8, 6), periodic=True)
    power = rounding_power(torch.from_numpy(values), transform)
    spacing = np.where(values == 0, 0, np.spacing(np.abs(np.nan_to_num(values)))).astype(np.float64)
    spacing[np.isnan(values)] = 0
    np.testing.assert_allclose(power.sum(1), (spacing**2 / 12).mean((2, 3)), rtol=1e-12)
    # White: by modes.
    shares = transform.modes.double() / 48
    np.testing.assert_allclose(power, (power.sum(1, keepdim=True) * shares[:, None]), rtol=1e-12)
    assert not rounding_power(torch.ones(1, 1, 8, 6, dtype=torch.int64), transform).any()


def test_measured_noise_of_rounding_on_pixels_and_of_winds():
    """float16 values of 1,000 to 1,024 in steps of 1/2: the error is uniform."""
    values = 1000 + 24 * torch.rand(
        40, 2, 192, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    rounded = values.half()
    plain = HealpixTransform(HealpixGrid(4), [0, 0.5, 3.5, 5.5])
    for transform in (plain, WindTransform(plain)):
        expected = rounding_power(rounded, transform).mean(0)
        errors = (rounded.double() - values).flatten(0, 1).movedim(0, -1)
        power = transform.power(transform.coefficients(errors)).unflatten(-1, (40, 2)).mean(1)
        torch.testing.assert_close(power[1:3], expected[1:3], rtol=0.25, atol=0)
