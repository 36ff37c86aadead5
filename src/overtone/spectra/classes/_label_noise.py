"""Label noise along a wave through the inputs, or at random."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone._utils.display import Result
from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.spectra._inputs import rows
from overtone.spectra._outputs import class_numbers


class Wave(ABC):
    """A field cos(2 pi cycles(x)) over inputs x.

    Attributes:
        frequency: Frequency in cycles per unit of distance between inputs; not negative.

    Example:
        >>> from overtone.spectra.classes import Wave
        >>> Wave.plane(0.5, [1.0, 0.0]).values([[0.0, 3.0], [1.0, 5.0]]).round(decimals=6).tolist()
        [1.0, -1.0]
    """

    @staticmethod
    def radial(frequency: float, centre: Tensor | ArrayLike | None = None) -> Wave:
        """Return the field cos(2 pi f |x - centre|) of spherical shells around a centre.

        Args:
            frequency: f, in cycles per unit of distance.
            centre: (d,) numbers, or None for the origin.

        Raises:
            InputError: If the frequency is negative or not finite.
        """
        return RadialWave(frequency, centre)

    @staticmethod
    def plane(frequency: float, direction: Tensor | ArrayLike, phase: float = 0.0) -> Wave:
        """Return the field cos(2 pi (f x . u + phase)) along a unit axis u.

        Args:
            frequency: f, in cycles per unit of distance along u.
            direction: (d,) numbers that are not all 0; scaled to length 1.
            phase: Phase in cycles.

        Raises:
            InputError: If the frequency is negative, or the direction is 0 or not finite.
        """
        return PlaneWave(frequency, direction, phase)

    def __init__(self, frequency: float) -> None:
        if not (math.isfinite(frequency) and frequency >= 0):
            raise InputError("a frequency of 0 or more", f"{frequency}", "pass cycles per unit", "frequency")
        self.frequency = frequency

    @abstractmethod
    def cycles(self, coords: Tensor | ArrayLike) -> Tensor:
        """Return the (N,) float64 phase of the wave at each input, in cycles.

        Args:
            coords: (N, d) inputs, flattened.

        Raises:
            InputError: If they are not finite numbers or do not have the wave's dimension.
        """

    def values(self, coords: Tensor | ArrayLike) -> Tensor:
        """Return the (N,) float64 values cos(2 pi cycles): noise of amplitude 1 for labels or scores.

        Args:
            coords: (N, d) inputs, flattened.

        Raises:
            InputError: If they are not finite numbers or do not have the wave's dimension.
        """
        return torch.cos(2 * math.pi * self.cycles(coords))


@final
class RadialWave(Wave):
    """Spherical shells cos(2 pi f |x - centre|) (Rahaman et al. 2019, arXiv 1806.08734, section 3).

    The frequency is f along every ray from the centre. In d dimensions, |x| of samples with independent
    features varies by only about 1 / sqrt(2 d) of its mean; a wave of far less than one cycle over that
    spread is practically constant.

    Args:
        frequency: f, in cycles per unit of distance.
        centre: (d,) numbers, or None for the origin.

    Raises:
        InputError: If the frequency is negative or not finite.
    """

    def __init__(self, frequency: float, centre: Tensor | ArrayLike | None = None) -> None:
        super().__init__(frequency)
        self._centre = None if centre is None else rows(centre, "centre")[:, 0]

    def cycles(self, coords: Tensor | ArrayLike) -> Tensor:
        """Return (N,) float64 f |x - centre|."""
        inputs = rows(coords, "coords")
        if self._centre is not None:
            inputs = inputs - _fitting(self._centre, inputs, "centre")
        return self.frequency * inputs.norm(dim=1)


@final
class PlaneWave(Wave):
    """Plane wave cos(2 pi (f x . u + phase)), unit axis u (Fridovich-Keil et al. 2022, arXiv 2110.02424).

    Args:
        frequency: f, in cycles per unit of distance along u.
        direction: (d,) numbers that are not all 0; scaled to length 1. For flattened pictures of H x W pixels a
            Fourier mode of the pixel grid gives noise that depends on one spatial frequency of the picture.
        phase: Phase in cycles.

    Raises:
        InputError: If the frequency is negative, or the direction is 0 or not finite.
    """

    def __init__(self, frequency: float, direction: Tensor | ArrayLike, phase: float = 0.0) -> None:
        super().__init__(frequency)
        axis = rows(direction, "direction")[:, 0]
        if not bool((axis != 0).any()):
            raise InputError(
                "a direction that is not all 0", "zeros", "pass the axis of the wave", "direction"
            )
        self.direction = axis / axis.norm()
        self.phase = phase

    def cycles(self, coords: Tensor | ArrayLike) -> Tensor:
        """Return (N,) float64 f x . u + phase."""
        inputs = rows(coords, "coords")
        return self.frequency * (inputs @ _fitting(self.direction, inputs, "direction")) + self.phase


def _fitting(values: Tensor, coords: Tensor, argument: str) -> Tensor:
    if len(values) != coords.shape[1]:
        raise InputError(
            f"{coords.shape[1]} numbers, one per feature", f"{len(values)}", "pass one per feature", argument
        )
    return values.to(coords.device)


@final
@dataclass(frozen=True, repr=False)
class NoisyLabels(Result):
    """Labels before and after noise.

    Attributes:
        labels: (N,) int64 noisy labels.
        clean: (N,) int64 original labels.
        classes: Number of classes.

    Example:
        >>> from overtone.spectra.classes import NoisyLabels
        >>> NoisyLabels.at_random([0, 1, 2, 0], 3, rate=0.5).rate
        0.5
    """

    labels: Tensor
    clean: Tensor
    classes: int

    @property
    def flipped(self) -> Tensor:
        """(N,) bool, True where the label was changed."""
        return self.labels != self.clean

    @property
    def rate(self) -> float:
        """Share of the labels that was changed."""
        return float(self.flipped.double().mean())

    @property
    def noise(self) -> Tensor:
        """(N, K) float64 change of the one-hot target: noisy minus clean one-hot labels."""
        noisy, clean = (
            torch.nn.functional.one_hot(numbers, self.classes) for numbers in (self.labels, self.clean)
        )
        return (noisy - clean).double()

    @staticmethod
    def along_wave(
        labels: Tensor | ArrayLike, classes: int, coords: Tensor | ArrayLike, wave: Wave, rate: float = 0.5
    ) -> NoisyLabels:
        """Change labels y to y + 1 modulo K in the troughs of a wave, which gives noise of its frequency.

        A label is changed where cos(2 pi cycles) < -cos(pi rate), a share `rate` of each cycle. For a rate of
        1/2, these are the inputs with sign(cos(2 pi cycles)) = -1, so that labels +1 and -1 of two classes
        are multiplied by that sign. A square wave has harmonics: 8 / pi^2 = 81 % of its power is at the
        fundamental frequency and 9 % at three times that. `NoisyLabels.flipped` has this spectrum; `.noise`
        is the product of this field with the clean labels' field and has a broader spectrum.

        Args:
            labels: (N,) classes from 0.
            classes: Number of classes K.
            coords: (N, d) inputs, flattened.
            wave: `RadialWave` or `PlaneWave`.
            rate: Share of each cycle to change, in [0, 1]; for evenly distributed samples, also the share of
                changed labels.

        Raises:
            InputError: If labels are outside the classes, inputs do not fit, or the rate is not in [0, 1].
        """
        clean = _checked(labels, classes, rate)
        heights = wave.values(coords).to(clean.device)
        if len(heights) != len(clean):
            raise InputError(
                f"{len(clean)} inputs, one per label", f"{len(heights)}", "pass the same samples", "coords"
            )
        # cos(2 pi cycles) < -cos(pi rate) selects a share `rate` of each cycle, centred on the trough.
        valley = heights < -math.cos(math.pi * rate)
        return NoisyLabels(torch.where(valley, (clean + 1) % classes, clean), clean, classes)

    @staticmethod
    def at_random(labels: Tensor | ArrayLike, classes: int, rate: float, seed: int = 0) -> NoisyLabels:
        """Change a random share of the labels, each to one of the other classes with equal probability.

        round(rate N) distinct labels are changed. The power of the noise is spread evenly over all modes.

        Args:
            labels: (N,) classes from 0.
            classes: Number of classes K.
            rate: Share of the labels, in [0, 1].
            seed: Seed of the random numbers.

        Raises:
            InputError: If labels are outside the classes or the rate is not in [0, 1].
        """
        clean = _checked(labels, classes, rate)
        source = numpy_generator(seed, "labels", "flips")
        count = round(rate * len(clean))
        rows = torch.from_numpy(source.choice(len(clean), count, replace=False)).to(clean.device)
        steps = torch.from_numpy(source.integers(1, classes, size=count)).to(clean.device)
        noisy = clean.clone()
        noisy[rows] = (clean[rows] + steps) % classes
        return NoisyLabels(noisy, clean, classes)


def _checked(labels: Tensor | ArrayLike, classes: int, rate: float) -> Tensor:
    if not 0 <= rate <= 1:
        raise InputError("a rate in [0, 1]", f"{rate}", "pass the share of labels to change", "rate")
    return class_numbers(labels, classes)
