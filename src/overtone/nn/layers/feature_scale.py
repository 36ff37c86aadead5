"""Attention with its high frequencies given back."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from overtone.nn.checks import last_axis, size


@final
class FeatureScale(nn.Module):
    """(1 + s) DC(x) + (1 + t) (x - DC(x)), DC the mean over tokens; s and t one per feature, zero at the start.

    FeatScale of Wang et al. 2022, "Anti-oversmoothing in deep vision transformers via the Fourier domain
    analysis", section 4.2. At the start the layer is the identity.

    Args:
        features: Features of a token.

    Raises:
        InputError: If `features` is below 1.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = size(features, "features")
        self.low = nn.Parameter(torch.zeros(features, device="cpu"))
        self.high = nn.Parameter(torch.zeros(features, device="cpu"))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., tokens, features) to the same shape.

        Raises:
            InputError: If there are other features.
        """
        last_axis(tokens, self.features, "tokens")
        mean = tokens.mean(-2, keepdim=True)
        return (1 + self.low) * mean + (1 + self.high) * (tokens - mean)
