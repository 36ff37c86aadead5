"""Residual of a prediction, in enough precision for predictions that diverge."""

from __future__ import annotations

import torch
from torch import Tensor

LARGE = 100.0
"""Ratio of the largest prediction to the largest target above which float32 loses the target in the residual."""

LOST = 1e12
"""Ratio above which float64 keeps fewer than four digits of the target in the residual."""


def residual_of(target: Tensor, prediction: Tensor) -> Tensor:
    """Return target - prediction, in the target's type or, for predictions far larger than the target, in float64.

    When training diverges, the outputs become large and almost constant. Their difference from the target then rounds
    to a constant in float32, without any power above frequency 0, as if every band had been learned. In float64 the
    target remains in the residual. Above a ratio of 1e12 it is lost in float64 too, and the residual is NaN.

    Args:
        target: The target.
        prediction: Predictions that broadcast with the target.

    Returns:
        The residual.
    """
    residual = target - prediction.to(target.dtype)
    # Devices without float64 (Apple's GPUs) return the rounded residual.
    if target.dtype is not torch.float32 or target.device.type == "mps" or not residual.numel():
        return residual
    largest = prediction.detach().abs().amax()
    scale = target.abs().amax()
    if not bool(largest.isfinite()) or not bool(largest > LARGE * scale):
        return residual
    if bool(largest > LOST * scale) and bool(scale > 0):
        return torch.full_like(residual, torch.nan)
    return target.double() - prediction.to(target.device).double()
