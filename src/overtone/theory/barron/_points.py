"""The Barron constant from scattered points, by a nonuniform Fourier transform at random frequencies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import derive_seed
from overtone._utils.statistics import normal_quantile
from overtone.errors import InputError

_CHUNK = 1 << 22
"""Maximum number of phases in memory."""


class BorderWindow(Enum):
    """Window that multiplies the samples before the transform.

    Attributes:
        NONE: No window, for signals that vanish at the borders of the box.
        HANN: A Hann window over the bounding box, 1 at its centre.
    """

    NONE = "none"
    HANN = "hann"


@final
@dataclass(frozen=True)
class PointsConstant:
    """Barron constant below a highest frequency, from scattered samples, in value units per coordinate unit.

    Attributes:
        lower: Estimate from the frequencies above the samples' noise floor, with the floor subtracted.
        upper: Estimate from all frequencies, with the noise floor included.
        low: Lower end of the interval around `lower`, for the random choice of frequencies.
        high: Upper end of the interval around `upper`.
        highest: Highest frequency included, in cycles per coordinate unit.
        samples: Number of samples.
    """

    lower: float
    upper: float
    low: float
    high: float
    highest: float
    samples: int

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the limits of the estimate."""
        if self.lower >= 0.5 * self.upper:
            return ()
        return (
            f"the noise floor of {self.samples} samples is more than half of the estimate below {self.highest:.3g} "
            "cycles per unit: pass more samples or a lower `highest`",
        )


def constant_at_points(
    coords: Tensor,
    values: Tensor,
    *,
    highest: float | None = None,
    density: Tensor | None = None,
    window: BorderWindow = BorderWindow.HANN,
    draws: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> PointsConstant:
    """Estimate the Barron constant int |w| |f~(w)| dw over |w| <= 2 pi highest, from samples at random points.

    f~(w) = (2 pi)^-d int f(x) exp(-i w.x) dx is the mean over samples of f exp(-i w.x) / p(x), with p their density.
    The integral over w is the importance-weighted mean of |w| |f~(w)| / q(w) over frequencies drawn from q: uniform
    directions, uniform |w|. The finite number N of samples adds a noise floor of var / N to |f~|^2, which `upper`
    includes. `lower` subtracts it and counts only significant frequencies, with |f~|^2 above (1 + log draws) var / N,
    which noise alone exceeds about once. The two differ where samples are too few, increasingly with `highest` and d.

    Args:
        coords: (N, d) coordinates.
        values: (N,) values.
        highest: Highest frequency, in cycles per coordinate unit; None for half the mean sampling rate
            N^(1/d) / extent.
        density: (N,) probability density of the points, per unit of volume; None for uniform in the bounding
            box.
        window: Window at the borders.
        draws: Number of random frequencies.
        seed: Seed of the frequencies.
        confidence: Probability of the interval.

    Returns:
        The estimates.

    Raises:
        InputError: If shapes do not fit, a number is not finite, or there are too few samples or draws.

    Source:
        Barron 1993, IEEE Transactions on Information Theory 39, section IX, for the constant; the estimator
        is plain importance sampling.

    Example:
        >>> import torch
        >>> from overtone.theory import barron
        >>> x = torch.linspace(-6, 6, 401, dtype=torch.float64)[:, None]
        >>> bump = torch.exp(-0.5 * x[:, 0].square())
        >>> constant = barron.constant_at_points(x, bump, highest=0.8, window=barron.BorderWindow.NONE)
        >>> constant.low < (2 / torch.pi) ** 0.5 < constant.high
        True
    """
    from scipy import special

    x, f, weight = _checked(coords, values, density)
    if draws < 2 or not 0 < confidence < 1:
        raise InputError(
            "at least 2 draws, a confidence in (0, 1)", f"{draws}, {confidence}", "increase them", "draws"
        )
    n, d = x.shape
    start, extent = x.min(0).values, x.max(0).values - x.min(0).values
    limit = 0.5 * n ** (1 / d) / float(extent.max()) if highest is None else highest
    if not (math.isfinite(limit) and limit > 0):
        raise InputError(
            "a positive highest frequency", f"{limit}", "pass cycles per coordinate unit", "highest"
        )
    if window is BorderWindow.HANN:
        f = f * torch.sin(torch.pi * (x - start) / extent).square().prod(1)
    # Importance weight of a frequency: the volume element of |w| <= W in polar coordinates, over the uniform density.
    term = f * weight / (2 * math.pi) ** d
    size, wave = _frequencies(draws, d, 2 * math.pi * limit, seed)
    real, imaginary = _transform(x - start, term, wave.to(x.device))
    power = real.square() + imaginary.square()
    # A mean of N terms has the variance of the terms over N - 1, equally at every frequency.
    floor = (term.square().mean() - power).clamp(min=0) / (n - 1)
    shell = 2 * math.pi ** (d / 2) / special.gamma(d / 2)
    share = (size**d * shell * 2 * math.pi * limit).to(x.device)
    # The squared modulus of noise is exponential: the largest of `draws` values is about log(draws) times the mean.
    significant = power > (1 + math.log(draws)) * floor
    raw, clear = (
        share * power.sqrt(),
        share * torch.where(significant, (power - floor).clamp(min=0), 0.0).sqrt(),
    )
    factor = normal_quantile(confidence) / math.sqrt(draws)
    upper, lower = float(raw.mean()), float(clear.mean())
    return PointsConstant(
        lower=lower,
        upper=upper,
        low=max(0.0, lower - factor * float(clear.std())),
        high=upper + factor * float(raw.std()),
        highest=limit,
        samples=n,
    )


def _checked(coords: Tensor, values: Tensor, density: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    if coords.ndim != 2 or values.shape != coords.shape[:1] or len(values) < 2 or not coords.shape[1]:
        raise InputError(
            "coordinates (N, d) and values (N,), N at least 2",
            f"{tuple(coords.shape)} and {tuple(values.shape)}",
            "pass one channel at a time",
            "scattered",
        )
    x, f = coords.detach().double(), values.detach().double().to(coords.device)
    if not bool(torch.isfinite(x).all() & torch.isfinite(f).all()):
        raise InputError(
            "finite coordinates and values", "NaN or infinity", "remove those samples", "scattered"
        )
    extent = x.max(0).values - x.min(0).values
    if not bool((extent > 0).all()):
        raise InputError(
            "points that differ along every axis", "a constant coordinate", "remove that axis", "coords"
        )
    if density is None:
        return x, f, torch.full_like(f, float(extent.prod()))
    if density.shape != f.shape or not bool((torch.isfinite(density) & (density > 0)).all()):
        raise InputError(
            "one positive density per point",
            f"shape {tuple(density.shape)}",
            "check the densities",
            "density",
        )
    return x, f, 1 / density.double().to(x.device)


def _frequencies(draws: int, d: int, limit: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return lengths (draws,) uniform in [0, limit] and angular frequencies (draws, d) in random directions."""
    random = torch.Generator("cpu").manual_seed(derive_seed(seed, "barron", "scattered"))
    size = torch.rand(draws, generator=random, dtype=torch.float64, device="cpu") * limit
    direction = torch.randn(draws, d, generator=random, dtype=torch.float64, device="cpu")
    return size, size[:, None] * direction / direction.norm(dim=1, keepdim=True)


def _transform(x: Tensor, term: Tensor, wave: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean over samples of term exp(-i w.x), real and imaginary part, in blocks of frequencies."""
    real, imaginary = [], []
    for block in wave.split(max(1, _CHUNK // len(x))):
        phase = block @ x.T
        real.append(phase.cos() @ term / len(x))
        imaginary.append(-phase.sin() @ term / len(x))
    return torch.cat(real), torch.cat(imaginary)
