"""A convolution as a matrix applied to patches, in one, two and three dimensions."""

from __future__ import annotations

import math

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
    padded = F.pad(inputs, sides, mode=mode) if any(sides) else inputs
    if len(layer.kernel_size) == 3:
        return _volume(layer, padded)
    kernel, dilation, stride = (_plane(each) for each in (layer.kernel_size, layer.dilation, layer.stride))
    image = padded if padded.ndim == 4 else padded[:, :, None]
    columns = F.unfold(image, kernel, dilation=dilation, stride=stride)
    return columns.reshape(len(inputs), layer.groups, -1, columns.shape[-1]).mT


def _plane(sizes: tuple[int, ...]) -> tuple[int, int]:
    return (1, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def _volume(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, padded: Tensor) -> Tensor:
    windows = padded
    for axis, (k, s, d) in enumerate(zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)):
        windows = windows.unfold(axis + 2, d * (k - 1) + 1, s)[..., ::d]
    n, count = len(padded), math.prod(windows.shape[2:5])
    split = windows.reshape(n, layer.groups, -1, *windows.shape[2:])
    return split.permute(0, 1, 3, 4, 5, 2, 6, 7, 8).reshape(n, layer.groups, count, -1)


def positions(grads: Tensor, groups: int) -> Tensor:
    """Gradients (C, N, channels, *space) at a convolution's result as (C, N, G, T, channels / G)."""
    return grads.reshape(*grads.shape[:2], groups, grads.shape[2] // groups, -1).mT
