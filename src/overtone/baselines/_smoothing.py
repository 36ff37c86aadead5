"""Smoothing with a cutoff selected on a validation split: a band-limited fit and a smoothing spline."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, final

import numpy as np

from overtone.baselines._baseline import Baseline, validation_split


@final
class CosineBasis:
    """Orthonormal basis of a grid: Fourier modes along periodic axes, cosines along non-periodic axes.

    Args:
        shape: Samples per axis.
        periodic: Whether each axis wraps around.

    Attributes:
        frequency: Array of |f| per axis in cycles per sample, in a shape that broadcasts with the
            coefficients.
    """

    def __init__(self, shape: tuple[int, ...], periodic: tuple[bool, ...]) -> None:
        import scipy.fft

        self._around = [axis for axis, p in enumerate(periodic) if p]
        self._open = [axis for axis, p in enumerate(periodic) if not p]
        self.frequency = []
        for axis, (n, around) in enumerate(zip(shape, periodic, strict=True)):
            f = np.abs(scipy.fft.fftfreq(n)) if around else np.arange(n) / (2 * n)
            self.frequency.append(f.reshape([-1 if a == axis else 1 for a in range(len(shape))]))

    def filtered(self, field: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """Multiply the coefficients of a (*shape, C) field by the (*shape) gain, which is even in frequency."""
        import scipy.fft

        c = scipy.fft.dctn(field, axes=self._open, norm="ortho") if self._open else field
        c = scipy.fft.fftn(c, axes=self._around) if self._around else c
        c = c * gain[..., None]
        c = scipy.fft.ifftn(c, axes=self._around).real if self._around else c
        return scipy.fft.idctn(c, axes=self._open, norm="ortho") if self._open else c


Operator = Callable[[np.ndarray], np.ndarray]


def conjugate_gradients(
    product: Operator,
    right: np.ndarray,
    start: np.ndarray,
    precondition: Operator = np.asarray,
    *,
    tolerance: float,
    max_iterations: int = 80,
) -> np.ndarray:
    """Solve A x = b for a symmetric positive semidefinite A, per channel (last axis).

    The iteration stops when the relative residual |r|_P / |b|_P of every channel, with P the preconditioner,
    is below the tolerance.

    Args:
        product: Function from x to A x, of shapes (..., C).
        right: Right-hand side b.
        start: Initial guess.
        precondition: Function from r to P r with P an approximation of A^-1.
        tolerance: Tolerance of the relative residual.
        max_iterations: Upper bound on the number of products.

    Returns:
        The solution x.

    Source:
        Hestenes and Stiefel 1952, J. Res. Natl. Bur. Stand. 49, section 3.
    """
    axes = tuple(range(right.ndim - 1))
    x, residual = start.copy(), right - product(start)
    direction = preconditioned = precondition(residual)
    # One system per channel, solved together: all scalars of the method are vectors over the channels.
    norm = (residual * preconditioned).sum(axes)
    threshold = tolerance**2 * (right * precondition(right)).sum(axes)
    for _ in range(max_iterations):
        if not (norm > threshold).any():
            break
        image = product(direction)
        curvature = (direction * image).sum(axes)
        # A converged channel has no curvature; its step is 0 while the iteration of the others continues.
        step = np.where(curvature > 0, norm / np.where(curvature > 0, curvature, 1.0), 0.0)
        x, residual = x + step * direction, residual - step * image
        preconditioned = precondition(residual)
        previous, norm = norm, (residual * preconditioned).sum(axes)
        direction = (
            preconditioned
            + np.where(previous > 0, norm / np.where(previous > 0, previous, 1.0), 0.0) * direction
        )
    return x


ROUGH, FINE = 1e-3, 1e-5
"""Tolerances during the search of the cutoff, and of the prediction."""


class CutoffSearch(Baseline):
    """Base class of baselines with a cutoff that is selected on a validation split of one tenth.

    Cutoffs are tested from the smoothest to the roughest until the validation error has increased twice in
    succession. The prediction uses all samples.

    Args:
        seed: Seed of the validation split.
    """

    CUTOFFS: ClassVar[tuple[float, ...]]

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def fill(self, values: np.ndarray, present: np.ndarray, periodic: tuple[bool, ...]) -> np.ndarray:
        """See `Baseline.fill`."""
        waves = CosineBasis(present.shape, periodic)
        mean = values[present].mean(0)
        target = np.where(present[..., None], values - mean, 0.0)
        validation = validation_split(present, self._seed)
        train = present & ~validation
        # Each solution is the initial guess for the next, rougher cutoff, which saves most of its iterations.
        field, errors = np.zeros_like(target), []
        for cut in self.CUTOFFS:
            field = self.solve(waves, np.where(train[..., None], target, 0.0), train, cut, field, ROUGH)
            errors.append(float(np.square(field[validation] - target[validation]).mean()))
            if len(errors) > 2 and errors[-1] > errors[-2] > errors[-3]:
                break
        best = self.CUTOFFS[int(np.argmin(errors))]
        return self.solve(waves, target, present, best, np.zeros_like(target), FINE) + mean

    @abstractmethod
    def solve(
        self,
        waves: CosineBasis,
        target: np.ndarray,
        present: np.ndarray,
        cut: float,
        start: np.ndarray,
        tolerance: float,
    ) -> np.ndarray:
        """Predict with one cutoff.

        Args:
            waves: Basis of the grid.
            target: (*shape, C) values, 0 where absent.
            present: (*shape) bool, True for present samples.
            cut: Cutoff frequency in cycles per sample.
            start: Initial guess.
            tolerance: Relative tolerance of the solution.
        """


@final
class BandLimitedFit(CutoffSearch):
    """Least-squares fit of all modes (cosines on non-periodic axes) below a cutoff along each axis.

    It minimises |M (f - y)|^2 over f = P f, with M the mask of training samples and P the projection on the
    band, by conjugate gradients on P M P f = P M y. The cutoff, from 1/32 to 3/8 cycles per sample, is
    selected on a validation split.

    Source:
        Feichtinger, Groechenig, Strohmer 1995, "Efficient numerical methods in non-uniform sampling theory", Numer.
        Math. 69, section 4.

    Example:
        >>> from overtone import baselines, signals
        >>> signal = signals.synthetic.harmonics([2], samples=64)
        >>> split = signal.with_held_out(signals.masks.random(signal.geometry, 0.5))
        >>> error = baselines.BandLimitedFit().predict(split) - signal.values
        >>> bool(error.abs().max() < 0.01)
        True
    """

    CUTOFFS: ClassVar[tuple[float, ...]] = (1 / 32, 1 / 20, 1 / 14, 1 / 10, 1 / 7, 1 / 5, 1 / 4, 3 / 8)

    def solve(
        self,
        waves: CosineBasis,
        target: np.ndarray,
        present: np.ndarray,
        cut: float,
        start: np.ndarray,
        tolerance: float,
    ) -> np.ndarray:
        """See `CutoffSearch.solve`."""
        band = np.ones(present.shape)
        for f in waves.frequency:
            band = band * (f < cut)
        mask = present[..., None]
        return conjugate_gradients(
            lambda field: waves.filtered(mask * field, band),
            waves.filtered(target, band),
            waves.filtered(start, band),
            tolerance=tolerance,
        )


@final
class Smoothing(CutoffSearch):
    """Smoothing spline: minimises |M (f - y)|^2 + |D f|^2 with D = (2 pi |k|)^2 / (2 pi cut)^2 in the wave basis.

    This is a thin-plate smoothing spline (cubic on a line). Frequencies above the cutoff are smoothed; it is
    selected on a validation split from 1/64 cycles per sample, which blurs, to 2, which interpolates. The
    solver is conjugate gradients, preconditioned by the solution for a mask of constant density.

    Source:
        Garcia 2010, "Robust smoothing of gridded data in one and higher dimensions with missing values", Comput. Stat.
        Data Anal. 54, equations 6 and 13; the cutoff here is selected by validation.

    Example:
        >>> from overtone import baselines, signals
        >>> clean = signals.synthetic.harmonics([2], samples=128)
        >>> noisy = signals.synthetic.add_noise(clean, std=0.3)
        >>> error = baselines.Smoothing().predict(noisy) - clean.values
        >>> bool(error.square().mean() < 0.3**2 / 4)
        True
    """

    CUTOFFS: ClassVar[tuple[float, ...]] = (
        1 / 64,
        1 / 40,
        1 / 24,
        1 / 16,
        1 / 10,
        1 / 6,
        1 / 4,
        1 / 2,
        1.0,
        2.0,
    )

    def solve(
        self,
        waves: CosineBasis,
        target: np.ndarray,
        present: np.ndarray,
        cut: float,
        start: np.ndarray,
        tolerance: float,
    ) -> np.ndarray:
        """See `CutoffSearch.solve`."""
        squared = np.zeros(present.shape)
        for f in waves.frequency:
            squared = squared + np.square(2 * math.pi * f)
        penalty = np.square(squared / (2 * math.pi * cut) ** 2)
        # Under a mask of constant density p the operator is p + penalty, diagonal in the basis; its inverse
        # is the preconditioner.
        mask, near = present[..., None], 1 / (present.mean() + penalty)
        return conjugate_gradients(
            lambda field: mask * field + waves.filtered(field, penalty),
            target,
            start,
            lambda field: waves.filtered(field, near),
            tolerance=tolerance,
        )
