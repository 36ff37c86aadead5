"""Remedies against spectral bias: networks of several scales, losses, normalization, limits, and their cost."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from overtone.nn import MLP, BandLimited, MultiScale, parameter_groups
from overtone.nn.activations import Activation
from overtone.nn.encodings import Basic, Gaussian, HashGrid
from overtone.nn.layers import AdaptiveFilter, BinomialPool, LowPassConv
from overtone.nn.losses import BandFollowing, FocalFrequency
from overtone.signals import synthetic
from overtone.spectra import Bands, GridTransform, grid
from overtone.studies._claims._shared import (
    circle,
    fit_network,
    steps_to_halve,
    torch_seed,
    wave_amplitudes,
    wave_sum,
)
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

_SAMPLES = 64

_FREQUENCIES = [1, 2, 4, 8]
"""Waves of equal amplitude, in cycles per turn or per array."""


def measure_balanced_ends(seed: int, network: str, loss: str, width: int, steps: int) -> Measurement:
    """Measure the octaves between the steps of the slowest and the fastest wave to stay below half of their error."""
    signal = synthetic.harmonics(_FREQUENCIES, samples=_SAMPLES, seed=seed)
    coords, target = signal.coords.float(), signal.values.float()
    bands = Bands.linear((_SAMPLES,), 1 / _SAMPLES, periodic=True)
    transform = GridTransform((_SAMPLES,), 1 / _SAMPLES, True, bands)
    target_power = transform.power(transform.coefficients(target))[:, 0]
    losses: dict[str, nn.Module] = {
        "mean square": nn.MSELoss(),
        "focal": FocalFrequency(transform),
        "following": BandFollowing(transform, target_power),
    }
    body, error = _balanced_network(network, width, seed), losses[loss]
    optimizer = torch.optim.Adam(parameter_groups(body, 1e-3))
    errors = np.empty((steps, len(_FREQUENCIES)))
    for step in range(steps):
        values = body(coords)
        # Before the step, so that the first row is the untrained network.
        power = transform.power(transform.coefficients(values.detach() - target))[:, 0]
        errors[step] = (power / target_power)[_FREQUENCIES].sqrt().numpy()
        optimizer.zero_grad()
        error(values, target).backward()
        optimizer.step()
    learned = steps_to_halve(errors)
    return Measurement(math.log2(max(learned) / min(learned)), {"": (_FREQUENCIES, learned)})


def _balanced_network(network: str, width: int, seed: int) -> nn.Module:
    """Return a network on [0, 1); all but the hash grid see the points of a circle."""
    if network == "hash grid":
        return nn.Sequential(HashGrid(1, 32.0, 2.0, 5, seed=seed), MLP(10, 1, width, 2, seed=seed))
    scales = (1.0, 2.0, 4.0, 8.0)
    body = (
        MultiScale(2, 1, width // 2, 2, Activation.HAT, scales, seed=seed)
        if network == "scales"
        else MLP(2, 1, width, 2, seed=seed)
    )
    return nn.Sequential(Basic(1), body)


BALANCED_ENDS = Study(
    name="balanced-ends",
    topic=Topic.DESIGN,
    claim="Multi-resolution networks and adaptive filtering of the error balance low and high frequencies.",
    source=(
        "Liu et al. 2020, MscaleDNN (arXiv:2007.11207); Müller et al. 2022, Instant neural graphics "
        "primitives (arXiv:2201.05989); Jiang et al. 2021, Focal frequency loss (arXiv:2012.12821)"
    ),
    statistic=(
        "steps in which the slowest of 1, 2, 4 and 8 cycles is learned over those of the fastest, in octaves"
    ),
    criterion=AtMost(1.0),
    conditions=(
        Condition(
            "sub-networks of hat functions at four scales", {"network": "scales", "loss": "mean square"}
        ),
        Condition("hash grid", {"network": "hash grid", "loss": "mean square"}),
        Condition("focal frequency loss", {"network": "plain", "loss": "focal"}),
        Condition("weights that follow the error", {"network": "plain", "loss": "following"}),
    ),
    control=Condition("plain network, mean square", {"network": "plain", "loss": "mean square"}),
    positive=MET_BY_A_CONDITION,
    measure=measure_balanced_ends,
    axes=FigureAxes("Frequency (cycles per array)", "Steps to learn it", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"width": 8, "steps": 3}),
        StudySize.QUICK: SizeSettings(4, {"width": 64, "steps": 400}),
        StudySize.FULL: SizeSettings(20, {"width": 256, "steps": 20_000}),
    },
    factor="the remedy",
    limits=(0.0, math.inf),
    caveat=(
        "Points of a circle, all of them trained on, and Adam; values between the samples were not tested. "
        "Waves that are not learned at the end count as learned there. Sub-networks of ReLU in place of hat "
        "functions do not help."
    ),
)


def measure_batch_norm_balance(seed: int, optimizer: str, kind: str, width: int, steps: int) -> Measurement:
    """Measure the octaves between 8 cycles and 1 cycle with batch normalization, less those without."""
    halved = {
        "without": _normalised_steps(seed, optimizer, "nothing", width, steps),
        "with": _normalised_steps(seed, optimizer, kind, width, steps),
    }
    octaves = {name: math.log2(learned[-1] / learned[0]) for name, learned in halved.items()}
    return Measurement(
        octaves["with"] - octaves["without"], {n: (_FREQUENCIES, s) for n, s in halved.items()}
    )


class _Scaled(nn.Module):
    """Learned scale and shift per unit, as of batch normalization, without the normalization."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width, device="cpu"))
        self.shift = nn.Parameter(torch.zeros(width, device="cpu"))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, width) to the same shape."""
        return self.scale * x + self.shift


def _normalised_steps(seed: int, optimizer: str, kind: str, width: int, steps: int) -> list[int]:
    """Return the steps from which on the error of each wave stays below half of its first."""
    between = {"nothing": lambda _: nn.Identity(), "scale": _Scaled, "batch": nn.BatchNorm1d}[kind]
    angle, points = circle(_SAMPLES)
    layers: list[nn.Module] = []
    with torch_seed(seed, "weights"):
        for inputs in (2, width):
            layers += [
                nn.Linear(inputs, width),
                between(width),
                nn.ReLU(),
            ]
        network = nn.Sequential(*layers, nn.Linear(width, 1))
    with torch.no_grad():
        # Added to the untrained outputs, so that every wave begins with an error of exactly 1.
        target = wave_sum(angle, _FREQUENCIES, [seed] * len(_FREQUENCIES)) + network(points)
    optimizers: dict[str, torch.optim.Optimizer] = {
        "Adam": torch.optim.Adam(network.parameters(), 1e-3),
        "gradient descent": torch.optim.SGD(network.parameters(), 0.01, 0.9),
    }
    errors = np.empty((steps, len(_FREQUENCIES)))
    for step in range(steps):
        # In training mode: every step has all points, so that the batch's statistics are the exact ones.
        residual = network(points) - target
        errors[step] = wave_amplitudes(residual, _FREQUENCIES)
        optimizers[optimizer].zero_grad()
        residual.square().mean().backward()
        optimizers[optimizer].step()
    return steps_to_halve(errors)


BATCH_NORM_BALANCE = Study(
    name="batch-norm-balance",
    topic=Topic.DESIGN,
    claim="Batch normalization alleviates spectral bias.",
    source="Cai et al. 2024, Batch normalization alleviates the spectral bias in coordinate networks, CVPR",
    statistic=(
        "steps to halve the error of 8 cycles over those of 1 cycle with batch normalization, less the same "
        "without, in octaves"
    ),
    criterion=AtMost(-0.5),
    conditions=(
        Condition("Adam", {"optimizer": "Adam", "kind": "batch"}),
        Condition("gradient descent with momentum", {"optimizer": "gradient descent", "kind": "batch"}),
    ),
    control=Condition(
        "scale and shift per unit without normalization", {"optimizer": "Adam", "kind": "scale"}
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_batch_norm_balance,
    axes=FigureAxes("Frequency (cycles per turn)", "Steps to halve its error", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"width": 8, "steps": 3}),
        StudySize.QUICK: SizeSettings(5, {"width": 64, "steps": 550}),
        StudySize.FULL: SizeSettings(20, {"width": 256, "steps": 10_000}),
    },
    factor="the optimizer",
    tested=Tested.CASE,
    caveat=(
        "Small ReLU networks on the points of a circle, trained on all points at once and measured in "
        "training mode. Waves that are not halved at the end count as halved there."
    ),
)


_LIMITED_SAMPLES = 128

_LOW_WAVES, _HIGH_WAVES = [1, 2, 4], [16, 32]
"""Waves of equal amplitude, in cycles per array, on either side of the limit."""

_LIMIT = 8.0
"""Frequency to which networks are limited, in cycles per array."""


def measure_low_alone_stays_low(seed: int, limited: str, width: int, steps: int) -> Measurement:
    """Measure the fraction of the waves above the limit that a trained network has learned."""
    waves = [*_LOW_WAVES, *_HIGH_WAVES]
    signal = synthetic.harmonics(waves, samples=_LIMITED_SAMPLES, seed=seed)
    coords, target = signal.coords.float(), signal.values.float()
    network = _limited_network(limited, width, seed)
    fit_network(network, coords, target, 3e-3, steps)
    bands = Bands.linear((_LIMITED_SAMPLES,), 1 / _LIMITED_SAMPLES, periodic=True)
    spectrum = grid(network(coords).detach()[:, 0], periodic=True, bands=bands, reference=target[:, 0])
    assert spectrum.cross is not None
    assert spectrum.reference_power is not None
    # Cross power over target power is 1 for a wave of the target's amplitude and phase, and 0 for its absence.
    learned = (spectrum.cross[waves, 0] / spectrum.reference_power[waves, 0]).numpy()
    return Measurement(float(np.mean(learned[len(_LOW_WAVES) :])), {"": (waves, learned)})


def _limited_network(limited: str, width: int, seed: int) -> nn.Module:
    """Return a network on [0, 1) of which a part is limited to low frequencies."""
    body = MLP(2 * width, 1, width, 2, seed=seed)
    networks: dict[str, nn.Module] = {
        "every layer": BandLimited.octaves(1, 1, _LIMIT, width, 2, period=1.0, seed=seed),
        "output": nn.Sequential(Gaussian.from_bandwidth(1, width, 64.0, seed), body, _LowPassOutput(_LIMIT)),
        # Half of the limit for 90 % of a normal distribution, which leaves few frequencies above the limit itself.
        "input": nn.Sequential(Gaussian.from_bandwidth(1, width, _LIMIT / 2, seed), body),
        "nothing": BandLimited.octaves(1, 1, 8 * _LIMIT, width, 2, period=1.0, seed=seed),
    }
    return networks[limited]


class _LowPassOutput(nn.Module):
    """Low pass over the whole grid, of values (N, 1)."""

    def __init__(self, cutoff: float) -> None:
        super().__init__()
        self.low_pass = AdaptiveFilter(1, cutoff, spacing=1 / _LIMITED_SAMPLES, periodic=True)

    def forward(self, values: Tensor) -> Tensor:
        """Map (N, 1) to the same shape."""
        return self.low_pass(values.T[None])[0].T


LOW_ALONE_STAYS_LOW = Study(
    name="low-alone-stays-low",
    topic=Topic.DESIGN,
    claim="A network that is limited to low frequencies cannot learn the others.",
    source=(
        "Lindell et al. 2022, BACON: band-limited coordinate networks (arXiv:2112.04645), section 3, for "
        "networks with an exact limit; claimed of low-frequency inputs without a source"
    ),
    statistic="fraction of 16 and 32 cycles that a network limited to 8 cycles learns",
    criterion=AtMost(0.1),
    conditions=(
        Condition("every layer limited", {"limited": "every layer"}),
        Condition("output filtered", {"limited": "output"}),
        Condition("Fourier features limited, then ReLU", {"limited": "input"}),
    ),
    control=Condition("every layer limited to 64 cycles", {"limited": "nothing"}),
    positive=MET_BY_A_CONDITION,
    measure=measure_low_alone_stays_low,
    axes=FigureAxes("Frequency (cycles per array)", "Learned fraction", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"width": 8, "steps": 3}),
        StudySize.QUICK: SizeSettings(4, {"width": 64, "steps": 400}),
        StudySize.FULL: SizeSettings(20, {"width": 256, "steps": 10_000}),
    },
    factor="which part of the network is limited",
    caveat=(
        "Every sample is trained on, so that the study measures what a network can fit and not how well it "
        "fills in values between samples. Of the features' frequencies 90 % lie below 4 cycles, and few "
        "above 8."
    ),
)


def measure_remedies_cost(seed: int, remedy: str, widths: list[int], samples: int) -> Measurement:
    """Measure the operations of a training step with a remedy over those without, at the last of the widths."""
    del seed
    operations, parameters = [], []
    for width in widths:
        plain, remedied, inputs = _remedy_pair(remedy, width, samples)
        operations.append(_operations(remedied, inputs) / _operations(plain, inputs))
        parameters.append(_parameters(remedied) / _parameters(plain))
    return Measurement(
        operations[-1], {"": (widths, operations)}, (f"{parameters[-1]:.3g} times the parameters",)
    )


def _remedy_pair(remedy: str, width: int, samples: int) -> tuple[nn.Module, nn.Module, Tensor]:
    """Return a network without and with a remedy, and a batch."""
    coords, plain = torch.zeros(samples, 2), MLP(2, 1, width, 3)
    if remedy == "low-pass convolution":
        strided = nn.Sequential(nn.Conv2d(width, width, 3, stride=2, padding=1), nn.ReLU())
        smooth = LowPassConv(2, width, width, BinomialPool(2), activation=nn.ReLU())
        return strided, smooth, torch.zeros(1, width, 16, 16)
    remedied: dict[str, nn.Module] = {
        "Fourier features": nn.Sequential(Gaussian(2, width, 10.0), MLP(2 * width, 1, width, 3)),
        "tanh": MLP(2, 1, width, 3, Activation.TANH),
        "four scales": MultiScale(2, 1, width, 3),
        "band limits": BandLimited.octaves(2, 1, 32.0, width, 3),
        "hash grid": nn.Sequential(HashGrid(2, 128.0, 8.0, 8, 2, 12), MLP(16, 1, width, 3)),
        "twice the width": MLP(2, 1, 2 * width, 3),
    }
    return plain, remedied[remedy], coords


def _operations(network: nn.Module, inputs: Tensor) -> int:
    """Count additions and multiplications of matrix products and convolutions, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        network(inputs).square().mean().backward()
    return counter.get_total_flops()


def _parameters(network: nn.Module) -> int:
    """Count the trained numbers."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


_REMEDIES = ("Fourier features", "four scales", "band limits", "hash grid", "low-pass convolution")


REMEDIES_COST = Study(
    name="remedies-cost",
    topic=Topic.DESIGN,
    claim="The remedies against spectral bias cost matrix products and convolutions.",
    source=(
        "Often claimed without a source; the remedies are those of Tancik et al. 2020 (arXiv:2006.10739), "
        "Liu et al. 2020 (arXiv:2007.11207), Lindell et al. 2022 "
        "(arXiv:2112.04645), Müller et al. 2022 (arXiv:2201.05989) and Zhang 2019 (arXiv:1904.11486)"
    ),
    statistic=(
        "operations of a training step with the remedy over those of the network without it, of equal width"
    ),
    criterion=AtLeast(1.1),
    conditions=tuple(Condition(remedy, {"remedy": remedy}) for remedy in _REMEDIES),
    control=Condition("tanh in place of ReLU, no remedy", {"remedy": "tanh"}),
    positive=Condition("a network of twice the width", {"remedy": "twice the width"}),
    measure=measure_remedies_cost,
    axes=FigureAxes("Width", "Operations (of the network without)", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"widths": [8], "samples": 8}),
        StudySize.QUICK: SizeSettings(1, {"widths": [32, 64, 128, 256], "samples": 256}),
        StudySize.FULL: SizeSettings(1, {"widths": [64, 128, 256, 512, 1024], "samples": 8192}),
    },
    factor="the remedy",
    revision=2,
    tested=Tested.CASE,
    limits=(0.0, math.inf),
    caveat=(
        "Only matrix products and convolutions are counted: sines cannot differ from ReLU in this count and "
        "are left out, and a hash grid's table look-ups and memory traffic, which dominate it, do not "
        "appear. Steps have equal batches and networks equal widths: neither the number of steps that are "
        "needed nor the smaller network that suffices behind a hash grid is counted."
    ),
)


STUDIES = (
    BALANCED_ENDS,
    BATCH_NORM_BALANCE,
    LOW_ALONE_STAYS_LOW,
    REMEDIES_COST,
)
