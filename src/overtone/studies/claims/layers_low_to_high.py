"""The first layers hold the low frequencies, deeper layers the high ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from overtone._config import EncodingKind
from overtone._utils.enums import parse_enum
from overtone._utils.seeding import derive_seed
from overtone.nn import MLP
from overtone.nn._build import build_encoding
from overtone.nn.activations import Activation
from overtone.signals import synthetic
from overtone.spectra import GridTransform
from overtone.spectra import linear_readout as layers
from overtone.spectra.linear_readout._readout import LinearReadout
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

HELD = 0.7
"""Relative error below which a read-out of a layer holds a band: half of its power."""


def measure(
    seed: int, encoding: str, activation: str, side: int, width: int, depth: int, steps: int
) -> Measured:
    """log2 of the highest frequency that the last layer holds, over that of the first layer."""
    signal = synthetic.power_law((side, side), 3.0, seed)
    kind = EncodingKind(encoding)
    low, high = kind.domain
    before = build_encoding(
        kind, 2, width, [8.0, 8.0] if kind.has_bandwidth else None, derive_seed(seed, "encoding")
    )
    inputs = before(low + (high - low) * signal.coords, torch.float32)
    between = (
        torch.nn.Identity() if activation == "linear" else parse_enum(Activation, activation, "activation")
    )
    network = MLP(inputs.shape[1], 1, width, depth, between, seed=derive_seed(seed, "weights"))
    transform = GridTransform((side, side), 1 / side, True, [0.0, *(2 ** (i / 2) for i in range(-1, 9))])
    untrained = reach(held(network, inputs, signal.values, transform))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        (network(inputs) - signal.values).square().mean().backward()
        optimizer.step()
    found = held(network, inputs, signal.values, transform)
    reached = reach(found)
    error = found.relative_error[:, 1:, 0].nan_to_num(1.0)
    return Measured(
        math.log2(reached[-1] / reached[0]),
        {f"layer {i + 1}": (found.bands.centre[1:], error[i].numpy()) for i in (0, depth - 1)},
        (
            f"layers hold up to {', '.join(f'{r:.2g}' for r in reached)} cycles per picture, "
            f"before training {', '.join(f'{r:.2g}' for r in untrained)}",
        ),
    )


def held(network: MLP, inputs: Tensor, target: Tensor, transform: GridTransform) -> LinearReadout:
    """Read-outs of the target from each hidden layer."""
    found, x = {}, inputs
    with torch.no_grad():
        for number, (linear, activation) in enumerate(
            zip(network.linears, network.activations, strict=False), 1
        ):
            x = activation(linear(x))
            found[f"{number}"] = x
    return layers.read_out(found, target, transform, width=layers.FeatureBudget.full())


def reach(found: LinearReadout) -> list[float]:
    """Per layer, the frequency up to which it holds every band; the lowest edge where it holds none."""
    return found.highest_held(HELD)[:, 0].clamp(min=found.bands.edges[1]).tolist()


STUDY = Study(
    name="layers-low-to-high",
    family=Family.ACTIVATIONS,
    claim="The first layers of a network hold the low frequencies of its target, deeper layers the high ones.",
    source="Rahaman et al. 2019, On the spectral bias of neural networks, sections 2 and 5 (arXiv:1806.08734), for the "
    "folding of deeper layers",
    statistic="log2 of the highest frequency that a linear read-out finds in the last hidden layer, over that in the "
    "first; bands are half an octave wide",
    criterion=AtLeast(0.5),
    conditions=(
        Condition("ReLU from plain coordinates", {"encoding": "none", "activation": "relu"}),
        Condition("tanh from plain coordinates", {"encoding": "none", "activation": "tanh"}),
        Condition("ReLU after Fourier features", {"encoding": "gaussian", "activation": "relu"}),
    ),
    first_seed=300,
    control=Condition(
        "no activation: each layer holds what the last held", {"encoding": "none", "activation": "linear"}
    ),
    measure=measure,
    axes=Axes("Frequency (cycles per picture)", "Relative error of the read-out", log_x=True),
    efforts={
        Size.SMOKE: Effort(1, {"side": 8, "width": 8, "depth": 2, "steps": 5}),
        Size.QUICK: Effort(12, {"side": 32, "width": 64, "depth": 4, "steps": 500}),
        Size.FULL: Effort(20, {"side": 128, "width": 256, "depth": 6, "steps": 20_000}),
    },
    depends="what the network sees first",
    caveat="Only what is linear in a layer counts as held, and only random pictures are learned. That deeper "
    "layers hold more does not say that they hold less of the low frequencies. "
    "Judged on seeds 300 to 311, after 5 from 100 on had left it undecided.",
)
