"""Accuracy of a classifier on pictures with only low or only high frequencies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._grid_modes import GridModes, cosine_by_fft
from overtone.spectra._spectrum import ConfidenceInterval, wilson
from overtone.spectra.sensitivity._classifier import Classifier, InputNormalisation, pictures_of


@final
@dataclass(frozen=True)
class FilteredAccuracy:
    """Accuracy on filtered pictures per cut-off frequency.

    Attributes:
        cutoffs: (cutoff,) float64, in cycles per pixel.
        low: Accuracy (cutoff,) on what lies at or below the cut-off, the mean included, with its interval.
        high: Accuracy (cutoff,) on the rest, with its interval.
        clean: Accuracy () on the pictures as they are, with its interval.
        low_share: (cutoff,) float64 share of the pictures' power, without their means, at or below the cut-off.
    """

    cutoffs: Tensor
    low: ConfidenceInterval
    high: ConfidenceInterval
    clean: ConfidenceInterval
    low_share: Tensor


def low_pass(pictures: Tensor | ArrayLike, cutoff: float) -> Tensor:
    """Pictures without the frequencies above a cut-off; pictures less these are the high-pass.

    Each channel is extended evenly about its borders, so that no border leaks, and the cosine modes with
    sqrt(f_y^2 + f_x^2) <= cutoff are kept, f = k / (2 n) cycles per pixel. A sharp cut-off rings: beside edges the
    result overshoots by about 9 %.

    Args:
        pictures: (N, C, H, W) pixels.
        cutoff: In cycles per pixel; 0 keeps the mean of each channel alone.

    Returns:
        (N, C, H, W) in the pictures' precision.

    Raises:
        InputError: If the pictures are not numbers of that shape or the cut-off is negative.

    Example:
        >>> import torch
        >>> from overtone.spectra.sensitivity import low_pass
        >>> picture = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> low_pass(picture, 0)[0, 0, 0].round(decimals=4).tolist()
        [7.5, 7.5, 7.5, 7.5]
    """
    pixels = pictures_of(pictures)
    return _inverse(cosine_by_fft(pixels, (2, 3)) * _pass_masks(pixels, [cutoff])[0])


def filtered_accuracy(
    classify: Callable[[Any], Any],
    pictures: Tensor | ArrayLike,
    labels: Tensor | ArrayLike,
    cutoffs: Sequence[float],
    *,
    normalise: InputNormalisation,
    batch: int = 512,
    level: float = 0.95,
) -> FilteredAccuracy:
    """Measure the accuracy on low-pass and high-pass filtered pictures (Yin et al. 2019, arXiv 1906.08988, section 3).

    The filters are those of `low_pass`, applied to the pixels; `normalise` comes after. High-pass pictures have lost
    their mean brightness too, which for a network that never saw such pictures is a change of its own. Intervals are
    Wilson's over the pictures; the same pictures are used at all cut-offs, so differences between these are surer
    than the intervals say.

    Args:
        classify: From inputs (B, C, H, W) to scores (B, classes), in evaluation mode.
        pictures: (N, C, H, W) pixels before normalisation.
        labels: (N,) true classes from 0.
        cutoffs: Cut-off frequencies, in cycles per pixel; 0.5 is the Nyquist frequency, sqrt(1/2) that of the corners.
        normalise: `InputNormalisation.standardise(mean, std)` or `InputNormalisation.none()`.
        batch: Maximum number of pictures per call; memory is that of three times as many pictures.
        level: Probability that an interval is to hold the accuracy.

    Raises:
        InputError: If pictures, labels, scores or cut-offs are not as described.

    Example:
        >>> import torch
        >>> from overtone.spectra.sensitivity import InputNormalisation, filtered_accuracy
        >>> pictures = torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4)])
        >>> def bright(x):
        ...     return torch.stack([0.5 - x.mean((1, 2, 3)), x.mean((1, 2, 3)) - 0.5], 1)
        >>> filtered_accuracy(bright, pictures, [0, 1], [0.1], normalise=InputNormalisation.none()).low.mean.tolist()
        [1.0]
    """
    classifier = Classifier(classify, pictures, labels, normalise, batch)
    pixels = classifier.pictures
    passed = _pass_masks(pixels, cutoffs)
    right = torch.zeros(2, len(passed), dtype=torch.float64, device="cpu")
    power = torch.zeros(2, len(passed), dtype=torch.float64, device="cpu")
    for rows in classifier.chunks(len(pixels)):
        which, some = torch.arange(len(pixels), device="cpu")[rows], pixels[rows]
        modes = cosine_by_fft(some, (2, 3))
        varying = modes.double().square().sum((0, 1))
        varying[0, 0] = 0
        for at, mask in enumerate(passed):
            low = _inverse(modes * mask)
            right[0, at] += float((~classifier.wrong(low, which)).sum())
            right[1, at] += float((~classifier.wrong(some - low, which)).sum())
            power[:, at] += torch.stack([(varying * mask).sum(), varying.sum()]).cpu()
    count = torch.tensor(float(len(pixels)), device="cpu")
    low_rate, high_rate = (wilson(part / count, count.expand(len(passed)), level) for part in right)
    clean = wilson(1 - classifier.clean.double().mean().cpu(), count, level)
    cut = torch.tensor([float(c) for c in cutoffs], dtype=torch.float64, device="cpu")
    return FilteredAccuracy(cut, low_rate, high_rate, clean, power[0] / power[1])


def _pass_masks(pixels: Tensor, cutoffs: Sequence[float]) -> Tensor:
    """(cutoff, H, W) ones where a mode is kept, else zeros, in the pixels' precision."""
    cuts = torch.tensor([float(c) for c in cutoffs], dtype=torch.float64, device="cpu")
    if cuts.ndim != 1 or not len(cuts) or not bool((cuts >= 0).all()):
        raise InputError(
            "cut-off frequencies of 0 or more",
            f"{list(cutoffs)}",
            "pass for instance [0.1, 0.2, 0.3]",
            "cutoffs",
        )
    lattice = GridModes.of(pixels.shape[2:], 1.0)
    row, column = (lattice.frequencies(axis) for axis in range(2))
    radius = torch.hypot(row[:, None], column)
    return (radius <= cuts[:, None, None] * (1 + 1e-9)).to(pixels)


def _inverse(modes: Tensor) -> Tensor:
    """Pictures of orthonormal cosine coefficients: the transform's transpose, one product an axis."""
    height, width = (
        cosine_by_fft(torch.eye(n, dtype=modes.dtype, device=modes.device), (1,)) for n in modes.shape[2:]
    )
    return height @ modes @ width.T
