"""Fourier features of the noisy values, at a diffusion model's input, and fine detail."""

from __future__ import annotations

import itertools
import math

import numpy as np
import skimage.data
import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.nn.encodings import Positional
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

LEVELS = 32
"""Grey levels of pictures that have any, from -1 to 1."""
STEP = 2 / (LEVELS - 1)
"""Distance of grey levels."""


def measure(
    seed: int, levels: bool, least: float, most: float, side: int, channels: int, batch: int, steps: int
) -> Measured:
    """Error of a denoiser without Fourier features over that of one with them, in dB, over a range of noise."""
    pictures = patches(seed, levels, side)
    noises = STEP * np.geomspace(1 / 8, 16, 12)
    errors = [course(kind, seed, pictures, channels, batch, steps, noises) for kind in (Plain, Fourier)]
    counted = (noises >= least * STEP * 0.999) & (noises <= most * STEP * 1.001)
    gain = 10 * np.log10(errors[0] / errors[1])
    curves = {name: (noises / STEP, e) for name, e in zip(("without", "with"), errors, strict=True)}
    return Measured(float(gain[counted].mean()), curves)


def course(
    kind: type[Plain], seed: int, pictures: Tensor, channels: int, batch: int, steps: int, noises: np.ndarray
) -> np.ndarray:
    """Mean squared error of the noise that a trained denoiser finds in new pictures, per standard deviation."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "network"))
        network = kind(channels)
    half = len(pictures) // 2
    draw = torch.Generator().manual_seed(derive_seed(seed, "noise"))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    low, high = math.log(noises[0]), math.log(noises[-1])
    for _ in range(steps):
        x = pictures[torch.randint(half, (batch,), generator=draw)]
        sigma = (low + (high - low) * torch.rand(batch, 1, 1, 1, generator=draw)).exp()
        noise = torch.randn(x.shape, generator=draw)
        optimizer.zero_grad()
        (network(x + sigma * noise, sigma) - noise).square().mean().backward()
        optimizer.step()
    found = []
    with torch.no_grad():
        for level in noises:
            x = pictures[half : half + 256]
            noise, sigma = torch.randn(x.shape, generator=draw), torch.full((len(x), 1, 1, 1), float(level))
            found.append(float((network(x + sigma * noise, sigma) - noise).square().mean()))
    return np.asarray(found)


class Plain(nn.Module):
    """Three convolutions that see the noisy picture and the logarithm of its noise."""

    features = 0

    def __init__(self, channels: int) -> None:
        super().__init__()
        sizes = [2 + self.features, channels, channels, 1]
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(sizes))

    def seen(self, z: Tensor) -> list[Tensor]:
        """Channels that show the noisy picture."""
        return [z]

    def forward(self, z: Tensor, sigma: Tensor) -> Tensor:
        """The noise in z."""
        x = torch.cat([*self.seen(z), (sigma / STEP).log().expand_as(z)], 1)
        for layer in self.layers[:-1]:
            x = nn.functional.silu(layer(x))
        return self.layers[-1](x)


class Fourier(Plain):
    """The same, which also sees waves of the values: one cycle per grey level, and one per two."""

    features = 4

    def seen(self, z: Tensor) -> list[Tensor]:
        """Channels that show the noisy picture and its waves."""
        waves = Positional([[0.5 / STEP, 1 / STEP]]).to(z.device)(z.movedim(1, -1) + 1, z.dtype)
        return [z, waves.movedim(-1, 1)]


def patches(seed: int, levels: bool, side: int) -> Tensor:
    """(N, 1, side, side) patches of photographs from -1 to 1, in grey levels or in what lies between too."""
    drawn = []
    for photograph in (skimage.data.camera(), skimage.data.moon(), skimage.data.coins()):
        values = photograph[: photograph.shape[0] // 2 * 2, : photograph.shape[1] // 2 * 2].astype(float)
        values = values.reshape(len(values) // 2, 2, -1, 2).mean((1, 3)) / 127.5 - 1
        drawn.append(
            torch.from_numpy(values).unfold(0, side, side).unfold(1, side, side).reshape(-1, side, side)
        )
    found = torch.cat(drawn).float()[:, None]
    source = numpy_generator(seed, "patches")
    found = found[torch.from_numpy(source.permutation(len(found)))]
    if levels:
        return ((found + 1) / STEP).round() * STEP - 1
    return found + STEP * torch.from_numpy(source.uniform(-0.5, 0.5, (len(found), 1, 1, 1))).float()


STUDY = Study(
    name="diffusion-fourier-input",
    family=Family.GENERATIVE,
    claim="Fourier features of the noisy picture, at a diffusion model's input, help it with fine detail.",
    source="Kingma et al. 2021, Variational diffusion models, section 5.1 and appendix C (arXiv:2107.00630)",
    statistic="mean squared error of the noise that is found without Fourier features, over that with them, in dB",
    criterion=AtLeast(0.5),
    conditions=(
        Condition("grey levels, less noise than half a level", {"levels": True, "least": 0.125, "most": 0.5}),
        Condition("no grey levels, as little noise", {"levels": False, "least": 0.125, "most": 0.5}),
    ),
    control=Condition(
        "grey levels, noise of two levels and more", {"levels": True, "least": 2.0, "most": 16.0}
    ),
    measure=measure,
    axes=Axes("Standard deviation of the noise (grey levels)", "Error of the noise found", True, True),
    efforts={
        Size.SMOKE: Effort(1, {"side": 8, "channels": 4, "batch": 4, "steps": 3}),
        Size.QUICK: Effort(3, {"side": 8, "channels": 16, "batch": 32, "steps": 300}),
        Size.FULL: Effort(20, {"side": 32, "channels": 128, "batch": 128, "steps": 20_000}),
    },
    depends="whether values come in levels",
    caveat="Photographs of 32 grey levels, whose distance sets the features' frequencies as 256 levels do in the "
    "source, and a denoiser of three convolutions; likelihoods and samples are not judged.",
)
