"""Which remedies against spectral bias cost arithmetic, and how much."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from overtone.nn import MLP, BandLimited, MultiScale
from overtone.nn.activations import Activation, Sine
from overtone.nn.encodings import Gaussian, HashGrid
from overtone.nn.layers import BinomialPool, LowPassConv
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study


def measure(seed: int, remedy: str, widths: list[int], samples: int) -> Measured:
    """Operations of a training step with a remedy over those without, at the last of the widths."""
    del seed
    ratios, sizes = [], []
    for width in widths:
        plain, mended, inputs = pair(remedy, width, samples)
        ratios.append(operations(mended, inputs) / operations(plain, inputs))
        sizes.append(parameters(mended) / parameters(plain))
    return Measured(ratios[-1], {"": (widths, ratios)}, (f"{sizes[-1]:.3g} times the parameters",))


def pair(remedy: str, width: int, samples: int) -> tuple[nn.Module, nn.Module, Tensor]:
    """A network without and with a remedy, and a batch."""
    coords, plain = torch.zeros(samples, 2), MLP(2, 1, width, 3)
    if remedy == "low-pass convolution":
        strided = nn.Sequential(nn.Conv2d(width, width, 3, stride=2, padding=1), nn.ReLU())
        smooth = LowPassConv(2, width, width, BinomialPool(2), activation=nn.ReLU())
        return strided, smooth, torch.zeros(1, width, 16, 16)
    mended: dict[str, nn.Module] = {
        "Fourier features": nn.Sequential(Gaussian(2, width, 10.0), MLP(2 * width, 1, width, 3)),
        "sines": MLP(2, 1, width, 3, Sine(30.0)),
        "tanh": MLP(2, 1, width, 3, Activation.TANH),
        "four scales": MultiScale(2, 1, width, 3),
        "band limits": BandLimited.octaves(2, 1, 32.0, width, 3),
        "hash grid": nn.Sequential(HashGrid(2, 128.0, 8.0, 8, 2, 12), MLP(16, 1, width // 4, 2)),
    }
    return plain, mended[remedy], coords


def operations(network: nn.Module, inputs: Tensor) -> int:
    """Additions and multiplications of matrix products and convolutions, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        network(inputs).square().mean().backward()
    return counter.get_total_flops()


def parameters(network: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


REMEDIES = ("Fourier features", "sines", "four scales", "band limits", "hash grid", "low-pass convolution")

STUDY = Study(
    name="remedies-cost",
    family=Family.DESIGN,
    claim="The remedies against spectral bias cost computation.",
    source="Often said without a source; the remedies are those of Tancik et al. 2020 (arXiv:2006.10739), Sitzmann et "
    "al. 2020 (arXiv:2006.09661), Liu et al. 2020 (arXiv:2007.11207), Lindell et al. 2022 (arXiv:2112.04645), Müller "
    "et al. 2022 (arXiv:2201.05989) and Zhang 2019 (arXiv:1904.11486)",
    statistic="operations of a training step with the remedy over those of the network without, of the same width",
    criterion=AtLeast(1.1),
    conditions=tuple(Condition(remedy, {"remedy": remedy}) for remedy in REMEDIES),
    control=Condition("tanh in place of ReLU, no remedy", {"remedy": "tanh"}),
    measure=measure,
    axes=Axes("Width", "Operations (of the network without)", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"widths": [8], "samples": 8}),
        Size.QUICK: Effort(1, {"widths": [32, 64, 128, 256], "samples": 256}),
        Size.FULL: Effort(1, {"widths": [64, 128, 256, 512, 1024], "samples": 8192}),
    },
    depends="the remedy",
    caveat="Matrix products and convolutions are counted, not sines, table look-ups and memory traffic, which is what "
    "a hash grid is made of; its network has a quarter of the width and one layer less, as in its source. Steps are of "
    "equal batches: how many are needed is not counted.",
)
