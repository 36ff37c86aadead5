"""The plateau of a noise curve: the lowest level that part of it agrees on, and how much of it must be white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from overtone.spectra.noise.curve import Curve

_AGREE = 3.0
"""Standard errors within which two powers count as equal."""
_COVER = 0.95
"""Coverage of the intervals."""
_SLOPES = np.array([1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0])
"""Exponents of the power law that a signal's spectrum may fall with towards the Nyquist frequency."""
_POOR = 5.0
"""Misfit, in multiples of what chance explains, above which a power law plus white noise is not believed."""
_FEWEST_POINTS = 5
"""Points that a curve needs before three parameters are fitted to it."""


@dataclass(frozen=True)
class Plateau:
    """The lowest level of a curve.

    Attributes:
        variance: Pooled power of the points that agree with the lowest one.
        degrees: Their degrees of freedom.
    """

    variance: float
    degrees: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the variance if it is one of white noise: degrees * variance / chi^2 quantiles."""
        tail = (1 - _COVER) / 2
        scaled = self.degrees * self.variance
        return scaled / stats.chi2.isf(tail, self.degrees), scaled / stats.chi2.ppf(tail, self.degrees)

    def agrees(self, other: Plateau, errors: float = _AGREE) -> bool:
        """Whether chance explains the distance of the two.

        Compared are the cube roots, of which those of chi^2_d / d are close to normal with variance 2 / (9 d)
        (Wilson & Hilferty 1931, "The distribution of chi-square", PNAS 17), in units of the pooled one.

        Args:
            other: The other level.
            errors: Standard errors that count as chance.
        """
        pooled = np.cbrt(self.joined(other).variance)
        apart = abs(np.cbrt(self.variance) - np.cbrt(other.variance))
        return bool(apart <= errors * pooled * np.sqrt(2 / 9 * (1 / self.degrees + 1 / other.degrees)))

    def joined(self, other: Plateau) -> Plateau:
        """Both as one level, weighted by their degrees of freedom."""
        degrees = self.degrees + other.degrees
        return Plateau((self.variance * self.degrees + other.variance * other.degrees) / degrees, degrees)


def plateau(curve: Curve) -> Plateau:
    """The lowest level of a curve: its points in ascending order, pooled as long as chance explains the next one.

    White noise adds the same power at every frequency and a signal's power is not negative, so the level is that of
    the noise or above it. Pooling keeps the lowest of many scattering points from passing for the level.

    Args:
        curve: Powers above 0.
    """
    order = np.argsort(curve.power)
    level = Plateau(float(curve.power[order[0]]), float(curve.degrees[order[0]]))
    for k in order[1:]:
        point = Plateau(float(curve.power[k]), float(curve.degrees[k]))
        if not level.agrees(point):
            break
        level = level.joined(point)
    return level


def falling(curve: Curve) -> Curve:
    """The points of a curve that do not rise, beyond chance, above a point of lower frequency: tones stand out."""
    least: Plateau | None = None
    kept: list[int] = []
    for k in np.argsort(curve.frequency, kind="stable"):
        point = Plateau(float(curve.power[k]), float(curve.degrees[k]))
        if least is None or point.variance <= least.variance:
            least = point
        elif not point.agrees(least):
            continue
        kept.append(int(k))
    return Curve(curve.frequency[kept], curve.power[kept], curve.degrees[kept])


def white_part(curve: Curve) -> float:
    """The least variance of white noise that explains the curve, given that a signal falls like a power law.

    The curve is taken as S(f) = s^2 + A f^-a with a >= 1 and A >= 0, its points as S chi^2_d / d. The deviance
    D = sum d (P / S + log S) is minimised over A and a for each s^2; the smallest s^2 with
    (D - min D) / c <= z^2 (z = 1.96) is returned, c >= 1 being the misfit per degree of freedom, so that a poor fit
    widens the interval. A spectrum that merely falls all the way gives 0: its last values need no noise.

    Args:
        curve: Powers above 0.

    Returns:
        A variance; 0 if no noise is needed, if the curve has fewer than five points, or if no power law fits.
    """
    points = len(curve.power)
    curve = falling(curve)
    if len(curve.power) < max(_FEWEST_POINTS, points / 2):
        return 0.0
    lowest = float(curve.power.min())
    levels = np.linspace(0.0, 1.6, 65)
    deviance = _profile(levels, curve.frequency / curve.frequency.max(), curve.power / lowest, curve.degrees)
    best = int(deviance.argmin())
    exact = float((curve.degrees * (1 + np.log(curve.power / lowest))).sum())
    misfit = max(1.0, (deviance[best] - exact) / max(len(curve.power) - 3, 1))
    if misfit > _POOR:
        return 0.0
    excess = (deviance - deviance[best]) / misfit
    limit = float(stats.chi2.ppf(_COVER, 1))
    first = int(np.flatnonzero(excess <= limit)[0])
    if first == 0:
        return 0.0
    inside = (excess[first - 1] - limit) / (excess[first - 1] - excess[first])
    return lowest * float(levels[first - 1] + inside * (levels[first] - levels[first - 1]))


def _profile(levels: np.ndarray, frequency: np.ndarray, power: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """(levels,) least deviance over A and a: the best of some A, then Fisher scoring from it."""
    law = frequency[None] ** -_SLOPES[:, None]
    white = levels[:, None, None]

    def deviance(spectrum: np.ndarray) -> np.ndarray:
        return (degrees * (power / spectrum + np.log(spectrum))).sum(-1)

    starts = np.concatenate([[0.0], np.geomspace(3e-3, 3.0, 8)])
    tried = deviance(np.maximum(white[..., None] + starts[:, None] * law[:, None], 1e-9))
    amplitude, best = starts[tried.argmin(-1)], tried.min(-1)
    for _ in range(5):
        spectrum = np.maximum(white + amplitude[..., None] * law, 1e-9)
        gradient = (degrees * law * (power - spectrum) / spectrum**2).sum(-1)
        curvature = (degrees * law**2 / spectrum**2).sum(-1)
        step = amplitude + gradient / curvature
        amplitude = np.clip(step, amplitude / 3, 3 * amplitude + 1e-6)
        best = np.minimum(best, deviance(np.maximum(white + amplitude[..., None] * law, 1e-9)))
    return best.min(-1)
