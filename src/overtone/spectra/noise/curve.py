"""A noise curve: the typical power per mode at some frequencies, and how many degrees of freedom stand behind it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Curve:
    """Power per orthonormal mode against frequency; white noise of variance s^2 has power s^2 at every frequency.

    Attributes:
        frequency: (n,) float64 radial frequencies as fractions of the Nyquist frequency, in (0, sqrt(axes)].
        power: (n,) float64 power per mode, in squared units of the value.
        degrees: (n,) float64 degrees of freedom: the power of white noise scatters by sqrt(2 / degrees).
    """

    frequency: np.ndarray
    power: np.ndarray
    degrees: np.ndarray

    def above(self, frequency: float) -> Curve:
        """The part of the curve at `frequency` and above."""
        kept = self.frequency >= frequency
        return Curve(self.frequency[kept], self.power[kept], self.degrees[kept])

    def raised(self, floor: float) -> Curve:
        """The same curve with no power below `floor`, the power of rounding."""
        return Curve(self.frequency, np.maximum(self.power, floor), self.degrees)


@functools.cache
def median_scale(n: int) -> tuple[float, float]:
    """How to read a variance off a median: of many means of n squared normal numbers, half lie below `ratio`.

    The median of m such means estimates `ratio` times the variance and is as certain as the plain mean of
    `efficiency` times as many. With q the median and p the density of chi^2_n at it, ratio = q / n and
    efficiency = (2 / n) / (1 / (4 p^2 q^2)).

    Args:
        n: Squares per mean, at least 1.

    Returns:
        (ratio, efficiency); (0.455, 0.368) for n = 1, towards (1, 2 / pi) for large n.
    """
    q = float(stats.chi2.median(n))
    p = float(stats.chi2.pdf(q, n))
    return q / n, 8 * p * p * q * q / n


def robust_power(energies: np.ndarray, n: int = 1) -> tuple[float, float]:
    """Variance and degrees of freedom from means of `n` squares each, unmoved by a minority of large ones.

    Args:
        energies: (m,) means of n squared coefficients.
        n: Coefficients per mean.
    """
    ratio, efficiency = median_scale(n)
    return float(np.median(energies)) / ratio, efficiency * n * len(energies)
