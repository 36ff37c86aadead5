"""The tangent kernel of a network behind Fourier features depends on distance alone."""

from __future__ import annotations

import torch

from overtone._utils.seeding import derive_seed
from overtone.nn import MLP, encodings
from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk


def measure(seed: int, power: float | None, points: int, width: int, depth: int, networks: int) -> Measured:
    """How far kernel entries of equal distance spread, relative to how far the kernel varies with distance."""
    x = torch.arange(points, dtype=torch.float64)[:, None] / points
    kernel = torch.zeros(points, points, dtype=torch.float64)
    for number in range(networks):
        kernel += (
            ntk.empirical_ntk(network(power, width, depth, derive_seed(seed, f"network {number}")), x).matrix
            / networks
        )
    shift = torch.arange(points)
    by_distance = kernel[shift[:, None], (shift[:, None] + shift) % points]
    near = by_distance[:, : points // 2 + 1]
    profile = near.mean(0)
    spread = float(
        (near - profile).square().mean().sqrt() / (profile - profile.mean()).square().mean().sqrt()
    )
    return Measured(
        spread, {"": ((shift[: points // 2 + 1] / points).numpy(), (profile / profile[0]).numpy())}
    )


def network(power: float | None, width: int, depth: int, seed: int) -> torch.nn.Module:
    """A ReLU network behind 16 tones with amplitudes j^-power, or seeing the coordinate less its mean."""
    if power is None:
        return torch.nn.Sequential(Centred(), MLP(1, 1, width, depth, seed=seed)).double()
    return torch.nn.Sequential(encodings.PowerLaw(1, 16, power), MLP(32, 1, width, depth, seed=seed)).double()


class Centred(torch.nn.Module):
    """x - 1/2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 1) to (N, 1)."""
        return x - 0.5


STUDY = Study(
    name="fourier-kernel-stationary",
    family=Family.THEORY,
    claim="Behind Fourier features the tangent kernel of a network is stationary: it depends on distance alone.",
    source="Tancik et al. 2020, Fourier features let networks learn high frequency functions in low dimensional "
    "domains, section 4 (arXiv:2006.10739)",
    statistic="root mean square spread of kernel entries of equal distance, relative to that of their means over "
    "distance, mean kernel of finite networks",
    criterion=AtMost(0.1),
    conditions=tuple(Condition(f"16 tones, amplitudes j^-{p:g}", {"power": p}) for p in (0.0, 1.0, 2.0)),
    control=Condition("plain coordinate", {"power": None}),
    measure=measure,
    axes=Axes("Distance (of the period)", "Mean kernel, relative to distance 0"),
    efforts={
        Size.SMOKE: Effort(1, {"points": 16, "width": 16, "depth": 2, "networks": 2}),
        Size.QUICK: Effort(3, {"points": 32, "width": 512, "depth": 2, "networks": 40}),
        Size.FULL: Effort(20, {"points": 128, "width": 1024, "depth": 3, "networks": 64}),
    },
    depends="the amplitudes",
    caveat="At infinite width it is exact, by the features' inner product; measured is how nearly networks of finite "
    "width share it, before training.",
)
