"""Sub-networks that see the coordinates at different scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from overtone.nn.activations import Activation, Sine
from overtone.nn.checks import last_axis, per_axis
from overtone.nn.networks.body import Body
from overtone.nn.networks.mlp import MLP
from overtone.nn.networks.network import Choice
from overtone.nn.seeding import Seed, generator


@final
class MultiScale(Body):
    """f(x) = sum_i f_i(alpha_i x), an `MLP` per scale alpha_i.

    A function of frequency alpha k of x is one of frequency k of alpha x, so that each sub-network has low
    frequencies to learn (Liu, Cai and Xu 2020, "MscaleDNN", section 3.2). They take activations of compact support; any
    is allowed.

    Args:
        in_features: Inputs.
        out_features: Outputs.
        width: Units in a hidden layer of each sub-network.
        depth: Hidden layers of each.
        activation: One for all hidden layers, or one for each.
        scales: The alphas, positive.
        seed: A seed, or the generator to draw the weights from.

    Raises:
        InputError: If a size is below 1, a scale is not positive and finite, or the number of activations is not
            `depth`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int = 64,
        depth: int = 3,
        activation: Choice | Sequence[Choice] = Activation.RELU,
        scales: Sequence[float] = (1.0, 2.0, 4.0, 8.0),
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.scales = per_axis(tuple(scales), len(scales), "scales")
        source = generator(seed, "weights")
        self.parts = nn.ModuleList(
            MLP(in_features, out_features, width, depth, activation, source) for _ in self.scales
        )
        self.in_features, self.out_features = in_features, out_features

    @property
    def bandwidth(self) -> tuple[float, ...] | None:
        """Per input, the 90 % point of the first layers' frequencies, all parts alike; None unless they are sines.

        A first sine layer of weights U(-w, w) holds frequencies evenly up to a reach r, so that the parts
        together hold the share mean_i min(f / (alpha_i r), 1) below f.
        """
        part = self.parts[0]
        assert isinstance(part, MLP)
        first = part.activations[0]
        if not isinstance(first, Sine):
            return None
        reaches = sorted(a * first.bandwidth(self.in_features) / 0.9 for a in self.scales)
        return (_share_of_uniforms(reaches),) * self.in_features

    def describe(self) -> str:
        """One line for titles and records, "MultiScale 1, 2, 4 of MLP 3 x 64 ReLU"."""
        part = self.parts[0]
        assert isinstance(part, MLP)
        return f"MultiScale {', '.join(f'{a:g}' for a in self.scales)} of {part.describe()}"

    def forward(self, features: Tensor) -> Tensor:
        """Map features (..., in_features) to values (..., out_features)."""
        last_axis(features, self.in_features, "features")
        values = [part(scale * features) for scale, part in zip(self.scales, self.parts, strict=True)]
        return torch.stack(values).sum(0)


def _share_of_uniforms(reaches: list[float], share: float = 0.9) -> float:
    """The `share` quantile of an even mixture of uniform laws on [0, reach], reaches ascending."""
    full, slope = 0.0, sum(1 / r for r in reaches)
    for reach in reaches:
        crossing = (share * len(reaches) - full) / slope
        if crossing <= reach:
            return crossing
        full, slope = full + 1, slope - 1 / reach
    return reaches[-1]
