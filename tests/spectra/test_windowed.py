"""Boxes cut out of larger fields: plane detrend and Hann window."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra import GridTransform, WindowedTransform
from overtone.spectra._pair_power import radial_slope, usable_bands

SIZES = st.integers(4, 13)


def power_law(shape: tuple[int, ...], exponent: float, seed: int, count: int = 1) -> Tensor:
    """(count, *shape) periodic Gaussian fields with E(k) ~ k^-exponent, summed over shells."""
    generator = np.random.default_rng(seed)
    k = np.sqrt(sum(f**2 for f in np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in shape), indexing="ij")))
    amplitude = np.where(k > 0, np.maximum(k, 1), np.inf) ** (-(exponent + len(shape) - 1) / 2)
    noise = np.fft.fftn(generator.standard_normal((count, *shape)), axes=range(1, len(shape) + 1))
    field = np.fft.ifftn(noise * amplitude, axes=range(1, len(shape) + 1)).real
    return torch.from_numpy(field / field.std())


def by_loops(field: np.ndarray, open_axes: tuple[bool, ...]) -> np.ndarray:
    """|c_k|^2 / N of every Fourier mode by explicit sums, after a least-squares plane and Hann windows."""
    places = np.stack(np.meshgrid(*map(np.arange, field.shape), indexing="ij"), -1).reshape(-1, field.ndim)
    columns = [np.ones(len(places)), *(places[:, i] for i in range(field.ndim) if open_axes[i])]
    plane = np.stack(columns, 1)
    values = field.ravel() - plane @ np.linalg.lstsq(plane, field.ravel(), rcond=None)[0]
    for axis, n in enumerate(field.shape):
        if open_axes[axis]:
            window = 0.5 - 0.5 * np.cos(2 * math.pi * (np.arange(n) + 0.5) / n)
            values = values * (window / math.sqrt(np.mean(window**2)))[places[:, axis]]
    result = np.empty(field.shape)
    for k in np.ndindex(*field.shape):
        wave = np.exp(-2j * math.pi * (places * np.array(k) / np.array(field.shape)).sum(1))
        result[k] = abs((values * wave).sum()) ** 2 / field.size**2
    result[(0,) * field.ndim] = field.mean() ** 2
    return result


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.tuples(SIZES, st.booleans()), min_size=1, max_size=2), st.integers(0, 99), st.floats(0.1, 9)
)
def test_powers_are_those_of_explicit_sums(axes, seed, spacing):
    shape = tuple(n for n, _ in axes)
    wraps = tuple(w for _, w in axes)
    field = np.random.default_rng(seed).standard_normal(shape) + 3
    transform = WindowedTransform(shape, spacing, wraps)
    power = transform.power(transform.coefficients(torch.from_numpy(field)[..., None]))[:, 0]
    expected = by_loops(field, tuple(not w for w in wraps))
    frequency = np.sqrt(
        sum(f**2 for f in np.meshgrid(*(np.abs(np.fft.fftfreq(n, spacing)) for n in shape), indexing="ij"))
    )
    bands = transform.bands.index(torch.from_numpy(frequency.ravel()))
    sums = torch.zeros_like(power).index_add(0, bands, torch.from_numpy(expected.ravel()))
    torch.testing.assert_close(power, sums, rtol=1e-9, atol=1e-11)


def test_all_axes_periodic_is_the_grid_transform():
    values = torch.from_numpy(np.random.default_rng(0).standard_normal((8, 9, 2)))
    windowed, grid = WindowedTransform((8, 9), periodic=True), GridTransform((8, 9), periodic=True)
    torch.testing.assert_close(
        windowed.power(windowed.coefficients(values)), grid.power(grid.coefficients(values))
    )
    assert windowed.reliable_from == 0


@pytest.mark.parametrize("shape", [(32, 48), (31, 48), (33, 45)])
def test_a_plane_has_no_power_beyond_its_mean(shape):
    y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in shape), indexing="ij")
    transform = WindowedTransform(shape)
    power = transform.power(transform.coefficients((280 + 0.3 * x - 2 * y)[..., None]))[:, 0]
    assert float(power[1:].sum()) < 1e-24 * float(power[0])


def test_transposition_transposes_nothing_else():
    values = torch.from_numpy(np.random.default_rng(1).standard_normal((12, 9)))
    one, other = WindowedTransform((12, 9), (1, 2)), WindowedTransform((9, 12), (2, 1))
    first = one.power(one.coefficients(values[..., None]))
    second = other.power(other.coefficients(values.T.contiguous()[..., None]))
    torch.testing.assert_close(first, second)


def test_float32_has_the_spectrum_of_float64():
    values = power_law((32, 32), 2, seed=0)[0]
    transform = WindowedTransform((32, 32))
    double = transform.power(transform.coefficients(values[..., None]))
    single = transform.power(transform.coefficients(values.float()[..., None]))
    torch.testing.assert_close(double, single, rtol=1e-4, atol=1e-10)


def test_the_spectrum_of_a_steep_field_is_that_of_the_larger_one():
    """Boxes of 64^2 out of 256^2 with E ~ k^-5; the power of the even extension is 3 to 40 times too large."""
    fields = power_law((256, 256), 5, seed=3, count=24)
    k = np.sqrt(sum(f**2 for f in np.meshgrid(*(np.fft.fftfreq(256, 1 / 64),) * 2, indexing="ij")))
    spectrum = torch.from_numpy((np.abs(np.fft.fft2(fields.numpy())) ** 2 / 256**4).mean(0).ravel())
    boxes = fields[:, 96:160, 96:160].movedim(0, -1)
    ratios = []
    for transform in (WindowedTransform((64, 64)), GridTransform((64, 64))):
        power = transform.power(transform.coefficients(boxes)).mean(1)
        expected = torch.zeros_like(power).index_add(
            0, transform.bands.index(torch.from_numpy(k.ravel())), spectrum
        )
        ratios.append((power / expected)[torch.tensor(usable_bands(transform.bands, 6.0, 31))])
    windowed, even = ratios
    assert float(windowed.min()) > 0.7
    assert (
        float(windowed.max()) < 1.4
    )  # 24 fields of 40 modes, correlated in pairs: 9 % standard error a band
    assert float(even.min()) > 3
    assert abs(radial_slope(transform.bands, transform.modes, expected, 3.0) - 5) < 0.2


def test_white_noise_is_flat_and_of_variance_one():
    """Mean power per mode of 400 fields of unit noise: 1 / N within five standard errors."""
    noise = torch.from_numpy(np.random.default_rng(5).standard_normal((24, 20, 400)))
    transform = WindowedTransform((24, 20))
    power = transform.power(transform.coefficients(noise)).mean(1) * 480 / transform.modes
    usable = torch.tensor(usable_bands(transform.bands, transform.reliable_from, 12))
    # Hann correlates neighbours, so a band's power has about half as many independent terms as modes.
    error = 5 * (2 / (400 * transform.modes / 2)).sqrt()
    assert int(usable.sum()) > 3
    assert bool(((power - 1).abs() < error)[usable].all())


def test_nothing_is_reliable_below_three_waves_per_shortest_open_axis():
    assert WindowedTransform((10, 40), (1.0, 2.0)).reliable_from == pytest.approx(0.3)
    assert WindowedTransform((10, 40), (1.0, 2.0), (True, False)).reliable_from == pytest.approx(3 / 80)


def test_values_that_are_not_finite_are_refused():
    values = torch.zeros(8, 8, 1)
    values[2, 3] = math.nan
    with pytest.raises(InputError, match=r"index \(2, 3\)"):
        WindowedTransform((8, 8)).coefficients(values)
