"""Log-spectral distance of two sets of pictures per band, corrected for sampling error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.spectra._bands import Bands
from overtone.spectra.generated._profiles import Bicubic, NoResize, Profiles, Resize, profiles


@final
@dataclass(frozen=True)
class Distance:
    """Log-spectral distance of generated samples from data.

    Attributes:
        bands: Bands of radial frequency, in cycles per picture height; `total` excludes the first band, which
            contains the mean.
        decibels: (band, channel) float64, 10 log10(mean power of samples / mean power of data).
        low: (band, channel) float64 lower end of its interval.
        high: (band, channel) float64 upper end.
        total: Root mean square of `decibels` over bands and channels, corrected for sampling variance; in dB.
        total_low: Lower end of its interval.
        total_high: Upper end of its interval.
        chance: Quantile of `total` at this level for two sets from the same distribution.
        level: Coverage of each interval.
    """

    bands: Bands
    decibels: Tensor
    low: Tensor
    high: Tensor
    total: float
    total_low: float
    total_high: float
    chance: float
    level: float

    @property
    def excess(self) -> Tensor:
        """(band, channel) bool, whether samples have more power than data: the interval is above 0 dB."""
        return self.low > 0

    @property
    def deficit(self) -> Tensor:
        """(band, channel) bool, whether samples have less power than data: the interval is below 0 dB."""
        return self.high < 0


def distance(
    samples: Profiles, data: Profiles, *, draws: int = 500, level: float = 0.95, seed: int = 0
) -> Distance:
    """Measure the log-spectral distance of mean profiles (Gray, Markel 1976), with bootstrap intervals.

    d_b = 10 log10(S_b / D_b) with S and D the mean powers over the pictures, each at least its rounding;
    total^2 is the mean over bands and channels of d_b^2 - v_b. The sampling variance v_b of d_b is estimated
    from `draws` bootstrap sets of samples and data (Efron, Tibshirani 1993, chapter 8); without this
    correction two finite sets from one distribution would have a positive distance. Intervals are percentiles
    of the resampled d_b, and of the resampled totals after subtraction of the variance that resampling adds.
    Pictures must be independent, unlike the steps of one sampler run. The bias of d_b is about -10 / (2 n ln
    10) times the squared coefficient of variation of a picture's power for n samples, and the opposite for
    the data.

    Args:
        samples: Result of `profiles` for the samples.
        data: Result of `profiles` for the data, with the same rule and bands.
        draws: Number of bootstrap sets.
        level: Coverage of the intervals.
        seed: Seed of the bootstrap.

    Raises:
        InputError: If the profiles are not comparable, a set has fewer than 2 pictures, or an argument is
            invalid.

    Example:
        >>> import torch
        >>> from overtone.spectra.generated import distance, profiles
        >>> pictures = torch.randn(8, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> same = distance(profiles(pictures), profiles(pictures), draws=20)
        >>> float(same.decibels.abs().max())
        0.0
    """
    _check(samples, data)
    if draws < 20 or not 0 < level < 1:
        raise InputError(
            "at least 20 draws and a level in (0, 1)",
            f"{draws} and {level}",
            "pass for instance 1000 and 0.95",
        )
    rng = numpy_generator(seed, "samples", "bootstrap")
    decibels = _decibels(samples.mean, data.mean, samples, data)
    resampled = _decibels(_resampled(samples, rng, draws), _resampled(data, rng, draws), samples, data)
    # Expected squared distance of two finite sets from one distribution, without the first band (the mean).
    variance = resampled[:, 1:].var(0).mean()
    low, high = _ends(resampled, level)
    # A resampled distance includes the sampling variance twice: once of the data, once of the resampling.
    square = resampled[:, 1:].square().mean((1, 2)) - 2 * variance
    total_low, total_high = _ends(square.clamp(min=0).sqrt(), level)
    total = (decibels[1:].square().mean() - variance).clamp(min=0).sqrt()
    centred = (resampled - resampled.mean(0))[:, 1:].square().mean((1, 2)) - variance
    chance = centred.clamp(min=0).sqrt().quantile(level)
    return Distance(
        data.bands,
        decibels,
        low,
        high,
        float(total),
        float(total_low),
        float(total_high),
        float(chance),
        level,
    )


def _decibels(sample_power: Tensor, data_power: Tensor, samples: Profiles, data: Profiles) -> Tensor:
    """Return 10 log10 of the ratio of (..., band, channel) powers, clipped from below at their rounding."""
    above = torch.maximum(sample_power, samples.floor * samples.modes[:, None])
    below = torch.maximum(data_power, data.floor * data.modes[:, None])
    return 10 * (above / below).log10()


def _resampled(profile: Profiles, rng: np.random.Generator, draws: int) -> Tensor:
    """Return the (draws, band, channel) mean powers of bootstrap sets of the pictures."""
    count = len(profile.power)
    share = torch.from_numpy(rng.multinomial(count, np.full(count, 1 / count), size=draws) / count)
    return torch.tensordot(share.to(profile.power), profile.power, dims=1)


def _ends(values: Tensor, level: float) -> tuple[Tensor, Tensor]:
    return values.quantile((1 - level) / 2, dim=0), values.quantile((1 + level) / 2, dim=0)


def _check(samples: Profiles, data: Profiles) -> None:
    if samples.rule != data.rule:
        raise InputError(
            f"samples under the data's rule ({data.rule})",
            samples.rule,
            "use the same resizing and border extension for both",
            "samples",
        )
    if samples.bands != data.bands or samples.power.shape[1:] != data.power.shape[1:]:
        raise InputError(
            f"profiles of {data.power.shape[1]} equal bands and {data.power.shape[2]} channels",
            f"{samples.power.shape[1]} bands up to {samples.bands.edges[-1]:g} and {samples.power.shape[2]} "
            "channels",
            "bring both to one size with resize, and to the same channels",
            "samples",
        )
    if data.bands.count < 2:
        raise InputError("at least 2 bands", "1", "pass more edges to profiles", "bands")
    for name, profile in (("samples", samples), ("data", data)):
        if len(profile.power) < 2:
            raise InputError(
                "at least 2 pictures, preferably hundreds", f"{len(profile.power)}", "pass more", name
            )


_NO_RESIZE = NoResize()


@final
@dataclass(frozen=True)
class DistanceTrend:
    """Ordered distances, by step of a sampler or by size.

    Attributes:
        at: Steps of the sampler, or picture heights.
        distances: The distance at each of them.
    """

    at: tuple[int, ...]
    distances: tuple[Distance, ...]

    @property
    def total(self) -> Tensor:
        """(at, 3) float64 total distance in dB and the ends of its interval."""
        return torch.tensor(
            [[d.total, d.total_low, d.total_high] for d in self.distances], dtype=torch.float64, device="cpu"
        )


def by_step(
    steps: Mapping[int, Tensor | ArrayLike] | Iterable[tuple[int, Tensor | ArrayLike]],
    data: Tensor | ArrayLike,
    *,
    resize: Resize = _NO_RESIZE,
    periodic: bool = False,
    draws: int = 500,
    seed: int = 0,
) -> DistanceTrend:
    """Measure the distance from data at each step of an iterative sampler, with equal bands at all steps.

    Args:
        steps: Mapping or pairs of a step and its pictures (N, H, W[, C]); a generator has only one step in
            memory.
        data: (M, H, W[, C]) pictures.
        resize: Rule to resize samples and data to the same size.
        periodic: Whether pictures wrap around.
        draws: Number of bootstrap sets per step.
        seed: Seed of the bootstrap.

    Raises:
        InputError: If there are no steps, or pictures cannot be compared.

    Example:
        >>> import torch
        >>> from overtone.spectra.generated import by_step
        >>> pictures = torch.randn(8, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> by_step({0: 2 * pictures, 1: pictures}, pictures, draws=20).at
        (0, 1)
    """
    data_profiles = profiles(data, resize=resize, periodic=periodic)
    pairs = steps.items() if isinstance(steps, Mapping) else steps
    distances = {}
    for step, pictures in pairs:
        sample_power = profiles(pictures, resize=resize, periodic=periodic)
        distances[int(step)] = distance(sample_power, data_profiles, draws=draws, seed=seed)
    if not distances:
        raise InputError("at least one step", "none", "pass pairs of a step and its pictures", "steps")
    return DistanceTrend(tuple(distances), tuple(distances.values()))


def by_size(
    samples: Tensor | ArrayLike,
    data: Tensor | ArrayLike,
    sizes: Iterable[tuple[int, int]],
    rule: Callable[[int, int], Resize] = Bicubic,
    *,
    periodic: bool = False,
    draws: int = 500,
    seed: int = 0,
) -> DistanceTrend:
    """Measure the distance from data at several sizes, which separates errors by scale.

    Args:
        samples: (N, H, W[, C]) pictures.
        data: (M, H', W'[, C]) pictures, possibly of another size.
        sizes: Pairs (height, width) to which both are reduced.
        rule: `Resize.bicubic` or `Resize.area`, called with height and width.
        periodic: Whether pictures wrap around.
        draws: Number of bootstrap sets per size.
        seed: Seed of the bootstrap.

    Raises:
        InputError: If there are no sizes, or pictures cannot be reduced to them or compared.

    Example:
        >>> import torch
        >>> from overtone.spectra.generated import by_size
        >>> pictures = torch.randn(8, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> by_size(pictures, pictures, [(8, 8), (4, 4)], draws=20).total.shape
        torch.Size([2, 3])
    """
    distances = {}
    for height, width in sizes:
        sample_power, data_power = (
            profiles(p, resize=rule(height, width), periodic=periodic) for p in (samples, data)
        )
        distances[height, width] = distance(sample_power, data_power, draws=draws, seed=seed)
    if not distances:
        raise InputError("at least one size", "none", "pass pairs of height and width", "sizes")
    return DistanceTrend(tuple(height for height, _ in distances), tuple(distances.values()))
