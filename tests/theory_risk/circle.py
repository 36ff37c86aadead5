"""The kernel of an infinitely wide one-hidden-layer ReLU network on equally spaced points of the circle."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def relu_kernel_row(n: int, bias: float = 0.1) -> Tensor:
    """First row (n,) float64 of the circulant neural tangent kernel, weight variance 2, biases `bias`."""
    angle = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    first = angle.cos() + bias
    top = 1 + bias
    ratio = (first / top).clamp(-1, 1)
    t = torch.atan2((1 - ratio.square()).clamp(min=0).sqrt(), ratio)
    hidden = 2 * top * (t.sin() + (math.pi - t) * t.cos()) / (2 * math.pi) + bias
    slope = 2 * (math.pi - t) / (2 * math.pi)
    return hidden + first * slope


def relu_kernel(n: int, bias: float = 0.1) -> Tensor:
    """The whole (n, n) matrix."""
    row = relu_kernel_row(n, bias)
    index = (torch.arange(n)[:, None] - torch.arange(n)[None]) % n
    return row[index]
