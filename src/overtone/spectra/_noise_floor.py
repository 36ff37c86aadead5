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
    """Verdict on the white noise of a signal.

    Example:
        >>> from overtone.spectra import NoiseVerdict
        >>> NoiseVerdict("cannot tell").name
        'CANNOT_TELL'
    """

    NOISE = "noise"
    """There is white noise of the strength given."""
    CLEAN = "clean"
    """White noise, if any, is at most one hundredth of the range of the values."""
    CANNOT_TELL = "cannot tell"
    """The signal has power up to the Nyquist frequency; noise is at most as strong as given."""


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

Measured = list[tuple[NoiseCurve, Plateau]]


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
    minimum, maximum = float(values.min()), float(values.max())
    extent = maximum - minimum
    if extent == 0:
        return ChannelNoise(0.0, 0.0, 0.0, NoiseVerdict.CLEAN, {}, 0.0)
    # Values are scaled to [0, 1], so that all thresholds are shares of the range.
    rounding = _ROUNDING * max(abs(minimum), abs(maximum)) / extent
    families = {
        name: [(curve, noise_plateau(curve)) for curve in curves]
        for name, curves in _curves(values, sample, periodic, minimum, extent, rounding**2).items()
    }
    every = [pair for pairs in families.values() for pair in pairs]
    quiet = families.get("quiet blocks", [])
    # Step 1: the curve with the smallest upper bound points to the level.
    lowest = _lowest(every)
    chosen = max(
        (level for _, level in every if level.agrees(lowest, _SAME)), key=lambda level: level.degrees
    )
    # Step 2: how much of that level must be white, if everything else falls like a power law.
    white = _white(every, chosen)
    # Step 3: the interval, its lower end no more than the curves vouch for.
    low, high = (min(1.0, math.sqrt(bound)) for bound in chosen.interval)
    level, settled = min(1.0, math.sqrt(chosen.variance)), _settled(quiet, chosen)
    vouched = min(level, math.sqrt(white), math.sqrt(lowest.variance)) * settled
    low = min(low, math.sqrt(white), math.sqrt(lowest.variance)) * settled
    verdict = _verdict(level, low, high)
    std = level
    # Step 4: a level of a few units in the last place is the rounding of the values.
    smallest = _ROUNDED * precision * max(abs(minimum), abs(maximum)) / extent
    if verdict is NoiseVerdict.CLEAN and high <= smallest:
        std, low, high = 0.0, 0.0, smallest
    if verdict is NoiseVerdict.NOISE and chosen.degrees < _THIN * sample.size:
        # Little data behind the level: the geometric mean halves the error, in decibels, of either end.
        std = math.sqrt(level * max(vouched, _LEAST_PART * level))
    levels = {name: min(1.0, math.sqrt(_lowest(pairs).variance)) for name, pairs in families.items()}
    estimates = {name: extent * (0.0 if one <= smallest else one) for name, one in levels.items()}
    rising = std > _NEGLIGIBLE and _rises(quiet)
    return ChannelNoise(extent * std, extent * low, extent * high, verdict, estimates, extent, rising)


def _curves(
    values: np.ndarray,
    sample: np.ndarray,
    periodic: tuple[bool, ...],
    offset: float,
    extent: float,
    floor: float,
) -> dict[str, list[NoiseCurve]]:
    """The curves of each estimator that has any, for values scaled to [0, 1]."""
    scaled = (sample.astype(np.float64) - offset) / extent
    wavelet = wavelet_curve(scaled)
    curves = {
        "wavelet": [] if wavelet is None else [wavelet],
        "spectrum": [spectrum_curve(scaled, periodic)],
        "quiet blocks": quiet_block_curves(values, offset, extent),
    }
    return {name: [curve.raised(floor) for curve in some] for name, some in curves.items() if some}


def _lowest(measured: Measured) -> Plateau:
    return min((level for _, level in measured), key=lambda level: level.interval[1])


def _white(measured: Measured, chosen: Plateau) -> float:
    """The most white variance that a curve near the chosen level vouches for."""
    near = [curve for curve, level in measured if level.variance <= _NEAR**2 * chosen.variance]
    return max(max(white_part(curve), white_part(curve.above(_HIGH_FREQUENCIES))) for curve in near)


def _settled(quiet: Measured, chosen: Plateau) -> float:
    """Fall of the level, as a ratio of standard deviations, over the last two halvings of the share of blocks.

    What the last halvings took away, further ones might take away again, were there enough blocks.
    """
    levels = [level for _, level in quiet]
    reached = next((k for k, level in enumerate(levels) if level.variance <= chosen.variance), None)
    if reached is None:
        return 1.0
    # Two halvings of the share of blocks: one alone may by chance change nothing.
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


_SAMPLE = 1 << 21
"""Maximum number of samples for the estimators that need one connected piece."""

_LEAST, _LOOKED_AT = 0.05, 64
"""Share of the mean variance that the middle piece has to have, and about how many samples per axis tell that."""


@dataclass(frozen=True)
class NoiseFloor:
    """The additive white noise of a signal on a grid, per channel.

    Attributes:
        std: (channel,) float64 standard deviation of the noise, in units of the value; under CANNOT_TELL and CLEAN
            the most that the signal leaves room for, 0 where that is below the rounding of the values.
        low: (channel,) float64 lower end of the 95 % interval; 0 if there need not be any noise.
        high: (channel,) float64 upper end of the 95 % interval.
        verdict: NOISE if any channel has it, else CANNOT_TELL if that is so for any, else CLEAN.
        verdicts: The verdict of each channel.
        estimates: Name of an estimator to the (channel,) float64 standard deviation that it finds by itself; NaN
            where the signal is too short for it.
        bands: The bands of `power`, in cycles per unit of the coordinate.
        power: (band, channel) float64 power of the noise, std^2 times the band's share of the modes, in squared units
            of the value; over the bands it sums to std^2.
        extent: (channel,) float64 largest minus smallest value.
        rising: Whether the quiet places of each channel have more power near the Nyquist frequency than below: its
            noise is then not white, and stronger than `std`.

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
    """The standard deviation of the additive white noise in a signal on a grid, from the signal alone.

    Values y = x + s e, with x the signal, e independent of it from sample to sample with mean 0 and variance 1, and s
    the same everywhere. White noise has power s^2 in every orthonormal mode, a signal adds to it and never takes
    away. Three estimators look where a signal usually adds least: the finest wavelet details, the far end of the
    spectrum, and the quietest blocks. The lowest level with enough behind it is s; the lower end of the interval is
    the white noise that remains if all that can be is explained by a spectrum that falls like a power law.

    Up to 2 million samples in one piece, from the middle if they vary there, and 32768 blocks from everywhere are read,
    whatever the size.

    Args:
        values: Real array of 1 to 3 axes, and a channel axis if named.
        spacing: Distance of neighbours, one or one per axis, in units of the coordinate; None for 1 / n per axis, so
            that frequencies are in cycles per array. It only places the bands.
        periodic: Whether the axes wrap around, one or one per axis.
        channel_axis: The axis of the channels, or None if there is none.
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
    long = [axis for axis, n in enumerate(values.shape) if n > 1]
    values = values.reshape([values.shape[axis] for axis in long])
    sample = _piece(values)
    wraps = tuple(
        periodic[axis] and n == m for axis, n, m in zip(long, values.shape, sample.shape, strict=True)
    )
    return channel_noise(values, sample, wraps, torch.finfo(field.dtype).eps)


def _piece(values: np.ndarray) -> np.ndarray:
    """A box of at most `_SAMPLE` samples with the proportions of the whole.

    That in the middle, unless the values hardly vary there: then, of the middle and those at the borders, the one in
    which they vary most.
    """
    if values.size <= _SAMPLE:
        return values
    ratio = (_SAMPLE / values.size) ** (1 / values.ndim)
    sides = [max(1, int(n * ratio)) for n in values.shape]
    # The middle first, then all corners and edges.
    starts = ([(n - m) // 2, 0, n - m] for n, m in zip(values.shape, sides, strict=True))
    boxes = [
        values[tuple(slice(s, s + m) for s, m in zip(start, sides, strict=True))]
        for start in itertools.product(*starts)
    ]
    thinned = tuple(slice(None, None, 1 + m // _LOOKED_AT) for m in sides)
    varies = [float(np.var(box[thinned], dtype=np.float64)) for box in boxes]
    return boxes[0 if varies[0] >= _LEAST * np.mean(varies) else int(np.argmax(varies))]


def _overall(verdicts: tuple[NoiseVerdict, ...]) -> NoiseVerdict:
    order = (NoiseVerdict.NOISE, NoiseVerdict.CANNOT_TELL, NoiseVerdict.CLEAN)
    return next(verdict for verdict in order if verdict in verdicts)


def _tensor(numbers: list[float], like: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64, device=like.device)
