"""The noise floor of a signal on a grid, estimated from the signal alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.spectra.bands import Bands
from overtone.spectra.fields import channels_last, finite_mean
from overtone.spectra.grid import GridTransform
from overtone.spectra.noise.channel import ChannelNoise, channel_noise
from overtone.spectra.noise.sentence import describe
from overtone.spectra.noise.verdict import NoiseVerdict

_SAMPLE = 1 << 21
"""Most samples that the estimators read which need a connected piece."""

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
        sentence: What to tell a reader, with figures.
    """

    std: Tensor
    low: Tensor
    high: Tensor
    verdict: NoiseVerdict
    verdicts: tuple[NoiseVerdict, ...]
    estimates: dict[str, Tensor]
    bands: Bands
    power: Tensor
    sentence: str


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
    """
    fields = channels_last(values, channel_axis).detach()
    transform = GridTransform(fields.shape[:-1], spacing, periodic, bands, fields.device)
    found = [_channel(fields[..., c], c, transform.lattice.periodic) for c in range(fields.shape[-1])]
    share = transform.modes.double() / transform.lattice.samples
    std = _tensor([noise.std for noise in found], fields)
    names = dict.fromkeys(name for noise in found for name in noise.estimates)
    verdicts = tuple(noise.verdict for noise in found)
    return NoiseFloor(
        std=std,
        low=_tensor([noise.low for noise in found], fields),
        high=_tensor([noise.high for noise in found], fields),
        verdict=_overall(verdicts),
        verdicts=verdicts,
        estimates={
            name: _tensor([noise.estimates.get(name, math.nan) for noise in found], fields) for name in names
        },
        bands=transform.bands,
        power=share[:, None] * std.square(),
        sentence=describe(found, _overall(verdicts)),
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
