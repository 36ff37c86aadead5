"""Noise curves of a signal, the plateau of a curve, and the lower bound on its white part."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
import torch

from overtone._utils.seeding import numpy_generator
from overtone.spectra._grid_modes import GridModes, forward


@dataclass(frozen=True)
class NoiseCurve:
    """Power per orthonormal mode against frequency; white noise of variance s^2 has power s^2 at every frequency.

    Attributes:
        frequency: (n,) float64 radial frequencies as fractions of the Nyquist frequency, in (0, sqrt(axes)].
        power: (n,) float64 power per mode, in squared units of the value.
        degrees: (n,) float64 degrees of freedom; the relative standard error for white noise is sqrt(2 /
            degrees).
    """

    frequency: np.ndarray
    power: np.ndarray
    degrees: np.ndarray

    def above(self, frequency: float) -> NoiseCurve:
        """Return the part of the curve at or above `frequency`."""
        above = self.frequency >= frequency
        return NoiseCurve(self.frequency[above], self.power[above], self.degrees[above])

    def clipped(self, floor: float) -> NoiseCurve:
        """Return the curve with power clipped from below at `floor`, the power of rounding errors."""
        return NoiseCurve(self.frequency, np.maximum(self.power, floor), self.degrees)


def _chi2_quantile(probability: float, degrees: float) -> float:
    """Return a chi^2 quantile by scipy.special, because scipy.stats is slow to import."""
    from scipy.special import gammaincinv

    return float(2 * gammaincinv(degrees / 2, probability))


@functools.cache
def median_scale(n: int) -> tuple[float, float]:
    """Return the scale and the efficiency of a variance estimate by the median of means of n squares.

    The median of m means of n squared normal numbers estimates `ratio` times the variance. Its standard error
    is that of the plain mean of `efficiency` * m such means. With q the median and p the density of chi^2_n
    at it, ratio = q / n and efficiency = (2 / n) / (1 / (4 p^2 q^2)).

    Args:
        n: Number of squares per mean, at least 1.

    Returns:
        (ratio, efficiency): (0.455, 0.368) for n = 1, and (1, 2 / pi) in the limit of large n.
    """
    from scipy.special import gammaln, xlogy

    # The variance of a sample median is 1 / (4 m p^2); that of the mean divided by it is the efficiency.
    q = _chi2_quantile(0.5, n)
    p = float(np.exp(xlogy(n / 2 - 1, q) - q / 2 - gammaln(n / 2) - (np.log(2) * n) / 2))
    return q / n, 8 * p * p * q * q / n


def robust_power(energies: np.ndarray, n: int = 1) -> tuple[float, float]:
    """Return variance and degrees of freedom from means of `n` squares, robust to a minority of large ones.

    Args:
        energies: (m,) means of n squared coefficients.
        n: Number of coefficients per mean.
    """
    ratio, efficiency = median_scale(n)
    return float(np.median(energies)) / ratio, efficiency * n * len(energies)


_AGREEMENT = 3.0
"""Number of standard errors within which two powers count as equal."""
_COVERAGE = 0.95
"""Coverage of the confidence intervals."""
_SLOPES = np.array([1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0])
"""Candidate exponents of the power-law decay of a signal's spectrum towards the Nyquist frequency."""
_MAX_MISFIT = 5.0
"""Misfit per degree of freedom above which the model of a power law plus white noise is rejected."""
_MIN_POINTS = 5
"""Minimum number of points for a fit of three parameters to a curve."""


@dataclass(frozen=True)
class Plateau:
    """Lowest level of a curve.

    Attributes:
        variance: Pooled power of the points that agree with the lowest point.
        degrees: Total degrees of freedom of these points.
    """

    variance: float
    degrees: float

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the variance, assuming white noise: degrees * variance / chi^2 quantiles."""
        from scipy.special import chdtri

        tail = (1 - _COVERAGE) / 2
        scaled = self.degrees * self.variance
        return scaled / float(chdtri(self.degrees, tail)), scaled / _chi2_quantile(tail, self.degrees)

    def agrees(self, other: Plateau, errors: float = _AGREEMENT) -> bool:
        """Return whether the difference of two levels is within the random error.

        The cube roots are compared, in units of the pooled one: that of chi^2_d / d is approximately normal
        with variance 2 / (9 d) (Wilson & Hilferty 1931, "The distribution of chi-square", PNAS 17).

        Args:
            other: The other level.
            errors: Largest difference that counts as random, in standard errors.
        """
        pooled_root = np.cbrt(self.pooled(other).variance)
        difference = abs(np.cbrt(self.variance) - np.cbrt(other.variance))
        return bool(
            difference <= errors * pooled_root * np.sqrt(2 / 9 * (1 / self.degrees + 1 / other.degrees))
        )

    def pooled(self, other: Plateau) -> Plateau:
        """Return the pooled level of both, weighted by their degrees of freedom."""
        degrees = self.degrees + other.degrees
        return Plateau((self.variance * self.degrees + other.variance * other.degrees) / degrees, degrees)


def noise_plateau(curve: NoiseCurve) -> Plateau:
    """Return the lowest level of a curve by pooling its points in ascending order of power.

    Pooling stops at the first point that is significantly above the level. White noise adds the same power at
    every frequency and a signal's power is not negative, so the level is at or above that of the noise.
    Without pooling, the lowest of many scattered points would underestimate the level.

    Args:
        curve: Curve with positive powers.
    """
    # Start at the lowest point: the signal adds power to the noise and never removes any.
    order = np.argsort(curve.power)
    level = Plateau(float(curve.power[order[0]]), float(curve.degrees[order[0]]))
    for k in order[1:]:
        point = Plateau(float(curve.power[k]), float(curve.degrees[k]))
        if not level.agrees(point):
            break
        level = level.pooled(point)
    return level


def falling(curve: NoiseCurve) -> NoiseCurve:
    """Remove the points, such as tones, that are significantly above a point of lower frequency."""
    lowest: Plateau | None = None
    retained: list[int] = []
    for k in np.argsort(curve.frequency, kind="stable"):
        point = Plateau(float(curve.power[k]), float(curve.degrees[k]))
        if lowest is None or point.variance <= lowest.variance:
            lowest = point
        elif not point.agrees(lowest):
            continue
        retained.append(int(k))
    return NoiseCurve(curve.frequency[retained], curve.power[retained], curve.degrees[retained])


def white_part(curve: NoiseCurve) -> float:
    """Return the smallest white-noise variance compatible with a curve whose signal decays as a power law.

    The model of the curve is S(f) = s^2 + A f^-a with a >= 1 and A >= 0, with points distributed as S chi^2_d
    / d. The deviance D = sum d (P / S + log S) is minimised over A and a for each s^2; the smallest s^2 with
    (D - min D) / c <= z^2 (z = 1.96) is returned. The factor c >= 1 is the misfit per degree of freedom, so
    that a poor fit widens the interval. The result for a spectrum that decays up to the highest frequency is
    0.

    Args:
        curve: Curve with positive powers.

    Returns:
        The variance; 0 if the curve is explained without noise, has fewer than five points, or fits no power
        law.
    """
    # Tones and lines lie above the trend and are excluded from the fit of the power law.
    points = len(curve.power)
    curve = falling(curve)
    if len(curve.power) < max(_MIN_POINTS, points / 2):
        return 0.0
    lowest = float(curve.power.min())
    # In units of the lowest point; the grid extends to 1.6 because that point may be well below the noise
    # level by chance.
    levels = np.linspace(0.0, 1.6, 65)
    deviance = _profile(levels, curve.frequency / curve.frequency.max(), curve.power / lowest, curve.degrees)
    best = int(deviance.argmin())
    exact = float((curve.degrees * (1 + np.log(curve.power / lowest))).sum())
    # Quasi-likelihood: the misfit per degree of freedom of a poor fit widens the interval.
    misfit = max(1.0, (deviance[best] - exact) / max(len(curve.power) - 3, 1))
    if misfit > _MAX_MISFIT:
        return 0.0
    excess = (deviance - deviance[best]) / misfit
    limit = _chi2_quantile(_COVERAGE, 1)
    first = int(np.flatnonzero(excess <= limit)[0])
    if first == 0:
        return 0.0
    # The deviance is interpolated linearly between the two levels that enclose the limit.
    fraction = (excess[first - 1] - limit) / (excess[first - 1] - excess[first])
    return lowest * float(levels[first - 1] + fraction * (levels[first] - levels[first - 1]))


def _profile(levels: np.ndarray, frequency: np.ndarray, power: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Return the (levels,) minimum deviance over A and a: a grid search in A, then Fisher scoring."""
    power_law = frequency[None] ** -_SLOPES[:, None]
    white = levels[:, None, None]

    def deviance(spectrum: np.ndarray) -> np.ndarray:
        return (degrees * (power / spectrum + np.log(spectrum))).sum(-1)

    # Eight amplitudes over three decades: the deviance has a single minimum in A, close to one of them.
    starts = np.concatenate([[0.0], np.geomspace(3e-3, 3.0, 8)])
    deviances = deviance(np.maximum(white[..., None] + starts[:, None] * power_law[:, None], 1e-9))
    amplitude, best = starts[deviances.argmin(-1)], deviances.min(-1)
    for _ in range(5):
        spectrum = np.maximum(white + amplitude[..., None] * power_law, 1e-9)
        gradient = (degrees * power_law * (power - spectrum) / spectrum**2).sum(-1)
        curvature = (degrees * power_law**2 / spectrum**2).sum(-1)
        # Each step changes the amplitude by at most a factor of 3, which keeps it positive.
        step = amplitude + gradient / curvature
        amplitude = np.clip(step, amplitude / 3, 3 * amplitude + 1e-6)
        best = np.minimum(best, deviance(np.maximum(white + amplitude[..., None] * power_law, 1e-9)))
    return best.min(-1)


_SIDES = {1: 32, 2: 8, 3: 4}
_LOWEST_BLOCK_FREQUENCY = 0.3
_BLOCK_RINGS = 8
_MAX_BLOCKS = 1 << 15
_MIN_BLOCKS = 8
_SHARES = tuple(0.5**k for k in range(7))


def quiet_block_curves(values: np.ndarray, offset: float = 0.0, scale: float = 1.0) -> list[NoiseCurve]:
    """Return the power per mode of the blocks of lowest energy, per share 1, 1/2, ... 1/64 of the blocks.

    The signal is divided into blocks (32 samples, 8 x 8 or 4 x 4 x 4), each transformed by an orthonormal
    DCT-II, and the coefficients are split into two halves in a checkerboard pattern. One half ranks the
    blocks by energy and the other half measures their power; then the roles are exchanged. The halves are
    independent for white noise, so selecting blocks does not bias the power. (Ranking blocks by one part of
    their DCT and measuring on another: Ponomarenko, Lukin, Zriakhov, Kaarna & Astola 2007, "An automatic
    approach to lossy compression of AVIRIS images", IGARSS; weak texture: Liu, Tanaka & Okutomi 2013,
    "Single-image noise level estimation for blind denoising", IEEE Trans. Image Processing 22.) The power of
    each frequency ring is a median over blocks.

    The method assumes that some blocks contain little signal and that the noise variance is the same
    everywhere.

    Args:
        values: Real values of 1 to 3 axes; at most 32768 blocks are used, sampled with a fixed seed.
        offset: Number to subtract from the values.
        scale: Divisor of the shifted values.

    Returns:
        Curves of decreasing shares of at least eight blocks each; empty if there are fewer than eight blocks.
    """
    sides = [min(_SIDES[values.ndim], n) for n in values.shape]
    energies = _energies(values, sides, offset, scale)
    if len(energies) < _MIN_BLOCKS:
        return []
    index = np.indices(sides).reshape(values.ndim, -1)
    radius = np.sqrt(np.square(index / np.array(sides)[:, None]).sum(0))
    # Two halves of the coefficients, independent for white noise: one ranks blocks, the other measures power.
    white = index.sum(0) % 2 == 0
    half_pairs = [(white & (radius > 0), ~white), (~white, white)]
    shares = [s for s in _SHARES if s * len(energies) >= _MIN_BLOCKS]
    points: dict[float, list[tuple[float, float, float]]] = {share: [] for share in shares}
    edges = np.linspace(_LOWEST_BLOCK_FREQUENCY, radius.max() * (1 + 1e-9), _BLOCK_RINGS + 1)
    for rank_by, measure in half_pairs:
        # A stable sort gives blocks of equal energy the same order on every platform.
        order = np.argsort(energies[:, rank_by].sum(1), kind="stable")
        for low, high in itertools.pairwise(edges):
            ring = measure & (radius >= low) & (radius < high)
            if not ring.any():
                continue
            means = energies[:, ring].mean(1)[order]
            for share in shares:
                power = robust_power(means[: int(share * len(means))], int(ring.sum()))
                points[share].append((float(radius[ring].mean()), *power))
    return [NoiseCurve(*np.array(curve_points).T) for curve_points in points.values() if curve_points]


def _energies(values: np.ndarray, sides: list[int], offset: float, scale: float) -> np.ndarray:
    """Return the (block, coefficient) squared DCT coefficients of blocks that tile the signal."""
    import scipy.fft

    # A view: only the selected blocks are copied.
    windows = np.lib.stride_tricks.sliding_window_view(values, sides)
    tiles = windows[tuple(slice(None, None, side) for side in sides)]
    count = int(np.prod(tiles.shape[: values.ndim]))
    chosen = np.arange(count)
    if count > _MAX_BLOCKS:
        chosen = np.sort(numpy_generator(0, "noise", "blocks").choice(count, _MAX_BLOCKS, replace=False))
    blocks = tiles[np.unravel_index(chosen, tiles.shape[: values.ndim])].astype(np.float64)
    blocks = (blocks - offset) / scale
    axes = tuple(range(1, blocks.ndim))
    modes = scipy.fft.dctn(blocks, axes=axes, norm="ortho", overwrite_x=True)
    return np.square(modes).reshape(len(chosen), -1)


_LOWEST = 0.3
_RINGS = 24
_MODES_PER_RING = 16
_MIN_PERIODIC = 8


def spectrum_curve(values: np.ndarray, periodic: tuple[bool, ...]) -> NoiseCurve:
    """Return the median power per mode in rings of equal numbers of modes above 0.3 of the Nyquist frequency.

    The median is insensitive to tones and to the axes, on which the power of straight edges lies. The method
    assumes that most modes of some ring contain no signal; edges and textures with power up to the Nyquist
    frequency count as noise.

    Args:
        values: Real float64 values of 1 to 3 axes, at least two samples.
        periodic: Whether the axes wrap around.
    """
    # A short periodic axis has too few frequencies between 0.3 of Nyquist and Nyquist.
    wraps = tuple(p and n >= _MIN_PERIODIC for p, n in zip(periodic, values.shape, strict=True))
    lattice = GridModes.of(values.shape, 0.5, wraps)
    modes = forward(torch.from_numpy(values - values.mean()), lattice.even, lattice.around).numpy()
    square = np.zeros(())
    for axis in range(values.ndim):
        along = lattice.frequencies(axis).numpy() ** 2
        square = np.add.outer(square, along)
    if lattice.halved is not None:
        # Without k = 0 and Nyquist along the halved axis, every coefficient has two independent real parts.
        inner = np.arange(1, (lattice.shape[lattice.halved] + 1) // 2)
        modes, square = (np.take(a, inner, lattice.halved) for a in (modes, square))
    high = square >= _LOWEST**2
    frequency, chosen = np.sqrt(square[high]), modes[high]
    if np.iscomplexobj(chosen):
        # The real and imaginary parts of white noise are independent with half the variance each.
        energies = np.concatenate([2 * chosen.real**2, 2 * chosen.imag**2])
        frequency = np.concatenate([frequency, frequency])
    else:
        energies = chosen**2
    rings = int(np.clip(len(energies) // _MODES_PER_RING, 1, _RINGS))
    order = np.argsort(frequency, kind="stable")
    parts = np.array_split(order, rings)
    points = [robust_power(energies[part]) for part in parts]
    power, degrees = np.array(points).T
    return NoiseCurve(np.array([frequency[part].mean() for part in parts]), power, degrees)


_WAVELET = "db3"
_SCALES = 3


def wavelet_curve(values: np.ndarray) -> NoiseCurve | None:
    """Return the noise power per scale, from the wavelet coefficients that are details along every axis.

    The variance of a scale is median(d^2) / 0.455, the square of median|d| / 0.6745 (Donoho & Johnstone 1994, "Ideal
    spatial adaptation by wavelet shrinkage", Biometrika 81, section 4.2, which uses the finest scale only).
    The method assumes that the signal is smooth at the majority of positions, so a texture counts as noise.

    Args:
        values: Real values of 1 to 3 axes.

    Returns:
        One point per scale, at 0.75, 0.375 and 0.1875 of the Nyquist frequency; None if an axis is too short.
    """
    import pywt

    scales = min(_SCALES, *(pywt.dwt_max_level(n, _WAVELET) for n in values.shape))
    if scales < 1:
        return None
    even = values[tuple(slice(n - n % 2**scales) for n in values.shape)]
    # Details from the finest scale on; the approximation coefficients, which contain the signal, are dropped.
    details = pywt.wavedecn(even, _WAVELET, mode="periodization", level=scales)[:0:-1]
    points = [robust_power(np.square(level["d" * values.ndim]).ravel()) for level in details]
    power, degrees = np.array(points).T
    return NoiseCurve(0.75 * 0.5 ** np.arange(scales), power, degrees)
