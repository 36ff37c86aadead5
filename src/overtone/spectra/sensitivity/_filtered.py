"""Accuracy of a classifier on low-pass and high-pass filtered pictures."""

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
        low: (cutoff,) accuracy on low-pass pictures, which include the mean, with its interval.
        high: (cutoff,) accuracy on high-pass pictures, with its interval.
        clean: Scalar accuracy on unfiltered pictures, with its interval.
        low_share: (cutoff,) float64 share of the pictures' power, without their means, at or below the cut-off.
    """

    cutoffs: Tensor
    low: ConfidenceInterval
    high: ConfidenceInterval
    clean: ConfidenceInterval
    low_share: Tensor


def low_pass(pictures: Tensor | ArrayLike, cutoff: float) -> Tensor:
    """Remove the frequencies above a cut-off from pictures; the difference is the high-pass part.

    Each channel is extended evenly about its borders, which avoids leakage, and the cosine modes with
    sqrt(f_y^2 + f_x^2) <= cutoff are retained, f = k / (2 n) cycles per pixel. The sharp cut-off causes
    ringing: the result overshoots by about 9 % beside edges.

    Args:
        pictures: (N, C, H, W) pixels.
        cutoff: Cut-off frequency in cycles per pixel; 0 retains only the mean of each channel.

    Returns:
        (N, C, H, W) in the pictures' precision.

    Raises:
        InputError: If the pictures are not numbers of that shape, or the cut-off is negative.

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

    The filters are those of `low_pass`, applied to the pixels before `normalise`. High-pass pictures also
    lack their mean brightness, which is an additional shift for a network trained without such pictures.
    Intervals are Wilson's over the pictures. The same pictures are used at all cut-offs, so differences
    between cut-offs are more certain than the intervals suggest.

    Args:
        classify: Function from inputs (B, C, H, W) to scores (B, classes), in evaluation mode.
        pictures: (N, C, H, W) pixels before normalisation.
        labels: (N,) true classes from 0.
        cutoffs: Cut-off frequencies, in cycles per pixel; 0.5 is the Nyquist frequency, sqrt(1/2) that of the corners.
        normalise: `InputNormalisation.standardise(mean, std)` or `InputNormalisation.none()`.
        batch: Maximum number of pictures per call; memory use is that of three times as many pictures.
        level: Coverage probability of the intervals.

    Raises:
        InputError: If pictures, labels, scores or cut-offs do not have the required form.

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
    masks = _pass_masks(pixels, cutoffs)
    correct = torch.zeros(2, len(masks), dtype=torch.float64, device="cpu")
    power = torch.zeros(2, len(masks), dtype=torch.float64, device="cpu")
    for rows in classifier.chunks(len(pixels)):
        which, batch_pixels = torch.arange(len(pixels), device="cpu")[rows], pixels[rows]
        modes = cosine_by_fft(batch_pixels, (2, 3))
        varying = modes.double().square().sum((0, 1))
        varying[0, 0] = 0
        for index, mask in enumerate(masks):
            low = _inverse(modes * mask)
            correct[0, index] += float((~classifier.wrong(low, which)).sum())
            correct[1, index] += float((~classifier.wrong(batch_pixels - low, which)).sum())
            power[:, index] += torch.stack([(varying * mask).sum(), varying.sum()]).cpu()
    count = torch.tensor(float(len(pixels)), device="cpu")
    low_rate, high_rate = (wilson(part / count, count.expand(len(masks)), level) for part in correct)
    clean = wilson(1 - classifier.clean.double().mean().cpu(), count, level)
    cutoff_tensor = torch.tensor([float(c) for c in cutoffs], dtype=torch.float64, device="cpu")
    return FilteredAccuracy(cutoff_tensor, low_rate, high_rate, clean, power[0] / power[1])


def _pass_masks(pixels: Tensor, cutoffs: Sequence[float]) -> Tensor:
    """Return (cutoff, H, W) ones for retained modes and zeros elsewhere, in the pixels' precision."""
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
    """Invert the orthonormal cosine transform by the product with its transpose along each axis."""
    height, width = (
        cosine_by_fft(torch.eye(n, dtype=modes.dtype, device=modes.device), (1,)) for n in modes.shape[2:]
    )
    return height @ modes @ width.T
