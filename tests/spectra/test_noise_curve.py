import math

import numpy as np
import pytest
from scipy import stats

from overtone.spectra._noise_curves import (
    NoiseCurve,
    Plateau,
    falling,
    median_scale,
    noise_plateau,
    robust_power,
    white_part,
)


def law(frequency: np.ndarray, white: float, amplitude: float, slope: float) -> np.ndarray:
    return white + amplitude * frequency**-slope


def scattered(power: np.ndarray, degrees: float, seed: int) -> np.ndarray:
    return power * np.random.default_rng(seed).chisquare(degrees, len(power)) / degrees


FREQUENCY = np.linspace(0.3, 1.4, 24)


def curve(power: np.ndarray, degrees: float) -> NoiseCurve:
    return NoiseCurve(FREQUENCY, power, np.full(len(power), degrees))


def test_median_scale_has_its_closed_forms():
    assert median_scale(1)[0] == pytest.approx(stats.norm.ppf(0.75) ** 2, rel=1e-12)
    assert median_scale(2)[0] == pytest.approx(math.log(2), rel=1e-12)
    assert median_scale(2)[1] == pytest.approx(math.log(2) ** 2, rel=1e-12)
    assert median_scale(400)[1] == pytest.approx(2 / math.pi, rel=0.01)


@pytest.mark.parametrize("n", [1, 2, 6])
def test_the_robust_power_scatters_as_its_degrees_say(n):
    rng = np.random.default_rng(1)
    draws = rng.chisquare(n, (2000, 300)) / n
    found = np.array([robust_power(row, n) for row in draws])
    degrees = found[0, 1]
    # The median of m draws is unbiased to O(1/m); a variance from 2000 draws is known to sqrt(2 / 2000) = 3 %.
    assert found[:, 0].mean() == pytest.approx(1, abs=1 / 300 + 4 * math.sqrt(2 / degrees / 2000))
    assert found[:, 0].var() == pytest.approx(2 / degrees, rel=0.15)


def test_the_robust_power_ignores_a_minority_and_the_mean_does_not():
    energies = np.random.default_rng(2).chisquare(1, 4000)
    energies[:200] += 1e4
    assert robust_power(energies)[0] == pytest.approx(1, abs=0.15)
    assert energies.mean() > 100


def test_the_plateau_pools_what_agrees_and_stops_below_what_does_not():
    power = np.concatenate([np.full(12, 9.0), scattered(np.ones(12), 200, 3)])
    level = noise_plateau(curve(power, 200.0))
    assert level.degrees == pytest.approx(2400)
    assert level.variance == pytest.approx(power[12:].mean(), rel=1e-12)
    assert level.interval[0] < 1 < level.interval[1]


def test_the_plateau_is_not_the_smallest_of_many_scattering_points():
    smallest, levels = [], []
    for seed in range(100):
        power = scattered(np.ones(24), 8, seed)
        smallest.append(power.min())
        levels.append(noise_plateau(curve(power, 8.0)).variance)
    assert np.mean(smallest) < 0.4
    assert np.mean(levels) == pytest.approx(1, abs=0.06)


def test_equal_levels_disagree_as_rarely_as_three_errors_do():
    rng = np.random.default_rng(4)
    pairs = rng.chisquare(8, (4000, 2)) / 8
    apart = np.mean([not Plateau(a, 8.0).agrees(Plateau(b, 8.0)) for a, b in pairs])
    assert apart < 0.01
    assert not Plateau(0.1, 50.0).agrees(Plateau(1.0, 50.0))


@pytest.mark.parametrize("slope", [1.0, 1.6, 2.5, 4.0, 7.0])
def test_a_falling_spectrum_needs_no_white_noise(slope):
    clean = [white_part(curve(scattered(law(FREQUENCY, 0.0, 1.0, slope), 300, s), 300.0)) for s in range(20)]
    lowest = FREQUENCY[-1] ** -slope
    assert np.mean(np.array(clean) < 0.25 * lowest) >= 0.9


@pytest.mark.parametrize("slope", [1.0, 2.5, 4.0])
def test_white_noise_under_a_falling_spectrum_is_bounded_from_below(slope):
    found = [
        white_part(curve(scattered(law(FREQUENCY, 4.0, 0.5, slope), 1000, s), 1000.0)) for s in range(20)
    ]
    assert np.mean(np.array(found) <= 4.0) >= 0.9
    assert np.median(found) > 0.4 * 4.0


def test_the_lower_bound_is_that_of_a_general_optimizer():
    power, degrees = scattered(law(FREQUENCY, 2.0, 1.0, 3.0), 500, 5), np.full(24, 500.0)
    frequency = FREQUENCY / FREQUENCY.max()
    slopes = (1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0)
    amplitudes = np.linspace(0, 2, 1001)[:, None]

    def least(level: float) -> float:
        best = math.inf
        for slope in slopes:
            spectrum = level + amplitudes * frequency**-slope
            best = min(best, float((degrees * (power / spectrum + np.log(spectrum))).sum(1).min()))
        return best

    levels = np.linspace(0.3, 1.5, 97) * power.min()
    deviance = np.array([least(level) for level in levels])
    exact = (degrees * (1 + np.log(power))).sum()
    misfit = max(1.0, (deviance.min() - exact) / 21)
    inside = (deviance - deviance.min()) / misfit <= stats.chi2.ppf(0.95, 1)
    # Both are grids of levels, ours 0.025 of the lowest power apart, and interpolate to well below one step.
    assert white_part(curve(power, 500.0)) == pytest.approx(levels[inside][0], abs=0.025 * power.min())


def test_a_tone_above_the_plateau_does_not_hide_it():
    power = scattered(law(FREQUENCY, 1.0, 0.3, 4.0), 500, 6)
    power[-2] = 50.0
    assert len(falling(curve(power, 500.0)).power) == 23
    assert white_part(curve(power, 500.0)) > 0.7


def test_a_rising_spectrum_vouches_for_nothing():
    assert white_part(curve(FREQUENCY**4, 500.0)) == 0.0


def test_too_few_points_vouch_for_nothing():
    assert white_part(NoiseCurve(FREQUENCY[:3], np.ones(3), np.full(3, 1e4))) == 0.0
