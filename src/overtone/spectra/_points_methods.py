"""Coefficients of scattered samples, by quadrature or by weighted least squares."""

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
    """Samples in a box, with the modes to fit.

    Attributes:
        modes: The modes to fit.
        angles: One (N,) array per axis, from `Modes.angles`.
        weights: (N,) float64 shares of the domain, which sum to 1.
    """

    modes: Modes
    angles: list[np.ndarray]
    weights: Tensor

    def project(self, values: Tensor) -> Tensor:
        """Compute sum_j w_j values_j conj(mode(x_j)) of (N, C) real values as (C, *block), zero elsewhere."""
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
        """Return the weighted least-squares method by conjugate gradients, exact for functions of the modes.

        Args:
            iterations: Maximum number of conjugate-gradient steps; a small number regularises.
            tolerance: Relative residual of the normal equations at which the iteration of a channel stops.

        Raises:
            InputError: If the number of steps is below 1 or the tolerance is not within (0, 1).
        """
        return LeastSquares(iterations, tolerance)

    @staticmethod
    def quadrature() -> PointsMethod:
        """Return the quadrature method, a single non-uniform transform for many or nearly regular samples."""
        return Quadrature()

    @abstractmethod
    def coefficients(self, sampling: Sampling, values: Tensor) -> Tensor:
        """Return the (mode, C) complex128 coefficients of (N, C) float64 values.

        Args:
            sampling: Coordinates and weights of the samples, and the modes to fit.
            values: Real values on the CPU.
        """

    @abstractmethod
    def top_frequency(self, requested: float, supported: float) -> float:
        """Return the highest frequency to fit for bands up to `requested`, in cycles per unit."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the method in records."""


@final
@dataclass(frozen=True)
class Quadrature(PointsMethod):
    """Quadrature c_k = sum_j w_j y_j exp(-2 pi i f_k x_j), a single non-uniform transform.

    The weighted sum approximates the Fourier integral. The method assumes that samples are dense relative to
    the wavelengths. Modes are not orthogonal on N random points, so each receives about 1/N of the total
    power: a floor that decreases only with N. Prefer `LeastSquares` unless the samples are many or nearly
    regular.
    """

    def coefficients(self, sampling: Sampling, values: Tensor) -> Tensor:
        """Return the weighted sums by one transform of type 1."""
        return sampling.project(values)[:, sampling.modes.mask].T

    def top_frequency(self, requested: float, supported: float) -> float:
        """Return the requested frequency, because each sum is independent of the others."""
        del supported
        return requested

    @property
    def name(self) -> str:
        """Name of the method in records."""
        return "quadrature"


@final
@dataclass(frozen=True)
class LeastSquares(PointsMethod):
    """Minimiser of sum_j w_j |y_j - sum_k c_k exp(2 pi i f_k x_j)|^2, by conjugate gradients.

    The weights prevent clusters of samples from slowing the iteration. The normal matrix is Toeplitz and
    applied by two FFTs (Feichtinger, Groechenig, Strohmer 1995, Efficient numerical methods in non-uniform
    sampling theory). The result is exact for a function of the modes. Noise, and power beyond the modes, adds
    at least its variance over N to each mode, and several times as much where random samples leave gaps (see
    `PointsTransform.noise_power`). Fewer iterations reduce this error and lose part of the signal.

    Attributes:
        iterations: Maximum number of conjugate-gradient steps; a small number regularises.
        tolerance: Relative residual of the normal equations at which the iteration of a channel stops.

    Raises:
        InputError: If the number of steps is below 1 or the tolerance is not within (0, 1).
    """

    iterations: int = 1000
    tolerance: float = 1e-10

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise InputError("at least one iteration", f"{self.iterations}", "pass a positive number")
        if not 0 < self.tolerance < 1:
            raise InputError("a tolerance in (0, 1)", f"{self.tolerance}", "pass for instance 1e-10")

    def coefficients(self, sampling: Sampling, values: Tensor) -> Tensor:
        """Return the minimiser, with one conjugate-gradient iteration for all channels."""
        modes = sampling.modes
        normal = _Normal(sampling)
        # Values are scaled to 1, so that the squared residuals of tiny values do not underflow.
        largest = values.abs().amax(0)
        scale = torch.where(largest > 0, largest, 1.0)
        residual = sampling.project(values / scale)
        solution, direction = torch.zeros_like(residual), residual.clone()
        size = _square(residual)
        threshold = self.tolerance**2 * size
        for _ in range(self.iterations):
            # All channels share the transforms; converged channels take steps of 0.
            active = size > threshold
            if not bool(active.any()):
                break
            # Standard conjugate gradients on the normal equations (Hestenes, Stiefel 1952).
            image = normal(direction)
            curvature = (direction.conj() * image).real.flatten(1).sum(1)
            # A direction without curvature is not determined by the samples and gets a step of 0.
            step = _column(torch.where(active & (curvature > 0), size / curvature, 0.0), residual)
            solution += step * direction
            residual -= step * image
            next_size = _square(residual)
            ratio = _column(torch.where(active, next_size / size, 0.0), residual)
            direction = residual + ratio * direction
            size = torch.where(active, next_size, size)
        return solution[:, modes.mask].T * scale

    def top_frequency(self, requested: float, supported: float) -> float:
        """Return at least the supported frequency: modes beyond the bands are fitted to avoid aliasing."""
        return max(requested, supported)

    @property
    def name(self) -> str:
        """Name of the method in records."""
        return "least squares"


class _Normal:
    """Weighted normal matrix of the modes, applied as a convolution with the transform of the weights."""

    def __init__(self, sampling: Sampling) -> None:
        import scipy.fft

        self._modes = sampling.modes
        sides = self._modes.sides
        # The normal matrix is Toeplitz: its entries are the transform of the weights at differences k - l,
        # which extend to 2 `sides`.
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
        convolved = torch.fft.ifftn(spectrum * self._symbol, dim=self._axes)[self._window]
        return self._modes.even(convolved) * self._modes.mask


def _square(block: Tensor) -> Tensor:
    return torch.view_as_real(block).square().flatten(1).sum(1)


def _column(numbers: Tensor, block: Tensor) -> Tensor:
    return numbers.reshape(-1, *[1] * (block.ndim - 1))
