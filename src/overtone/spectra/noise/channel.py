"""The noise of one channel: the estimators' curves combined into a level with bounds and a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from overtone.spectra.noise.curve import Curve
from overtone.spectra.noise.plateau import Plateau, plateau, white_part
from overtone.spectra.noise.quiet import quiet_curves
from overtone.spectra.noise.spectral import spectrum_curve
from overtone.spectra.noise.verdict import NoiseVerdict
from overtone.spectra.noise.wavelet import wavelet_curve

_SAME = 2.0
"""Standard errors within which the levels of two curves count as equal."""
_NEAR = 1.15
"""A curve may vouch for the whiteness of a level if its own lies at most this factor above, in standard deviations."""
_HIGH_FREQUENCIES = 0.55
_LEAST_PART = 0.83
"""Least part of the level that the white part is taken for in the estimate; below, its own error outweighs its use."""

_THIN = 0.1
"""Degrees of freedom per sample below which a level may still hold some signal."""
_VOUCHED = 0.5
"""Share of the standard deviation that must be white for the verdict NOISE."""
_NEGLIGIBLE, _SMALL = 0.002, 0.01
"""Standard deviations, as shares of the range: below the one noise is not worth a name, the other bounds CLEAN."""
_ROUNDING = 0.1 * float(np.finfo(np.float64).eps)
"""Relative size of what is no power at all; below the rounding of any values."""
_ROUNDED = 4.0
"""A standard deviation below so many units in the last place of the largest value is one of rounding, not of noise."""
_RISE = 1.5
"""Ratio of power near Nyquist to power below half of it, in quiet blocks, from which noise is called not white."""

Measured = list[tuple[Curve, Plateau]]


@dataclass(frozen=True)
class ChannelNoise:
    """The noise of one channel, in units of the value.

    Attributes:
        std: Standard deviation of what may be white noise.
        low: The least that must be, if signals fall like power laws.
        high: The most that can be.
        verdict: What this says.
        estimates: The level each estimator finds by itself.
        extent: Largest minus smallest value.
        rising: Whether the quiet blocks have more power near Nyquist than below: their noise is not white.
    """

    std: float
    low: float
    high: float
    verdict: NoiseVerdict
    estimates: dict[str, float]
    extent: float
    rising: bool = False


def channel_noise(
    values: np.ndarray, sample: np.ndarray, periodic: tuple[bool, ...], precision: float = 0.0
) -> ChannelNoise:
    """Estimate the noise of one channel.

    Every estimator is right or too high, since a signal only adds power. So the curve whose level has the smallest
    upper bound points to the level, and of all curves that agree with it within chance the one with the most degrees
    of freedom gives its size. The level is the most that the noise can be, and the white part that is left when all
    that can be is explained by a falling spectrum is the least. Where a level rests on less than a tenth of the
    samples, as in textures, the estimate is their geometric mean, the least being taken for no less than 0.83 of it.
    What is no larger than the rounding of the values is no noise.

    Args:
        values: All values, 1 to 3 axes of at least two samples; blocks are read from it.
        sample: A connected part of them, for the estimators that need a whole.
        periodic: Whether the axes of `sample` wrap around.
        precision: Relative spacing of the numbers that hold the values, such as 1.2e-7 for float32.
    """
    least, most = float(values.min()), float(values.max())
    extent = most - least
    if extent == 0:
        return ChannelNoise(0.0, 0.0, 0.0, NoiseVerdict.CLEAN, {}, 0.0)
    rounding = _ROUNDING * max(abs(least), abs(most)) / extent
    families = {
        name: [(curve, plateau(curve)) for curve in curves]
        for name, curves in _curves(values, sample, periodic, least, extent, rounding**2).items()
    }
    every = [pair for pairs in families.values() for pair in pairs]
    quiet = families.get("quiet blocks", [])
    lowest = _lowest(every)
    chosen = max(
        (level for _, level in every if level.agrees(lowest, _SAME)), key=lambda level: level.degrees
    )
    white = _white(every, chosen)
    low, high = (min(1.0, math.sqrt(bound)) for bound in chosen.interval)
    level, settled = min(1.0, math.sqrt(chosen.variance)), _settled(quiet, chosen)
    vouched = min(level, math.sqrt(white), math.sqrt(lowest.variance)) * settled
    low = min(low, math.sqrt(white), math.sqrt(lowest.variance)) * settled
    verdict = _verdict(level, low, high)
    std = level
    smallest = _ROUNDED * precision * max(abs(least), abs(most)) / extent
    if verdict is NoiseVerdict.CLEAN and high <= smallest:
        std, low, high = 0.0, 0.0, smallest
    if verdict is NoiseVerdict.NOISE and chosen.degrees < _THIN * sample.size:
        std = math.sqrt(level * max(vouched, _LEAST_PART * level))
    found = {name: min(1.0, math.sqrt(_lowest(pairs).variance)) for name, pairs in families.items()}
    estimates = {name: extent * (0.0 if one <= smallest else one) for name, one in found.items()}
    rising = std > _NEGLIGIBLE and _rises(quiet)
    return ChannelNoise(extent * std, extent * low, extent * high, verdict, estimates, extent, rising)


def _curves(
    values: np.ndarray,
    sample: np.ndarray,
    periodic: tuple[bool, ...],
    offset: float,
    extent: float,
    floor: float,
) -> dict[str, list[Curve]]:
    """The curves of each estimator that has any, for values scaled to [0, 1]."""
    scaled = (sample.astype(np.float64) - offset) / extent
    wavelet = wavelet_curve(scaled)
    curves = {
        "wavelet": [] if wavelet is None else [wavelet],
        "spectrum": [spectrum_curve(scaled, periodic)],
        "quiet blocks": quiet_curves(values, offset, extent),
    }
    return {name: [curve.raised(floor) for curve in some] for name, some in curves.items() if some}


def _lowest(measured: Measured) -> Plateau:
    return min((level for _, level in measured), key=lambda level: level.interval[1])


def _white(measured: Measured, chosen: Plateau) -> float:
    """The most white variance that a curve near the chosen level vouches for."""
    near = [curve for curve, level in measured if level.variance <= _NEAR**2 * chosen.variance]
    return max(max(white_part(curve), white_part(curve.above(_HIGH_FREQUENCIES))) for curve in near)


def _settled(quiet: Measured, chosen: Plateau) -> float:
    """How the level fell, as a ratio of standard deviations, over the last two halvings of the share of blocks.

    What the last halvings took away, further ones might take away again, were there enough blocks.
    """
    levels = [level for _, level in quiet]
    reached = next((k for k, level in enumerate(levels) if level.variance <= chosen.variance), None)
    if reached is None:
        return 1.0
    now, before = levels[reached], levels[max(reached - 2, 0)]
    return 1.0 if now.agrees(before, _SAME) else min(1.0, math.sqrt(now.variance / before.variance))


def _rises(quiet: Measured) -> bool:
    """Whether the quietest quarter of the blocks has significantly more power near Nyquist than below half of it."""
    if not quiet:
        return False
    curve = quiet[:3][-1][0]
    top, bottom = (
        Plateau(float(np.average(curve.power[at], weights=curve.degrees[at])), float(curve.degrees[at].sum()))
        for at in (curve.frequency >= 0.8, curve.frequency < 0.5)
        if at.any()
    )
    return top.variance > _RISE * bottom.variance and not top.agrees(bottom)


def _verdict(std: float, low: float, high: float) -> NoiseVerdict:
    if std < _NEGLIGIBLE and high < _SMALL:
        return NoiseVerdict.CLEAN
    if low >= _VOUCHED * std:
        return NoiseVerdict.NOISE
    return NoiseVerdict.CLEAN if high <= _SMALL else NoiseVerdict.CANNOT_TELL
