"""Construction of encodings and fields from settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn

from overtone import units
from overtone._config import Activation, EncodingKind, ModelConfig
from overtone._config._model import DEFAULT_FEATURES, DEFAULT_WIDTH
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.nn import encodings
from overtone.nn._networks import MLP, CoordinateScaling, Field, OutputScaling, ResidualMLP
from overtone.nn.activations._base import SpectralActivation
from overtone.nn.activations._registry import build_activation

POSITIONAL_COUNT = 16
"""Frequencies per axis of the positional encoding."""

POWER_LAW_EXPONENT = 1.0
"""Exponent p of the power-law encoding, about that of the amplitude spectrum of natural images."""


class Geometry(Protocol):
    """Box that contains the samples."""

    @property
    def origin(self) -> tuple[float, ...]:
        """Lower corner per axis, in `units`."""

    @property
    def extent(self) -> tuple[float, ...]:
        """Positive lengths per axis, in `units`."""

    @property
    def units(self) -> tuple[str, ...]:
        """Name of each coordinate's unit."""


class _Normalisation(Protocol):
    @property
    def offset(self) -> Tensor: ...

    @property
    def scale(self) -> Tensor: ...


class _Signal(Protocol):
    @property
    def geometry(self) -> Geometry: ...

    @property
    def normalisation(self) -> _Normalisation: ...


def build_encoding(
    kind: EncodingKind, axes: int, features: int, bandwidth: Sequence[float] | None, seed: int
) -> encodings.Encoding:
    """Return an encoding of a kind with a bandwidth.

    Args:
        kind: Any kind but AUTO.
        axes: Number of coordinates.
        features: Number of frequencies of the Gaussian and the learned encoding, and of all axes of the power law.
        bandwidth: In cycles per unit of the encoding's domain, one per axis; for kinds that have one.
        seed: Seeds random frequencies and weights of the encoding.

    Raises:
        InputError: If a size is wrong, or the kind needs another number of axes.

    Example:
        >>> from overtone._config import EncodingKind
        >>> from overtone.nn._build import build_encoding
        >>> build_encoding(EncodingKind.GAUSSIAN, 2, 64, (8.0, 8.0), seed=0).out_features
        128
    """
    if kind is EncodingKind.NONE or bandwidth is None:
        return encodings.Basic(axes) if kind is EncodingKind.BASIC else encodings.Identity(axes)
    match kind:
        case EncodingKind.POSITIONAL:
            scales = [units.log_linear_scale(b, POSITIONAL_COUNT) for b in bandwidth]
            return encodings.Positional.log_linear(axes, POSITIONAL_COUNT, scales)
        case EncodingKind.POWER_LAW:
            return encodings.PowerLaw.from_bandwidth(
                axes, max(1, features // axes), POWER_LAW_EXPONENT, bandwidth
            )
        case EncodingKind.LEARNED:
            return encodings.Learned.from_bandwidth(axes, features, bandwidth, seed)
        case EncodingKind.PERIODIC:
            return encodings.Periodic.from_bandwidth(axes, bandwidth, seed=seed)
        case EncodingKind.HASH_GRID:
            return encodings.HashGrid.from_bandwidth(axes, bandwidth, seed=seed)
        case EncodingKind.DENSE_GRID:
            return encodings.DenseGrid.from_bandwidth(axes, bandwidth, seed=seed)
        case EncodingKind.TRIPLANE:
            if axes != 3:
                raise InputError(
                    "a signal of 3 axes for the triplane encoding", f"{axes}", "use dense-grid", "encoding"
                )
            return encodings.Triplane.from_bandwidth(bandwidth, seed=seed)
        case _:
            return encodings.Gaussian.from_bandwidth(axes, features, bandwidth, seed)


def build_field(signal: _Signal, config: ModelConfig, seed: int = 0) -> Field:
    """Return the untrained network for a signal, from physical coordinates to physical values.

    Frequencies and weights are drawn from two generators derived from the seed, so that networks with other encodings
    have the same weights. A bandwidth is ignored where the settings have none (`ModelConfig.has_bandwidth`).

    Args:
        signal: One of `overtone.signals`, or anything with a `geometry` and a `normalisation`.
        config: Encoding with its bandwidth, activations and sizes.
        seed: Seeds frequencies and weights.

    Raises:
        InputError: If the bandwidth or the activations do not fit the signal's axes or the depth.

    Example:
        >>> import numpy as np
        >>> from overtone import signals
        >>> from overtone._config import ModelConfig
        >>> from overtone.nn._build import build_field
        >>> signal = signals.array(np.eye(8))
        >>> field = build_field(signal, ModelConfig("gaussian", bandwidth=0.2, width=16, features=8))
        >>> field(signal.coords).shape
        torch.Size([64, 1])
    """
    # Separate streams for frequencies and weights: networks with other encodings start from the same weights.
    kind, axes = config.resolved_encoding, len(signal.geometry.origin)
    bandwidth = config.bandwidth if config.has_bandwidth else None
    if bandwidth is not None and len(bandwidth) == 1:
        bandwidth *= axes
    frame = _coordinate_scaling(signal.geometry, kind)
    # The encoding counts cycles per unit of its domain, the settings per physical unit.
    domain_bandwidth = None if bandwidth is None else _to_domain_units(bandwidth, frame)
    encoding = build_encoding(
        kind, axes, config.features or DEFAULT_FEATURES, domain_bandwidth, derive_seed(seed, "encoding")
    )
    network = ResidualMLP if config.residual else MLP
    normalisation = signal.normalisation
    body = network(
        encoding.out_features,
        len(normalisation.offset),
        config.width or DEFAULT_WIDTH,
        config.depth,
        _activations(axes, config, domain_bandwidth),
        seed=derive_seed(seed, "weights"),
    )
    return Field(encoding, body, frame, OutputScaling(normalisation.offset, normalisation.scale))


def _coordinate_scaling(geometry: Geometry, kind: EncodingKind) -> CoordinateScaling:
    return CoordinateScaling.of(geometry.origin, geometry.extent, geometry.units, kind.domain)


def _to_domain_units(bandwidth: Sequence[float], frame: CoordinateScaling) -> tuple[float, ...]:
    return tuple(b / s for b, s in zip(bandwidth, frame.scale.tolist(), strict=True))


def _activations(
    axes: int, config: ModelConfig, domain_bandwidth: tuple[float, ...] | None
) -> Sequence[Activation | nn.Module]:
    """Return one activation per hidden layer; without an encoding the first gets the bandwidth."""
    names = config.activation if len(config.activation) > 1 else config.activation * config.depth
    first = build_activation(config.activation[0])
    # The activation has one frequency for all axes, so it takes that of the axis with the highest bandwidth.
    if (
        config.resolved_encoding is EncodingKind.NONE
        and domain_bandwidth is not None
        and isinstance(first, SpectralActivation)
    ):
        return [first.with_bandwidth(max(domain_bandwidth), axes), *names[1:]]
    return names
