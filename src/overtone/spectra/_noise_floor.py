"""Noise floor of a signal on a grid: estimates, intervals and a verdict."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.display import Result
from overtone.spectra._bands import Bands
from overtone.spectra._grid import GridTransform
from overtone.spectra._inputs import channels_last, finite_mean
from overtone.spectra._noise_curves import (
    NoiseCurve,
    Plateau,
    noise_plateau,
    quiet_block_curves,
    spectrum_curve,
    wavelet_curve,
    white_part,
)


@final
class NoiseVerdict(Enum):
    """Verdict on the presence of white noise in a signal.

    Example:
        >>> from overtone.spectra import NoiseVerdict
        >>> NoiseVerdict("cannot tell").name
        'CANNOT_TELL'
    """

    NOISE = "noise"
    """The signal contains white noise of the estimated standard deviation."""
    CLEAN = "clean"
    """The standard deviation of white noise, if any, is at most one hundredth of the range of the values."""
    CANNOT_TELL = "cannot tell"
    """The signal has power up to the Nyquist frequency; the estimate is an upper bound on the noise."""


_AGREEMENT = 2.0
"""Number of standard errors within which the levels of two curves count as equal."""
_MAX_LEVEL_RATIO = 1.15
"""Maximum ratio of a curve's level to the chosen level, in standard deviations, to test whiteness."""
_HIGH_FREQUENCIES = 0.55
_MIN_WHITE_SHARE = 0.83
"""Lower bound on the white share of the level in the estimate, below which its error exceeds its benefit."""

_MIN_DEGREES = 0.1
"""Degrees of freedom per sample below which a level may contain residual signal."""
_MIN_WHITE_STD = 0.5
"""Minimum white share of the standard deviation for the verdict NOISE."""
_NEGLIGIBLE, _CLEAN = 0.002, 0.01
"""Standard deviations as shares of the range: the estimate and the upper end of the interval for CLEAN."""
_ROUNDING = 0.1 * float(np.finfo(np.float64).eps)
"""Relative standard deviation that counts as zero power; below the rounding of any values."""
_ROUNDING_UNITS = 4.0
"""Standard deviation attributed to rounding, in units in the last place of the largest value."""
_MAX_RISE = 1.5
"""Ratio of power near Nyquist to power below Nyquist / 2 above which noise is not white."""

Measured = list[tuple[NoiseCurve, Plateau]]


@dataclass(frozen=True)
class ChannelNoise:
    """Noise estimate of one channel, in units of the value.

    Attributes:
        std: Standard deviation of the white noise.
        low: Lower bound, assuming that the signal's spectrum decays as a power law.
        high: Upper bound.
        verdict: Verdict on the noise.
        estimates: The level according to each estimator.
        extent: Largest minus smallest value.
        rising: Whether blocks of low energy have more power near Nyquist than below, so that the noise is not
            white.
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

    A signal only adds power, so no estimator is biased downwards. The curve whose level has the smallest
    upper bound is selected; among the curves that agree with it within the random error, the curve with the
    most degrees of freedom determines the level. The level is an upper bound on the noise. The lower bound is
    the white part that remains when as much power as possible is explained by a decaying spectrum. If a level
    is based on less than a tenth of the samples, as in textures, the estimate is the geometric mean of both
    bounds, with the lower bound limited to at least 0.83 of the level. A level no larger than the rounding of
    the values is reported as 0.

    Args:
        values: All values, 1 to 3 axes of at least two samples; the block estimator uses them.
        sample: A connected part of the values, for the estimators that need contiguous samples.
        periodic: Whether the axes of `sample` wrap around.
        precision: Machine epsilon of the values' type, such as 1.2e-7 for float32.
    """
    minimum, maximum = float(values.min()), float(values.max())
    extent = maximum - minimum
    if extent == 0:
        return ChannelNoise(0.0, 0.0, 0.0, NoiseVerdict.CLEAN, {}, 0.0)
    # Values are scaled to [0, 1], so that all thresholds are relative to the range.
    rounding = _ROUNDING * max(abs(minimum), abs(maximum)) / extent
    families = {
        name: [(curve, noise_plateau(curve)) for curve in curves]
        for name, curves in _curves(values, sample, periodic, minimum, extent, rounding**2).items()
    }
    measured = [pair for pairs in families.values() for pair in pairs]
    block_levels = families.get("quiet blocks", [])
    # Step 1: select the curve with the smallest upper bound; take the most certain level that agrees with it.
    lowest = _lowest(measured)
    chosen = max(
        (level for _, level in measured if level.agrees(lowest, _AGREEMENT)), key=lambda level: level.degrees
    )
    # Step 2: find the part of the level that must be white if the remainder decays as a power law.
    white = _white(measured, chosen)
    # Step 3: compute the interval; its lower end is limited by the white part of the curves.
    low, high = (min(1.0, math.sqrt(bound)) for bound in chosen.interval)
    level, ratio = min(1.0, math.sqrt(chosen.variance)), _convergence_ratio(block_levels, chosen)
    white_std = min(level, math.sqrt(white), math.sqrt(lowest.variance)) * ratio
    low = min(low, math.sqrt(white), math.sqrt(lowest.variance)) * ratio
    verdict = _verdict(level, low, high)
    std = level
    # Step 4: attribute a level of a few units in the last place to the rounding of the values.
    smallest = _ROUNDING_UNITS * precision * max(abs(minimum), abs(maximum)) / extent
    if verdict is NoiseVerdict.CLEAN and high <= smallest:
        std, low, high = 0.0, 0.0, smallest
    if verdict is NoiseVerdict.NOISE and chosen.degrees < _MIN_DEGREES * sample.size:
        # The level is based on few samples: the geometric mean halves the error of either bound in decibels.
        std = math.sqrt(level * max(white_std, _MIN_WHITE_SHARE * level))
    levels = {name: min(1.0, math.sqrt(_lowest(pairs).variance)) for name, pairs in families.items()}
    estimates = {name: extent * (0.0 if level <= smallest else level) for name, level in levels.items()}
    rising = std > _NEGLIGIBLE and _is_rising(block_levels)
    return ChannelNoise(extent * std, extent * low, extent * high, verdict, estimates, extent, rising)


def _curves(
    values: np.ndarray,
    sample: np.ndarray,
    periodic: tuple[bool, ...],
    offset: float,
    extent: float,
    floor: float,
) -> dict[str, list[NoiseCurve]]:
    """Return the curves of each applicable estimator, for values scaled to [0, 1]."""
    scaled = (sample.astype(np.float64) - offset) / extent
    wavelet = wavelet_curve(scaled)
    curves = {
        "wavelet": [] if wavelet is None else [wavelet],
        "spectrum": [spectrum_curve(scaled, periodic)],
        "quiet blocks": quiet_block_curves(values, offset, extent),
    }
    return {name: [curve.clipped(floor) for curve in family] for name, family in curves.items() if family}


def _lowest(measured: Measured) -> Plateau:
    return min((level for _, level in measured), key=lambda level: level.interval[1])


def _white(measured: Measured, chosen: Plateau) -> float:
    """Return the largest white variance among the curves near the chosen level."""
    near = [curve for curve, level in measured if level.variance <= _MAX_LEVEL_RATIO**2 * chosen.variance]
    return max(max(white_part(curve), white_part(curve.above(_HIGH_FREQUENCIES))) for curve in near)


def _convergence_ratio(block_levels: Measured, chosen: Plateau) -> float:
    """Return the ratio of standard deviations of the level over the last two halvings of the share of blocks.

    With more blocks, further halvings might lower the level by the same ratio again.
    """
    levels = [level for _, level in block_levels]
    index = next((k for k, level in enumerate(levels) if level.variance <= chosen.variance), None)
    if index is None:
        return 1.0
    # Compare over two halvings of the share of blocks: a single one may change nothing by chance.
    last, earlier = levels[index], levels[max(index - 2, 0)]
    return 1.0 if last.agrees(earlier, _AGREEMENT) else min(1.0, math.sqrt(last.variance / earlier.variance))


def _is_rising(block_levels: Measured) -> bool:
    """Return whether the quarter of blocks of lowest energy has significantly rising power near Nyquist."""
    if not block_levels:
        return False
    curve = block_levels[:3][-1][0]
    top, bottom = (
        Plateau(float(np.average(curve.power[at], weights=curve.degrees[at])), float(curve.degrees[at].sum()))
        for at in (curve.frequency >= 0.8, curve.frequency < 0.5)
        if at.any()
    )
    return top.variance > _MAX_RISE * bottom.variance and not top.agrees(bottom)


def _verdict(std: float, low: float, high: float) -> NoiseVerdict:
    if std < _NEGLIGIBLE and high < _CLEAN:
        return NoiseVerdict.CLEAN
    if low >= _MIN_WHITE_STD * std:
        return NoiseVerdict.NOISE
    return NoiseVerdict.CLEAN if high <= _CLEAN else NoiseVerdict.CANNOT_TELL


_MAX_SAMPLES = 1 << 21
"""Maximum number of samples for the estimators that need contiguous samples."""

_MIN_VARIANCE, _SAMPLES_PER_AXIS = 0.05, 64
"""Minimum variance of the central box relative to the mean of all boxes; samples per axis to compare."""


@dataclass(frozen=True, repr=False)
class NoiseFloor(Result):
    """Additive white noise of a signal on a grid, per channel.

    Attributes:
        std: (channel,) float64 standard deviation of the noise, in units of the value; under CANNOT_TELL and
            CLEAN it is an upper bound, which is 0 if below the rounding of the values.
        low: (channel,) float64 lower end of the 95 % interval; 0 if the signal can be explained without
            noise.
        high: (channel,) float64 upper end of the 95 % interval.
        verdict: NOISE if it is the verdict of any channel, else CANNOT_TELL if any channel has that verdict,
            else CLEAN.
        verdicts: The verdict of each channel.
        estimates: (channel,) float64 standard deviation by name of the estimator; NaN if the signal is too
            short for it.
        bands: The bands of `power`, in cycles per unit of the coordinate.
        power: (band, channel) float64 power of the noise, std^2 times the band's share of the modes, in
            squared units of the value; it sums to std^2.
        extent: (channel,) float64 largest minus smallest value.
        rising: Whether the blocks of low energy of each channel have more power near the Nyquist frequency
            than below. The noise of such a channel is not white, and stronger than `std`.

    Example:
        >>> import torch
        >>> from overtone import spectra
        >>> ramp = torch.linspace(0, 1, 4096)
        >>> floor = spectra.noise_floor(ramp + 0.05 * torch.randn(4096, generator=torch.Generator().manual_seed(0)))
        >>> floor.verdict, round(float(floor.std[0]), 2)
        (<NoiseVerdict.NOISE: 'noise'>, 0.05)
    """

    std: Tensor
    low: Tensor
    high: Tensor
    verdict: NoiseVerdict
    verdicts: tuple[NoiseVerdict, ...]
    estimates: dict[str, Tensor]
    bands: Bands
    power: Tensor
    extent: Tensor
    rising: tuple[bool, ...]


def noise_floor(
    values: Tensor | ArrayLike,
    spacing: float | Iterable[float] | None = None,
    *,
    periodic: bool | Iterable[bool] = False,
    channel_axis: int | None = None,
    bands: Bands | Sequence[float] | None = None,
) -> NoiseFloor:
    """Estimate the standard deviation of additive white noise from a signal on a grid.

    The model is y = x + s e with signal x, noise e that is independent between samples with mean 0 and
    variance 1, and a constant s. White noise has power s^2 in every orthonormal mode, and a signal only adds
    power. Three estimators use the parts to which a signal usually adds least: the finest wavelet details,
    the highest frequencies, and the blocks of lowest energy. The estimate of s is the lowest level with
    sufficient evidence. The lower end of the interval is the white noise that remains when as much power as
    possible is explained by a power-law spectrum.

    For signals of any size, at most 2 million contiguous samples (the central ones if they vary) and 32768
    blocks are used.

    Args:
        values: Real array of 1 to 3 axes, plus a channel axis if `channel_axis` is set.
        spacing: Distance between neighbouring samples in units of the coordinate, a single value or one per
            axis; None for 1 / n per axis, which gives frequencies in cycles per array. It affects only the
            bands.
        periodic: Whether the axes wrap around, a single value or one per axis.
        channel_axis: The channel axis, or None for a single channel without an axis.
        bands: Bands, or ascending edges from 0, in cycles per unit; None for `Bands.log`.

    Returns:
        The noise floor; its tensors are on the values' device.

    Raises:
        InputError: If the values are not real and finite, or an argument does not fit them.

    Example:
        >>> import torch
        >>> from overtone import spectra
        >>> spectra.noise_floor(torch.linspace(0, 1, 1024).cos()).verdict.name
        'CLEAN'
    """
    fields = channels_last(values, channel_axis).detach()
    transform = GridTransform(fields.shape[:-1], spacing, periodic, bands, fields.device)
    channels = [_channel(fields[..., c], c, transform.lattice.periodic) for c in range(fields.shape[-1])]
    share = transform.modes.double() / transform.lattice.samples
    std = _tensor([noise.std for noise in channels], fields)
    names = dict.fromkeys(name for noise in channels for name in noise.estimates)
    verdicts = tuple(noise.verdict for noise in channels)
    return NoiseFloor(
        std=std,
        low=_tensor([noise.low for noise in channels], fields),
        high=_tensor([noise.high for noise in channels], fields),
        verdict=_overall(verdicts),
        verdicts=verdicts,
        estimates={
            name: _tensor([noise.estimates.get(name, math.nan) for noise in channels], fields)
            for name in names
        },
        bands=transform.bands,
        power=share[:, None] * std.square(),
        extent=_tensor([noise.extent for noise in channels], fields),
        rising=tuple(noise.rising for noise in channels),
    )


def _channel(field: Tensor, channel: int, periodic: tuple[bool, ...]) -> ChannelNoise:
    finite_mean(field, channel)
    values = field.cpu().numpy()
    axes = [axis for axis, n in enumerate(values.shape) if n > 1]
    values = values.reshape([values.shape[axis] for axis in axes])
    sample = _piece(values)
    wraps = tuple(
        periodic[axis] and n == m for axis, n, m in zip(axes, values.shape, sample.shape, strict=True)
    )
    return channel_noise(values, sample, wraps, torch.finfo(field.dtype).eps)


def _piece(values: np.ndarray) -> np.ndarray:
    """Return a box of at most `_MAX_SAMPLES` samples with the proportions of the array.

    It is the central box, unless the values hardly vary there. In that case, it is the box of largest
    variance among the central box and the boxes at the borders.
    """
    if values.size <= _MAX_SAMPLES:
        return values
    ratio = (_MAX_SAMPLES / values.size) ** (1 / values.ndim)
    sides = [max(1, int(n * ratio)) for n in values.shape]
    # The central box first, then those at all corners and edges.
    starts = ([(n - m) // 2, 0, n - m] for n, m in zip(values.shape, sides, strict=True))
    boxes = [
        values[tuple(slice(s, s + m) for s, m in zip(start, sides, strict=True))]
        for start in itertools.product(*starts)
    ]
    thinned = tuple(slice(None, None, 1 + m // _SAMPLES_PER_AXIS) for m in sides)
    varies = [float(np.var(box[thinned], dtype=np.float64)) for box in boxes]
    return boxes[0 if varies[0] >= _MIN_VARIANCE * np.mean(varies) else int(np.argmax(varies))]


def _overall(verdicts: tuple[NoiseVerdict, ...]) -> NoiseVerdict:
    order = (NoiseVerdict.NOISE, NoiseVerdict.CANNOT_TELL, NoiseVerdict.CLEAN)
    return next(verdict for verdict in order if verdict in verdicts)


def _tensor(numbers: list[float], field: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64, device=field.device)
