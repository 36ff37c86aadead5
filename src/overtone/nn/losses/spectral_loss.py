"""What losses that weigh frequencies share: the power of the residual per mode, and how it is summed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn.losses.basis import Basis, multiplicity, radial


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

    def __init__(self, basis: Basis) -> None:
        super().__init__()
        self.basis = basis
        self.register_buffer("modes", multiplicity(basis.lattice), persistent=False)
        self.register_buffer("frequency", radial(basis.lattice), persistent=False)

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
        shape = self.basis.lattice.shape
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
