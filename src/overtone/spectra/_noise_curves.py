"""The plateau of a noise curve: the lowest level that part of it agrees on, and how much of it must be white."""

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
        degrees: (n,) float64 degrees of freedom: the power of white noise scatters by sqrt(2 / degrees).
    """

    frequency: np.ndarray
    power: np.ndarray
    degrees: np.ndarray

    def above(self, frequency: float) -> NoiseCurve:
        """The part of the curve at `frequency` and above."""
        above = self.frequency >= frequency
        return NoiseCurve(self.frequency[above], self.power[above], self.degrees[above])

    def raised(self, floor: float) -> NoiseCurve:
        """The same curve with no power below `floor`, the power of rounding."""
        return NoiseCurve(self.frequency, np.maximum(self.power, floor), self.degrees)


def _chi2_quantile(probability: float, degrees: float) -> float:
    """Quantile of chi^2, by SciPy's special functions: its statistics are slow to import."""
    from scipy.special import gammaincinv

    return float(2 * gammaincinv(degrees / 2, probability))


@functools.cache
def median_scale(n: int) -> tuple[float, float]:
    """Ratio of a median to the variance: of many means of n squared normal numbers, half lie below `ratio`.

    The median of m such means estimates `ratio` times the variance and is as certain as the plain mean of
    `efficiency` times as many. With q the median and p the density of chi^2_n at it, ratio = q / n and
    efficiency = (2 / n) / (1 / (4 p^2 q^2)).

    Args:
        n: Squares per mean, at least 1.

    Returns:
        (ratio, efficiency); (0.455, 0.368) for n = 1, towards (1, 2 / pi) for large n.
    """
    from scipy.special import gammaln, xlogy

    # Variance of a sample median is 1 / (4 m p^2): the ratio to that of the mean is the efficiency.
    q = _chi2_quantile(0.5, n)
    p = float(np.exp(xlogy(n / 2 - 1, q) - q / 2 - gammaln(n / 2) - (np.log(2) * n) / 2))
    return q / n, 8 * p * p * q * q / n


def robust_power(energies: np.ndarray, n: int = 1) -> tuple[float, float]:
    """Variance and degrees of freedom from means of `n` squares each, unmoved by a minority of large ones.

    Args:
        energies: (m,) means of n squared coefficients.
        n: Coefficients per mean.
    """
    ratio, efficiency = median_scale(n)
    return float(np.median(energies)) / ratio, efficiency * n * len(energies)


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
        from scipy.special import chdtri

        tail = (1 - _COVER) / 2
        scaled = self.degrees * self.variance
        return scaled / float(chdtri(self.degrees, tail)), scaled / _chi2_quantile(tail, self.degrees)

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


def noise_plateau(curve: NoiseCurve) -> Plateau:
    """The lowest level of a curve: its points in ascending order, pooled as long as chance explains the next one.

    White noise adds the same power at every frequency and a signal's power is not negative, so the level is that of
    the noise or above it. Pooling keeps the lowest of many scattering points from passing for the level.

    Args:
        curve: Powers above 0.
    """
    # From the lowest point upwards: noise is the floor that signal is added to, never below it.
    order = np.argsort(curve.power)
    level = Plateau(float(curve.power[order[0]]), float(curve.degrees[order[0]]))
    for k in order[1:]:
        point = Plateau(float(curve.power[k]), float(curve.degrees[k]))
        if not level.agrees(point):
            break
        level = level.joined(point)
    return level


def falling(curve: NoiseCurve) -> NoiseCurve:
    """The points of a curve that do not rise, beyond chance, above a point of lower frequency: tones stand out."""
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
    # Tones and lines rise above the trend; a power law is fitted to the rest.
    points = len(curve.power)
    curve = falling(curve)
    if len(curve.power) < max(_FEWEST_POINTS, points / 2):
        return 0.0
    lowest = float(curve.power.min())
    # In units of the lowest point, which chance may put well below the level of the noise.
    levels = np.linspace(0.0, 1.6, 65)
    deviance = _profile(levels, curve.frequency / curve.frequency.max(), curve.power / lowest, curve.degrees)
    best = int(deviance.argmin())
    exact = float((curve.degrees * (1 + np.log(curve.power / lowest))).sum())
    # As in quasi-likelihood: a poor fit widens the interval by its misfit per degree of freedom.
    misfit = max(1.0, (deviance[best] - exact) / max(len(curve.power) - 3, 1))
    if misfit > _POOR:
        return 0.0
    excess = (deviance - deviance[best]) / misfit
    limit = _chi2_quantile(_COVER, 1)
    first = int(np.flatnonzero(excess <= limit)[0])
    if first == 0:
        return 0.0
    # The deviance is interpolated linearly between the two levels that enclose the limit.
    inside = (excess[first - 1] - limit) / (excess[first - 1] - excess[first])
    return lowest * float(levels[first - 1] + inside * (levels[first] - levels[first - 1]))


def _profile(levels: np.ndarray, frequency: np.ndarray, power: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """(levels,) least deviance over A and a: the best of some A, then Fisher scoring from it."""
    law = frequency[None] ** -_SLOPES[:, None]
    white = levels[:, None, None]

    def deviance(spectrum: np.ndarray) -> np.ndarray:
        return (degrees * (power / spectrum + np.log(spectrum))).sum(-1)

    # Eight amplitudes over three decades: the deviance in A has one minimum, and one of them is near it.
    starts = np.concatenate([[0.0], np.geomspace(3e-3, 3.0, 8)])
    tried = deviance(np.maximum(white[..., None] + starts[:, None] * law[:, None], 1e-9))
    amplitude, best = starts[tried.argmin(-1)], tried.min(-1)
    for _ in range(5):
        spectrum = np.maximum(white + amplitude[..., None] * law, 1e-9)
        gradient = (degrees * law * (power - spectrum) / spectrum**2).sum(-1)
        curvature = (degrees * law**2 / spectrum**2).sum(-1)
        # Fisher scoring, kept within a factor of 3 of the last amplitude so that it stays positive.
        step = amplitude + gradient / curvature
        amplitude = np.clip(step, amplitude / 3, 3 * amplitude + 1e-6)
        best = np.minimum(best, deviance(np.maximum(white + amplitude[..., None] * law, 1e-9)))
    return best.min(-1)


_SIDES = {1: 32, 2: 8, 3: 4}
_LOWEST_BLOCK_FREQUENCY = 0.3
_BLOCK_RINGS = 8
_MOST = 1 << 15
_FEWEST_BLOCKS = 8
_SHARES = tuple(0.5**k for k in range(7))


def quiet_block_curves(values: np.ndarray, offset: float = 0.0, scale: float = 1.0) -> list[NoiseCurve]:
    """Power per mode of the quietest blocks, one curve for each share of the blocks: all, 1/2, ... 1/64.

    The signal is cut into blocks (32 samples, 8 x 8 or 4 x 4 x 4), each transformed by an orthonormal DCT-II, and the
    coefficients are split like the squares of a chessboard. One half ranks the blocks by their energy, the other
    half gives the power, and then the roles change: of white noise the halves are independent, so choosing blocks
    does not bias the power. (Ranking blocks by one part of their DCT and measuring on another: Ponomarenko,
    Lukin, Zriakhov, Kaarna & Astola 2007, "An automatic approach to lossy compression of AVIRIS images", IGARSS;
    weak texture: Liu, Tanaka & Okutomi 2013, "Single-image noise level estimation for blind denoising", IEEE Trans.
    Image Processing 22.) In each ring of frequency the median over blocks is taken.

    It assumes that the signal is quiet somewhere, and that the noise is as strong there as elsewhere.

    Args:
        values: Real values of 1 to 3 axes; at most 32768 blocks are read, drawn at random with
            a fixed seed.
        offset: Subtracted from the values first.
        scale: Divided by afterwards.

    Returns:
        Curves of ever fewer blocks, at least eight each; none if there are fewer blocks.
    """
    sides = [min(_SIDES[values.ndim], n) for n in values.shape]
    energies = _energies(values, sides, offset, scale)
    if len(energies) < _FEWEST_BLOCKS:
        return []
    index = np.indices(sides).reshape(values.ndim, -1)
    radius = np.sqrt(np.square(index / np.array(sides)[:, None]).sum(0))
    # Two halves of the coefficients, independent for white noise: one ranks blocks, the other measures
    # them.
    white = index.sum(0) % 2 == 0
    half_pairs = [(white & (radius > 0), ~white), (~white, white)]
    shares = [s for s in _SHARES if s * len(energies) >= _FEWEST_BLOCKS]
    points: dict[float, list[tuple[float, float, float]]] = {share: [] for share in shares}
    edges = np.linspace(_LOWEST_BLOCK_FREQUENCY, radius.max() * (1 + 1e-9), _BLOCK_RINGS + 1)
    for rank_by, measure in half_pairs:
        # Stable, so that blocks of equal energy keep their order on every platform.
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
    """(block, coefficient) squared DCT coefficients of blocks that tile the signal."""
    import scipy.fft

    # A view: only the blocks that are drawn are copied.
    windows = np.lib.stride_tricks.sliding_window_view(values, sides)
    tiles = windows[tuple(slice(None, None, side) for side in sides)]
    count = int(np.prod(tiles.shape[: values.ndim]))
    chosen = np.arange(count)
    if count > _MOST:
        chosen = np.sort(numpy_generator(0, "noise", "blocks").choice(count, _MOST, replace=False))
    blocks = tiles[np.unravel_index(chosen, tiles.shape[: values.ndim])].astype(np.float64)
    blocks = (blocks - offset) / scale
    axes = tuple(range(1, blocks.ndim))
    modes = scipy.fft.dctn(blocks, axes=axes, norm="ortho", overwrite_x=True)
    return np.square(modes).reshape(len(chosen), -1)


_LOWEST = 0.3
_RINGS = 24
_MODES_PER_RING = 16
_SHORT = 8


def spectrum_curve(values: np.ndarray, periodic: tuple[bool, ...]) -> NoiseCurve:
    """Median power per mode in rings of equal numbers of modes, above 0.3 of the Nyquist frequency.

    The median keeps tones and the axes, where straight edges lie, from counting. It assumes that the signal leaves
    most modes of some ring empty, so edges and textures that reach up to Nyquist count as noise.

    Args:
        values: Real float64 values of 1 to 3 axes, at least two samples.
        periodic: Whether the axes wrap around.
    """
    # A short periodic axis has too few frequencies between 0.3 of Nyquist and Nyquist.
    wraps = tuple(p and n >= _SHORT for p, n in zip(periodic, values.shape, strict=True))
    lattice = GridModes.of(values.shape, 0.5, wraps)
    modes = forward(torch.from_numpy(values - values.mean()), lattice.even, lattice.around).numpy()
    square = np.zeros(())
    for axis in range(values.ndim):
        along = lattice.frequencies(axis).numpy() ** 2
        square = np.add.outer(square, along)
    if lattice.halved is not None:
        # Without k = 0 and Nyquist along the halved axis, every coefficient is complex with two free parts.
        inner = np.arange(1, (lattice.shape[lattice.halved] + 1) // 2)
        modes, square = (np.take(a, inner, lattice.halved) for a in (modes, square))
    high = square >= _LOWEST**2
    frequency, chosen = np.sqrt(square[high]), modes[high]
    if np.iscomplexobj(chosen):
        # Real and imaginary parts of white noise have half the variance each and are independent.
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
    """Noise power by scale, from the detail coefficients that are fine along every axis.

    The variance of a scale is median(d^2) / 0.455, the square of median|d| / 0.6745 (Donoho & Johnstone 1994, "Ideal
    spatial adaptation by wavelet shrinkage", Biometrika 81, section 4.2, there of the finest scale alone). It assumes
    that the signal is smooth but for a minority of places, so a texture counts as noise.

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
    # Details from the finest scale on; the last entry, the approximation, holds the signal.
    details = pywt.wavedecn(even, _WAVELET, mode="periodization", level=scales)[:0:-1]
    points = [robust_power(np.square(level["d" * values.ndim]).ravel()) for level in details]
    power, degrees = np.array(points).T
    return NoiseCurve(0.75 * 0.5 ** np.arange(scales), power, degrees)
