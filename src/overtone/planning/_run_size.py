"""Run size: the network and the training that a budget pays for."""

from __future__ import annotations

import itertools
import math
import os
import time
from dataclasses import dataclass
from typing import final

import torch

from overtone._config import EncodingKind, ModelConfig
from overtone._config._training import MAX_SECONDS
from overtone._training import Optimizer, TrainingConfig, train
from overtone._utils.numbers import as_float, short, whole
from overtone.errors import InputError, RunError
from overtone.nn import Field
from overtone.nn._build import build_field
from overtone.planning._ranking import FINER, PERIODIC, Ranking
from overtone.planning._reasons import Reason, ReasonCode
from overtone.signals import Geometry, Signal

WIDTH, DEPTH, STEPS = 256, 3, 2000
"""Units of a hidden layer (and frequencies), hidden layers and steps where the budget allows them."""

MIN_WIDTH = 8
"""Units below which a network is of no use."""

MAX_BATCH, MIN_BATCH = 8192, 1024
"""Samples per step: with steps to spare, and where seconds are short."""

NARROW_WIDTH = 128
"""Units to which a network is narrowed where seconds are short: a quarter of the time, at little loss early on."""

ENOUGH, FEW, FIRST_RESULT = 2000, 500, 100
"""Steps above which a larger batch pays more than more steps, below which a narrower network pays, and steps of a first
result."""

LEARNING_RATE, SHORT_RUN_FACTOR = 1e-3, 2.0
"""Learning rate of Adam for 2,000 steps of 256 units, and its factor for fewer; it goes as 1 / width where seconds are
short."""


FAST_RADIANS = 4.0
"""Radians by which a step of Adam may move the argument of a hidden sine, from which on a plan names a safer rate."""

HIDDEN_OMEGA, SAFE_RADIANS = 30.0, 2.0
"""Factor inside hidden sines, and the radians by which a step of Adam may safely move the argument of one, at most
rate x factor x units: 8 lose up to 40 dB of clean tones, 2 to 3 lose nothing."""


@final
@dataclass(frozen=True)
class Budget:
    """Budget of a fit; None leaves a limit open.

    Attributes:
        steps: Largest number of optimizer steps.
        seconds: Largest number of wall-clock seconds of training, on the device of the fit.
        parameters: Largest number of trainable parameters.

    Raises:
        InputError: If a number is not positive and finite.

    Example:
        >>> Budget(seconds=60.0).steps is None
        True
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
        if self.seconds is not None and self.seconds > MAX_SECONDS:
            raise InputError(
                f"at most {MAX_SECONDS:g} seconds", f"{self.seconds:g}", "pass for instance 3600", "seconds"
            )


@final
@dataclass(frozen=True)
class RunSize:
    """Network and run that a budget pays for.

    Attributes:
        width: Units of a hidden layer.
        depth: Hidden layers.
        features: Frequencies of the encoding.
        steps: Optimizer steps.
        batch: Samples per step; None for all up to 8,192.
        lr: Learning rate of Adam.
        reasons: Limits that decided the size.
        warnings: Consequences of a budget that is too small.
    """

    width: int
    depth: int
    features: int
    steps: int
    batch: int | None
    lr: float
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()


def parameter_count(width: int, depth: int, features: int, channels: int) -> int:
    """Number of trainable parameters of an MLP after `features` cosines and as many sines."""
    return 2 * features * width + width + (depth - 1) * (width + 1) * width + (width + 1) * channels


def safe_sine_rate(width: int) -> float:
    """Return the learning rate of Adam at which a step moves the arguments of hidden sines by 2 radians at most.

    Args:
        width: Units of the layer before them.
    """
    return SAFE_RADIANS / (HIDDEN_OMEGA * width)


def fast_sines(ranking: Ranking, training: TrainingConfig, width: int) -> list[Reason]:
    """Return a reason against rates at which a step moves the arguments of hidden sines by 4 radians; none otherwise.

    Args:
        ranking: Kind of the network.
        training: Optimizer and learning rate.
        width: Units of the layer before the sines.
    """
    safe = safe_sine_rate(width)
    radians = SAFE_RADIANS * training.learning_rate / safe
    if (
        ranking not in (PERIODIC, FINER)
        or training.optimizer is not Optimizer.ADAM
        or radians <= FAST_RADIANS
    ):
        return []
    values = {"lr": training.learning_rate, "width": width, "radians": radians}
    return [Reason(ReasonCode.FAST_SINES, values | {"safe_lr": safe})]


def check_memory(width: int, depth: int, features: int, channels: int) -> None:
    """Check that weights, gradients and the averages of an optimizer fit into the memory of this machine.

    Args:
        width: Units of a hidden layer.
        depth: Hidden layers.
        features: Frequencies of the encoding.
        channels: Outputs.

    Raises:
        RunError: If they do not.
    """
    if 4 * 4 * parameter_count(width, depth, features, channels) > _memory():
        raise RunError(
            "enough memory", "less than this takes", "make width=, depth=, features= or batch= smaller"
        )


def _memory() -> int:
    """Return the bytes of memory of this machine; the address space if the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 48


def run_size(signal: Signal[Geometry], budget: Budget, device: torch.device | str = "cpu") -> RunSize:
    """Choose the widest network, up to 256 units, and the largest batch, up to 8,192, that the budget pays for.

    Seconds buy steps first: samples per step are halved down to 1,024 until 2,000 steps are possible, then units to 128
    if not even 500 are. On a clean picture an eighth of the samples per step, at twice the learning rate, reached the
    same error in an eighth of the time.

    Args:
        signal: The signal to learn.
        budget: Its limits. Seconds are turned into steps by timing a few on the device.
        device: Device of the training.

    Returns:
        The size.

    Raises:
        InputError: If not even the smallest network fits; says what would be enough.
    """
    channels, samples = signal.values.shape[1], signal.train_index.numel()
    features = min(WIDTH, samples)
    width, batch, lr = WIDTH, None, LEARNING_RATE
    reasons, warnings = [], []
    if features < WIDTH:
        reasons.append(Reason(ReasonCode.FEATURE_LIMIT, {"features": features}))
    if budget.parameters is not None:
        width = _widest(budget.parameters, features, channels)
        features = min(features, width)
        count = parameter_count(width, DEPTH, features, channels)
        shape = {"depth": DEPTH, "width": width, "features": features, "parameters": count}
        reasons.append(Reason(ReasonCode.PARAMETER_BUDGET, shape))
    steps = budget.steps or STEPS
    if budget.seconds is not None:
        width, batch, possible = _affordable(signal, budget.seconds, width, features, torch.device(device))
        features, steps = min(features, width), min(possible, budget.steps or possible)
        lr *= WIDTH / width * (1 if steps >= ENOUGH else SHORT_RUN_FACTOR)
        values = {"seconds": budget.seconds, "steps": steps, "width": width, "batch": batch}
        reasons.append(Reason(ReasonCode.TIME_BUDGET, values))
    if steps < FIRST_RESULT:
        seconds = None if budget.seconds is None else budget.seconds * FIRST_RESULT / steps
        enough = {"enough_steps": FIRST_RESULT, "enough_seconds": seconds}
        warnings.append(Reason(ReasonCode.FEW_STEPS, {"steps": steps, **enough}))
    return RunSize(width, DEPTH, features, steps, batch, lr, tuple(reasons), tuple(warnings))


def _widest(budget: int, features: int, channels: int) -> int:
    def count(width: int) -> int:
        return parameter_count(width, DEPTH, min(features, width), channels)

    if count(MIN_WIDTH) > budget:
        raise InputError(
            f"at least {count(MIN_WIDTH)} parameters, those of {DEPTH} layers of {MIN_WIDTH} units",
            f"{budget}",
            "allow more",
            "parameters",
        )
    return max(width for width in range(MIN_WIDTH, WIDTH + 1) if count(width) <= budget)


def _affordable(
    signal: Signal[Geometry], seconds: float, width: int, features: int, device: torch.device
) -> tuple[int, int, int]:
    """Units, samples per step, and the steps that fit into the seconds."""
    samples = signal.train_index.numel()
    batch, min_batch = min(MAX_BATCH, samples), min(MIN_BATCH, samples)
    # The bandwidth does not change the cost of a step; any positive one serves for timing.
    bandwidth = tuple(8 / length for length in signal.geometry.extent)
    while True:
        config = ModelConfig(EncodingKind.GAUSSIAN, bandwidth, width=width, features=min(features, width))
        network = build_field(signal, config)
        cost = step_seconds(network, signal, device, batch)
        steps = int(seconds / cost)
        # Fewer samples first: they cost accuracy only late in a run, which a short budget does not come to.
        if batch > min_batch and steps < ENOUGH:
            batch = max(min_batch, batch // 2)
        elif width > NARROW_WIDTH and steps < FEW:
            width = max(NARROW_WIDTH, width // 2)
        else:
            break
    if steps < 1:
        raise InputError(
            f"at least {math.ceil(1000 * cost) / 1000:g} s, the time of one step",
            f"{seconds:g} s",
            f"allow {FIRST_RESULT * cost:.2g} s for a first result",
            "seconds",
        )
    return width, batch, steps


def step_seconds(
    network: Field, signal: Signal[Geometry], device: torch.device, batch: int | None = None, steps: int = 3
) -> float:
    """Time an optimizer step in seconds: the fastest of a few after the first."""
    times: list[float] = []

    def record_time(*_: object) -> None:
        # Kernels run asynchronously: without the barrier only their launch would be timed.
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter())

    options = TrainingConfig(steps=steps + 1, batch=batch, compile=False)
    train(network.to(device), signal, options, record_time, wants=lambda _: True)
    # The first step also allocates memory and picks algorithms; the fastest of the others is least disturbed.
    return min(after - before for before, after in itertools.pairwise(times[1:]))
