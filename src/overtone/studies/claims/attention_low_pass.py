"""Stacked attention leaves the mean over tokens alone; skips and sharp attention slow that down."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone._utils.seeding import derive_seed
from overtone.nn.layers import HighPassAttention
from overtone.spectra.sequence import SequenceTransform, TemporalEstimator
from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study


def measure(
    seed: int, sharpness: float, skip: bool, mixing: bool, layers: int, tokens: int, features: int
) -> Measured:
    """Amplitude beside the mean over tokens, of all amplitude, after the last layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "tokens"))
        x = torch.randn(4, tokens, features, dtype=torch.float64)
    shares = [varying(x)]
    for number in range(layers):
        layer = random_attention(features, sharpness, derive_seed(seed, f"layer {number}"))
        with torch.no_grad():
            out = layer(x) if mixing else layer(x[:, :, None])[:, :, 0]
        x = x + out if skip else out
        shares.append(varying(x))
    return Measured(shares[-1], {"": (range(layers + 1), shares)})


def random_attention(features: int, sharpness: float, seed: int) -> HighPassAttention:
    """Plain attention of random weights without biases, which would add to the mean what attention did not put there.

    Queries and keys have entries of standard deviation `sharpness` for tokens whose entries have 1; logits then have
    sharpness^2. Values and outputs keep the tokens' size.
    """
    layer = HighPassAttention(features, 4, seed).double()
    with torch.no_grad():
        for linear in (layer.project, layer.output):
            linear.bias.zero_()
            linear.weight.mul_(3**0.5)
        layer.project.weight[: 2 * features].mul_(sharpness)
    return layer


def varying(tokens: Tensor) -> float:
    """Share of the amplitude of (sequence, token, feature) values at frequencies above zero along the tokens."""
    transform = SequenceTransform(tokens.shape[1], estimator=TemporalEstimator.periodic())
    power = transform.power(transform.coefficients(tokens)).sum(1)
    return float((power[1:].sum() / power.sum()).sqrt())


STUDY = Study(
    name="attention-low-pass",
    family=Family.DESIGN,
    claim="Self-attention is a low-pass filter: stacked layers leave nothing but the mean over tokens.",
    source="Wang et al. 2022, Anti-oversmoothing in deep vision transformers via the Fourier domain analysis "
    "(arXiv:2203.05962), section 3",
    statistic="share of the tokens' amplitude beside their mean after four layers of random weights",
    criterion=AtMost(0.02),
    conditions=(
        Condition("logits as PyTorch begins", {"sharpness": 0.577, "skip": False, "mixing": True}),
        Condition("logits of standard deviation 1", {"sharpness": 1.0, "skip": False, "mixing": True}),
        Condition("sharp: logits of standard deviation 9", {"sharpness": 3.0, "skip": False, "mixing": True}),
        Condition("with skips, logits as PyTorch begins", {"sharpness": 0.577, "skip": True, "mixing": True}),
    ),
    control=Condition(
        "each token attends to itself alone", {"sharpness": 0.577, "skip": False, "mixing": False}
    ),
    measure=measure,
    axes=Axes("Layers", "Share of the amplitude beside the mean over tokens", log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"layers": 4, "tokens": 8, "features": 8}),
        Size.QUICK: Effort(5, {"layers": 4, "tokens": 64, "features": 32}),
        Size.FULL: Effort(20, {"layers": 4, "tokens": 256, "features": 192}),
    },
    depends="skips and how sharp attention is",
    caveat="Untrained layers without feed-forward parts and biases, and white tokens. What is taken off is everything "
    "but the mean over tokens: low and high frequencies beside it are not told apart.",
)
