"""Whether a network over tokens learns slow structure before fast structure."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

FLIP = 1 / 16
"""Chance that a hidden state changes from one token to the next."""


def measure(
    seed: int, kind: str, noise: float, both_slow: bool, length: int, batch: int, steps: int, width: int
) -> Measured:
    """How many times as many steps the fast structure takes as the slow one, as a logarithm to base 2."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, kind))
        network = Predictor(kind, width, length)
    source = torch.Generator().manual_seed(derive_seed(seed, "tokens"))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    at, fractions = [], []
    for step in range(1, steps + 1):
        streams = [Stream(batch, length, noise, source) for _ in range(2)]
        turn = torch.ones(length) if both_slow else 1 - 2.0 * (torch.arange(length) % 2)
        seen = torch.stack([streams[0].seen, streams[1].seen * turn], -1)
        best = torch.stack([streams[0].expected, streams[1].expected * turn], -1)
        tokens = ((seen + 1) / 2 @ torch.tensor([2.0, 1.0])).long()
        logits = network(tokens[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            found = logits.softmax(-1) @ SIGNS
            wanted = best[:, 1:]
            at.append(step)
            fractions.append((found * wanted).mean((0, 1)) / wanted.square().mean((0, 1)))
    course = torch.stack(fractions).numpy()
    course = np.stack([np.convolve(c, np.ones(5) / 5, "same") for c in course.T])
    learned = [next((a for a, c in zip(at, one, strict=True) if c >= 0.5), steps) for one in course]
    shown = np.unique(np.geomspace(1, steps, 60).round().astype(int)) - 1
    curves = {name: (shown + 1, c[shown]) for name, c in zip(("slow", "fast"), course, strict=True)}
    return Measured(math.log2(learned[1] / learned[0]), curves)


SIGNS = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
"""The two signs that each of the four tokens stands for."""


class Stream:
    """Signs that follow a hidden state, and what is to be expected of each from those before it.

    Attributes:
        seen: (sequence, step) signs, the state's but for noise.
        expected: (sequence, step) mean of the next sign given all before, by the forward algorithm.
    """

    def __init__(self, batch: int, length: int, noise: float, source: torch.Generator) -> None:
        flips = torch.rand(batch, length, generator=source) < FLIP
        flips[:, 0] = torch.rand(batch, generator=source) < 0.5
        state = 1 - 2.0 * (flips.cumsum(1) % 2)
        wrong = torch.rand(batch, length, generator=source) < noise
        self.seen = torch.where(wrong, -state, state)
        belief, expected = torch.zeros(batch), []
        for sign in self.seen.T:
            belief = (1 - 2 * FLIP) * belief
            expected.append((1 - 2 * noise) * belief)
            belief = (belief + sign * (1 - 2 * noise)) / (1 + sign * belief * (1 - 2 * noise))
        self.expected = torch.stack(expected, 1)


class Predictor(nn.Module):
    """The next token's logits at every step, by a transformer with causal attention or by a recurrent layer."""

    def __init__(self, kind: str, width: int, length: int) -> None:
        super().__init__()
        self.tokens, self.out = nn.Embedding(4, width), nn.Linear(width, 4)
        self.places = nn.Parameter(0.02 * torch.randn(length - 1, width))
        self.kind = kind
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True)
        self.body: nn.Module = (
            nn.GRU(width, width, batch_first=True)
            if kind == "GRU"
            else nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """(sequence, step) tokens to (sequence, step, 4) logits of the next."""
        x = self.tokens(tokens)
        if self.kind == "GRU":
            return self.out(self.body(x)[0])
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.out(self.body(x + self.places, mask, is_causal=True))


STUDY = Study(
    name="token-structure",
    family=Family.FIELDS,
    claim="Networks over tokens learn slow structure, such as the topic, before fast structure, such as what follows "
    "what.",
    source="Spectral bias in time series forecasting 2025 (arXiv:2510.25800), carried over from numbers to tokens",
    statistic="steps to learn the fast of two structures over those to learn the slow one, in octaves",
    criterion=AtLeast(1.0),
    conditions=(
        Condition("GRU, plain to see in the last token", {"kind": "GRU", "noise": 0.0, "both_slow": False}),
        Condition("GRU, to be averaged over tokens", {"kind": "GRU", "noise": 0.25, "both_slow": False}),
        Condition(
            "transformer, plain to see in the last token",
            {"kind": "transformer", "noise": 0.0, "both_slow": False},
        ),
        Condition(
            "transformer, to be averaged over tokens",
            {"kind": "transformer", "noise": 0.25, "both_slow": False},
        ),
    ),
    control=Condition("GRU, both structures slow", {"kind": "GRU", "noise": 0.25, "both_slow": True}),
    measure=measure,
    axes=Axes("Step", "Learned fraction", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"length": 8, "batch": 4, "steps": 8, "width": 8}),
        Size.QUICK: Effort(5, {"length": 16, "batch": 32, "steps": 350, "width": 32}),
        Size.FULL: Effort(20, {"length": 128, "batch": 64, "steps": 10_000, "width": 256}),
    },
    depends="the network and on whether the structure has to be averaged over tokens",
    caveat="Tokens are pairs of signs. One keeps its value for 16 tokens in the mean, the other changes as regularly "
    "as the first keeps. Both say equally much about the next token, so that nothing but speed tells them apart; in "
    "language the two differ in that as well. Half of a structure can be had from the last token alone, also where "
    "averaging gives more; transformers then stay at that half of the fast one, while the slow one goes on to 0.9.",
)
