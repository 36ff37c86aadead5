import itertools
import math

import numpy as np
import pytest

from overtone.spectra._noise_curves import quiet_block_curves, spectrum_curve, wavelet_curve


def dct_matrix(n: int) -> np.ndarray:
    k, j = np.mgrid[:n, :n]
    matrix = math.sqrt(2 / n) * np.cos(math.pi * k * (j + 0.5) / n)
    matrix[0] /= math.sqrt(2)
    return matrix


def median_power(energies: list[float], ratio: float) -> float:
    return float(np.median(energies)) / ratio


CHI2_MEDIAN_RATIO = {1: 0.45493642311957, 2: math.log(2)}


def test_the_spectrum_curve_is_that_of_explicit_cosine_sums():
    values = np.random.default_rng(0).standard_normal((16, 20))
    modes = dct_matrix(16) @ (values - values.mean()) @ dct_matrix(20).T
    pairs = [
        (math.hypot(i / 16, j / 20), modes[i, j] ** 2) for i, j in itertools.product(range(16), range(20))
    ]
    pairs = sorted((pair for pair in pairs if pair[0] >= 0.3), key=lambda pair: pair[0])
    found = spectrum_curve(values, (False, False))
    parts = np.array_split(np.arange(len(pairs)), len(found.power))
    assert len(found.power) == len(pairs) // 16
    for part, frequency, power in zip(parts, found.frequency, found.power, strict=True):
        assert frequency == pytest.approx(np.mean([pairs[i][0] for i in part]), rel=1e-12)
        # Modes of equal frequency may be split between two rings in either order: the median moves by one rank.
        ranks = np.sort([pairs[i][1] for i in part]) / CHI2_MEDIAN_RATIO[1]
        middle = len(ranks) // 2
        assert ranks[middle - 3] <= power <= ranks[middle + 2]


def test_the_quiet_curves_are_those_of_loops_over_blocks():
    rng = np.random.default_rng(1)
    values = rng.standard_normal(32 * 24 + 5) * np.linspace(0.2, 3, 32 * 24 + 5)
    energies = [(dct_matrix(32) @ values[32 * b : 32 * (b + 1)]) ** 2 for b in range(24)]
    shares = [1.0, 0.5]
    edges = np.linspace(0.3, 31 / 32 * (1 + 1e-9), 9)
    found = quiet_block_curves(values)
    assert len(found) == len(shares)
    for share, result in zip(shares, found, strict=True):
        power = []
        for parity in (0, 1):
            ranked = sorted(energies, key=lambda e, p=parity: sum(e[p or 2 :: 2]))
            for low, high in itertools.pairwise(edges):
                ring = [k for k in range(32) if k % 2 != parity and low <= k / 32 < high]
                means = [float(np.mean([e[k] for k in ring])) for e in ranked[: int(share * 24)]]
                power.append(median_power(means, CHI2_MEDIAN_RATIO[len(ring)]))
        np.testing.assert_allclose(result.power, power, rtol=1e-10)


@pytest.mark.parametrize("shape", [(4096,), (96, 112), (24, 32, 20)])
def test_every_estimator_is_right_for_white_noise(shape):
    values = 3 * np.random.default_rng(2).standard_normal(shape)
    flat = (False,) * len(shape)
    curves = [
        spectrum_curve(values, flat),
        spectrum_curve(values, (True,) * len(shape)),
        *quiet_block_curves(values),
    ]
    wavelet = wavelet_curve(values)
    assert wavelet is not None
    for curve in [*curves, wavelet]:
        scores = (curve.power / 9 - 1) / np.sqrt(2 / curve.degrees)
        assert np.abs(scores).max() < 5
        assert np.average(curve.power, weights=curve.degrees) / 9 == pytest.approx(
            1, abs=5 * math.sqrt(2 / curve.degrees.sum())
        )


def test_choosing_quiet_blocks_does_not_bias_the_power_of_noise():
    share = [quiet_block_curves(np.random.default_rng(s).standard_normal((128, 128)))[-1] for s in range(30)]
    power = np.average([c.power for c in share], weights=[c.degrees for c in share])
    degrees = sum(c.degrees.sum() for c in share)
    assert share[0].degrees.max() < 40
    # A median of eight means is high by about a quarter of its variance, 1 / (2 degrees) = 1 %.
    assert power == pytest.approx(1, abs=0.02 + 4 * math.sqrt(2 / degrees))


def test_choosing_by_the_measured_coefficients_would_bias_it():
    values = np.random.default_rng(3).standard_normal((256, 256))
    blocks = values.reshape(32, 8, 32, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
    quietest = np.sort((blocks**2).mean(1))[:64]
    assert quietest.mean() < 0.8


def test_the_quiet_blocks_find_noise_where_only_a_corner_is_empty():
    rng = np.random.default_rng(4)
    values = rng.standard_normal((256, 256)) * 5
    values[:64, :64] = 0
    values += rng.standard_normal((256, 256))
    levels = [np.median(curve.power) for curve in quiet_block_curves(values)]
    assert levels[0] > 15
    assert levels[-1] == pytest.approx(1, abs=0.2)


def test_a_periodic_harmonic_leaves_no_power_where_it_is_periodic():
    wave = np.cos(2 * math.pi * 20 * np.arange(256) / 256 + 1)
    around, even = spectrum_curve(wave, (True,)), spectrum_curve(wave, (False,))
    # The phase, up to 2 pi 20 = 126, is rounded to 126 eps, the wave by as much, and so is each orthonormal mode.
    assert around.power.max() < (126 * np.finfo(float).eps) ** 2
    assert even.power.max() > 1e-12


def test_short_axes_have_no_wavelets_and_few_blocks_no_curves():
    assert wavelet_curve(np.ones((8, 300))) is None
    assert quiet_block_curves(np.ones(64)) == []


def test_offset_and_scale_are_those_of_the_values():
    values = np.random.default_rng(5).standard_normal((64, 64))
    plain = quiet_block_curves(values)
    scaled = quiet_block_curves(7 + 2 * values, 7.0, 2.0)
    for a, b in zip(plain, scaled, strict=True):
        np.testing.assert_allclose(a.power, b.power, rtol=1e-9)
