"""A moving average of the weights of a run, and its errors so far."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

POWER = 5.0
"""Power p of the weight t^p of step t in the average: about the last sixth of the steps counts."""

Errors = tuple[int, float, float]
"""A step, and the average's mean square errors on training and held-out samples then."""


@final
class WeightAverage:
    """The average of a network's weights w_s over steps s up to t, with weights s^5: sum s^5 w_s / sum s^5.

    Steps on minibatches leave weights scattered around their mean path. The average takes the scatter out, over a
    window that grows with the step, so that it lags by about a seventh of the steps and no more.

    Args:
        network: The network in training; it is only read.

    Attributes:
        network: A copy of it with the averaged weights. Buffers are those of the network in training.
        errors: Errors of the copy at recorded steps, ascending.

    Source:
        Polyak and Juditsky 1992; Karras et al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion
        Models", arXiv 2312.02696, section 3.1 (averages over a power of the step).
    """

    def __init__(self, network: nn.Module) -> None:
        self._source, self.network = network, copy.deepcopy(network)
        self.network.requires_grad_(False)
        self.errors: list[Errors] = []

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the network's weights after an optimizer step.

        Args:
            step: Optimizer steps so far, at least 1.
        """
        # sum_{s<t} s^p / sum_{s<=t} s^p = (1 - 1/t)^(p + 1), up to terms of the second order in 1/t.
        share = 1 - (1 - 1 / step) ** (POWER + 1)
        averaged: list[Tensor] = list(self.network.parameters())
        present: list[Tensor] = list(self._source.parameters())
        torch._foreach_lerp_(averaged, present, share)
        for mine, buffer in zip(self.network.buffers(), self._source.buffers(), strict=True):
            mine.copy_(buffer)

    def state(self) -> tuple[dict[str, Tensor], list[Errors]]:
        """Return the averaged weights by name, and the errors so far."""
        return self.network.state_dict(), list(self.errors)

    def restore(self, weights: Mapping[str, Tensor], errors: Sequence[Errors]) -> None:
        """Go on from a state that was saved.

        Raises:
            RuntimeError: If they are the weights of another network.
        """
        self.network.load_state_dict(dict(weights))
        self.errors = list(errors)


def parse_errors(plain: Any) -> list[Errors]:
    """Return the errors in the JSON of a checkpoint.

    Raises:
        ValueError: If they are no errors at ascending steps.
    """
    rows: list[Any] = plain if isinstance(plain, list) else [None]
    if not all(isinstance(row, list) and len(row) == 3 and type(row[0]) is int for row in rows):
        raise ValueError("no errors of the averaged weights")
    errors = [(row[0], _error(row[1]), _error(row[2])) for row in rows]
    if any(b[0] <= a[0] for a, b in itertools.pairwise(errors)):
        raise ValueError("errors of the averaged weights at steps that do not ascend")
    return errors


def _error(plain: Any) -> float:
    # NaN stands for an error without samples; JSON written by Python holds it as such.
    if isinstance(plain, bool) or not isinstance(plain, int | float) or (math.isfinite(plain) and plain < 0):
        raise ValueError("no errors of the averaged weights")
    return float(plain)
