"""Twelve fields whose spectra are known exactly, each with a question and its answer.

Powers are mean squares: the powers of all bands of a field add up to the mean of its squared values, and a wave of
amplitude 1 has the power 1/2. On the sphere the mean is weighted by area.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from math import prod

import numpy as np


class Latitudes(Enum):
    """Rows of a grid of the sphere, from north to south."""

    POLES = "rows at both poles"
    CELLS = "rows at the centres of cells"
    GAUSS = "Gauss"

    def degrees(self, count: int) -> np.ndarray:
        """Return the latitudes in degrees, from north to south."""
        if self is Latitudes.GAUSS:
            return np.degrees(np.arcsin(np.polynomial.legendre.leggauss(count)[0][::-1]))
        if self is Latitudes.POLES:
            return np.linspace(90, -90, count)
        return 90 - (np.arange(count) + 0.5) * 180 / count


@dataclass(frozen=True)
class Box:
    """Samples of a rectangle: (sample, rows, columns) values, spacing per axis, and whether the axes wrap around."""

    values: np.ndarray
    spacing: tuple[float, float] = (1.0, 1.0)
    unit: str = "cell"
    periodic: bool = True

    @property
    def lengths(self) -> tuple[float, float]:
        """Length per axis."""
        rows, columns = self.values.shape[1:]
        return rows * self.spacing[0], columns * self.spacing[1]

    def radius(self) -> np.ndarray:
        """Return the (rows, columns) radial frequency of each Fourier mode, in cycles per unit of length."""
        rows, columns = self.values.shape[1:]
        f, g = np.fft.fftfreq(rows, self.spacing[0]), np.fft.fftfreq(columns, self.spacing[1])
        return np.hypot(f[:, None], g)


@dataclass(frozen=True)
class Globe:
    """A field on the sphere: (rows, columns) values; longitudes begin at 0 in equal steps."""

    values: np.ndarray
    latitudes: Latitudes


@dataclass(frozen=True)
class Spectrum:
    """Power of a box in bands of radial frequency.

    Attributes:
        low: (band,) lower edges.
        high: (band,) upper edges.
        power: (band,) power.
        modes: (band,) Fourier modes per band as the tool counts them; by the edges if None.
    """

    low: np.ndarray
    high: np.ndarray
    power: np.ndarray
    modes: np.ndarray | None = None

    def counts(self, box: Box) -> np.ndarray:
        """Return the (band,) number of Fourier modes."""
        if self.modes is not None:
            return self.modes
        radius, edges = box.radius(), zip(self.low, self.high, strict=True)
        return np.array([((radius >= low) & (radius < high)).sum() for low, high in edges])

    def at(self, frequency: float) -> float:
        """Return the power of the band that contains a frequency; of both neighbours if it lies on their edge."""
        rounding = 1e-6 * frequency
        return float(
            self.power[(self.low <= frequency + rounding) & (frequency - rounding < self.high)].sum()
        )


Answer = Spectrum | np.ndarray
"""Spectrum of a box, or (degree,) power on the sphere."""


@dataclass(frozen=True)
class Field:
    """A field, and a figure that a right spectrum yields.

    Attributes:
        name: Short name.
        title: What the field is.
        question: What is read from a spectrum.
        data: Makes what is measured; a second one only for the transposed field.
        read: The figures in the spectra of the data.
        exact: The figure of a right spectrum.
        tolerance: Largest relative deviation of a right figure.
    """

    name: str
    title: str
    question: str
    data: Callable[[], tuple[Box | Globe, ...]]
    read: Callable[[tuple[Box | Globe, ...], list[Answer]], list[float]]
    exact: float
    tolerance: float = 1e-6

    def worst(self, figures: Iterable[float]) -> float:
        """Return the figure that is farthest from the exact one, as a ratio; NaN if one is not a number."""
        figures = list(figures)
        if not np.isfinite(figures).all():
            return float("nan")
        return max(figures, key=lambda x: abs(np.log(max(x, 1e-300) / self.exact)))

    def is_right(self, figures: Iterable[float]) -> bool:
        """Return whether all figures are within the tolerance."""
        return bool(abs(self.worst(figures) / self.exact - 1) <= self.tolerance)


def _waves(shape: tuple[int, int], *modes: tuple[int, int], mean: float = 0.0) -> np.ndarray:
    """Return the (1, rows, columns) sum of waves of amplitude 1, in cycles per array."""
    rows, columns = (np.arange(n) / n for n in shape)
    phase = (2 * np.pi * (k[0] * rows[:, None] + k[1] * columns) + 0.3 for k in modes)
    return mean + sum(np.cos(p) for p in phase)[None]


def _power_at(*frequencies: float) -> Callable:
    """Return a reader of the power in the bands of frequencies, in every spectrum."""
    return lambda _data, answers: [answer.at(f) for answer in answers for f in frequencies]


def _random_phases(shape: tuple[int, int], amplitude: np.ndarray, seed: int) -> np.ndarray:
    """Return a real field whose Fourier modes have these amplitudes: white noise, each mode set to its amplitude."""
    modes = np.fft.fft2(np.random.default_rng(seed).standard_normal(shape))
    return np.fft.ifft2(modes / np.abs(modes) * amplitude).real * np.sqrt(prod(shape))


_WHITE = Box(_random_phases((64, 64), np.ones((64, 64)), 1)[None], periodic=True)


def _white_ratios(data: tuple[Box, ...], answers: list[Answer]) -> list[float]:
    """Return the power per mode, times their number, of each band from 4 to 30 cycles per box."""
    box, spectrum = data[0], answers[0]
    modes, length = spectrum.counts(box), box.lengths[0]
    inner = (spectrum.low * length >= 4) & (spectrum.high * length <= 30) & (modes > 0)
    return list(spectrum.power[inner] / modes[inner] * box.values[0].size)


_BIG, _CUT = 256, 96


def _cut_boxes(exponent: float) -> Box:
    """Return boxes cut from periodic Gaussian fields of power k^-exponent per unit of radial frequency."""
    f = np.hypot(np.fft.fftfreq(_BIG)[:, None], np.fft.fftfreq(_BIG))
    f[0, 0] = np.inf
    amplitude = f ** (-(exponent + 1) / 2)
    generator, boxes = np.random.default_rng(7), []
    for _ in range(24):
        field = np.fft.ifft2(np.fft.fft2(generator.standard_normal((_BIG, _BIG))) * amplitude).real
        boxes += [field[i : i + _CUT, j : j + _CUT] for i in (0, 128) for j in (0, 128)]
    return Box(np.stack(boxes), periodic=False)


_RANGES = ((6, 12), (12, 24), (24, 44))
"""Cycles per box between which the power of cut boxes is compared."""


def _cut_ratios(exponent: float) -> Callable:
    """Return a reader of the power in three ranges, over the expectation."""

    def read(data: tuple[Box, ...], answers: list[Answer]) -> list[float]:
        radius, spectrum, result = data[0].radius(), answers[0], []
        # The amplitude above is that of the spectral density of the large field, for noise of variance 1 per cell.
        with np.errstate(divide="ignore"):
            expected_mode = radius ** (-(exponent + 1)) / radius.size
        for first, last in _RANGES:
            total = expected = 0.0
            for low, high, power in zip(spectrum.low, spectrum.high, spectrum.power, strict=True):
                if first <= (low + high) / 2 * _CUT < last:
                    total += power
                    expected += expected_mode[(radius >= low) & (radius < high)].sum()
            result.append(total / expected if expected else float("nan"))
        return result

    return read


def _masked() -> Box:
    """Return a wave of 8 cycles with a fifth of the cells missing (NaN)."""
    values = _waves((64, 64), (8, 0))
    rows, columns = np.mgrid[:64, :64]
    values[0, np.hypot(rows - 20, columns - 30) < 16] = np.nan
    return Box(values)


def _harmonic(latitudes: Latitudes, shape: tuple[int, int], coefficients: dict, mean: float = 0.0) -> Globe:
    """Return the sum of real harmonics of mean square 1, by degree and order, with coefficients."""
    from scipy.special import sph_harm_y

    theta = np.radians(90 - latitudes.degrees(shape[0]))
    phi = 2 * np.pi * np.arange(shape[1]) / shape[1]
    values = np.full(shape, mean)
    for (degree, order), factor in coefficients.items():
        along = np.sqrt(4 * np.pi) * sph_harm_y(degree, abs(order), theta, 0.0).real
        around = np.cos(order * phi) if order >= 0 else np.sin(-order * phi)
        values += factor * (np.sqrt(2) if order else 1) * along[:, None] * around
    return Globe(values, latitudes)


_DEGREE = 31
"""Highest degree of the flat spectra; every tool resolves it on 64 rows."""


def _flat_globe(latitudes: Latitudes, shape: tuple[int, int]) -> Globe:
    """Return a field of power 1 in each degree from 1 to 31, over all orders."""
    generator, coefficients = np.random.default_rng(3), {}
    for degree in range(1, _DEGREE + 1):
        values = generator.standard_normal(2 * degree + 1)
        values /= np.linalg.norm(values)
        coefficients |= {(degree, m): v for m, v in zip(range(-degree, degree + 1), values, strict=True)}
    return _harmonic(latitudes, shape, coefficients)


def _one_degree(_data: tuple[Globe, ...], answers: list[Answer]) -> list[float]:
    """Return the power of degree 10 less what lies in other degrees above 0."""
    power = answers[0]
    return [float(power[10] - (np.abs(power[1:]).sum() - abs(power[10])))]


def _flat_degrees(_data: tuple[Globe, ...], answers: list[Answer]) -> list[float]:
    return [float(p) for p in answers[0][1 : _DEGREE + 1]]


def _transposed() -> tuple[Box, ...]:
    """Return waves of 1/4 cycle per km along both axes of 64 x 96 cells of 0.5 km, and the field transposed."""
    wave = _waves((64, 96), (8, 0), (0, 12))
    return Box(wave, (0.5, 0.5), "km"), Box(wave.transpose(0, 2, 1).copy(), (0.5, 0.5), "km")


FIELDS = (
    Field(
        "white noise",
        "white noise: 64 x 64, every mode of the same power",
        "mean power of a mode, per band (flat: 1)",
        lambda: (_WHITE,),
        _white_ratios,
        1.0,
    ),
    Field(
        "even size",
        "one wave of 8 cycles, 64 x 64",
        "power in the band of 8 cycles",
        lambda: (Box(_waves((64, 64), (0, 8))),),
        _power_at(8 / 64),
        0.5,
    ),
    Field(
        "odd size",
        "one wave of 8 cycles, 63 x 63",
        "power in the band of 8 cycles",
        lambda: (Box(_waves((63, 63), (0, 8))),),
        _power_at(8 / 63),
        0.5,
    ),
    Field(
        "diagonal",
        "one wave along the diagonal, 5 cycles per axis, 64 x 64",
        "power in the band of 7.07 cycles",
        lambda: (Box(_waves((64, 64), (5, 5))),),
        _power_at(np.hypot(5, 5) / 64),
        0.5,
    ),
    Field(
        "transposed",
        "a wave of 0.25 cycles per km along each axis of 64 x 96 cells of 0.5 km, and the field transposed",
        "power in the band of 0.25 cycles/km, of both",
        _transposed,
        _power_at(0.25),
        1.0,
    ),
    Field(
        "tones per mm",
        "waves of 2, 5, 10 and 20 cycles per mm on a mean of 280; 100 x 100 cells of 0.02 mm",
        "power in the bands of these frequencies",
        lambda: (Box(_waves((100, 100), (0, 4), (0, 10), (0, 20), (0, 40), mean=280.0), (0.02, 0.02), "mm"),),
        _power_at(2.0, 5.0, 10.0, 20.0),
        0.5,
    ),
    Field(
        "cut box",
        "96 x 96 boxes cut from a periodic field of E(k) ~ k^-3",
        "power over the truth in three ranges from 6 to 44 cycles",
        lambda: (_cut_boxes(3.0),),
        _cut_ratios(3.0),
        1.0,
        0.12,
    ),
    Field(
        "masked",
        "one wave of 8 cycles, 64 x 64, a fifth of the cells missing (NaN)",
        "power in the band of 8 cycles",
        lambda: (_masked(),),
        _power_at(8 / 64),
        0.5,
        0.05,
    ),
    Field(
        "zonal harmonic",
        "harmonic (10, 0), 65 x 128 with rows at both poles",
        "power of degree 10, less that of others",
        lambda: (_harmonic(Latitudes.POLES, (65, 128), {(10, 0): 1.0}),),
        _one_degree,
        1.0,
    ),
    Field(
        "harmonic",
        "harmonic (10, 7) on a mean of 280, 65 x 128 with rows at both poles",
        "power of degree 10, less that of others",
        lambda: (_harmonic(Latitudes.POLES, (65, 128), {(10, 7): 1.0}, mean=280.0),),
        _one_degree,
        1.0,
    ),
    Field(
        "cell centres",
        "power 1 in each degree from 1 to 31; 64 x 128, rows at the centres of cells",
        "power of each degree",
        lambda: (_flat_globe(Latitudes.CELLS, (64, 128)),),
        _flat_degrees,
        1.0,
    ),
    Field(
        "Gauss grid",
        "power 1 in each degree from 1 to 31; Gauss grid of 64 x 127",
        "power of each degree",
        lambda: (_flat_globe(Latitudes.GAUSS, (64, 127)),),
        _flat_degrees,
        1.0,
    ),
)
"""The fields, boxes first."""
