"""Coefficients of scattered samples: by quadrature, or by least squares with adaptive weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._points_modes import Modes, adjoint


@final
@dataclass(frozen=True)
class Sampling:
    """Samples in a box with their modes.

    Attributes:
        modes: The modes sought.
        angles: (N,) per axis, from `Modes.angles`.
        weights: (N,) float64 shares of the domain, which sum to 1.
    """

    modes: Modes
    angles: list[np.ndarray]
    weights: Tensor

    def project(self, values: Tensor) -> Tensor:
        """sum_j w_j values_j conj(mode(x_j)): (N, C) real values to (C, *block), zero beside the modes."""
        strengths = (self.weights * values.T).to(torch.complex128)
        block = self.modes.even(adjoint(self.angles, strengths, self.modes.sides))
        return block * self.modes.mask


class PointsMethod(ABC):
    """Method that computes coefficients from values at scattered samples.

    Example:
        >>> from overtone import spectra
        >>> places, values = [0.125, 0.375, 0.625, 0.875], [1.0, -1, 1, -1]
        >>> method = spectra.PointsMethod.quadrature()
        >>> spectrum = spectra.points(places, values, bands=[0, 0.5, 1.5], domain=(0, 1), method=method)
        >>> spectrum.estimator
        'points, quadrature: periodic'
    """

    @staticmethod
    def least_squares(iterations: int = 1000, tolerance: float = 1e-10) -> PointsMethod:
        """The coefficients of least weighted squared error, by conjugate gradients: exact for the modes' functions.

        Args:
            iterations: Maximum of conjugate-gradient steps; fewer regularise.
            tolerance: Stops a channel when the residual of its normal equations has fallen by this factor.

        Raises:
            InputError: If there is no step or the tolerance is not within (0, 1).
        """
        return LeastSquares(iterations, tolerance)

    @staticmethod
    def quadrature() -> PointsMethod:
        """Weighted sums in one non-uniform transform: for many or nearly regular samples."""
        return Quadrature()

    @abstractmethod
    def coefficients(self, sampling: Sampling, values: Tensor) -> Tensor:
        """(mode, C) complex128 coefficients of (N, C) float64 values.

        Args:
            sampling: Where the samples lie, their weights and the modes sought.
            values: Real values on the processor.
        """

    @abstractmethod
    def top_frequency(self, requested: float, supported: float) -> float:
        """Highest frequency to fit for bands up to `requested`, in cycles per unit."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in records."""


@final
@dataclass(frozen=True)
class Quadrature(PointsMethod):
    """c_k = sum_j w_j y_j exp(-2 pi i f_k x_j): one non-uniform transform, the weights standing for the integral.

    Assumes samples dense beside the wavelengths. On N random places the modes are not orthogonal, and each
    receives about 1/N of all power whatever its own: a floor that falls with N only. Take `LeastSquares`
    unless the samples are many or nearly regular.
    """

    def coefficients(self, sampling: Sampling, values: Tensor) -> Tensor:
        """The weighted sums, in one transform of type 1."""
        return sampling.project(values)[:, sampling.modes.mask].T

    def top_frequency(self, requested: float, supported: float) -> float:
        """The requested frequency: each sum is independent of the others."""
        del supported
        return requested

    @property
    def name(self) -> str:
        """Name in records."""
        return "quadrature"


@final
@dataclass(frozen=True)
class LeastSquares(PointsMethod):
    """The coefficients that minimise sum_j w_j |y_j - sum_k c_k exp(2 pi i f_k x_j)|^2, by conjugate gradients.

    The weights keep clusters from slowing the iteration; the normal matrix is Toeplitz and applied by two FFTs
    (Feichtinger, Groechenig, Strohmer 1995, Efficient numerical methods in non-uniform sampling theory). Exact
    for a function of the modes. Noise, and what lies beyond the modes, adds at least its variance over N to each
    mode and several times that where random samples leave gaps (`PointsTransform.noise_power` computes how much);
    fewer iterations damp that and lose some of the signal.

    Attributes:
        iterations: Most steps of conjugate gradients; fewer regularise.
        tolerance: Stops a channel when the residual of its normal equations has fallen by this factor.

    Raises:
        InputError: If there is no step or the tolerance is not within (0, 1).
    """

    iterations: int = 1000
    tolerance: float = 1e-10

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise InputError("at least one iteration", f"{self.iterations}", "pass a positive number")
        if not 0 < self.tolerance < 1:
            raise InputError("a tolerance in (0, 1)", f"{self.tolerance}", "pass for instance 1e-10")

    def coefficients(self, sampling: Sampling, values: Tensor) -> Tensor:
        """The minimiser, one conjugate-gradient iteration for all channels at once."""
        modes = sampling.modes
        normal = _Normal(sampling)
        # Scaled to 1, so that squared residuals of tiny values do not underflow.
        largest = values.abs().amax(0)
        scale = torch.where(largest > 0, largest, 1.0)
        residual = sampling.project(values / scale)
        solution, direction = torch.zeros_like(residual), residual.clone()
        size = _square(residual)
        enough = self.tolerance**2 * size
        for _ in range(self.iterations):
            # All channels share the transforms; those that have converged take steps of 0.
            active = size > enough
            if not bool(active.any()):
                break
            # Standard conjugate gradients on the normal equations (Hestenes, Stiefel 1952).
            moved = normal(direction)
            curvature = (direction.conj() * moved).real.flatten(1).sum(1)
            # A direction of no curvature is beyond what the samples determine, and is left.
            step = _column(torch.where(active & (curvature > 0), size / curvature, 0.0), residual)
            solution += step * direction
            residual -= step * moved
            smaller = _square(residual)
            ratio = _column(torch.where(active, smaller / size, 0.0), residual)
            direction = residual + ratio * direction
            size = torch.where(active, smaller, size)
        return solution[:, modes.mask].T * scale

    def top_frequency(self, requested: float, supported: float) -> float:
        """At least the supported frequency, so that power beyond the bands is not taken for part of them."""
        return max(requested, supported)

    @property
    def name(self) -> str:
        """Name in records."""
        return "least squares"


class _Normal:
    """The weighted normal matrix of the modes, applied as a convolution with the transform of the weights."""

    def __init__(self, sampling: Sampling) -> None:
        import scipy.fft

        self._modes = sampling.modes
        sides = self._modes.sides
        # The normal matrix depends on differences k - l only: its entries are the weights transformed at 2
        # sides.
        lags = adjoint(
            sampling.angles, sampling.weights[None].to(torch.complex128), tuple(2 * m for m in sides)
        )
        # Padded to 4 m + 1, so that the circular convolution does not wrap into the window.
        self._shape = tuple(scipy.fft.next_fast_len(4 * m + 1) for m in sides)
        self._axes = tuple(range(1, 1 + len(sides)))
        padded = lags.new_zeros(1, *self._shape)
        padded[(slice(None), *(slice(4 * m + 1) for m in sides))] = lags
        shift = tuple(-2 * m for m in sides)
        self._symbol = torch.fft.fftn(padded.roll(shift, self._axes), dim=self._axes)
        self._window = (slice(None), *(slice(2 * m + 1) for m in sides))

    def __call__(self, block: Tensor) -> Tensor:
        spectrum = torch.fft.fftn(block, s=self._shape, dim=self._axes)
        around = torch.fft.ifftn(spectrum * self._symbol, dim=self._axes)[self._window]
        return self._modes.even(around) * self._modes.mask


def _square(block: Tensor) -> Tensor:
    return torch.view_as_real(block).square().flatten(1).sum(1)


def _column(numbers: Tensor, block: Tensor) -> Tensor:
    return numbers.reshape(-1, *[1] * (block.ndim - 1))
