"""Residual of a prediction, in enough precision for predictions that diverge."""

from __future__ import annotations

import torch
from torch import Tensor

LARGE = 100.0
"""Ratio of the largest prediction to the largest target above which float32 loses the target in the residual."""

DIGITS = 1e-4
"""Relative rounding error of the residual's variation above which it is undetermined."""


def residual_of(target: Tensor, prediction: Tensor) -> Tensor:
    """Return target - prediction, in the target's type or, for predictions far larger than the target, in float64.

    When training diverges, the outputs become large and almost constant. Their difference from the target then rounds
    to a constant in float32, without any power above frequency 0, as if every band had been learned. In float64 the
    target remains in the residual. Where a constant output is so large that float64 loses the target too, the residual
    is NaN.

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
    wide = prediction.to(target.device).double()
    variation = torch.maximum((wide - wide.mean()).abs().amax(), scale.double())
    if bool(torch.finfo(torch.float64).eps * largest.double() > DIGITS * variation):
        return torch.full_like(residual, torch.nan)
    return target.double() - wide
