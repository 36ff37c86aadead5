"""From settings and a signal to the field that is trained."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from overtone import units
from overtone._config import EncodingKind, ModelConfig
from overtone._config._model import FEATURES, WIDTH
from overtone._utils.text import per_axis as told_per_axis
from overtone.errors import InputError
from overtone.fitting.room import check_memory
from overtone.nn import Field, build_field
from overtone.planning import choose, measure_noise, recommend_bandwidth
from overtone.planning._bandwidth import aliasing_reason
from overtone.planning._run_size import LEARNING_RATE, STEPS, RunSize
from overtone.signals import Geometry, Grid, Signal
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
