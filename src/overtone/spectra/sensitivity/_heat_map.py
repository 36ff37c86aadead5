"""The Fourier heat map: how often a classifier errs when one spatial frequency is added to its pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.spectra._bands import Bands
from overtone.spectra._grid_modes import GridModes
from overtone.spectra._spectrum import ConfidenceInterval, wilson
from overtone.spectra.sensitivity._classifier import Classifier, InputNormalisation


@final
class PerturbedPictures:
    """Every picture with every mode: U_f = cos(2 pi (f_y y + f_x x)) scaled to sum U_f^2 = 1, times +-norm.

    The sign is drawn for every picture, channel and mode.

    Args:
        pixels: (N, C, H, W) pictures.
        integer_frequency: (mode, 2) int64 cycles per picture along height and width.
        norm: L2 norm of what is added per channel, in units of the pixels.
        seed: Seed of the signs.

    Raises:
        InputError: If the norm is not positive.
    """

    def __init__(self, pixels: Tensor, integer_frequency: Tensor, norm: float, seed: int) -> None:
        if not (math.isfinite(norm) and norm > 0):
            raise InputError(
                "a positive norm", f"{norm}", "pass for instance a tenth of a picture's own norm", "norm"
            )
        self._pixels, self._integer_frequency, self._norm, self._seed = pixels, integer_frequency, norm, seed

    def __len__(self) -> int:
        return len(self._integer_frequency) * len(self._pixels)

    def added(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Changed pictures and which of the pictures they were.

        Args:
            rows: Which of the mode x picture rows, all pictures of one mode after the other.

        Returns:
            (B, C, H, W) in the pictures' precision, and (B,) int64.
        """
        count, channels, *size = self._pixels.shape
        row = torch.arange(rows.start, rows.stop, device="cpu")
        mode, which = row // count, row % count
        first, last = int(mode[0]), int(mode[-1])
        several = self._integer_frequency[first : last + 1]
        waves = torch.stack([_wave(integer_frequency, size) for integer_frequency in several])
        signs = torch.stack(
            [_signs(integer_frequency, count, channels, self._seed) for integer_frequency in several]
        )
        added = (self._norm * signs[mode - first, which])[..., None, None] * waves[mode - first, None]
        return self._pixels[which.to(self._pixels.device)] + added.to(self._pixels), which


def half_plane(size: tuple[int, int], highest: float | None = None) -> Tensor:
    """(mode, 2) int64 cycles per picture, one of each pair f and -f.

    Args:
        size: Height and width in pixels.
        highest: Leave out frequencies above, along either axis, in cycles per pixel; None for all.

    Raises:
        InputError: If no frequency is left.
    """
    height, width = size
    row = torch.arange(height, device="cpu") - height // 2
    column = torch.arange(width, device="cpu") - width // 2
    integer_frequency = torch.cartesian_prod(row, column)
    mirrored = torch.stack([_wrapped(-integer_frequency[:, axis], n) for axis, n in enumerate(size)], 1)
    # Of f and -f the one with the larger key stands; a mode that is its own mirror image stands once.
    key, other = (t[:, 0] * width + t[:, 1] for t in (integer_frequency, mirrored))
    half = integer_frequency[key >= other]
    if highest is None:
        return half
    inside = (half.double().abs() / torch.tensor(size, device="cpu")).amax(1) <= highest * (1 + 1e-9)
    if not bool(inside.any()):
        raise InputError("a highest frequency of 0 or more", f"{highest}", "pass up to 0.5", "highest")
    return half[inside]


def sampled_modes(bands: Bands, size: tuple[int, int], each: int, seed: int) -> Tensor:
    """(mode, 2) int64 cycles per picture: modes of each band of radial frequency, drawn without repetition.

    Args:
        bands: In cycles per pixel.
        size: Height and width in pixels.
        each: Maximum number of modes per band.
        seed: Seed of the draw.
    """
    integer_frequency = half_plane(size)
    radius = (integer_frequency.double() / torch.tensor(size, device="cpu")).norm(dim=1)
    order = torch.from_numpy(numpy_generator(seed, "waves").permutation(len(integer_frequency)))
    band = bands.index(radius[order])
    chosen = [order[band == number][:each] for number in range(bands.count)]
    return integer_frequency[torch.cat(chosen)]


def _wrapped(integer_frequency: Tensor, n: int) -> Tensor:
    return (integer_frequency + n // 2) % n - n // 2


def _wave(integer_frequency: Tensor, size: list[int]) -> Tensor:
    """(H, W) float64 cosine of unit norm."""
    row, column = (
        torch.arange(n, dtype=torch.float64, device="cpu") * t / n
        for n, t in zip(size, integer_frequency, strict=True)
    )
    wave = torch.cos(2 * math.pi * (row[:, None] + column))
    return wave / wave.norm()


def _signs(integer_frequency: Tensor, pictures: int, channels: int, seed: int) -> Tensor:
    """(picture, channel) float64 +1 or -1, those of one mode."""
    source = numpy_generator(seed, "heat map", *(str(int(t)) for t in integer_frequency))
    return torch.from_numpy(source.integers(0, 2, size=(pictures, channels)) * 2.0 - 1.0)


@final
@dataclass(frozen=True)
class RadialError:
    """Error rate per band of radial frequency.

    Attributes:
        bands: The bands, in cycles per pixel.
        rate: Error rates (band,) with their intervals; NaN within [0, 1] where no frequency was measured.
        modes: (band,) int64 frequencies asked in the band.
        trials: (band,) float64 independent trials that the answers are worth.
    """

    bands: Bands
    rate: ConfidenceInterval
    modes: Tensor
    trials: Tensor


@final
@dataclass(frozen=True)
class HeatMap:
    """Errors of a classifier under each Fourier mode.

    Attributes:
        integer_frequency: (mode, 2) int64 cycles per picture along height and width; f and -f are one mode and listed
            once.
        wrong: (mode, picture) bool, True where the perturbed picture is got wrong.
        clean: (picture,) bool, the same of the unperturbed picture.
        size: Height and width in pixels.
        norm: L2 norm of the perturbation per channel, in units of the pixels.
    """

    integer_frequency: Tensor
    wrong: Tensor
    clean: Tensor
    size: tuple[int, int]
    norm: float

    @property
    def frequency(self) -> Tensor:
        """(mode, 2) float64 frequency along height and width, in cycles per pixel."""
        return self.integer_frequency.double() / torch.tensor(self.size, dtype=torch.float64, device="cpu")

    @property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Frequencies of the rows and columns of `error`, ascending, in cycles per pixel; from -1/2 for even sizes."""
        height, width = (np.fft.fftshift(np.fft.fftfreq(n)) for n in self.size)
        return height, width

    @property
    def error(self) -> Tensor:
        """(height, width) float64 error rate over the plane of frequencies, 0 in the middle; NaN where not measured."""
        size = torch.tensor(self.size, device="cpu")
        plane = torch.full(self.size, torch.nan, dtype=torch.float64, device="cpu")
        rate = self.wrong.double().mean(1)
        for sign in (1, -1):
            row, column = ((sign * self.integer_frequency + size // 2) % size).T
            plane[row, column] = rate
        return plane

    @property
    def clean_error(self) -> float:
        """Error rate on unperturbed pictures."""
        return float(self.clean.double().mean())

    def radial(self, bands: Bands | Sequence[float] | None = None, level: float = 0.95) -> RadialError:
        """Error rate per band of sqrt(f_y^2 + f_x^2) with Wilson's interval for the rate over all such pictures.

        A picture that is got wrong at one frequency is easily got wrong at the next, so a band's modes x pictures are
        not independent. With s^2 the variance over the pictures of their error rates r_i in the band and p the
        band's, the answers are worth n = p (1 - p) / (s^2 / N) trials, at least N and at most modes x N
        (Kish 1965, Survey Sampling, design effect); Wilson's formula takes that n.

        Args:
            bands: Bands, or ascending edges from 0, in cycles per pixel; None for about eight of equal width.
            level: Probability that an interval is to hold the rate.

        Raises:
            InputError: If the bands or the level are impossible.
        """
        lattice = GridModes.of(self.size, 1.0, True)
        if bands is None:
            bands = Bands.linear(self.size, 1.0, periodic=True, count=9)
        requested = bands if isinstance(bands, Bands) else Bands(tuple(bands))
        chosen = requested.reaching(lattice.nyquist, lattice.top)
        index = chosen.index(self.frequency.norm(dim=1))
        modes = torch.bincount(index, minlength=chosen.count)
        pictures = self.wrong.shape[1]
        members = torch.nn.functional.one_hot(index, chosen.count).double()
        each = members.T @ self.wrong.double() / modes[:, None]
        rate = each.mean(1)
        # Variance of the mean over pictures, which are independent where modes are not (Kish 1965).
        error = (each - rate[:, None]).square().sum(1) / max(1, pictures - 1) / pictures
        effective = torch.where(error > 0, rate * (1 - rate) / error, float(pictures))
        trials = torch.where(modes > 0, effective.clamp(min=pictures).minimum(modes * float(pictures)), 0.0)
        return RadialError(chosen, wilson(rate, trials, level), modes, trials)


def heat_map(
    classify: Callable[[Any], Any],
    pictures: Tensor | ArrayLike,
    labels: Tensor | ArrayLike,
    norm: float,
    *,
    normalise: InputNormalisation,
    highest: float | None = None,
    batch: int = 512,
    seed: int = 0,
) -> HeatMap:
    """The Fourier heat map of a classifier (Yin et al. 2019, arXiv 1906.08988, section 2).

    For each mode f of the pixel grid, U_f = cos(2 pi (f_y y + f_x x)) with rows y and columns x counted from 0, scaled
    to sum U_f^2 = 1. Each channel c of picture i becomes X_ic + r norm U_f, with a sign r = +1 or -1 drawn for every
    picture, channel and mode; the perturbation of a whole picture has the norm sqrt(C) norm. The map is the share of
    pictures then got wrong.

    **The perturbation is in units of the pixels, before any normalisation.** `normalise` is the step applied to the
    pictures afterwards and has to be named, `InputNormalisation.none()` if there is none. A perturbation added after it
    would be larger by a factor 1 / std, differently for each channel. Pictures are not clipped to a range; that would
    lower the norm and add other frequencies.

    Bias: one phase of each frequency is tried, the cosine's from the corner; at the frequency 0 and at those of
    half a cycle per pixel there is no other. Errors count against the true label, so the map does not
    fall below the clean error by much. Its standard error is at most 1 / (2 sqrt(N)).

    Args:
        classify: From inputs (B, C, H, W) to scores (B, classes), the largest of which is its answer, in evaluation
            mode; given tensors, or NumPy arrays if the pictures are. Called without gradients.
        pictures: (N, C, H, W) pixels before normalisation.
        labels: (N,) true classes from 0.
        norm: L2 norm of the perturbation per channel, in units of the pixels; positive.
        normalise: `InputNormalisation.standardise(mean, std)` or `InputNormalisation.none()`.
        highest: Leave out frequencies above, along either axis, in cycles per pixel; None for all. All modes of a
            picture of H x W pixels are about H W / 2 passes over the pictures.
        batch: Maximum number of pictures per call; memory is that of `batch` pictures in the network.
        seed: Seed of the signs. They do not depend on `batch` or `highest`.

    Raises:
        InputError: If pictures, labels, scores or the norm are not as described.

    Example:
        >>> import torch
        >>> from overtone.spectra.sensitivity import InputNormalisation, heat_map
        >>> pictures = torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4)])
        >>> def bright(x):
        ...     return torch.stack([0.5 - x.mean((1, 2, 3)), x.mean((1, 2, 3)) - 0.5], 1)
        >>> heat_map(bright, pictures, [0, 1], norm=0.1, normalise=InputNormalisation.none()).error.shape
        torch.Size([4, 4])
    """
    classifier = Classifier(classify, pictures, labels, normalise, batch)
    pixels, count = classifier.pictures, len(classifier.pictures)
    size = (pixels.shape[2], pixels.shape[3])
    integer_frequency = half_plane(size, highest)
    waves = PerturbedPictures(pixels, integer_frequency, norm, seed)
    wrong = torch.empty(len(integer_frequency) * count, dtype=torch.bool, device="cpu")
    for rows in classifier.chunks(len(wrong)):
        changed, which = waves.added(rows)
        wrong[rows] = classifier.wrong(changed, which).cpu()
    return HeatMap(
        integer_frequency, wrong.reshape(len(integer_frequency), count), classifier.clean.cpu(), size, norm
    )
