"""Layers that apply one matrix at many positions: on sequences, in convolutions, or by being called twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.theory.ntk.empirical.features import Explicit, Features
from overtone.theory.ntk.empirical.outputs import Outputs, allocate, contract


def gradients(inputs: Tensor, grads: Tensor, weight: bool, bias: bool) -> list[Tensor]:
    """Per-sample gradients of a matrix applied at T positions in each of G groups: sum_t g_t (h_t, 1)^T.

    Args:
        inputs: (N, G, T, in) h.
        grads: (C, N, G, T, out) g.
        weight: Whether the weight is trained.
        bias: Whether there is a bias and it is trained.

    Returns:
        (C, N, P) for the weight, P = G out in, and for the bias, P = G out, if they are trained.
    """
    parts = []
    if weight:
        parts.append(torch.matmul(grads.mT, inputs).flatten(2))
    if bias:
        parts.append(grads.sum(-2).flatten(2))
    return parts


@final
@dataclass(frozen=True)
class Tiled(Features):
    """Gradients of a matrix applied at many positions, formed a few rows of the matrix at a time.

    Attributes:
        inputs: (N, ...) the layer's input as it came.
        grads: (C, N, G, T, out) gradients at its output.
        unfold: From `inputs` to the (N, G, T, in) vectors that the matrix multiplies.
        weight: Whether the weight is trained.
        bias: Whether there is a bias and it is trained.
        workspace: Numbers that may be held while multiplying.
    """

    inputs: Tensor
    grads: Tensor
    unfold: Callable[[Tensor], Tensor]
    weight: bool
    bias: bool
    workspace: int

    def gram(self, other: Features, outputs: Outputs) -> Tensor:
        """J J^T, summed over tiles of the matrix's rows."""
        assert isinstance(other, Tiled)
        channels, n = self.grads.shape[:2]
        total = allocate(n, other.grads.shape[1], channels, outputs, self.grads).zero_()
        mine = self.unfold(self.inputs)
        theirs = mine if other is self else other.unfold(other.inputs)
        samples = max(self.grads.shape[1], other.grads.shape[1]) * self.grads.shape[0]
        tile = max(1, self.workspace // (2 * samples * mine.shape[1] * (mine.shape[-1] + 1)))
        for start in range(0, self.grads.shape[-1], tile):
            rows = slice(start, start + tile)
            left = self._gradients(mine, rows)
            right = left if other is self else other._gradients(theirs, rows)
            for one, two in zip(left, right, strict=True):
                total += contract(one, two, outputs)
        return total

    def _gradients(self, unfolded: Tensor, rows: slice) -> list[Tensor]:
        return gradients(unfolded, self.grads[..., rows], self.weight, self.bias)

    @property
    def size(self) -> int:
        """Numbers of the inputs and of the gradients."""
        return self.inputs.numel() + self.grads.numel()

    @property
    def scratch(self) -> int:
        """The unfolded inputs."""
        return len(self.inputs) * self.unfold(self.inputs[:1]).numel()


def smallest(features: Tiled) -> Features:
    """The explicit gradients instead, if they take less room than what they are made of."""
    unfolded = features.unfold(features.inputs[:1])
    parameters = unfolded.shape[1] * features.grads.shape[-1] * (unfolded.shape[-1] + 1)
    if parameters * features.grads.shape[0] * features.grads.shape[1] > features.size:
        return features
    inputs = features.unfold(features.inputs)
    return Explicit(torch.cat(gradients(inputs, features.grads, features.weight, features.bias), -1))
