"""Coordinate-based generators with Fourier features against convolutional ones: the spectrum of what they make."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed
from overtone.nn import MLP
from overtone.nn.encodings import Encoding, Gaussian, Identity
from overtone.signals import synthetic
from overtone.spectra import generated as samples
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study


def measure(
    seed: int, at: str, fourier: bool, side: int, pictures: int, width: int, channels: int, steps: int
) -> Measured:
    """Distance of a convolutional generator's pictures from the data less that of a coordinate-based one's, in dB."""
    fine = data(seed, 2 * side, pictures)
    coarse = nn.functional.avg_pool2d(fine[:, None], 2)[:, 0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "generators"))
        codes = torch.randn(pictures, 16)
        convolutional = Convolutional(16, side, channels)
    encoding: Encoding = (
        Gaussian.from_bandwidth(2, width, side / 3, derive_seed(seed, "encoding")) if fourier else Identity(2)
    )
    pointwise = Pointwise(16, encoding, width, derive_seed(seed, "weights"))
    wanted = fine if at == "twice" else coarse
    curves, totals = {}, []
    for name, network in {"coordinates": pointwise, "convolutions": convolutional}.items():
        optimizer = torch.optim.Adam(network.parameters(), 3e-3)
        for _ in range(steps):
            optimizer.zero_grad()
            (network(codes, side) - coarse).square().mean().backward()
            optimizer.step()
        with torch.no_grad():
            made = network(codes, wanted.shape[-1])
        found = samples.distance(samples.profiles(made), samples.profiles(wanted), draws=50, seed=seed)
        curves[name] = found.bands.centre[1:], found.decibels[1:, 0].numpy()
        totals.append(found.total)
    return Measured(
        totals[1] - totals[0], curves, (f"coordinates {totals[0]:.2f} dB, convolutions {totals[1]:.2f} dB",)
    )


def data(seed: int, side: int, count: int) -> Tensor:
    """(count, side, side) random fields with the power of pictures."""
    names = [derive_seed(seed, f"picture {i}") for i in range(count)]
    return torch.stack([synthetic.power_law((side, side), 2.0, s).grid_values[..., 0] for s in names])


class Convolutional(nn.Module):
    """Three stages that repeat pixels and convolve; other sizes by interpolation of the last picture."""

    def __init__(self, codes: int, side: int, channels: int) -> None:
        super().__init__()
        self.start = nn.Linear(codes, channels * (side // 8) ** 2)
        self.shape = channels, side // 8, side // 8
        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, codes: Tensor, side: int) -> Tensor:
        """(codes, side, side) pictures."""
        made = self.body(self.start(codes).reshape(-1, *self.shape))
        if side != made.shape[-1]:
            made = nn.functional.interpolate(made, (side, side), mode="bilinear")
        return made[:, 0]


class Pointwise(nn.Module):
    """Each pixel from its coordinates and the code, on any grid."""

    def __init__(self, codes: int, encoding: Encoding, width: int, seed: int) -> None:
        super().__init__()
        self.encoding = encoding
        self.body = MLP(encoding.out_features + codes, 1, width, 3, seed=seed)

    def forward(self, codes: Tensor, side: int) -> Tensor:
        """(codes, side, side) pictures."""
        axis = (torch.arange(side) + 0.5) / side
        features = self.encoding(torch.cartesian_prod(axis, axis), codes.dtype)
        inputs = torch.cat(
            [
                features.expand(len(codes), *features.shape),
                codes[:, None].expand(-1, len(features), -1),
            ],
            2,
        )
        return self.body(inputs).reshape(-1, side, side)


STUDY = Study(
    name="coordinate-generators",
    family=Family.GENERATIVE,
    claim="Pictures of coordinate-based generators with Fourier features have the spectrum of the data, more nearly "
    "than those of convolutional generators, and at any resolution.",
    source="Anokhin et al. 2021, Image generators with conditionally-independent pixel synthesis, sections 3 and 4 "
    "(arXiv:2011.13775); Skorokhodov et al. 2021, Adversarial generation of continuous images (arXiv:2011.12026)",
    statistic="log-spectral distance of a convolutional generator's pictures from the data less that of a "
    "coordinate-based one's, in dB",
    criterion=AtLeast(1.0),
    conditions=(
        Condition("at the resolution trained on", {"at": "trained", "fourier": True}),
        Condition("at twice that", {"at": "twice", "fourier": True}),
    ),
    control=Condition("plain coordinates", {"at": "trained", "fourier": False}),
    measure=measure,
    axes=Axes("Frequency (cycles per picture)", "Power against the data (dB)"),
    efforts={
        Size.SMOKE: Effort(1, {"side": 8, "pictures": 4, "width": 8, "channels": 4, "steps": 3}),
        Size.QUICK: Effort(3, {"side": 16, "pictures": 12, "width": 48, "channels": 20, "steps": 250}),
        Size.FULL: Effort(20, {"side": 64, "pictures": 1000, "width": 256, "channels": 128, "steps": 50_000}),
    },
    depends="the resolution",
    caveat="Both kinds learn a few fixed pictures from codes by squared error, with no adversary, in as many steps; "
    "the convolutional one has no way but interpolation to a size that it was not built for.",
)
