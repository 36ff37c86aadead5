"""Special functions that libraries do not have."""

from __future__ import annotations

import torch
from torch import Tensor


def decay_integral(rates: Tensor, times: Tensor | float) -> Tensor:
    """Return (1 - exp(-z t)) / z, the integral of exp(-z s) over s in [0, t]; t where z t vanishes.

    Args:
        rates: z.
        times: t, of a shape that broadcasts against the rates.

    Returns:
        The integral, in the broadcast shape.

    Example:
        >>> import torch
        >>> decay_integral(torch.tensor([0.0, 1.0]), 2.0).round(decimals=4)
        tensor([2.0000, 0.8647])
    """
    exponent = rates * times
    # Below 1e-12 the relative error of t is 5e-13; dividing by rates that are 0 there would give NaN.
    small = exponent.abs() <= 1e-12
    return torch.where(small, times, -torch.expm1(-exponent) / torch.where(small, 1.0, rates))
