"""Estimators of the spectrum of a finite piece of a longer process: four with one interface.

Each maps a sequence less its mean to coefficients whose squared moduli sum to its variance, or to a weighted
variance where tapers count the middle more than the ends.
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
        """The sequence mirrored about its half-sample ends (DCT-II): power closes, and ends do not leak."""
        return EvenExtension()

    @staticmethod
    def periodic() -> TemporalEstimator:
        """The sequence as one period (FFT): power closes; exact for whole cycles."""
        return PeriodicExtension()

    @staticmethod
    def multitaper(time_bandwidth: float = 4.0, tapers: int = 0) -> TemporalEstimator:
        """Mean of the spectra under orthogonal tapers: little variance and little leakage.

        Args:
            time_bandwidth: Number of steps times the half width of a harmonic in cycles per step.
            tapers: Number of tapers; 0 for the usual 2 time_bandwidth - 1.
        """
        return Multitaper(time_bandwidth, tapers)

    @staticmethod
    def welch(segment: int) -> TemporalEstimator:
        """Mean of the spectra of overlapping segments under a Hann window: the coarsest and steadiest.

        Args:
            segment: Steps per segment; every next one begins half a segment later.
        """
        return Welch(segment)

    @property
    def closes(self) -> bool:
        """Whether all steps count equally, so that power sums to the mean square and not to a weighted one."""
        return True

    @abstractmethod
    def check(self, steps: int) -> None:
        """Refuse sequences that are too short.

        Raises:
            InputError: If they are.
        """

    @abstractmethod
    def lattice(self, steps: int, rate: float) -> GridModes:
        """The grid of frequencies that sequences of `steps` steps at `rate` samples per unit of time have."""

    @abstractmethod
    def resolution(self, steps: int) -> float:
        """Width of one harmonic in cycles per step; closer frequencies are not resolved."""

    @abstractmethod
    def coefficients(self, centred: Tensor) -> Tensor:
        """(N, M, C) coefficients of sequences (N, T, C) less their mean, at `frequencies` without its first."""

    @property
    @abstractmethod
    def name(self) -> str:
        """For records."""

    def frequencies(self, steps: int) -> Tensor:
        """(M,) float64 frequency of each of `coefficients`, in cycles per step."""
        return self.lattice(steps, 1.0).frequencies(0)[1:]


@final
@dataclass(frozen=True)
class EvenExtension(TemporalEstimator):
    """The sequence mirrored about its half-sample ends (DCT-II): power closes, and ends do not leak.

    Frequencies k / (2 T), k < T. The mirrored harmonic has corners at the ends, so its modulus spreads over other
    frequencies as 1 / distance^2, against 1 / distance for `PeriodicExtension`.
    """

    def check(self, steps: int) -> None:
        """Refuse fewer than 2 steps."""
        _at_least(steps, 2)

    def lattice(self, steps: int, rate: float) -> GridModes:
        """That of a non-periodic axis."""
        return GridModes.of((steps,), 1 / rate, False)

    def resolution(self, steps: int) -> float:
        """1 / T."""
        return 1 / steps

    def coefficients(self, centred: Tensor) -> Tensor:
        """Real."""
        return forward(centred.contiguous(), (1,), ())[:, 1:] / math.sqrt(centred.shape[1])

    @property
    def name(self) -> str:
        """For records."""
        return "even extension"


@final
@dataclass(frozen=True)
class PeriodicExtension(TemporalEstimator):
    """The sequence as one period (FFT): power closes; exact for whole cycles, else the ends leak as 1 / distance."""

    def check(self, steps: int) -> None:
        """Refuse fewer than 2 steps."""
        _at_least(steps, 2)

    def lattice(self, steps: int, rate: float) -> GridModes:
        """That of a periodic axis."""
        return GridModes.of((steps,), 1 / rate, True)

    def resolution(self, steps: int) -> float:
        """1 / T."""
        return 1 / steps

    def coefficients(self, centred: Tensor) -> Tensor:
        """Complex."""
        return _one_sided(centred, 1)[:, 1:] / centred.shape[1]

    @property
    def name(self) -> str:
        """For records."""
        return "periodic"


@final
@dataclass(frozen=True)
class Multitaper(TemporalEstimator):
    """Mean of the spectra under orthogonal tapers, the discrete prolate spheroidal sequences.

    Little variance, and little leakage beyond `time_bandwidth` / T cycles per step on either side of a harmonic
    (Thomson 1982, Spectrum estimation and harmonic analysis, Proc. IEEE 70, section III). Tapers weigh the steps
    by w_t = mean_k v_k(t)^2, sum 1: power is that of the weighted mean square.

    Attributes:
        time_bandwidth: T times the half width of a harmonic in cycles per step.
        tapers: How many; the first leak least. 0 for the usual 2 time_bandwidth - 1.
    """

    time_bandwidth: float = 4.0
    tapers: int = 0

    @property
    def used(self) -> int:
        """Number of tapers."""
        return self.tapers or max(1, int(2 * self.time_bandwidth) - 1)

    @property
    def closes(self) -> bool:
        """No: the window counts the middle more than the ends."""
        return False

    def check(self, steps: int) -> None:
        """Refuse sequences in which a harmonic would cover all frequencies, and impossible tapers."""
        if self.time_bandwidth < 1 or self.tapers < 0:
            raise InputError(
                "a time-bandwidth of at least 1 and tapers to count",
                f"{self.time_bandwidth} and {self.tapers}",
                "pass for instance Multitaper(4.0)",
                "estimator",
            )
        _at_least(steps, max(self.used, int(2 * self.time_bandwidth)) + 1)

    def lattice(self, steps: int, rate: float) -> GridModes:
        """That of a periodic axis."""
        return GridModes.of((steps,), 1 / rate, True)

    def resolution(self, steps: int) -> float:
        """2 time_bandwidth / T."""
        return 2 * self.time_bandwidth / steps

    def frequencies(self, steps: int) -> Tensor:
        """All those of the lattice, once per taper."""
        return self.lattice(steps, 1.0).frequencies(0).repeat(self.used)

    def coefficients(self, centred: Tensor) -> Tensor:
        """Complex, one set per taper."""
        import scipy.signal

        steps = centred.shape[1]
        windows = scipy.signal.windows.dpss(steps, self.time_bandwidth, self.used)
        tapers = torch.from_numpy(windows.copy()).to(centred)
        # Each taper gives one spectrum; divided by sqrt(tapers), their powers add up to the mean.
        modes = _one_sided(tapers[:, :, None] * centred[:, None], 2)
        return modes.flatten(1, 2) / math.sqrt(steps * self.used)

    @property
    def name(self) -> str:
        """For records."""
        return f"multitaper, {self.used} tapers of time-bandwidth {self.time_bandwidth:g}"


@final
@dataclass(frozen=True)
class Welch(TemporalEstimator):
    """Mean of the spectra of overlapping segments under a Hann window (Welch 1967, IEEE Trans. Audio 15).

    The coarsest and steadiest; what varies more slowly than a segment counts as frequency 0. The window weighs the
    steps, and steps after the last whole segment are not seen: power is that of the weighted mean square.

    Attributes:
        segment: Steps per segment; every next one begins half a segment later.
    """

    segment: int

    @property
    def closes(self) -> bool:
        """No: the window counts the middle more than the ends."""
        return False

    def check(self, steps: int) -> None:
        """Refuse segments below 4 steps or longer than the sequences."""
        if self.segment < 4:
            raise InputError(
                "segments of at least 4 steps", f"{self.segment}", "pass a longer one", "estimator"
            )
        _at_least(steps, self.segment)

    def lattice(self, steps: int, rate: float) -> GridModes:  # noqa: ARG002
        """That of one segment, periodic."""
        return GridModes.of((self.segment,), 1 / rate, True)

    def resolution(self, steps: int) -> float:  # noqa: ARG002
        """4 / segment, the main lobe of a Hann window."""
        return 4 / self.segment

    def frequencies(self, steps: int) -> Tensor:
        """All those of the lattice, once per segment."""
        return self.lattice(steps, 1.0).frequencies(0).repeat(self._segments(steps))

    def _segments(self, steps: int) -> int:
        return 1 + (steps - self.segment) // self._hop

    @property
    def _hop(self) -> int:
        return self.segment - self.segment // 2

    def coefficients(self, centred: Tensor) -> Tensor:
        """Complex, one set per segment."""
        import scipy.signal

        window = torch.from_numpy(scipy.signal.windows.hann(self.segment, sym=False)).to(centred)
        # Unit energy, so that white noise keeps its variance whatever the window.
        window = window / window.square().sum().sqrt()
        parts = centred.unfold(1, self.segment, self._hop).movedim(-1, 2)
        modes = _one_sided(window[:, None] * parts, 2)
        return modes.flatten(1, 2) / math.sqrt(self.segment * parts.shape[1])

    @property
    def name(self) -> str:
        """For records."""
        return f"Welch, segments of {self.segment} steps"


def _one_sided(field: Tensor, axis: int) -> Tensor:
    """Fourier sums at k >= 0; those that stand for two are grown by sqrt(2)."""
    steps = field.shape[axis]
    modes = torch.fft.rfft(field, dim=axis)
    grown = torch.ones(modes.shape[axis], dtype=field.dtype, device=field.device)
    # k and -k carry the same power; sqrt(2) on the one that is stored holds both.
    grown[1 : (steps + 1) // 2] = math.sqrt(2)
    return modes * grown.reshape([-1 if i == axis else 1 for i in range(field.ndim)])


def _at_least(steps: int, fewest: int) -> None:
    if steps < fewest:
        raise InputError(
            f"sequences of at least {fewest} steps",
            f"{steps}",
            "pass longer sequences or another estimator",
            "steps",
        )
