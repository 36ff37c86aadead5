"""Attention over tokens as a low-pass filter, and attention that amplifies high frequencies."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed
from overtone.nn.layers import HighPassAttention
from overtone.spectra.sequence import SequenceTransform, TemporalEstimator
from overtone.studies._claims._shared import torch_seed
from overtone.studies._criteria import AtLeast, AtMost
from overtone.studies._study import (
    MET_BY_A_CONDITION,
    Condition,
    FigureAxes,
    Measurement,
    SizeSettings,
    Study,
    StudySize,
    Tested,
    Topic,
)

_RATE = 6e-3
"""Learning rate of the weights."""


def measure_attention_high_pass(
    seed: int,
    layers: int,
    skip: bool,
    gain_rate: float,
    sharp_target: bool,
    steps: int,
    tokens: int,
    width: int,
    batch: int,
) -> Measurement:
    """Measure the part of the error on new sequences that rescaling removes."""
    transform = SequenceTransform(tokens, estimator=TemporalEstimator.periodic())
    source = torch.Generator().manual_seed(derive_seed(seed, "new sequences"))
    test_inputs, test_target = _blurred_sequences(256, tokens, sharp_target, source)
    errors = {}
    for name, rate in (("plain", 0.0), ("rescaled", gain_rate)):
        # The same weights and sequences for both: they differ in the rate of the gains alone, which begin at plain.
        network = _HighPassTransformer(layers, skip, tokens, width, seed)
        _train_transformer(network, rate, steps, batch, tokens, sharp_target, derive_seed(seed, "sequences"))
        with torch.no_grad():
            residual = test_target - network(test_inputs)
        errors[name] = transform.power(transform.coefficients(residual))[:, 0].numpy()
    frequency = [k / tokens for k in range(len(errors["plain"]))]
    means = ", ".join(f"{float(gain.detach().mean()):.2f}" for gain in network.gains)
    return Measurement(
        1 - float(errors["rescaled"].sum() / errors["plain"].sum()),
        {name: (frequency, power) for name, power in errors.items()},
        (f"mean gain of each layer: {means}", f"error of plain attention: {errors['plain'].sum():.3g}"),
    )


def _blurred_sequences(
    count: int, tokens: int, sharp_target: bool, source: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return (count, tokens, 1) blurred white noise and the target, of mean square 1: the noise itself or its mean."""
    sharp = torch.randn(count, tokens, 1, generator=source)
    blurred = (sharp.roll(1, 1) + 2 * sharp + sharp.roll(-1, 1)) / 4
    # The mean of n independent values has a standard deviation of 1 / sqrt(n).
    mean = math.sqrt(tokens) * sharp.mean(1, keepdim=True)
    return blurred, sharp if sharp_target else mean.expand_as(sharp)


class _AttentionBlock(nn.Module):
    """Attention, and a network of two layers for each token, both after a normalization."""

    def __init__(self, width: int, skip: bool, seed: int) -> None:
        super().__init__()
        self.mixing, self.skip = HighPassAttention(width, 4, seed), skip
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (sequence, token, width) to the same shape."""
        mixed = self.mixing(self.before(x))
        x = x + mixed if self.skip else mixed
        return x + self.feed_forward(self.between(x))


class _HighPassTransformer(nn.Module):
    """Transformer from tokens with a value and a position to one number per token."""

    def __init__(self, layers: int, skip: bool, tokens: int, width: int, seed: int) -> None:
        super().__init__()
        # Four waves tell every token its position, as in Vaswani et al. 2017, section 3.5.
        turn = 2 * math.pi * torch.arange(tokens)[:, None] / tokens * torch.arange(1, 5)
        self.positions = torch.cat([turn.cos(), turn.sin()], 1)
        with torch_seed(seed, "weights"):
            self.embedding, self.output = nn.Linear(9, width), nn.Linear(width, 1)
            blocks = [_AttentionBlock(width, skip, derive_seed(seed, f"layer {n}")) for n in range(layers)]
        self.gains = [block.mixing.gain for block in blocks]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, values: Tensor) -> Tensor:
        """Map (sequence, token, 1) to the same shape."""
        placed = torch.cat([values, self.positions.expand(len(values), -1, -1)], -1)
        return self.output(self.blocks(self.embedding(placed)))


def _train_transformer(
    network: _HighPassTransformer,
    gain_rate: float,
    steps: int,
    batch: int,
    tokens: int,
    sharp_target: bool,
    seed: int,
) -> None:
    """Train with Adam on new sequences at every step; rates fall as a cosine.

    The gains learn at `gain_rate` times the rate of the weights; 0 leaves attention plain.
    """
    source = torch.Generator().manual_seed(seed)
    gains = {id(gain) for gain in network.gains}
    weights = [p for p in network.parameters() if id(p) not in gains]
    groups: list[dict[str, Any]] = [{"params": weights}, {"params": network.gains, "lr": gain_rate * _RATE}]
    optimizer = torch.optim.Adam(groups, _RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        inputs, target = _blurred_sequences(batch, tokens, sharp_target, source)
        optimizer.zero_grad()
        (network(inputs) - target).square().mean().backward()
        optimizer.step()
        schedule.step()


ATTENTION_HIGH_PASS = Study(
    name="attention-high-pass",
    topic=Topic.DESIGN,
    claim="Rescaling the high frequencies of attention makes a transformer better.",
    source=(
        "Wang et al. 2022, Anti-oversmoothing in deep vision transformers via the Fourier domain analysis "
        "(arXiv:2203.05962), section 4.1"
    ),
    statistic=(
        "part of the mean squared error on new sequences that a learned gain per head, on all frequencies "
        "but the mean over tokens, removes"
    ),
    criterion=AtLeast(0.05),
    conditions=(
        Condition("2 layers", {"layers": 2, "skip": True, "gain_rate": 1.0, "sharp_target": True}),
        Condition("6 layers", {"layers": 6, "skip": True, "gain_rate": 1.0, "sharp_target": True}),
        Condition(
            "2 layers, gains learn ten times as fast",
            {"layers": 2, "skip": True, "gain_rate": 10.0, "sharp_target": True},
        ),
        Condition(
            "2 layers, no skips round attention",
            {"layers": 2, "skip": False, "gain_rate": 1.0, "sharp_target": True},
        ),
    ),
    control=Condition(
        "the target is the mean over tokens",
        {"layers": 1, "skip": True, "gain_rate": 1.0, "sharp_target": False},
    ),
    positive="No task of this size is known in which the rescaling must help.",
    measure=measure_attention_high_pass,
    axes=FigureAxes("Frequency (cycles per token)", "Mean squared error per frequency", log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"steps": 2, "tokens": 8, "width": 8, "batch": 4}),
        StudySize.QUICK: SizeSettings(5, {"steps": 200, "tokens": 8, "width": 32, "batch": 16}),
        StudySize.FULL: SizeSettings(20, {"steps": 20_000, "tokens": 64, "width": 128, "batch": 64}),
    },
    factor="depth and skips",
    tested=Tested.CASE,
    limits=(-math.inf, 1.0),
    undecidable=(
        "the gains stay below 0.3, so that the rescaling is hardly applied, and no positive control shows "
        "that it could have helped."
    ),
    caveat=(
        "The task is to undo a blur in a few hundred steps; the study classifies no pictures, and its "
        "networks are not as deep as those of the source. The criterion of 0.05 corresponds to the source's "
        "gain of 1.1 points on an error of a fifth. From single tokens alone the error is 1/3 at best: "
        "attention is needed, and without skips the networks hardly use it yet. With gains that learn at the "
        "rate of the weights, a layer's mean gain stays below 0.3; at ten times that rate it reaches 0.6. "
        "Runs of 1500 steps on 16 tokens, on calibration seeds, gave -0.03 to 0.01 with 2 layers, and -0.11 "
        "and -0.03 with gains that learn ten times as fast."
    ),
)


def measure_attention_low_pass(
    seed: int, sharpness: float, skip: bool, mixing: bool, layers: int, tokens: int, features: int
) -> Measurement:
    """Measure the share of the amplitude that is not the mean over tokens, after the last layer."""
    with torch_seed(seed, "tokens"):
        x = torch.randn(4, tokens, features, dtype=torch.float64)
    shares = [_varying_share(x)]
    for number in range(layers):
        layer = _random_attention(features, sharpness, derive_seed(seed, f"layer {number}"))
        with torch.no_grad():
            # Without mixing each token is a sequence of its own, so that it attends to itself alone.
            out = layer(x) if mixing else layer(x[:, :, None])[:, :, 0]
        x = x + out if skip else out
        shares.append(_varying_share(x))
    return Measurement(shares[-1], {"": (range(layers + 1), shares)})


def _random_attention(features: int, sharpness: float, seed: int) -> HighPassAttention:
    """Return plain attention of random weights without biases, which would add to the mean over tokens.

    Queries and keys have entries of standard deviation `sharpness` for tokens whose entries have 1; logits then have
    sharpness^2. Values and outputs have the size of the tokens.
    """
    layer = HighPassAttention(features, 4, seed).double()
    with torch.no_grad():
        for linear in (layer.project, layer.output):
            linear.bias.zero_()
            # PyTorch draws weights of variance 1 / (3 n); times 3 they preserve the variance of the tokens.
            linear.weight.mul_(3**0.5)
        layer.project.weight[: 2 * features].mul_(sharpness)
    return layer


def _varying_share(tokens: Tensor) -> float:
    """Return the share of the amplitude of (sequence, token, feature) values at frequencies above zero."""
    transform = SequenceTransform(tokens.shape[1], estimator=TemporalEstimator.periodic())
    power = transform.power(transform.coefficients(tokens)).sum(1)
    return float((power[1:].sum() / power.sum()).sqrt())


ATTENTION_LOW_PASS = Study(
    name="attention-low-pass",
    topic=Topic.DESIGN,
    claim="Self-attention is a low-pass filter: after stacked layers only the mean over tokens remains.",
    source=(
        "Wang et al. 2022, Anti-oversmoothing in deep vision transformers via the Fourier domain analysis "
        "(arXiv:2203.05962), section 3"
    ),
    statistic="share of the tokens' amplitude that is not their mean, after four layers of random weights",
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
    positive=MET_BY_A_CONDITION,
    measure=measure_attention_low_pass,
    axes=FigureAxes("Layers", "Share of the amplitude that is not the mean over tokens", log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"layers": 4, "tokens": 8, "features": 8}),
        StudySize.QUICK: SizeSettings(5, {"layers": 4, "tokens": 64, "features": 32}),
        StudySize.FULL: SizeSettings(20, {"layers": 4, "tokens": 256, "features": 192}),
    },
    factor="skips and how sharp attention is",
    tested=Tested.MECHANISM,
    limits=(0.0, 1.0),
    caveat=(
        "Untrained layers without feed-forward parts and biases, and white tokens. The layers attenuate "
        "everything but the mean over tokens: the study does not distinguish low from high frequencies "
        "within the rest."
    ),
)


STUDIES = (
    ATTENTION_HIGH_PASS,
    ATTENTION_LOW_PASS,
)
