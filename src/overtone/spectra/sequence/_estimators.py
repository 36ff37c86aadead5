"""Estimators of the spectrum of a finite segment of a longer process.

Each estimator maps a centred sequence to coefficients whose squared moduli sum to its variance, or to a
weighted variance for estimators with tapers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._grid_modes import GridModes, forward


class TemporalEstimator(ABC):
    """Linear map from sequences to coefficients at known frequencies.

    Example:
        >>> from overtone.spectra.sequence import SequenceTransform, TemporalEstimator
        >>> SequenceTransform(64, rate=100.0, estimator=TemporalEstimator.welch(16)).resolution
        25.0
    """

    @staticmethod
    def even_extension() -> TemporalEstimator:
        """Return the estimator that extends the sequence by its mirror image (DCT-II), without end leakage."""
        return EvenExtension()

    @staticmethod
    def periodic() -> TemporalEstimator:
        """Return the estimator that treats the sequence as one period (FFT), exact for whole cycles."""
        return PeriodicExtension()

    @staticmethod
    def multitaper(time_bandwidth: float = 4.0, tapers: int = 0) -> TemporalEstimator:
        """Return the mean of the spectra with orthogonal tapers, of low variance and leakage.

        Args:
            time_bandwidth: Number of steps times the half width of a harmonic in cycles per step.
            tapers: Number of tapers; 0 for the standard 2 time_bandwidth - 1.
        """
        return Multitaper(time_bandwidth, tapers)

    @staticmethod
    def welch(segment: int) -> TemporalEstimator:
        """Return the mean of the spectra of overlapping Hann-windowed segments, of lowest variance.

        Args:
            segment: Steps per segment; segments overlap by half.
        """
        return Welch(segment)

    @property
    def closes(self) -> bool:
        """Whether all steps have equal weight, so that power sums to the unweighted mean square."""
        return True

    @abstractmethod
    def check(self, steps: int) -> None:
        """Raise an error for sequences that are too short.

        Raises:
            InputError: If `steps` is below the minimum.
        """

    @abstractmethod
    def lattice(self, steps: int, rate: float) -> GridModes:
        """Return the frequency grid of sequences of `steps` steps at `rate` samples per unit of time."""

    @abstractmethod
    def resolution(self, steps: int) -> float:
        """Return the width of one harmonic in cycles per step; closer frequencies are not resolved."""

    @abstractmethod
    def coefficients(self, centred: Tensor) -> Tensor:
        """Return the (N, M, C) coefficients of centred sequences (N, T, C) at `frequencies`."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in records."""

    def frequencies(self, steps: int) -> Tensor:
        """Return the (M,) float64 frequencies of the coefficients, in cycles per step."""
        return self.lattice(steps, 1.0).frequencies(0)[1:]


@final
@dataclass(frozen=True)
class EvenExtension(TemporalEstimator):
    """Even extension of the sequence about its half-sample ends (DCT-II), with frequencies k / (2 T), k < T.

    The power sums to the mean square. A mirrored harmonic has kinks at the ends, so its modulus spreads over
    other frequencies as 1 / distance^2, compared with 1 / distance for `PeriodicExtension`.
    """

    def check(self, steps: int) -> None:
        """Raise an error for fewer than 2 steps."""
        _check_steps(steps, 2)

    def lattice(self, steps: int, rate: float) -> GridModes:
        """Return the frequency grid of a non-periodic axis."""
        return GridModes.of((steps,), 1 / rate, False)

    def resolution(self, steps: int) -> float:
        """Return 1 / T."""
        return 1 / steps

    def coefficients(self, centred: Tensor) -> Tensor:
        """Return real coefficients."""
        return forward(centred.contiguous(), (1,), ())[:, 1:] / math.sqrt(centred.shape[1])

    @property
    def name(self) -> str:
        """Name in records."""
        return "even extension"


@final
@dataclass(frozen=True)
class PeriodicExtension(TemporalEstimator):
    """The sequence as one period (FFT): exact for whole cycles, otherwise with leakage as 1 / distance."""

    def check(self, steps: int) -> None:
        """Raise an error for fewer than 2 steps."""
        _check_steps(steps, 2)

    def lattice(self, steps: int, rate: float) -> GridModes:
        """Return the frequency grid of a periodic axis."""
        return GridModes.of((steps,), 1 / rate, True)

    def resolution(self, steps: int) -> float:
        """Return 1 / T."""
        return 1 / steps

    def coefficients(self, centred: Tensor) -> Tensor:
        """Return complex coefficients."""
        return _one_sided(centred, 1)[:, 1:] / centred.shape[1]

    @property
    def name(self) -> str:
        """Name in records."""
        return "periodic"


@final
@dataclass(frozen=True)
class Multitaper(TemporalEstimator):
    """Mean of the spectra with orthogonal tapers, the discrete prolate spheroidal sequences.

    Variance is low, and so is leakage beyond `time_bandwidth` / T cycles per step on either side of a
    harmonic (Thomson 1982, Spectrum estimation and harmonic analysis, Proc. IEEE 70, section III). The tapers
    weight the steps by w_t = mean_k v_k(t)^2 with sum 1, and the power sums to the weighted mean square.

    Attributes:
        time_bandwidth: T times the half width of a harmonic in cycles per step.
        tapers: Number of tapers, in ascending order of leakage; 0 for the standard 2 time_bandwidth - 1.
    """

    time_bandwidth: float = 4.0
    tapers: int = 0

    @property
    def taper_count(self) -> int:
        """Number of tapers."""
        return self.tapers or max(1, int(2 * self.time_bandwidth) - 1)

    @property
    def closes(self) -> bool:
        """False: the window weights the centre more than the ends."""
        return False

    def check(self, steps: int) -> None:
        """Raise an error if a harmonic would cover all frequencies, or for invalid tapers."""
        if self.time_bandwidth < 1 or self.tapers < 0:
            raise InputError(
                "a time-bandwidth of at least 1 and a number of tapers of 0 or more",
                f"{self.time_bandwidth} and {self.tapers}",
                "pass for instance Multitaper(4.0)",
                "estimator",
            )
        _check_steps(steps, max(self.taper_count, int(2 * self.time_bandwidth)) + 1)

    def lattice(self, steps: int, rate: float) -> GridModes:
        """Return the frequency grid of a periodic axis."""
        return GridModes.of((steps,), 1 / rate, True)

    def resolution(self, steps: int) -> float:
        """Return 2 time_bandwidth / T."""
        return 2 * self.time_bandwidth / steps

    def frequencies(self, steps: int) -> Tensor:
        """Return all frequencies of the lattice, once per taper."""
        return self.lattice(steps, 1.0).frequencies(0).repeat(self.taper_count)

    def coefficients(self, centred: Tensor) -> Tensor:
        """Return complex coefficients, one set per taper."""
        import scipy.signal

        steps = centred.shape[1]
        windows = scipy.signal.windows.dpss(steps, self.time_bandwidth, self.taper_count)
        tapers = torch.from_numpy(windows.copy()).to(centred)
        # Each taper gives one spectrum; divided by sqrt(tapers), their powers sum to the mean spectrum.
        modes = _one_sided(tapers[:, :, None] * centred[:, None], 2)
        return modes.flatten(1, 2) / math.sqrt(steps * self.taper_count)

    @property
    def name(self) -> str:
        """Name in records."""
        return f"multitaper, {self.taper_count} tapers of time-bandwidth {self.time_bandwidth:g}"


@final
@dataclass(frozen=True)
class Welch(TemporalEstimator):
    """Mean of the spectra of overlapping Hann-windowed segments (Welch 1967, IEEE Trans. Audio 15).

    Of all estimators, it has the lowest resolution and variance; variation slower than a segment counts as
    frequency 0. The window weights the steps, and steps after the last whole segment are ignored; the power
    sums to the weighted mean square.

    Attributes:
        segment: Steps per segment; segments overlap by half.
    """

    segment: int

    @property
    def closes(self) -> bool:
        """False: the window weights the centre more than the ends."""
        return False

    def check(self, steps: int) -> None:
        """Raise an error for segments below 4 steps or longer than the sequences."""
        if self.segment < 4:
            raise InputError(
                "segments of at least 4 steps", f"{self.segment}", "pass longer segments", "estimator"
            )
        _check_steps(steps, self.segment)

    def lattice(self, steps: int, rate: float) -> GridModes:  # noqa: ARG002
        """Return the frequency grid of one periodic segment."""
        return GridModes.of((self.segment,), 1 / rate, True)

    def resolution(self, steps: int) -> float:  # noqa: ARG002
        """Return 4 / segment, the width of the main lobe of a Hann window."""
        return 4 / self.segment

    def frequencies(self, steps: int) -> Tensor:
        """Return all frequencies of the lattice, once per segment."""
        return self.lattice(steps, 1.0).frequencies(0).repeat(self._segments(steps))

    def _segments(self, steps: int) -> int:
        return 1 + (steps - self.segment) // self._hop

    @property
    def _hop(self) -> int:
        return self.segment - self.segment // 2

    def coefficients(self, centred: Tensor) -> Tensor:
        """Return complex coefficients, one set per segment."""
        import scipy.signal

        window = torch.from_numpy(scipy.signal.windows.hann(self.segment, sym=False)).to(centred)
        # A window of unit energy preserves the variance of white noise.
        window = window / window.square().sum().sqrt()
        parts = centred.unfold(1, self.segment, self._hop).movedim(-1, 2)
        modes = _one_sided(window[:, None] * parts, 2)
        return modes.flatten(1, 2) / math.sqrt(self.segment * parts.shape[1])

    @property
    def name(self) -> str:
        """Name in records."""
        return f"Welch, segments of {self.segment} steps"


def _one_sided(field: Tensor, axis: int) -> Tensor:
    """Return Fourier sums at k >= 0, scaled by sqrt(2) if they represent both k and -k."""
    steps = field.shape[axis]
    modes = torch.fft.rfft(field, dim=axis)
    factor = torch.ones(modes.shape[axis], dtype=field.dtype, device=field.device)
    # k and -k have the same power; a factor sqrt(2) on the stored coefficient includes both.
    factor[1 : (steps + 1) // 2] = math.sqrt(2)
    return modes * factor.reshape([-1 if i == axis else 1 for i in range(field.ndim)])


def _check_steps(steps: int, minimum: int) -> None:
    if steps < minimum:
        raise InputError(
            f"sequences of at least {minimum} steps",
            f"{steps}",
            "pass longer sequences or another estimator",
            "steps",
        )
