"""Preparation of a fit up to its first step, the same for new runs, resumed runs and predictions."""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar, final

import torch

from overtone._config import (
    Choosing,
    EncodingKind,
    FitConfig,
    ModelConfig,
    Optimizer,
    StoppingConfig,
    TrainingConfig,
)
from overtone._training import make_optimizer, train
from overtone.errors import InputError
from overtone.nn import Field
from overtone.nn._build import build_field
from overtone.planning import Budget, ReasonCode, measure_noise
from overtone.planning._bandwidth import aliasing_reason
from overtone.planning._candidates import BandwidthCandidate
from overtone.planning._held_out import ExpectedPSNR
from overtone.planning._plan import Plan
from overtone.planning._ranking import FINER, PERIODIC, ranking_of
from overtone.planning._reasons import Reason
from overtone.planning._recommend import plan_model
from overtone.planning._run_size import (
    LEARNING_RATE,
    SAFE_RADIANS,
    RunSize,
    check_memory,
    run_size,
    safe_sine_rate,
    step_seconds,
)
from overtone.signals import Geometry, Grid, Signal, masks
from overtone.spectra import NoiseFloor, NoiseVerdict
from overtone.units._frequency import positive

G = TypeVar("G", bound=Geometry)

DEVICES = ("cpu", "cuda", "xpu", "mps")
"""Kinds of devices that hold numbers and train."""

MAX_CYCLES = 1e30
"""Cycles over an axis whose phase single precision holds."""

TIMED_STEPS = 3
"""Steps that are timed to find how many the seconds allow."""


@final
@dataclass(frozen=True)
class PreparedFit(Generic[G]):
    """A fit before its first step.

    Attributes:
        signal: The signal, with its held-out samples.
        config: The settings with everything decided that was open: sizes, encoding, batch and learning rate.
        field: The untrained network on its device, from physical coordinates to physical values.
        optimizer: Optimizer of its parameters.
        noise: Noise floor of a signal on a grid; None at scattered points.
        bandwidth: Bandwidth of the network per axis in cycles per physical unit; None if it has none.
        reasons: The reasons for these settings, warnings last.
        warnings: Reasons against them.
        recommended: Whether fitting is recommended at all; False for signals without structure.
        candidates: Bandwidths that were compared; none if the bandwidth was given.
        trial_steps: Steps that their trials took together.
        expected: Quality to expect on the held-out samples, where it could be estimated.
    """

    signal: Signal[G]
    config: FitConfig
    field: Field
    optimizer: torch.optim.Optimizer
    noise: NoiseFloor | None
    bandwidth: tuple[float, ...] | None
    reasons: tuple[Reason, ...]
    warnings: tuple[Reason, ...]
    recommended: bool
    candidates: tuple[BandwidthCandidate, ...] = ()
    trial_steps: int = 0
    expected: ExpectedPSNR | None = None

    @property
    def batch(self) -> int:
        """Samples per step."""
        return self.config.training.batch_of(self.signal.train_index.numel())

    @property
    def stops_by_rule(self) -> bool:
        """Whether the rule of the held-out error alone ends the run."""
        stopping = self.config.stopping
        return stopping.stop and not stopping.controller and len(self.signal.held_out_index) > 0

    @property
    def averages_weights(self) -> bool:
        """Whether early stopping judges averaged weights: only minibatches scatter weights around their mean path."""
        return (
            self.config.stopping.average
            and self.stops_by_rule
            and self.batch < self.signal.train_index.numel()
        )

    @property
    def stopping_noise(self) -> float:
        """Variance of the noise that the stopping rule uses, in squared value units; 0 unless noise is certain."""
        if not self.stops_by_rule or self.noise is None or self.noise.verdict is not NoiseVerdict.NOISE:
            return 0.0
        return float(self.noise.std.square().mean())

    def expected_steps(self) -> int:
        """Return the steps that the budget allows; with a budget in seconds three are timed on a copy."""
        training = self.config.training
        if training.max_steps is not None and training.seconds is None:
            return training.max_steps
        # The copy and its own optimizer keep the run itself untouched; compiling would be timed with the steps.
        timed = replace(training, steps=TIMED_STEPS, seconds=None, compile=False)
        began = time.perf_counter()
        train(copy.deepcopy(self.field), self.signal, timed, lambda *_: None, wants=lambda _: False)
        if next(self.field.parameters()).device.type == "cuda":
            torch.cuda.synchronize()
        possible = max(1, int((training.seconds or 0.0) * TIMED_STEPS / (time.perf_counter() - began)))
        return min(possible, training.max_steps or possible)


def prepare(signal: Signal[G], config: FitConfig) -> PreparedFit[G]:
    """Return a fit before its first step.

    Settings that were decided before, as those of a run that is resumed, stay as they are, and nothing is timed.

    Args:
        signal: The signal to learn.
        config: The settings; what they leave open is decided from the signal and the budget.

    Raises:
        InputError: If there is no such device, a bandwidth does not fit the axes or the encoding, or the seconds do not
            suffice for a single step.
        RunError: If there is not enough memory for the network.
    """
    device, seed = find_device(config.device), config.training.seed
    signal = hold_out(signal, config.stopping.held_out, seed)
    size = resolve_run_size(signal, config, device)
    # Asked before anything is allocated: a system that promises more memory than it has ends the process instead.
    check_memory(size.width, size.depth, size.features, signal.values.shape[1])
    model = replace(config.model, width=size.width, features=size.features)
    noise = _noise_floor(signal.geometry, signal)
    training = replace(config.training, batch=size.batch, lr=size.lr)
    choice = _choose_bandwidth(signal, model, size, training, noise, device)
    field = build_field(signal, choice.model, seed).to(device)
    # The encoding is recorded as chosen, the bandwidth as asked for: the one chosen is recorded beside the settings.
    config = replace(
        config,
        model=replace(choice.model, bandwidth=model.bandwidth),
        training=replace(config.training, steps=config.training.max_steps, batch=size.batch, lr=size.lr),
    )
    reasons = (*choice.reasons, *(w for w in choice.warnings if w not in choice.reasons))
    prepared = PreparedFit(
        signal,
        config,
        field,
        make_optimizer(field, config.training),
        noise,
        field.bandwidth,
        reasons,
        choice.warnings,
        choice.recommended,
        () if choice.plan is None else choice.plan.candidates,
        0 if choice.plan is None else choice.plan.trial_steps,
        None if choice.plan is None else choice.plan.expected,
    )
    return replace(prepared, reasons=tuple(_with_stopping(prepared)))


def _with_stopping(prepared: PreparedFit[Any]) -> Iterator[Reason]:
    """Yield the reasons with that of the stopping rule as it is applied; without it where no rule ends the run."""
    for reason in prepared.reasons:
        if reason.code is not ReasonCode.STOPPING_RULE:
            yield reason
        elif prepared.stops_by_rule:
            yield replace(reason, values={**reason.values, "noise": prepared.stopping_noise})


@functools.singledispatch
def _noise_floor(_: Geometry, _signal: Signal[Any]) -> NoiseFloor | None:
    return None


@_noise_floor.register(Grid)
def _(_: Grid, signal: Signal[Grid]) -> NoiseFloor | None:
    return measure_noise(signal)


class _Choice(NamedTuple):
    """Settings of the network with encoding and bandwidth decided."""

    model: ModelConfig
    reasons: tuple[Reason, ...]
    warnings: tuple[Reason, ...]
    recommended: bool = True
    plan: Plan | None = None


def _choose_bandwidth(
    signal: Signal[Any],
    model: ModelConfig,
    size: RunSize,
    training: TrainingConfig,
    noise: NoiseFloor | None,
    device: torch.device,
) -> _Choice:
    kind = model.resolved_encoding
    if not model.has_bandwidth:
        if model.bandwidth is not None:
            raise InputError(
                "an encoding that has a bandwidth",
                f"--encoding {kind.value}",
                "choose gaussian or another that has one, or leave it out",
                "bandwidth",
            )
        reason = Reason(ReasonCode.NO_BANDWIDTH, {"encoding": kind.value})
        return _Choice(model, (reason, *size.reasons), size.warnings)
    if model.bandwidth is not None:
        return _given_bandwidth(signal.geometry, model, model.bandwidth, size)
    steps = training.max_steps or _possible_steps(signal, model, training, size, device)
    plan = plan_model(
        signal,
        model,
        replace(size, steps=steps),
        replace(training, steps=steps),
        noise=noise,
        choose=model.choose or Choosing.THOROUGH,
        device=device,
    )
    # At scattered points the plan may also find that no encoding learns more than the Gaussian one.
    if model.encoding is EncodingKind.AUTO and plan.encoding is not kind:
        model = replace(model, encoding=plan.encoding)
    bandwidth = plan.bandwidth if model.has_bandwidth else None
    return _Choice(replace(model, bandwidth=bandwidth), plan.reasons, plan.warnings, plan.recommended, plan)


def _possible_steps(
    signal: Signal[Any], model: ModelConfig, training: TrainingConfig, size: RunSize, device: torch.device
) -> int:
    """Steps that the seconds allow: those of the size where they were timed for it, else a few are timed."""
    if training.seconds is None or any(r.code is ReasonCode.TIME_BUDGET for r in size.reasons):
        return size.steps
    # The bandwidth hardly changes the cost of a step.
    bandwidth = tuple(8 / length for length in signal.geometry.extent)
    field = build_field(signal, replace(model, bandwidth=bandwidth), training.seed)
    return max(1, int(training.seconds / step_seconds(field, signal, device, training.batch)))


def _given_bandwidth(
    geometry: Geometry, model: ModelConfig, bandwidth: Sequence[float], size: RunSize
) -> _Choice:
    axes = len(geometry.origin)
    if len(bandwidth) not in (1, axes):
        raise InputError(
            f"one bandwidth or one per axis ({axes})", f"{len(bandwidth)}", "pass that many", "bandwidth"
        )
    each = bandwidth if len(bandwidth) == axes else tuple(bandwidth) * axes
    checked = tuple(positive(b, "bandwidth") for b in each)
    cycles = max(b * length for b, length in zip(checked, geometry.extent, strict=True))
    # Networks are trained in single precision, which has to hold the phases; overflow would end training.
    if not cycles <= MAX_CYCLES:
        raise InputError(
            f"a bandwidth of at most {MAX_CYCLES:g} cycles over an axis",
            f"{cycles:g}",
            "pass a smaller one, or leave it out to have it chosen",
            "bandwidth",
        )
    reason = Reason(ReasonCode.GIVEN_BANDWIDTH, {"bandwidth": checked}, geometry.frequency_unit)
    aliased = aliasing_reason(checked, geometry)
    warnings = (*((aliased,) if aliased else ()), *size.warnings)
    return _Choice(replace(model, bandwidth=checked), (reason, *size.reasons), warnings)


def resolve_run_size(signal: Signal[Any], config: FitConfig, device: torch.device) -> RunSize:
    """Return the sizes of a run: as asked for, and otherwise as the budget and the samples allow.

    Where only seconds are given, steps are timed and units, samples per step and steps follow from them; else the
    network has 256 units after 256 frequencies, or as many as there are samples. The learning rate of sines and FINER
    is 2 / (30 x units) at most, at which a step of Adam moves the argument of a hidden sine by 2 radians at most.

    Args:
        signal: The signal to learn.
        config: The settings; sizes that they name stay.
        device: Where the network will be trained.

    Returns:
        The size, with reasons for what was left open, and warnings.

    Raises:
        InputError: If the seconds do not suffice for a single step; says how many would.
    """
    model, training = config.model, config.training
    samples = signal.train_index.numel()
    timed = training.max_steps is None and model.width is None and training.batch is None
    size = run_size(signal, Budget(training.max_steps, training.seconds if timed else None), device)
    warnings = size.warnings if timed or training.max_steps is not None else ()
    if model.features is not None and model.features > samples:
        values = {"features": model.features, "samples": samples}
        warnings = (*warnings, Reason(ReasonCode.MANY_FEATURES, values))
    # The learning rate of a short run is scaled for Adam alone.
    adam = training.optimizer is Optimizer.ADAM
    width, usual = model.width or size.width, size.lr if timed and adam else LEARNING_RATE
    reasons = size.reasons if model.features is None else ()
    if (
        training.lr is None
        and adam
        and ranking_of(model) in (PERIODIC, FINER)
        and usual > safe_sine_rate(width)
    ):
        safe = safe_sine_rate(width)
        speeds = {"lr": safe, "usual": usual, "width": width, "radians": SAFE_RADIANS * usual / safe}
        reasons, usual = (*reasons, Reason(ReasonCode.SINE_RATE, speeds)), safe
    return replace(
        size,
        width=width,
        depth=model.depth,
        features=model.features or size.features,
        batch=training.batch or size.batch,
        lr=training.lr or usual,
        reasons=reasons,
        warnings=warnings,
    )


def hold_out(signal: Signal[G], fraction: float, seed: int) -> Signal[G]:
    """Return the signal with a fraction of its samples kept out of training, unless it has a mask of its own.

    Args:
        signal: The signal.
        fraction: From 0 (nothing is held out) to below 1.
        seed: Seeds the choice of samples.

    Raises:
        InputError: If the fraction is not in [0, 1).
    """
    fraction = StoppingConfig(fraction).held_out
    if signal.held_out is not None or fraction == 0:
        return signal
    return signal.with_held_out(masks.random(signal.geometry, fraction, seed))


def find_device(device: str | torch.device) -> torch.device:
    """Return the device of a name; "auto" is a GPU if there is one.

    Raises:
        InputError: If there is no such device.
    """
    name = str(device)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reason = f"not one of {', '.join(DEVICES)}"
    try:
        result = torch.device(name)
        if result.type in DEVICES:
            # Naming a device does not reach for it; an empty tensor does.
            torch.empty(1, device=result)
            return result
    except (RuntimeError, AssertionError, TypeError, ValueError) as problem:
        if name.partition(":")[0] in DEVICES:
            reason = str(problem).splitlines()[0].partition(". ")[0].rstrip(".")[:100]
    raise InputError("a device that is there", f"{name!r} ({reason})", "pass auto or cpu", "device")
