"""From settings and a signal to the field that is trained."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, final

import torch

from overtone import units
from overtone._config import EncodingKind, ModelConfig
from overtone._config._model import FEATURES, WIDTH
from overtone._training import Optimizer, TrainingConfig
from overtone._utils.numbers import as_float, short
from overtone._utils.text import per_axis as told_per_axis
from overtone.errors import InputError
from overtone.fitting._run_directory import check_memory
from overtone.nn import Field, build_field
from overtone.nn import _utils as checks
from overtone.planning import Budget, choose, measure_noise, recommend_bandwidth
from overtone.planning._bandwidth import aliasing_reason
from overtone.planning._run_size import LEARNING_RATE, STEPS, RunSize, run_size
from overtone.signals import Geometry, Grid, Signal, masks
from overtone.spectra import NoiseFloor

_MOST_CYCLES = 1e30


@dataclass(frozen=True)
class Built:
    """A field ready to train.

    Attributes:
        field: The network, from physical coordinates to physical values.
        bandwidth: Its reach per axis in cycles per physical unit, or None if it has none.
        reasons: Why, in sentences, warnings last.
        warnings: What stands against it, in sentences.
        settings: The settings, the encoding decided where the samples did that.
    """

    field: Field
    bandwidth: tuple[float, ...] | None
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    settings: ModelConfig


def build(
    signal: Signal[Geometry],
    settings: ModelConfig,
    seed: int,
    noise: Callable[[], NoiseFloor] | None,
    room: RunSize | None = None,
) -> Built:
    """Build the field for a signal.

    Args:
        signal: What will be learned.
        settings: The wishes.
        seed: Seeds frequencies and weights.
        noise: Gives the signal's noise floor, where it is known; called only where a bandwidth has to be chosen.
        room: What the budget pays for, with reasons and warnings; that of 2,000 steps if None.

    Returns:
        The field with its bandwidth and reasons.

    Raises:
        InputError: If a bandwidth is given that does not fit the axes, or that the network cannot have.
    """
    width, features = settings.width or WIDTH, settings.features or FEATURES
    if room is None:
        room = RunSize(width, settings.depth, features, STEPS, None, LEARNING_RATE, (), ())
    check_memory(width, settings.depth, features, signal.values.shape[1])
    settings, reach, reasons, warnings = _reach(signal, settings, seed, noise, room)
    field = build_field(signal, replace(settings, bandwidth=reach), seed)
    return Built(field, field.bandwidth, tuple(dict.fromkeys((*reasons, *warnings))), warnings, settings)


def _reach(
    signal: Signal[Geometry],
    settings: ModelConfig,
    seed: int,
    noise: Callable[[], NoiseFloor] | None,
    room: RunSize,
) -> tuple[ModelConfig, tuple[float, ...] | None, tuple[str, ...], tuple[str, ...]]:
    """Settings with the encoding decided, bandwidth, reasons and warnings."""
    axes, given = len(signal.geometry.origin), settings.bandwidth
    name, told = settings.resolved_encoding.value, room.reasons
    if not settings.has_bandwidth:
        if given is not None:
            raise InputError(
                "an encoding that has a bandwidth",
                f"--encoding {name}",
                "choose gaussian or another that has one, or leave it out",
                "bandwidth",
            )
        why = f"The {name} encoding has no bandwidth to choose; the network alone decides what it reaches."
        return settings, None, (why, *told), room.warnings
    if given is None:
        return _chosen(signal.geometry, signal, settings, seed, noise, room)
    if len(given) not in (1, axes):
        raise InputError(
            f"one bandwidth or one per axis ({axes})", f"{len(given)}", "pass that many", "bandwidth"
        )
    reach = tuple(units.positive(b, "bandwidth") for b in (given * axes if len(given) == 1 else given))
    _check_phases(reach, signal.geometry.extent)
    why = f"The bandwidth was given: {told_per_axis(reach)} {signal.geometry.frequency_unit}."
    beyond = aliasing_reason(reach, signal.geometry)
    return settings, reach, (why, *told), (*((beyond,) if beyond else ()), *room.warnings)


_Choice = tuple[ModelConfig, tuple[float, ...] | None, tuple[str, ...], tuple[str, ...]]


@functools.singledispatch
def _chosen(
    _: Geometry,
    signal: Signal[Any],
    settings: ModelConfig,
    seed: int,
    noise: Callable[[], NoiseFloor] | None,
    room: RunSize,
) -> _Choice:
    """Choose the bandwidth, and the encoding if that is open: at scattered points always by a plan."""
    return _planned(signal, settings, seed, noise, room)


@_chosen.register(Grid)
def _(
    _: Grid,
    signal: Signal[Grid],
    settings: ModelConfig,
    seed: int,
    noise: Callable[[], NoiseFloor] | None,
    room: RunSize,
) -> _Choice:
    if settings.resolved_encoding is EncodingKind.GAUSSIAN:
        return _planned(signal, settings, seed, noise, room)
    recommended = recommend_bandwidth(signal, noise() if noise else measure_noise(signal))
    return settings, recommended.bandwidth, (*recommended.reasons, *room.reasons), room.warnings


def _planned(
    signal: Signal[Any],
    settings: ModelConfig,
    seed: int,
    noise: Callable[[], NoiseFloor] | None,
    room: RunSize,
) -> _Choice:
    plan = choose(signal, noise=noise() if noise else None, extent=room, seed=seed)
    if settings.encoding is EncodingKind.AUTO and plan.encoding is not EncodingKind.GAUSSIAN:
        settings = replace(settings, encoding=plan.encoding)
    reach = plan.bandwidth if settings.has_bandwidth else None
    return settings, reach, plan.reasons, plan.warnings


def _check_phases(bandwidth: Sequence[float], extent: Sequence[float]) -> None:
    """Single precision, in which networks are trained, has to hold the phases; overflow would end training.

    Raises:
        InputError: If it does not.
    """
    cycles = max(b * length for b, length in zip(bandwidth, extent, strict=True))
    if not cycles <= _MOST_CYCLES:
        raise InputError(
            f"a bandwidth of at most {_MOST_CYCLES:g} cycles over an axis",
            f"{cycles:g}",
            "pass a smaller one, or leave it out to have it chosen",
            "bandwidth",
        )


@final
@dataclass(frozen=True)
class Wishes:
    """Numbers that a user may fix; None leaves one open.

    Attributes:
        width: Units per hidden layer.
        depth: Hidden layers.
        features: Frequencies of the encoding.
        lr: Learning rate.

    Raises:
        InputError: If a number is not a whole one of at least 1.
    """

    width: int | None
    depth: int
    features: int | None
    lr: float | None

    def __post_init__(self) -> None:
        for name in ("width", "depth", "features"):
            if getattr(self, name) is not None:
                checks.size(getattr(self, name), name)


def extent(
    signal: Signal[Geometry],
    options: TrainingConfig,
    wishes: Wishes,
    device: torch.device,
) -> RunSize:
    """The size of a run.

    Where only seconds are given, steps are timed and units, samples per step and steps follow (`planning.size`);
    else the network has 256 units after 256 frequencies, or as many as there are samples.

    Args:
        signal: What will be learned.
        options: The training wished for; a batch that is given stays.
        wishes: Numbers asked for.
        device: Where it will be trained.

    Returns:
        The size, with reasons for what was left open and warnings.

    Raises:
        InputError: If the seconds do not suffice for a single step; says what would be enough.
    """
    width, features = wishes.width, wishes.features
    samples = signal.train_index.numel()
    timed = options.max_steps is None and width is None and options.batch is None
    found = run_size(signal, Budget(options.max_steps, options.seconds if timed else None), device)
    warnings = found.warnings if timed or options.max_steps is not None else ()
    if features is not None and features > samples:
        warnings += (
            f"{features} frequencies are more than the {samples} samples to train on: many networks fit those exactly, "
            "and which one is found is chance.",
        )
    return replace(
        found,
        width=found.width if width is None else width,
        depth=wishes.depth,
        features=found.features if features is None else features,
        batch=options.batch if options.batch is not None else found.batch,
        lr=wishes.lr or (found.lr if timed and options.optimizer is Optimizer.ADAM else LEARNING_RATE),
        reasons=found.reasons if features is None else (),
        warnings=warnings,
    )


G = TypeVar("G", bound=Geometry)

DEVICES = ("cpu", "cuda", "xpu", "mps")
"""Kinds of devices that hold numbers and train."""


def find_device(device: str | torch.device) -> torch.device:
    """The device called `device`; "auto" is a GPU if there is one.

    Raises:
        InputError: If there is no such device.
    """
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        if found.type in DEVICES:
            torch.empty(1, device=found)
            return found
        reason = f"not one of {', '.join(DEVICES)}"
    except (RuntimeError, AssertionError, TypeError, ValueError) as problem:
        known = str(device).partition(":")[0] in DEVICES
        reason = str(problem).splitlines()[0].partition(". ")[0].rstrip(".")
        reason = reason[:100] if known else f"not one of {', '.join(DEVICES)}"
    raise InputError("a device that is there", f"{str(device)!r} ({reason})", "pass auto or cpu", "device")


def hold_out(signal: Signal[G], fraction: float, seed: int) -> Signal[G]:
    """The signal with that fraction of its samples kept out of training, unless it has a mask of its own.

    Args:
        signal: The signal.
        fraction: From 0 (nothing is held out) to below 1.
        seed: Seeds the choice of samples.

    Raises:
        InputError: If the fraction is none.
    """
    if not 0 <= as_float(fraction) < 1:
        raise InputError("a fraction from 0 to below 1", short(fraction), "pass for instance 0.1", "held_out")
    if signal.held_out is not None or fraction == 0:
        return signal
    return signal.with_held_out(masks.random(signal.geometry, fraction, seed))
