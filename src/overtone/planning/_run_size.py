"""How large a network a budget pays for."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass
from typing import final

import torch

from overtone._config._training import LONGEST
from overtone._training import TrainingConfig, train
from overtone._utils.numbers import as_float, short, whole
from overtone._utils.text import plural
from overtone.errors import InputError
from overtone.nn import EncodingKind, Field, ModelConfig, build_field
from overtone.signals import Geometry, Signal


@final
@dataclass(frozen=True)
class Budget:
    """What a fit may cost; None leaves it open.

    Attributes:
        steps: Most optimizer steps.
        seconds: Most wall-clock seconds of training, on the device given.
        parameters: Most trainable parameters.

    Raises:
        InputError: If a number is not positive and finite.
    """

    steps: int | None = None
    seconds: float | None = None
    parameters: int | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "seconds", "parameters"):
            value = getattr(self, name)
            if value is None:
                continue
            number = as_float(value)
            if not (math.isfinite(number) and number > 0):
                raise InputError("a positive finite number", short(value), "pass a number above 0", name)
            object.__setattr__(self, name, number if name == "seconds" else whole(value, name))
        if self.seconds is not None and self.seconds > LONGEST:
            raise InputError(
                f"at most {LONGEST:g} seconds", f"{self.seconds:g}", "pass for instance 3600", "seconds"
            )


WIDTH, DEPTH, STEPS = 256, 3, 2000
"""Units of a hidden layer (and frequencies), hidden layers and steps where the budget allows them."""

NARROWEST = 8
"""Units below which a network is of no use."""

LARGEST, SMALLEST = 8192, 1024
"""Samples per step: with steps to spare, and where seconds are short."""

NARROW = 128
"""Units to which a network is narrowed where seconds are short: a quarter of the time, and little is lost early on."""

ENOUGH, FEW, FIRST_RESULT = 2000, 500, 100
"""Steps from which more samples per step pay more than more steps, below which a narrower network pays, and those of
a first result."""

LEARNING_RATE, SHORT = 1e-3, 2.0
"""Of Adam, for 2,000 steps of 256 units, and the factor for fewer; goes as 1 / width where seconds are short."""


@final
@dataclass(frozen=True)
class RunSize:
    """The network and the run that a budget pays for.

    Attributes:
        width: Units of a hidden layer.
        depth: Hidden layers.
        features: Frequencies of the encoding.
        steps: Optimizer steps.
        batch: Samples per step; None for all up to 8,192.
        lr: Learning rate of Adam.
        reasons: Why, in sentences.
        warnings: What the budget is too small for, in sentences.
    """

    width: int
    depth: int
    features: int
    steps: int
    batch: int | None
    lr: float
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


def parameter_count(width: int, depth: int, features: int, channels: int) -> int:
    """Trainable parameters of an MLP after `features` cosines and as many sines."""
    return 2 * features * width + width + (depth - 1) * (width + 1) * width + (width + 1) * channels


def run_size(signal: Signal[Geometry], budget: Budget, device: torch.device | str = "cpu") -> RunSize:
    """The widest network, up to 256 units, and the most samples per step, up to 8,192, that the budget pays for.

    Seconds buy steps first: samples per step are halved down to 1,024 until 2,000 steps are possible, then units to 128
    if not even 500 are. On a clean picture an eighth of the samples per step, at twice the learning rate, reached the
    same error in an eighth of the time.

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
    width, batch, rate, reasons, warnings = WIDTH, None, LEARNING_RATE, [], []
    if features < WIDTH:
        reasons.append(f"{features} frequencies, as many as there are samples to train on.")
    if budget.parameters is not None:
        width = _widest(budget.parameters, features, channels)
        features = min(features, width)
        count = parameter_count(width, DEPTH, features, channels)
        reasons.append(f"{DEPTH} x {width} units after {features} frequencies are {count} parameters.")
    steps = budget.steps or STEPS
    if budget.seconds is not None:
        width, batch, possible = _affordable(signal, budget.seconds, width, features, torch.device(device))
        features, steps = min(features, width), min(possible, budget.steps or possible)
        rate *= WIDTH / width * (1 if steps >= ENOUGH else SHORT)
        reasons.append(
            f"{budget.seconds:g} s are about {plural(steps, 'step')} with {width} units a layer and {batch:,} samples "
            "a step."
        )
    if steps < FIRST_RESULT:
        enough = f"{FIRST_RESULT} steps"
        if budget.seconds is not None:
            enough = f"{budget.seconds * FIRST_RESULT / steps:.2g} s"
        warnings.append(
            f"{plural(steps, 'step')} {'learns' if steps == 1 else 'learn'} little but the mean; {enough} would be "
            "enough for a first result."
        )
    return RunSize(width, DEPTH, features, steps, batch, rate, tuple(reasons), tuple(warnings))


def _widest(budget: int, features: int, channels: int) -> int:
    def needs(width: int) -> int:
        return parameter_count(width, DEPTH, min(features, width), channels)

    if needs(NARROWEST) > budget:
        raise InputError(
            f"at least {needs(NARROWEST)} parameters, those of {DEPTH} layers of {NARROWEST} units",
            f"{budget}",
            "allow more",
            "parameters",
        )
    return max(width for width in range(NARROWEST, WIDTH + 1) if needs(width) <= budget)


def _affordable(
    signal: Signal[Geometry], seconds: float, width: int, features: int, device: torch.device
) -> tuple[int, int, int]:
    """Units, samples per step, and the steps that fit into the seconds."""
    samples = signal.train_index.numel()
    batch, least = min(LARGEST, samples), min(SMALLEST, samples)
    far = tuple(8 / length for length in signal.geometry.extent)
    while True:
        network = build_field(
            signal, ModelConfig(EncodingKind.GAUSSIAN, far, width=width, features=min(features, width))
        )
        each = step_seconds(network, signal, device, batch)
        steps = int(seconds / each)
        if batch > least and steps < ENOUGH:
            batch = max(least, batch // 2)
        elif width > NARROW and steps < FEW:
            width = max(NARROW, width // 2)
        else:
            break
    if steps < 1:
        raise InputError(
            f"at least {math.ceil(1000 * each) / 1000:g} s, what one step takes",
            f"{seconds:g} s",
            f"allow {FIRST_RESULT * each:.2g} s for a first result",
            "seconds",
        )
    return width, batch, steps


def step_seconds(
    network: Field, signal: Signal[Geometry], device: torch.device, batch: int | None = None, steps: int = 3
) -> float:
    """Seconds that an optimizer step takes, the fastest of a few after the first."""
    moments: list[float] = []

    def note(*_: object) -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        moments.append(time.perf_counter())

    options = TrainingConfig(steps=steps + 1, batch=batch, compile=False)
    train(network.to(device), signal, options, note, wants=lambda _: True)
    return min(after - before for before, after in itertools.pairwise(moments[1:]))
