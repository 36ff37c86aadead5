"""Networks from settings: the one place where an encoding and a body become the field for a signal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn

from overtone import units
from overtone._config import Activation, EncodingKind, ModelConfig
from overtone._config._model import FEATURES, WIDTH
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.nn import encodings
from overtone.nn._networks import MLP, CoordinateScaling, Field, OutputScaling, ResidualMLP
from overtone.nn.activations._base import SpectralActivation
from overtone.nn.activations._registry import build_activation

POSITIONAL_COUNT = 16
"""Frequencies per axis of the positional encoding."""

DECAY = 1.0
"""Exponent p of the power-law encoding; amplitudes of natural images fall about so."""


class Geometry(Protocol):
    """The box in which samples lie."""

    @property
    def origin(self) -> tuple[float, ...]:
        """Lower corner, in `units`."""

    @property
    def extent(self) -> tuple[float, ...]:
        """Lengths, positive, in `units`."""

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
    """Return the encoding of a kind with a bandwidth.

    Args:
        kind: Any but AUTO.
        axes: Number of coordinates.
        features: Frequencies of the Gaussian and the learned encoding; of the power law, those of all axes together.
        bandwidth: In cycles per unit of the encoding's domain, one per axis; for kinds that have one.
        seed: Seeds random frequencies and weights of the encoding.

    Raises:
        InputError: If a size is wrong, or the kind needs another number of axes.

    Example:
        >>> from overtone._config import EncodingKind
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
            return encodings.PowerLaw.from_bandwidth(axes, max(1, features // axes), DECAY, bandwidth)
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
                    "a volume of 3 axes for the triplane encoding", f"{axes}", "take dense-grid", "encoding"
                )
            return encodings.Triplane.from_bandwidth(bandwidth, seed=seed)
        case _:
            return encodings.Gaussian.from_bandwidth(axes, features, bandwidth, seed)


def build_encoding_on(
    geometry: Geometry, kind: EncodingKind, features: int, bandwidth: Sequence[float], seed: int
) -> encodings.Encoding:
    """Return the encoding of a kind whose bandwidth is given in physical units.

    Args:
        geometry: The box in which the samples lie.
        kind: Any but AUTO.
        features: As for `build_encoding`.
        bandwidth: In cycles per unit of each coordinate.
        seed: Seeds random frequencies and weights of the encoding.
    """
    frame = _frame(geometry, kind)
    return build_encoding(kind, len(geometry.origin), features, _in_domain(bandwidth, frame), seed)


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
        >>> signal = signals.array(np.eye(8))
        >>> field = build_field(signal, ModelConfig("gaussian", bandwidth=0.2, width=16, features=8))
        >>> field(signal.coords).shape
        torch.Size([64, 1])
    """
    kind, axes = config.resolved_encoding, len(signal.geometry.origin)
    bandwidth = config.bandwidth if config.has_bandwidth else None
    if bandwidth is not None and len(bandwidth) == 1:
        bandwidth *= axes
    frame = _frame(signal.geometry, kind)
    inner = None if bandwidth is None else _in_domain(bandwidth, frame)
    encoding = build_encoding(kind, axes, config.features or FEATURES, inner, derive_seed(seed, "encoding"))
    network = ResidualMLP if config.residual else MLP
    normalisation = signal.normalisation
    body = network(
        encoding.out_features,
        len(normalisation.offset),
        config.width or WIDTH,
        config.depth,
        _activations(axes, config, inner),
        seed=derive_seed(seed, "weights"),
    )
    return Field(encoding, body, frame, OutputScaling(normalisation.offset, normalisation.scale))


def _frame(geometry: Geometry, kind: EncodingKind) -> CoordinateScaling:
    return CoordinateScaling.of(geometry.origin, geometry.extent, geometry.units, kind.domain)


def _in_domain(bandwidth: Sequence[float], frame: CoordinateScaling) -> tuple[float, ...]:
    return tuple(b / s for b, s in zip(bandwidth, frame.scale.tolist(), strict=True))


def _activations(
    axes: int, config: ModelConfig, inner: tuple[float, ...] | None
) -> Sequence[Activation | nn.Module]:
    """Return one activation per hidden layer; on plain coordinates the first gets the bandwidth `inner`."""
    names = config.activation if len(config.activation) > 1 else config.activation * config.depth
    first = build_activation(config.activation[0])
    # The activation has one frequency for all axes: it has to serve the axis that needs most.
    if (
        config.resolved_encoding is EncodingKind.NONE
        and inner is not None
        and isinstance(first, SpectralActivation)
    ):
        return [first.with_bandwidth(max(inner), axes), *names[1:]]
    return names
