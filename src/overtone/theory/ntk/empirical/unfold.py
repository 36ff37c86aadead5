"""The vectors that a matrix multiplies: the inputs themselves, or patches of them."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch.nn.functional as F
from torch import Tensor

from overtone.theory.ntk.empirical.convolution import Convolutional, windows


class Unfold(ABC):
    """From a layer's inputs to the (N, G, T, in) vectors h that its matrix multiplies at T positions in G groups."""

    @abstractmethod
    def width(self, inputs: Tensor) -> int:
        """Length of h."""

    @abstractmethod
    def whole(self, inputs: Tensor, ones: bool = False) -> Tensor:
        """All of h; (h, 1) if `ones`."""

    @abstractmethod
    def parts(self, inputs: Tensor, most: int) -> Iterator[Tensor]:
        """The columns of h, (N, G, T, w), about `most` at a time."""


@final
@dataclass(frozen=True)
class Plain(Unfold):
    """The inputs are the vectors."""

    def width(self, inputs: Tensor) -> int:
        """Length of h."""
        return inputs.shape[-1]

    def whole(self, inputs: Tensor, ones: bool = False) -> Tensor:
        """All of h; (h, 1) if `ones`."""
        return F.pad(inputs, (0, 1), value=1.0) if ones else inputs

    def parts(self, inputs: Tensor, most: int) -> Iterator[Tensor]:
        """Views of the columns."""
        yield from inputs.split(most, -1)


@final
@dataclass(frozen=True)
class Patches(Unfold):
    """The patches that a convolution sees, in channels-last order.

    Attributes:
        layer: The convolution.
    """

    layer: Convolutional

    def width(self, inputs: Tensor) -> int:
        """Channels of a group times the kernel's size."""
        return inputs.shape[1] // self.layer.groups * math.prod(self.layer.kernel_size)

    def whole(self, inputs: Tensor, ones: bool = False) -> Tensor:
        """Patches copied in runs of kernel width times channels."""
        seen = windows(self.layer, inputs)
        n, groups, dims = *seen.shape[:2], len(self.layer.kernel_size)
        places, width = seen.shape[2 : 2 + dims], math.prod(seen.shape[2 + dims :])
        if not ones:
            return seen.reshape(n, groups, math.prod(places), width)
        made = inputs.new_empty(n, groups, *places, width + 1)
        made[..., :width].unflatten(-1, seen.shape[2 + dims :]).copy_(seen)
        made[..., width] = 1
        return made.flatten(2, -2)

    def parts(self, inputs: Tensor, most: int) -> Iterator[Tensor]:
        """Some channels at one position of the kernel, copied when they are asked for."""
        seen = windows(self.layer, inputs)
        for place in itertools.product(*map(range, self.layer.kernel_size)):
            at = seen
            for offset in reversed(place):
                at = at.select(-2, offset)
            for part in at.split(most, -1):
                yield part.flatten(2, -2)
