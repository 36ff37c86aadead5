"""How large a network a budget pays for."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass
from typing import final

import torch

from overtone.errors import InputError
from overtone.nn import MLP, Field, Frame, Restore
from overtone.rng import derive
from overtone.signals import Signal
from overtone.training import Options, train
from overtone.tune.budget import Budget
from overtone.tune.family import Family

WIDTH, DEPTH, STEPS = 256, 3, 2000
"""Units of a hidden layer (and frequencies), hidden layers and steps where the budget allows them."""

NARROWEST = 8
"""Units below which a network is of no use."""

WORTHWHILE, FIRST_RESULT = 1000, 100
"""Steps from which width pays more than steps, and those that a first result takes."""


@final
@dataclass(frozen=True)
class Size:
    """The network and the run that a budget pays for.

    Attributes:
        width: Units of a hidden layer.
        depth: Hidden layers.
        features: Frequencies of the encoding.
        steps: Optimizer steps.
        reasons: Why, in sentences.
        warnings: What the budget is too small for, in sentences.
    """

    width: int
    depth: int
    features: int
    steps: int
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


def parameters(width: int, depth: int, features: int, channels: int) -> int:
    """Trainable parameters of an MLP after `features` cosines and as many sines."""
    return 2 * features * width + width + (depth - 1) * (width + 1) * width + (width + 1) * channels


def size(signal: Signal, budget: Budget, device: torch.device | str = "cpu") -> Size:
    """The widest network, up to 256 units, that the budget pays for.

    Args:
        signal: What will be learned.
        budget: What it may cost. Seconds are turned into steps by timing a few on the device.
        device: Where it will be trained.

    Returns:
        The size.

    Raises:
        InputError: If not even the smallest network fits; says what would be enough.
    """
    channels, samples = signal.values.shape[1], signal.train_index.numel()
    features = min(WIDTH, samples)
    width, reasons, warnings = WIDTH, [], []
    if features < WIDTH:
        reasons.append(f"{features} frequencies, as many as there are samples to train on.")
    if budget.parameters is not None:
        width = _widest(budget.parameters, features, channels)
        features = min(features, width)
        count = parameters(width, DEPTH, features, channels)
        reasons.append(f"{DEPTH} x {width} units after {features} frequencies are {count} parameters.")
    steps = budget.steps or STEPS
    if budget.seconds is not None:
        width, possible = _affordable(signal, budget.seconds, width, features, torch.device(device))
        features, steps = min(features, width), min(possible, budget.steps or possible)
        reasons.append(f"{budget.seconds:g} s are about {steps} steps with {width} units a layer.")
    if steps < FIRST_RESULT:
        enough = f"{FIRST_RESULT} steps"
        if budget.seconds is not None:
            enough = f"{budget.seconds * FIRST_RESULT / steps:.2g} s"
        warnings.append(
            f"{steps} steps learn little but the mean; {enough} would be enough for a first result."
        )
    return Size(width, DEPTH, features, steps, tuple(reasons), tuple(warnings))


def _widest(budget: int, features: int, channels: int) -> int:
    def needs(width: int) -> int:
        return parameters(width, DEPTH, min(features, width), channels)

    if needs(NARROWEST) > budget:
        raise InputError(
            f"at least {needs(NARROWEST)} parameters, those of {DEPTH} layers of {NARROWEST} units",
            f"{budget}",
            "allow more",
            "parameters",
        )
    return max(width for width in range(NARROWEST, WIDTH + 1) if needs(width) <= budget)


def _affordable(
    signal: Signal, seconds: float, width: int, features: int, device: torch.device
) -> tuple[int, int]:
    """Width and steps that fit into the seconds, halving the width while too few steps are possible."""
    while True:
        each = step_seconds(
            field(signal, Family.GAUSSIAN, signal.geometry.nyquist, width, DEPTH, features), signal, device
        )
        steps = int(seconds / each)
        if steps >= WORTHWHILE or width <= 64:
            break
        width = max(64, width // 2)
        features = min(features, width)
    if steps < 1:
        raise InputError(
            f"at least {math.ceil(1000 * each) / 1000:g} s, what one step takes",
            f"{seconds:g} s",
            f"allow {FIRST_RESULT * each:.2g} s for a first result",
            "seconds",
        )
    return width, steps


def step_seconds(network: Field, signal: Signal, device: torch.device, steps: int = 3) -> float:
    """Seconds that an optimizer step takes, the fastest of a few after the first."""
    moments: list[float] = []

    def note(*_: object) -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        moments.append(time.perf_counter())

    options = Options(steps=steps + 1, compile=False)
    train(network.to(device), signal, options, note, wants=lambda _: True)
    return min(after - before for before, after in itertools.pairwise(moments[1:]))


def field(
    signal: Signal,
    family: Family,
    bandwidth: tuple[float, ...],
    width: int,
    depth: int,
    features: int,
    seed: int = 0,
) -> Field:
    """An untrained network for a signal.

    Args:
        signal: What will be learned.
        family: Its encoding.
        bandwidth: The encoding's reach per axis, in cycles per unit.
        width: Units of a hidden layer.
        depth: Hidden layers.
        features: Frequencies of the encoding.
        seed: Seeds frequencies and weights.

    Returns:
        The field, from physical coordinates to physical values.
    """
    grid = signal.geometry
    encoding = family.build(grid, features, bandwidth, derive(seed, "encoding"))
    body = MLP(encoding.out_features, signal.values.shape[1], width, depth, seed=derive(seed, "weights"))
    frame = Frame.of(grid.origin, grid.extent, grid.units, encoding.domain)
    return Field(encoding, body, frame, Restore(signal.normalisation.offset, signal.normalisation.scale))
