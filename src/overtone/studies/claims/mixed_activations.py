"""One layer of another activation moves the frequencies that a network is ready to learn."""

from __future__ import annotations

import torch

from overtone._utils.enums import parse_enum
from overtone._utils.seeding import derive_seed
from overtone.nn import MLP
from overtone.nn.activations import Activation
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk

LOW, HIGH = slice(1, 4), slice(12, 17)
"""Frequencies compared, in cycles per turn."""


def measure(seed: int, layers: list[str], draws: int, width: int, samples: int) -> Measured:
    """Readiness of a mixed network for high frequencies: 0 is that of tanh throughout, 1 that of sine throughout."""
    kinds = {"tanh": ["tanh"] * len(layers), "sine": ["sine"] * len(layers), "mixed": layers}
    found = {}
    for kind, activations in kinds.items():
        rows = [rates(activations, derive_seed(seed, f"{kind} {n}"), width, samples) for n in range(draws)]
        found[kind] = torch.stack(rows).mean(0)
    ready = {kind: float((row[HIGH].mean() / row[LOW].mean()).log10()) for kind, row in found.items()}
    place = (ready["mixed"] - ready["tanh"]) / (ready["sine"] - ready["tanh"])
    return Measured(place, {kind: (range(1, 33), row[1:33].numpy()) for kind, row in found.items()})


def rates(activations: list[str], seed: int, width: int, samples: int) -> torch.Tensor:
    """Share of the untrained tangent kernel's trace along each wave on a circle, by cycles per turn."""
    angle = 2 * torch.pi * torch.arange(samples, dtype=torch.float64) / samples
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    network = MLP(
        2, 1, width, len(activations), [parse_enum(Activation, a, "activation") for a in activations], seed
    ).double()
    kernel = ntk.empirical_ntk(network, circle).matrix
    waves = torch.fft.fft(torch.eye(samples, dtype=torch.complex128), norm="ortho")
    power = torch.einsum("ki,ij,kj->k", waves, kernel.to(waves), waves.conj()).real
    return power[: samples // 2 + 1] / power.sum()


STUDY = Study(
    name="mixed-activations",
    family=Family.ACTIVATIONS,
    claim="Mixing activations across layers shapes which frequencies a network is sensitive to.",
    source="Tancik et al. 2020, Fourier features let networks learn high frequency functions, section 3 "
    "(arXiv:2006.10739), for sensitivity as the tangent kernel's spectrum; the claim is often stated without a source",
    statistic="place of the mixed network between tanh throughout (0) and sine throughout (1), in the logarithm of the "
    "untrained tangent kernel's power at 12 to 16 cycles per turn over that at 1 to 3",
    criterion=AtLeast(0.1),
    conditions=(
        Condition("sine first, then tanh", {"layers": ["sine", "tanh", "tanh"]}),
        Condition("tanh first, then sine", {"layers": ["tanh", "sine", "sine"]}),
        Condition("sine last", {"layers": ["tanh", "tanh", "sine"]}),
    ),
    control=Condition("nothing mixed", {"layers": ["tanh", "tanh", "tanh"]}),
    measure=measure,
    axes=Axes("Frequency (cycles per turn)", "Share of the tangent kernel", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"draws": 1, "width": 16, "samples": 64}),
        Size.QUICK: Effort(3, {"draws": 8, "width": 64, "samples": 128}),
        Size.FULL: Effort(20, {"draws": 20, "width": 512, "samples": 512}),
    },
    depends="where the other activation is",
    caveat="The untrained network's kernel is compared; features learned on the way change it. Sines begin with the "
    "frequency 30 of their own, so the mixture is one of initialisations as well.",
)
