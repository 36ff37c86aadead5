"""A convolutional generator fits the picture before the noise, so an early stop denoises."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed
from overtone.signals import synthetic
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study


def measure(seed: int, upsampling: str, kernel: int, side: int, channels: int, steps: int) -> Measured:
    """PSNR of the best step in hindsight less that of the noisy picture, in dB."""
    picture = synthetic.add_noise(
        synthetic.power_law((side, side), 3.0, derive_seed(seed, "picture")),
        0.5,
        seed=derive_seed(seed, "noise"),
    )
    assert picture.clean is not None
    clean, seen = (v.reshape(1, 1, side, side) for v in (picture.clean, picture.values))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "generator"))
        network, code = generator(upsampling, kernel, side, channels)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    gains = []
    for _ in range(steps):
        output = network(code)
        error = float((output.detach() - clean).square().mean() / (seen - clean).square().mean())
        gains.append(-10 * math.log10(error))
        optimizer.zero_grad()
        (output - seen).square().mean().backward()
        optimizer.step()
    at = np.unique(np.geomspace(1, steps, 40).astype(int))
    return Measured(max(gains), {"": (at, np.asarray(gains)[at - 1])})


def generator(upsampling: str, kernel: int, side: int, channels: int) -> tuple[nn.Module, Tensor]:
    """A network of three stages of convolution and upsampling, and its fixed random input."""
    layers: list[nn.Module] = []
    for _ in range(3):
        layers.append(nn.Conv2d(channels, channels, kernel, padding="same"))
        if upsampling != "none":
            layers.append(nn.Upsample(scale_factor=2, mode=upsampling))
        layers += [nn.ReLU(), nn.BatchNorm2d(channels)]
    start = side if upsampling == "none" else side // 8
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 1)), torch.randn(1, channels, start, start)


STUDY = Study(
    name="convolutional-denoising",
    family=Family.NOISE,
    claim="Convolutional generators denoise by early stopping, because they fit pictures before noise.",
    source="Heckel, Soltanolkotabi 2020, Denoising and regularization via exploiting the structural bias of "
    "convolutional generators, sections 2 and 3 (arXiv:1910.14634)",
    statistic="PSNR of the best step in hindsight less that of the noisy picture, in dB",
    criterion=AtLeast(3.0),
    conditions=(
        Condition("bilinear upsampling, 1 x 1 convolutions", {"upsampling": "bilinear", "kernel": 1}),
        Condition("nearest upsampling, 3 x 3 convolutions", {"upsampling": "nearest", "kernel": 3}),
    ),
    control=Condition("no upsampling: each pixel its own random code", {"upsampling": "none", "kernel": 1}),
    measure=measure,
    axes=Axes("Step", "PSNR less that of the noisy picture (dB)", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"side": 16, "channels": 4, "steps": 5}),
        Size.QUICK: Effort(3, {"side": 32, "channels": 64, "steps": 300}),
        Size.FULL: Effort(20, {"side": 512, "channels": 256, "steps": 10_000}),
    },
    depends="the upsampling",
    caveat="The pictures are random fields with the spectrum of soft pictures. The stop is the best in hindsight; "
    "where to stop without the clean picture is another question.",
)
