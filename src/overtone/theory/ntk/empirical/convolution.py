"""A convolution as a matrix applied to patches, in one, two and three dimensions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def _padding(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> list[tuple[int, int]]:
    if layer.padding == "valid":
        return [(0, 0)] * len(layer.kernel_size)
    if layer.padding == "same":
        totals = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(int(p), int(p)) for p in layer.padding]


def patches(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, inputs: Tensor) -> Tensor:
    """The vectors that a convolution's matrix multiplies.

    Args:
        layer: The convolution; stride, dilation, groups and every padding are respected.
        inputs: (N, channels, *space).

    Returns:
        (N, G, T, in): G groups, T output positions, in = channels / G times the kernel's size, in the order
        of the weight's axes.
    """
    sides = [side for pair in reversed(_padding(layer)) for side in pair]
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    windows = F.pad(inputs, sides, mode=mode) if any(sides) else inputs
    for axis, (k, s, d) in enumerate(zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)):
        windows = windows.unfold(axis + 2, d * (k - 1) + 1, s)[..., ::d]
    n, space = len(inputs), len(layer.kernel_size)
    split = windows.reshape(n, layer.groups, -1, *windows.shape[2:])
    order = [0, 1, *range(3, 3 + space), 2, *range(3 + space, 3 + 2 * space)]
    positions = 1
    for size in windows.shape[2 : 2 + space]:
        positions *= size
    return split.permute(order).reshape(n, layer.groups, positions, -1)


def positions(grads: Tensor, groups: int) -> Tensor:
    """Gradients (C, N, channels, *space) at a convolution's result as (C, N, G, T, channels / G)."""
    return grads.reshape(*grads.shape[:2], groups, grads.shape[2] // groups, -1).mT
