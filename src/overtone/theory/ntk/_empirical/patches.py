"""The vectors that a layer's matrix multiplies: its inputs, or patches of them."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

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


def convolution_patches(layer: Convolutional, inputs: Tensor) -> Tensor:
    """Return the patches that a convolution's matrix multiplies, as a view of the padded inputs.

    Channels are first moved to the last axis, so that a patch is read in runs of kernel width times channels.

    Args:
        layer: The convolution; stride, dilation, groups and every padding are respected.
        inputs: (N, channels, *space).

    Returns:
        (N, G, *places, *kernel, channels / G): G groups, one position for each output.
    """
    last = _padded(layer, inputs).movedim(1, -1).contiguous()
    n, *space, channels = last.shape
    sizes = list(zip(space, layer.kernel_size, layer.stride, layer.dilation, strict=True))
    places = [(size - d * (k - 1) - 1) // s + 1 for size, k, s, d in sizes]
    steps = last.stride()[1:-1]
    groups, each = layer.groups, channels // layer.groups
    # Overlapping windows are a view: neighbouring patches share memory, so nothing is copied here.
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


def grads_by_position(grads: Tensor, groups: int) -> Tensor:
    """Return gradients (C, N, channels, *space) at a convolution's result as (C, N, G, T, channels / G)."""
    return grads.reshape(*grads.shape[:2], groups, grads.shape[2] // groups, -1).mT


class PatchExtractor(ABC):
    """Map from a layer's inputs to the (N, G, T, in) vectors h of its matrix, T positions in G groups."""

    @abstractmethod
    def width(self, inputs: Tensor) -> int:
        """Return the length of h."""

    @abstractmethod
    def whole(self, inputs: Tensor, ones: bool = False) -> Tensor:
        """Return all of h; (h, 1) if `ones`."""

    @abstractmethod
    def parts(self, inputs: Tensor, max_columns: int) -> Iterator[Tensor]:
        """Yield the columns of h, (N, G, T, w), about `max_columns` at a time."""


@final
@dataclass(frozen=True)
class IdentityPatches(PatchExtractor):
    """Extractor for layers whose inputs are the vectors."""

    def width(self, inputs: Tensor) -> int:
        """Return the length of h."""
        return inputs.shape[-1]

    def whole(self, inputs: Tensor, ones: bool = False) -> Tensor:
        """Return all of h; (h, 1) if `ones`."""
        return F.pad(inputs, (0, 1), value=1.0) if ones else inputs

    def parts(self, inputs: Tensor, max_columns: int) -> Iterator[Tensor]:
        """Yield views of the columns."""
        yield from inputs.split(max_columns, -1)


@final
@dataclass(frozen=True)
class ConvolutionPatches(PatchExtractor):
    """Extractor of the patches of a convolution, in channels-last order.

    Attributes:
        layer: The convolution.
    """

    layer: Convolutional

    def width(self, inputs: Tensor) -> int:
        """Return the channels of a group times the kernel's size."""
        return inputs.shape[1] // self.layer.groups * math.prod(self.layer.kernel_size)

    def whole(self, inputs: Tensor, ones: bool = False) -> Tensor:
        """Return the patches, copied in runs of kernel width times channels."""
        patches = convolution_patches(self.layer, inputs)
        n, groups, dims = *patches.shape[:2], len(self.layer.kernel_size)
        places, width = patches.shape[2 : 2 + dims], math.prod(patches.shape[2 + dims :])
        if not ones:
            return patches.reshape(n, groups, math.prod(places), width)
        # The patches are copied once, directly into the tensor that includes the ones.
        made = inputs.new_empty(n, groups, *places, width + 1)
        made[..., :width].unflatten(-1, patches.shape[2 + dims :]).copy_(patches)
        made[..., width] = 1
        return made.flatten(2, -2)

    def parts(self, inputs: Tensor, max_columns: int) -> Iterator[Tensor]:
        """Yield some channels at one position of the kernel, copied on demand."""
        patches = convolution_patches(self.layer, inputs)
        for place in itertools.product(*map(range, self.layer.kernel_size)):
            at = patches
            for offset in reversed(place):
                at = at.select(-2, offset)
            for part in at.split(max_columns, -1):
                yield part.flatten(2, -2)
