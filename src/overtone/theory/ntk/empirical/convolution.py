"""A convolution as a matrix applied to patches, in one, two and three dimensions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

Convolutional = (
    nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
)


def _padding(layer: Convolutional) -> list[tuple[int, int]]:
    if layer.padding == "valid":
        return [(0, 0)] * len(layer.kernel_size)
    if layer.padding == "same":
        totals = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(int(p), int(p)) for p in layer.padding]


def _padded(layer: Convolutional, inputs: Tensor) -> Tensor:
    sides = [side for pair in reversed(_padding(layer)) for side in pair]
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return F.pad(inputs, sides, mode=mode) if any(sides) else inputs


def windows(layer: Convolutional, inputs: Tensor) -> Tensor:
    """The patches that a convolution's matrix multiplies, as a view of the padded inputs.

    Channels are brought to the last axis first, so that a patch is read in runs of kernel width times channels.

    Args:
        layer: The convolution; stride, dilation, groups and every padding are respected.
        inputs: (N, channels, *space).

    Returns:
        (N, G, *places, *kernel, channels / G): G groups, a place for each output.
    """
    last = _padded(layer, inputs).movedim(1, -1).contiguous()
    n, *space, channels = last.shape
    sizes = list(zip(space, layer.kernel_size, layer.stride, layer.dilation, strict=True))
    places = [(size - d * (k - 1) - 1) // s + 1 for size, k, s, d in sizes]
    steps = last.stride()[1:-1]
    groups, each = layer.groups, channels // layer.groups
    return last.as_strided(
        (n, groups, *places, *layer.kernel_size, each),
        (
            last.stride(0),
            each,
            *(step * s for step, s in zip(steps, layer.stride, strict=True)),
            *(step * d for step, d in zip(steps, layer.dilation, strict=True)),
            1,
        ),
    )


def positions(grads: Tensor, groups: int) -> Tensor:
    """Gradients (C, N, channels, *space) at a convolution's result as (C, N, G, T, channels / G)."""
    return grads.reshape(*grads.shape[:2], groups, grads.shape[2] // groups, -1).mT
