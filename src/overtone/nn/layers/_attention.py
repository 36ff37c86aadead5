"""Attention that amplifies or attenuates high frequencies."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._utils import Seed, generator, last_axis, size
from overtone.nn.activations._base import default_initialise


@final
class HighPassAttention(nn.Module):
    """Multi-head self-attention with the matrix A' = L + (1 + omega) (A - L), L = 1/n everywhere.

    A softmax matrix A is a low pass: stacked, it leaves the mean over tokens alone. A - L is its high-pass part,
    amplified per head by a learned omega that is zero at the start, where the layer is plain attention
    (AttnScale of Wang et al. 2022, "Anti-oversmoothing in deep vision transformers via the Fourier domain
    analysis", section 4.1). As A' V = mean(V) + (1 + omega) (A V - mean(V)), no matrix is ever stored.

    Args:
        features: Features of a token, a multiple of `heads`.
        heads: Number of heads.
        seed: A seed, or the generator to draw the weights from.

    Raises:
        InputError: If a size is below 1 or the features cannot be shared among the heads.
    """

    def __init__(self, features: int, heads: int = 4, seed: Seed = 0) -> None:
        super().__init__()
        self.features, self.heads = size(features, "features"), size(heads, "heads")
        if features % heads:
            raise InputError(
                "features that the heads can share evenly",
                f"{features} features and {heads} heads",
                "pass a multiple",
                "HighPassAttention",
            )
        self.project = torch.nn.utils.skip_init(nn.Linear, features, 3 * features, device="cpu")
        self.output = torch.nn.utils.skip_init(nn.Linear, features, features, device="cpu")
        source = generator(seed, "weights")
        default_initialise(self.project, source)
        default_initialise(self.output, source)
        self.gain = nn.Parameter(torch.zeros(heads, device="cpu"))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., tokens, features) to the same shape.

        Raises:
            InputError: If there are other features.
        """
        last_axis(tokens, self.features, "tokens")
        split = self.project(tokens).unflatten(-1, (3, self.heads, -1))
        query, key, value = (part.transpose(-2, -3) for part in split.unbind(-3))
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        mean = value.mean(-2, keepdim=True)
        sharp = mean + (1 + self.gain)[:, None, None] * (mixed - mean)
        return self.output(sharp.transpose(-2, -3).flatten(-2))


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
