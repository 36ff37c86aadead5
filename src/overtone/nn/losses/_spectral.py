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
    """What losses use of an orthonormal transform on a grid: `spectra.GridTransform` is one, a graph's can be another.

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
        """Values (*shape, C) to orthonormal coefficients (*stored, C), which gradients pass."""


class SpectralLoss(nn.Module, ABC):
    """sum_k w_k |r_k|^2 / (N C) over the orthonormal coefficients r_k of the residual; w = 1 is the mean square.

    N samples, C channels. Every sample of the grid is needed at once: a minibatch of coordinates has no
    coefficients. Each loss says how its weights are normalised, so that it is not merely a heavier or lighter
    mean square. Gradients reach the prediction through |r_k|^2 alone; weights are constants to them. A
    residual that is not finite gives a loss that is not finite.

    Args:
        basis: The grid's transform, for instance `spectra.GridTransform(shape, spacing, periodic)`; it decides
            how borders are continued, and which unit frequencies have.
    """

    modes: Tensor
    frequency: Tensor

    def __init__(self, basis: GridBasis) -> None:
        super().__init__()
        self.basis = basis
        self.register_buffer("modes", basis.mode_count, persistent=False)
        self.register_buffer("frequency", basis.mode_frequency, persistent=False)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The loss.

        Args:
            prediction: (*shape, C) or (N, C), row-major over the grid.
            target: The same.

        Returns:
            A scalar in squared units of the values.

        Raises:
            InputError: If the two differ in shape or do not hold every sample of the grid.
        """
        shape = self.basis.shape
        samples = math.prod(shape)
        whole = prediction.ndim >= 1 and prediction.numel() == samples * prediction.shape[-1]
        laid_out = tuple(prediction.shape[:-1]) in (tuple(shape), (samples,))
        if prediction.shape != target.shape or not whole or not laid_out or prediction.shape[-1] == 0:
            raise InputError(
                f"a prediction and a target of shape {(*shape, 'C')} or {(samples, 'C')}",
                f"{tuple(prediction.shape)} and {tuple(target.shape)}",
                "pass the whole grid: a minibatch of its samples has no spectrum",
                type(self).__name__,
            )
        residual = (prediction - target).reshape(*shape, -1)
        if not bool(residual.detach().mean().isfinite()):
            return residual.square().mean()
        coefficients = self.basis.coefficients(residual)
        square = coefficients.real**2 + coefficients.imag**2 if coefficients.is_complex() else coefficients**2
        power = square * (self.modes.unsqueeze(-1) / residual.numel()).to(square.dtype)
        weights = self.weights(power.detach().double())
        return (weights.to(power.dtype) * power).sum()

    @abstractmethod
    def weights(self, power: Tensor) -> Tensor:
        """The weight of each mode.

        Args:
            power: (*stored, C) float64 share of each coefficient in the mean square of the present residual.

        Returns:
            What multiplies it, broadcastable to it.
        """


def white(weights: Tensor, modes: Tensor) -> Tensor:
    """Weights (*stored,) or (*stored, C) scaled so that a white residual has its mean square as loss.

    sum_k m_k w_k = N C, m_k the modes per coefficient.
    """
    counted = modes if weights.ndim == modes.ndim else modes.unsqueeze(-1).expand(weights.shape)
    return weights * (counted.sum() / (counted * weights).sum())


def present(weights: Tensor, power: Tensor) -> Tensor:
    """Weights scaled so that the present residual has its mean square as loss, or ones if they are all zero."""
    total = (weights * power).sum()
    ones = torch.ones_like(weights)
    safe = torch.where(total > 0, total, torch.ones_like(total))
    return torch.where(total > 0, weights * (power.sum() / safe), ones)


@final
class FocalFrequency(SpectralLoss):
    """Each mode weighs as the present amplitude of its residual, w_k ~ |r_k|^alpha; the weights are constants.

    Modes with a large error are asked for more (Jiang et al. 2021, "Focal frequency loss for image
    reconstruction and synthesis", section 3.3). There the weights are divided by their largest; here they are
    scaled so that the loss of the present residual is its mean square. So the value is that of the mean square
    at every step, and only the gradient differs: its share of each mode, and not the loss, is what is chosen.

    Args:
        basis: The grid's transform.
        alpha: The exponent; 1 in the paper.

    Raises:
        InputError: If alpha is not positive and finite.
    """

    def __init__(self, basis: GridBasis, alpha: float = 1.0) -> None:
        super().__init__(basis)
        self.alpha = positive(alpha, "alpha")

    def weights(self, power: Tensor) -> Tensor:
        """(*stored, C), each mode's amplitude to the power alpha, relative to the largest before scaling."""
        square = power / self.modes.unsqueeze(-1)
        top = square.amax().clamp(min=1e-300)
        return present((square / top) ** (self.alpha / 2), power)


@final
class Sobolev(SpectralLoss):
    """The squared H^s norm of the residual, w(f) ~ (1 + (f / f0)^2)^s, with a mean weight of 1 over the modes.

    s > 0 asks for high frequencies first, s < 0 for low ones; s = 0 is the mean square (Yu et al. 2023,
    "Tuning frequency bias in neural network training with nonuniform training data", section 4). White: a
    residual of equal power at all modes has its mean square as loss.

    Args:
        basis: The grid's transform.
        s: The order, of either sign.
        unit: f0, the frequency that counts as 1, in cycles per unit of the coordinate; one cycle along the
            longest side unless given, which makes f / f0 the harmonic's number on a periodic grid.

    Raises:
        InputError: If the order is not finite, or the unit not positive.
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
        weight = white((growth - growth.max()).exp(), self.modes)
        self.register_buffer("weight", weight.unsqueeze(-1), persistent=False)

    def weights(self, power: Tensor) -> Tensor:
        """(*stored, 1), always the same."""
        return self.weight.to(power)
