"""Log-spectral distance of two sets of pictures, per band, with the share that sampling alone adds."""

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
    """Log-spectral distance of samples from data.

    Attributes:
        bands: Of radial frequency, in cycles per picture height; the first, which holds the mean, is reported but not
            counted in `total`.
        decibels: (band, channel) float64, 10 log10(samples' / data's mean power): positive where samples have more.
        low: (band, channel) float64 lower end of its interval.
        high: (band, channel) float64 upper end.
        total: Root mean square of `decibels` over bands and channels, less what sampling adds; in dB.
        total_low: Lower end of its interval.
        total_high: Upper end.
        chance: What `total` reaches, at this level, for two sets drawn from one and the same distribution.
        level: Coverage of the intervals, each for itself.
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
        """(band, channel) bool, where samples have more power than data, the whole interval above 0 dB."""
        return self.low > 0

    @property
    def deficit(self) -> Tensor:
        """(band, channel) bool, where they have less, the whole interval below 0 dB."""
        return self.high < 0


def distance(
    samples: Profiles, data: Profiles, *, draws: int = 500, level: float = 0.95, seed: int = 0
) -> Distance:
    """Measure the log-spectral distance of the mean profiles, with intervals from redrawn pictures (Gray, Markel 1976).

    d_b = 10 log10(S_b / D_b), S and D mean powers over the pictures, each at least its rounding; total^2 = mean over
    bands and channels of d_b^2 - v_b. The variance v_b of d_b under sampling comes from `draws` bootstrap sets
    of both kinds (Efron, Tibshirani 1993, chapter 8); without it two finite sets of one kind would never be at 0.
    Intervals are percentiles of the redrawn d_b, and of redrawn totals less the variance that redrawing adds again.
    Pictures must be independent; steps of one sampler's run are not. d_b is low by about 10 / (2 n ln 10) times the
    squared relative spread of a picture's power, n pictures, and high by the same of the data.

    Args:
        samples: From `profiles`.
        data: The same, under the same rule and bands.
        draws: Bootstrap sets.
        level: Coverage of the intervals.
        seed: Seed of the draws.

    Raises:
        InputError: If the profiles are not comparable, there are fewer than 2 pictures of a kind, or an argument is
            impossible.

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
        raise InputError("at least 20 draws and a level in (0, 1)", f"{draws} and {level}", "pass others")
    rng = numpy_generator(seed, "samples", "bootstrap")
    known = _decibels(samples.mean, data.mean, samples, data)
    redrawn = _decibels(_redrawn(samples, rng, draws), _redrawn(data, rng, draws), samples, data)
    # What two finite sets of one distribution differ by; the first band, the mean, does not count.
    variance = redrawn[:, 1:].var(0).mean()
    low, high = _ends(redrawn, level)
    # Redrawing adds the sampling variance once more to a distance that already has it.
    square = redrawn[:, 1:].square().mean((1, 2)) - 2 * variance
    total_low, total_high = _ends(square.clamp(min=0).sqrt(), level)
    total = (known[1:].square().mean() - variance).clamp(min=0).sqrt()
    centred = (redrawn - redrawn.mean(0))[:, 1:].square().mean((1, 2)) - variance
    chance = centred.clamp(min=0).sqrt().quantile(level)
    return Distance(
        data.bands, known, low, high, float(total), float(total_low), float(total_high), float(chance), level
    )


def _decibels(ours: Tensor, theirs: Tensor, samples: Profiles, data: Profiles) -> Tensor:
    """10 log10 of the ratio of (..., band, channel) powers, powers below rounding raised to it."""
    above = torch.maximum(ours, samples.floor * samples.modes[:, None])
    below = torch.maximum(theirs, data.floor * data.modes[:, None])
    return 10 * (above / below).log10()


def _redrawn(profile: Profiles, rng: np.random.Generator, draws: int) -> Tensor:
    """(draws, band, channel) mean powers of sets of as many pictures, drawn with replacement."""
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
            "resize and continue both in the same way",
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
                "at least 2 pictures, better hundreds", f"{len(profile.power)}", "draw more", name
            )


_NO_RESIZE = NoResize()


@final
@dataclass(frozen=True)
class DistanceTrend:
    """Distances in order.

    Attributes:
        at: Steps of the sampler, or picture heights.
        distances: One each.
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
    """Measure the distance from data at each step of an iterative sampler; bands agree, so `decibels` can be stacked.

    Args:
        steps: Step to the pictures there, (N, H, W[, C]); a generator of pairs keeps one step in memory at a time.
        data: (M, H, W[, C]).
        resize: How both are brought to one size.
        periodic: Whether pictures wrap around.
        draws: Bootstrap sets per step.
        seed: Seed of the draws.

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
        ours = profiles(pictures, resize=resize, periodic=periodic)
        distances[int(step)] = distance(ours, data_profiles, draws=draws, seed=seed)
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
    """Measure the distance from data at several sizes, to separate errors at coarse scales from those at fine ones.

    Args:
        samples: (N, H, W[, C]).
        data: (M, H', W'[, C]); may be of another size, since both are shrunk.
        sizes: (height, width) to shrink to.
        rule: `Resize.bicubic` or `Resize.area`, called with height and width.
        periodic: Whether pictures wrap around.
        draws: Bootstrap sets per size.
        seed: Seed of the draws.

    Raises:
        InputError: If there are no sizes, or pictures cannot be shrunk so or compared.

    Example:
        >>> import torch
        >>> from overtone.spectra.generated import by_size
        >>> pictures = torch.randn(8, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> by_size(pictures, pictures, [(8, 8), (4, 4)], draws=20).total.shape
        torch.Size([2, 3])
    """
    distances = {}
    for height, width in sizes:
        ours, theirs = (profiles(p, resize=rule(height, width), periodic=periodic) for p in (samples, data))
        distances[height, width] = distance(ours, theirs, draws=draws, seed=seed)
    if not distances:
        raise InputError("at least one size", "none", "pass pairs of height and width", "sizes")
    return DistanceTrend(tuple(height for height, _ in distances), tuple(distances.values()))
