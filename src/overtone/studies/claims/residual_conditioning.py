"""Whether skips condition the tangent kernel better depends on how the weights begin."""

from __future__ import annotations

import math

import torch

from overtone.nn import MLP, ResidualMLP
from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk
from overtone.theory.ntk._infinite.layers import InfiniteLayer


def measure(seed: int, he: bool, depth: int, samples: int) -> Measured:
    """log10 of the condition number of the kernel on a circle, with skips over without."""
    del seed
    angle = 2 * math.pi * torch.arange(samples, dtype=torch.float64) / samples
    points = torch.stack([angle.cos(), angle.sin()], 1)
    found = {
        name: ntk.circulant_eigenvalues(wide(skips, he, depth)(points[:1], points).ntk[0])[: samples // 2 + 1]
        for name, skips in (("without skips", False), ("with skips", True))
    }
    condition = {name: float(values.max() / values.min()) for name, values in found.items()}
    curves = {name: (range(1, samples // 2), (v[1:-1] / v.max()).numpy()) for name, v in found.items()}
    half = samples // 8
    falls = [math.log2(float(values[half] / values[2 * half])) for values in found.values()]
    notes = (
        f"power of frequency that eigenvalues fall with: {falls[0]:.2f} without, {falls[1]:.2f} with skips",
    )
    return Measured(math.log10(condition["with skips"] / condition["without skips"]), curves, notes)


def wide(skips: bool, he: bool, depth: int) -> ntk.InfiniteNetwork:
    """The limit of a ReLU network with PyTorch's default weights at width 256, or with He's and no biases."""
    if not he:
        return ntk.InfiniteNetwork.from_torch((ResidualMLP if skips else MLP)(2, 1, 256, depth))
    dense, relu = ntk.DenseLayer.ntk(), ntk.DualActivation.relu()
    layers: list[InfiniteLayer] = [dense, relu]
    for _ in range(depth - 1):
        layers += [ntk.InfiniteNetwork.residual_block(dense, relu)] if skips else [dense, relu]
    return ntk.InfiniteNetwork((*layers, dense))


STUDY = Study(
    name="residual-conditioning",
    family=Family.DESIGN,
    claim="Residual connections improve the condition number of the tangent kernel, which makes training "
    "faster.",
    source="Barzilai et al. 2023, A kernel perspective of skip connections in convolutional networks "
    "(arXiv:2211.14810), carried over to fully connected networks",
    statistic="log10 of the condition number with skips over that without, on evenly spaced points of a circle",
    criterion=AtMost(-0.1),
    conditions=(
        Condition("PyTorch's weights, 2 layers", {"he": False, "depth": 2}),
        Condition("PyTorch's weights, 16 layers", {"he": False, "depth": 16}),
        Condition("He's weights, 16 layers", {"he": True, "depth": 16}),
    ),
    control=Condition("a single layer, which has no skip", {"he": False, "depth": 1}),
    measure=measure,
    axes=Axes("Frequency (cycles per turn)", "Eigenvalue (of the largest)", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"samples": 16}),
        Size.QUICK: Effort(1, {"samples": 64}),
        Size.FULL: Effort(1, {"samples": 1024}),
    },
    depends="the depth and the weights",
    caveat="Infinitely wide, fully connected networks. Residual branches weigh what initialisation gives them: "
    "He's double the variance with each layer, and no factor is put before the branch. Without biases, He's "
    "kernel of a single layer has no odd frequencies; deeper ones have all.",
)
