"""Fourier heat map: error rate of a classifier on pictures perturbed by single spatial frequencies."""

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
    """Pictures perturbed by each mode +-norm U_f, U_f = cos(2 pi (f_y y + f_x x)) scaled to sum U_f^2 = 1.

    The sign is random for every picture, channel and mode.

    Args:
        pixels: (N, C, H, W) pictures.
        integer_frequency: (mode, 2) int64 cycles per picture along height and width.
        norm: L2 norm of the perturbation per channel, in units of the pixels.
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

    def perturbed(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Return perturbed pictures and the indices of the original pictures.

        Args:
            rows: Slice of the mode x picture rows, mode after mode.

        Returns:
            (B, C, H, W) in the pictures' precision, and (B,) int64.
        """
        count, channels, *size = self._pixels.shape
        row = torch.arange(rows.start, rows.stop, device="cpu")
        mode, which = row // count, row % count
        first, last = int(mode[0]), int(mode[-1])
        frequencies = self._integer_frequency[first : last + 1]
        waves = torch.stack([_wave(integer_frequency, size) for integer_frequency in frequencies])
        signs = torch.stack(
            [_signs(integer_frequency, count, channels, self._seed) for integer_frequency in frequencies]
        )
        perturbations = (self._norm * signs[mode - first, which])[..., None, None] * waves[mode - first, None]
        return self._pixels[which.to(self._pixels.device)] + perturbations.to(self._pixels), which


def half_plane(size: tuple[int, int], highest: float | None = None) -> Tensor:
    """Return the (mode, 2) int64 cycles per picture, one of each pair f and -f.

    Args:
        size: Height and width in pixels.
        highest: Maximum frequency along either axis, in cycles per pixel; None for all frequencies.

    Raises:
        InputError: If no frequency remains.
    """
    height, width = size
    row = torch.arange(height, device="cpu") - height // 2
    column = torch.arange(width, device="cpu") - width // 2
    integer_frequency = torch.cartesian_prod(row, column)
    mirrored = torch.stack([_wrapped(-integer_frequency[:, axis], n) for axis, n in enumerate(size)], 1)
    # The mode with the larger key represents f and -f; a mode equal to its mirror image occurs once.
    key, other = (t[:, 0] * width + t[:, 1] for t in (integer_frequency, mirrored))
    half_plane_modes = integer_frequency[key >= other]
    if highest is None:
        return half_plane_modes
    is_below = (half_plane_modes.double().abs() / torch.tensor(size, device="cpu")).amax(1) <= highest * (
        1 + 1e-9
    )
    if not bool(is_below.any()):
        raise InputError("a highest frequency of 0 or more", f"{highest}", "pass up to 0.5", "highest")
    return half_plane_modes[is_below]


def sampled_modes(bands: Bands, size: tuple[int, int], modes_per_band: int, seed: int) -> Tensor:
    """Return the (mode, 2) int64 cycles per picture of distinct random modes of each band.

    Args:
        bands: Bands of radial frequency, in cycles per pixel.
        size: Height and width in pixels.
        modes_per_band: Maximum number of modes per band.
        seed: Seed of the selection.
    """
    integer_frequency = half_plane(size)
    radius = (integer_frequency.double() / torch.tensor(size, device="cpu")).norm(dim=1)
    order = torch.from_numpy(numpy_generator(seed, "waves").permutation(len(integer_frequency)))
    band = bands.index(radius[order])
    selected = [order[band == number][:modes_per_band] for number in range(bands.count)]
    return integer_frequency[torch.cat(selected)]


def _wrapped(integer_frequency: Tensor, n: int) -> Tensor:
    return (integer_frequency + n // 2) % n - n // 2


def _wave(integer_frequency: Tensor, size: list[int]) -> Tensor:
    """Return the (H, W) float64 cosine of unit norm."""
    row, column = (
        torch.arange(n, dtype=torch.float64, device="cpu") * t / n
        for n, t in zip(size, integer_frequency, strict=True)
    )
    wave = torch.cos(2 * math.pi * (row[:, None] + column))
    return wave / wave.norm()


def _signs(integer_frequency: Tensor, pictures: int, channels: int, seed: int) -> Tensor:
    """Return the (picture, channel) float64 random signs +1 or -1 of one mode."""
    source = numpy_generator(seed, "heat map", *(str(int(t)) for t in integer_frequency))
    return torch.from_numpy(source.integers(0, 2, size=(pictures, channels)) * 2.0 - 1.0)


@final
@dataclass(frozen=True)
class RadialError:
    """Error rate per band of radial frequency.

    Attributes:
        bands: The bands, in cycles per pixel.
        rate: (band,) error rates with their intervals; NaN with the interval [0, 1] if no frequency was
            measured.
        modes: (band,) int64 number of measured frequencies.
        trials: (band,) float64 effective number of independent trials.
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
        integer_frequency: (mode, 2) int64 cycles per picture along height and width; f and -f are the same
            mode and occur once.
        wrong: (mode, picture) bool, True where the perturbed picture is misclassified.
        clean: (picture,) bool, True where the unperturbed picture is misclassified.
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
        """(height, width) float64 error rate over the frequency plane, 0 in the centre; NaN if not measured."""
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
        """Return the error rate per band of sqrt(f_y^2 + f_x^2), with Wilson's interval for the population.

        A picture that is misclassified at one frequency is often misclassified at similar frequencies, so the
        modes x pictures of a band are not independent. With s^2 the variance over the pictures of their error
        rates r_i in the band and p the mean rate, the effective number of trials is n = p (1 - p) / (s^2 /
        N), at least N and at most modes x N (Kish 1965, Survey Sampling, design effect). Wilson's formula
        uses this n.

        Args:
            bands: Bands, or ascending edges from 0, in cycles per pixel; None for about eight bands of equal
                width.
            level: Coverage probability of the intervals.

        Raises:
            InputError: If the bands or the level are invalid.
        """
        lattice = GridModes.of(self.size, 1.0, True)
        if bands is None:
            bands = Bands.linear(self.size, 1.0, periodic=True, count=9)
        requested = bands if isinstance(bands, Bands) else Bands(tuple(bands))
        selected = requested.extended_to(lattice.nyquist, lattice.top)
        index = selected.index(self.frequency.norm(dim=1))
        modes = torch.bincount(index, minlength=selected.count)
        pictures = self.wrong.shape[1]
        members = torch.nn.functional.one_hot(index, selected.count).double()
        picture_rates = members.T @ self.wrong.double() / modes[:, None]
        rate = picture_rates.mean(1)
        # Variance of the mean over pictures, which are independent, unlike the modes (Kish 1965).
        error = (picture_rates - rate[:, None]).square().sum(1) / max(1, pictures - 1) / pictures
        effective = torch.where(error > 0, rate * (1 - rate) / error, float(pictures))
        trials = torch.where(modes > 0, effective.clamp(min=pictures).minimum(modes * float(pictures)), 0.0)
        return RadialError(selected, wilson(rate, trials, level), modes, trials)


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
    """Measure the Fourier heat map of a classifier (Yin et al. 2019, arXiv 1906.08988, section 2).

    For each mode f of the pixel grid, U_f = cos(2 pi (f_y y + f_x x)) with rows y and columns x counted from
    0, scaled to sum U_f^2 = 1. Each channel c of picture i becomes X_ic + r norm U_f with a random sign r =
    +1 or -1 per picture, channel and mode; the perturbation of a picture has the norm sqrt(C) norm. The map
    is the error rate on the perturbed pictures.

    The perturbation is in units of the pixels, before any normalisation. `normalise` is applied to the
    perturbed pictures and is a required argument, `InputNormalisation.none()` for no normalisation. A
    perturbation after normalisation would be larger by a factor 1 / std, different for each channel. Pictures
    are not clipped to a range, because clipping would reduce the norm and add other frequencies.

    Bias: only one phase of each frequency is measured, that of the cosine from the corner; frequency 0 and
    those of half a cycle per pixel have no other phase. Errors are relative to the true label, so the map is
    hardly lower than the clean error. Its standard error is at most 1 / (2 sqrt(N)).

    Args:
        classify: Function from inputs (B, C, H, W) to scores (B, classes), the largest of which is the
            prediction, in evaluation mode. It receives tensors, or NumPy arrays if the pictures are arrays,
            and is called without gradients.
        pictures: (N, C, H, W) pixels before normalisation.
        labels: (N,) true classes from 0.
        norm: L2 norm of the perturbation per channel, in units of the pixels; positive.
        normalise: `InputNormalisation.standardise(mean, std)` or `InputNormalisation.none()`.
        highest: Maximum frequency along either axis, in cycles per pixel; None for all frequencies. All modes
            of pictures of H x W pixels take about H W / 2 passes over the pictures.
        batch: Maximum number of pictures per call; memory use is that of `batch` pictures in the network.
        seed: Seed of the signs, which do not depend on `batch` or `highest`.

    Raises:
        InputError: If pictures, labels, scores or the norm do not have the required form.

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
        changed, which = waves.perturbed(rows)
        wrong[rows] = classifier.wrong(changed, which).cpu()
    return HeatMap(
        integer_frequency, wrong.reshape(len(integer_frequency), count), classifier.clean.cpu(), size, norm
    )
