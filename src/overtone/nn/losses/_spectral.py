"""Losses on the coefficients of a transform: focal frequency and Sobolev."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Protocol, final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.units._frequency import positive


class GridBasis(Protocol):
    """Interface of orthonormal transforms that the losses use, such as `spectra.GridTransform`.

    It is a protocol because `nn` and `spectra` do not import each other.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples per axis."""

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance of neighbours per axis, in units of the coordinate."""

    @property
    def modes(self) -> Tensor:
        """(band,) number of modes per band."""

    @property
    def mode_frequency(self) -> Tensor:
        """(*stored,) float64 frequency of each coefficient, in cycles per unit."""

    @property
    def mode_count(self) -> Tensor:
        """(*stored,) float64 number of real modes per coefficient."""

    @property
    def mode_band(self) -> Tensor:
        """(*stored,) int64 band of each coefficient."""

    def coefficients(self, values: Tensor) -> Tensor:
        """Return the orthonormal coefficients (*stored, C) of values (*shape, C), differentiably."""


class SpectralLoss(nn.Module, ABC):
    """Base class of weighted mean squares in the frequency domain, sum_k w_k |r_k|^2 / (N C).

    r_k are the orthonormal coefficients of the residual of N samples and C channels; w = 1 is the mean square. All
    samples of the grid are needed at once, since a minibatch of coordinates has no coefficients. Each loss normalises
    its weights, so that it is not merely a multiple of the mean square. Gradients flow through |r_k|^2 only; weights
    are constants. The loss of a residual that is not finite is not finite.

    Args:
        basis: The grid's transform, for instance `spectra.GridTransform(shape, spacing, periodic)`; it sets the
            extension at the borders and the unit of frequencies.

    Example:
        >>> import torch
        >>> from overtone import nn, spectra
        >>> class MeanSquare(nn.losses.SpectralLoss):
        ...     def weights(self, power):
        ...         return torch.ones_like(power)
        >>> loss = MeanSquare(spectra.GridTransform((4, 4)))
        >>> round(loss(torch.full((16, 1), 2.0), torch.zeros(16, 1)).item(), 6)
        4.0
    """

    modes: Tensor
    frequency: Tensor

    def __init__(self, basis: GridBasis) -> None:
        super().__init__()
        self.basis = basis
        self.register_buffer("modes", basis.mode_count, persistent=False)
        self.register_buffer("frequency", basis.mode_frequency, persistent=False)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of a prediction.

        Args:
            prediction: (*shape, C) or (N, C), row-major over the grid.
            target: Values of the same shape.

        Returns:
            A scalar in squared units of the values.

        Raises:
            InputError: If the shapes differ or do not contain every sample of the grid.
        """
        shape = self.basis.shape
        samples = math.prod(shape)
        is_whole_grid = prediction.ndim >= 1 and prediction.numel() == samples * prediction.shape[-1]
        shape_matches = tuple(prediction.shape[:-1]) in (tuple(shape), (samples,))
        if (
            prediction.shape != target.shape
            or not is_whole_grid
            or not shape_matches
            or prediction.shape[-1] == 0
        ):
            raise InputError(
                f"a prediction and a target of shape {(*shape, 'C')} or {(samples, 'C')}",
                f"{tuple(prediction.shape)} and {tuple(target.shape)}",
                "pass the whole grid: a minibatch of its samples has no spectrum",
                type(self).__name__,
            )
        residual = (prediction - target).reshape(*shape, -1)
        if not bool(residual.detach().mean().isfinite()):
            # The normalisation of the weights need not preserve NaN or infinity; the plain mean square does.
            return residual.square().mean()
        coefficients = self.basis.coefficients(residual)
        square = coefficients.real**2 + coefficients.imag**2 if coefficients.is_complex() else coefficients**2
        # Parseval: these shares of the modes sum to the mean square of the residual.
        power = square * (self.modes.unsqueeze(-1) / residual.numel()).to(square.dtype)
        weights = self.weights(power.detach().double())
        return (weights.to(power.dtype) * power).sum()

    @abstractmethod
    def weights(self, power: Tensor) -> Tensor:
        """Return the weight of each mode.

        Args:
            power: (*stored, C) float64 share of each coefficient in the mean square of the current residual.

        Returns:
            The weights, broadcastable to `power`.
        """


def scale_to_white(weights: Tensor, modes: Tensor) -> Tensor:
    """Scale weights (*stored,) or (*stored, C) so that the loss of a white residual is its mean square.

    sum_k m_k w_k = N C, m_k the modes per coefficient.
    """
    mode_counts = modes if weights.ndim == modes.ndim else modes.unsqueeze(-1).expand(weights.shape)
    return weights * (mode_counts.sum() / (mode_counts * weights).sum())


def scale_to_residual(weights: Tensor, power: Tensor) -> Tensor:
    """Scale weights so that the loss of the current residual is its mean square; return ones if all are zero."""
    total = (weights * power).sum()
    ones = torch.ones_like(weights)
    divisor = torch.where(total > 0, total, torch.ones_like(total))
    return torch.where(total > 0, weights * (power.sum() / divisor), ones)


@final
class FocalFrequency(SpectralLoss):
    """The focal frequency loss: the weight of a mode is a power of its current error, w_k ~ |r_k|^alpha.

    Modes with a large error have more weight (Jiang et al. 2021, "Focal frequency loss for image reconstruction and
    synthesis", section 3.3). The paper divides the weights by their largest; here they are scaled so that the loss of
    the current residual is its mean square. The value is thus that of the mean square at every step, and only the
    distribution of the gradient over the modes differs.

    Args:
        basis: The grid's transform.
        alpha: The exponent; 1 in the paper.

    Raises:
        InputError: If alpha is not positive and finite.

    Example:
        >>> import torch
        >>> from overtone import nn, spectra
        >>> loss = nn.losses.FocalFrequency(spectra.GridTransform((8, 8), periodic=True))
        >>> round(loss(torch.ones(8, 8, 1), torch.zeros(8, 8, 1)).item(), 6)
        1.0
    """

    def __init__(self, basis: GridBasis, alpha: float = 1.0) -> None:
        super().__init__(basis)
        self.alpha = positive(alpha, "alpha")

    def weights(self, power: Tensor) -> Tensor:
        """Return the amplitude of each mode to the power alpha, (*stored, C), scaled."""
        square = power / self.modes.unsqueeze(-1)
        # Relative to the largest, so that a power of tiny amplitudes does not underflow.
        largest = square.amax().clamp(min=1e-300)
        return scale_to_residual((square / largest) ** (self.alpha / 2), power)


@final
class Sobolev(SpectralLoss):
    """The squared Sobolev norm H^s of the residual, w(f) ~ (1 + (f / f0)^2)^s.

    s > 0 emphasises high frequencies, s < 0 low ones; s = 0 is the mean square (Yu et al. 2023, "Tuning frequency bias
    in neural network training with nonuniform training data", section 4). The weights are scaled to a mean of 1 over
    the modes, so that the loss of a white residual is its mean square.

    Args:
        basis: The grid's transform.
        s: The order, of either sign.
        unit: f0, the unit of frequency, in cycles per unit of the coordinate; by default one cycle along the longest
            side, so that f / f0 is the number of the harmonic on a periodic grid.

    Raises:
        InputError: If the order is not finite, or the unit not positive.

    Example:
        >>> import torch
        >>> from overtone import nn, spectra
        >>> loss = nn.losses.Sobolev(spectra.GridTransform((16,), periodic=True), s=1.0)
        >>> x = torch.arange(16)[:, None] / 16
        >>> low, high = (torch.cos(2 * torch.pi * f * x) for f in (1, 6))
        >>> (loss(high, torch.zeros(16, 1)) > 10 * loss(low, torch.zeros(16, 1))).item()
        True
    """

    weight: Tensor

    def __init__(self, basis: GridBasis, s: float, unit: float | None = None) -> None:
        super().__init__(basis)
        if not math.isfinite(s):
            raise InputError("a finite order", f"{s}", "pass a number such as 1 or -1", "s")
        self.s = float(s)
        longest = max(n * d for n, d in zip(basis.shape, basis.spacing, strict=True))
        self.unit = 1 / longest if unit is None else positive(unit, "unit")
        growth = (self.s * (1 + (self.frequency / self.unit).square()).log()).double()
        # Logarithms, less their largest: a high order would overflow before the weights are normalised.
        weight = scale_to_white((growth - growth.max()).exp(), self.modes)
        self.register_buffer("weight", weight.unsqueeze(-1), persistent=False)

    def weights(self, power: Tensor) -> Tensor:
        """Return the fixed weights (*stored, 1)."""
        return self.weight.to(power)
