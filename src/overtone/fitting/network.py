"""From settings and a signal to the field that is trained."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from overtone import units
from overtone._config._model import EncodingKind, encode
from overtone._utils.enums import member
from overtone._utils.seeding import derive
from overtone._utils.text import per_axis as told_per_axis
from overtone.errors import InputError
from overtone.fitting.arguments import activations, per_axis
from overtone.fitting.room import check_memory
from overtone.nn import MLP, Activation, Field, Frame, ResidualMLP, Restore
from overtone.nn import _utils as checks
from overtone.nn.activations import Reaching
from overtone.planning import Family, choose, measure_noise, recommend_bandwidth
from overtone.planning._bandwidth import aliasing_reason
from overtone.planning._run_size import LEARNING_RATE, STEPS, RunSize
from overtone.signals import Geometry, Grid, Signal
from overtone.spectra import NoiseFloor

_MOST_CYCLES = 1e30


@dataclass(frozen=True)
class ModelConfig:
    """What network to build.

    Attributes:
        encoding: The encoding.
        bandwidth: Its reach in cycles per physical unit, one number or one per axis; None to choose from the signal.
        activation: One activation, or one per hidden layer.
        width: Units in a hidden layer.
        depth: Hidden layers.
        features: Frequencies of the Gaussian encoding; it has twice as many outputs.
        residual: Whether hidden layers add to what they receive.
    """

    encoding: EncodingKind = EncodingKind.AUTO
    bandwidth: tuple[float, ...] | None = None
    activation: tuple[Activation, ...] = (Activation.RELU,)
    width: int = 256
    depth: int = 3
    features: int = 256
    residual: bool = False

    @staticmethod
    def of(
        encoding: EncodingKind | str,
        bandwidth: float | Sequence[float] | None,
        activation: Activation | str | Sequence[Activation | str],
        width: int,
        depth: int,
        features: int,
        residual: bool,
    ) -> ModelConfig:
        """The settings from what users may write: names for members, one number for every axis.

        Raises:
            InputError: If a name is unknown; lists those there are.
        """
        chosen = member(EncodingKind, encoding, "encoding")
        reach = per_axis(bandwidth)
        return ModelConfig(chosen, reach, activations(activation), width, depth, features, residual)

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON-able values."""
        plain = asdict(self)
        plain["encoding"] = self.encoding.value
        plain["activation"] = [a.value for a in self.activation]
        plain["bandwidth"] = None if self.bandwidth is None else list(self.bandwidth)
        return plain

    @staticmethod
    def from_json(plain: dict[str, Any]) -> ModelConfig:
        """The inverse of `to_json`."""
        reach = plain["bandwidth"]
        return ModelConfig(
            EncodingKind(plain["encoding"]),
            None if reach is None else tuple(reach),
            activations(plain["activation"]),
            plain["width"],
            plain["depth"],
            plain["features"],
            plain["residual"],
        )

    @property
    def begins_with_waves(self) -> bool:
        """Whether the first activation brings frequencies of its own, as a sine does."""
        return isinstance(self.activation[0].build(), Reaching)

    @property
    def resolved(self) -> EncodingKind:
        """The encoding with AUTO decided."""
        if self.encoding is not EncodingKind.AUTO:
            return self.encoding
        return EncodingKind.NONE if self.begins_with_waves else EncodingKind.GAUSSIAN

    @property
    def has_bandwidth(self) -> bool:
        """Whether a bandwidth can be set: that of the encoding, or of an activation after plain coordinates."""
        encoding = self.resolved
        return encoding.reaches or (encoding is EncodingKind.NONE and self.begins_with_waves)


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
    grid = signal.geometry
    axes = len(grid.origin)
    if room is None:
        room = RunSize(settings.width, settings.depth, settings.features, STEPS, None, LEARNING_RATE, (), ())
    width, depth, features = (
        checks.size(getattr(settings, name), name) for name in ("width", "depth", "features")
    )
    check_memory(width, depth, features, signal.values.shape[1])
    settings, reach, reasons, warnings = _reach(signal, settings, seed, noise, room)
    frame = Frame.of(grid.origin, grid.extent, grid.units, settings.resolved.domain)
    inner = None if reach is None else tuple(r / s for r, s in zip(reach, frame.scale.tolist(), strict=True))
    encoding = encode(settings.resolved, axes, settings.features, inner, derive(seed, "encoding"))
    network = ResidualMLP if settings.residual else MLP
    body = network(
        encoding.out_features,
        signal.values.shape[1],
        settings.width,
        settings.depth,
        _activations(axes, settings, inner),
        seed=derive(seed, "weights"),
    )
    field = Field(encoding, body, frame, Restore(signal.normalisation.offset, signal.normalisation.scale))
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
    name, told = settings.resolved.value, room.reasons
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
    if settings.resolved is EncodingKind.GAUSSIAN:
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
    if settings.encoding is EncodingKind.AUTO and plan.encoding is not Family.GAUSSIAN:
        settings = replace(settings, encoding=EncodingKind(plan.encoding.value))
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


def _activations(
    axes: int, settings: ModelConfig, inner: tuple[float, ...] | None
) -> Sequence[Activation | torch.nn.Module]:
    """One activation per hidden layer; the first reaches `inner`, per encoding unit, where coordinates are plain."""
    names = settings.activation if len(settings.activation) > 1 else settings.activation * settings.depth
    first = settings.activation[0].build()
    if settings.resolved is EncodingKind.NONE and inner is not None and isinstance(first, Reaching):
        return [first.with_bandwidth(max(inner), axes), *names[1:]]
    return names
