"""Attention with a learned gain of high frequencies."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._utils import Seed, check_count, check_last_axis, torch_generator
from overtone.nn.activations._base import default_initialise, uninitialised_linear


@final
class HighPassAttention(nn.Module):
    """Multi-head self-attention with the matrix A' = L + (1 + omega) (A - L), where L averages over all tokens.

    A softmax matrix A is a low pass: repeated attention converges to the mean over tokens. A - L is its high-pass part,
    amplified per head by a learned omega, which is initially zero, so that the layer starts as plain attention
    (AttnScale of Wang et al. 2022, "Anti-oversmoothing in deep vision transformers via the Fourier domain
    analysis", section 4.1). As A' V = mean(V) + (1 + omega) (A V - mean(V)), no matrix is ever stored.

    Args:
        features: Features of a token, a multiple of `heads`.
        heads: Number of heads.
        seed: A seed or a generator, for the weights.

    Raises:
        InputError: If a size is below 1 or `features` is not a multiple of `heads`.

    Example:
        >>> import torch
        >>> from overtone.nn.layers import HighPassAttention
        >>> HighPassAttention(16, heads=4)(torch.zeros(2, 10, 16)).shape
        torch.Size([2, 10, 16])
    """

    def __init__(self, features: int, heads: int = 4, seed: Seed = 0) -> None:
        super().__init__()
        self.features, self.heads = check_count(features, "features"), check_count(heads, "heads")
        if features % heads:
            raise InputError(
                "features that are a multiple of the heads",
                f"{features} features and {heads} heads",
                "pass another number of features or heads",
                "HighPassAttention",
            )
        self.project = uninitialised_linear(features, 3 * features)
        self.output = uninitialised_linear(features, features)
        # The order of the draws is fixed: it decides the weights of a seed.
        source = torch_generator(seed, "weights")
        default_initialise(self.project, source)
        default_initialise(self.output, source)
        self.gain = nn.Parameter(torch.zeros(heads, device="cpu"))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., tokens, features) to the same shape.

        Raises:
            InputError: If the tokens have another number of features.
        """
        check_last_axis(tokens, self.features, "tokens")
        split = self.project(tokens).unflatten(-1, (3, self.heads, -1))
        query, key, value = (part.transpose(-2, -3) for part in split.unbind(-3))
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        # A' V in terms of A V and the mean, so that PyTorch's attention never stores the matrix.
        mean = value.mean(-2, keepdim=True)
        amplified = mean + (1 + self.gain)[:, None, None] * (mixed - mean)
        return self.output(amplified.transpose(-2, -3).flatten(-2))


@final
class FeatureScale(nn.Module):
    """Learned gains per feature of the mean over tokens and of the deviation from it.

    The output is (1 + s) DC(x) + (1 + t) (x - DC(x)), DC the mean over tokens. s and t are initially zero, so that the
    layer starts as the identity (FeatScale of Wang et al. 2022, "Anti-oversmoothing in deep vision transformers via the
    Fourier domain analysis", section 4.2).

    Args:
        features: Features of a token.

    Raises:
        InputError: If `features` is below 1.

    Example:
        >>> import torch
        >>> from overtone.nn.layers import FeatureScale
        >>> tokens = torch.tensor([[1.0], [3.0]])
        >>> torch.equal(FeatureScale(1)(tokens), tokens)
        True
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = check_count(features, "features")
        self.low = nn.Parameter(torch.zeros(features, device="cpu"))
        self.high = nn.Parameter(torch.zeros(features, device="cpu"))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., tokens, features) to the same shape.

        Raises:
            InputError: If the tokens have another number of features.
        """
        check_last_axis(tokens, self.features, "tokens")
        mean = tokens.mean(-2, keepdim=True)
        return (1 + self.low) * mean + (1 + self.high) * (tokens - mean)
