"""The encodings that can be asked for by name, built to reach a bandwidth."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from overtone import units
from overtone.errors import InputError
from overtone.nn import encodings

POSITIONAL_COUNT = 16
"""Frequencies per axis of the positional encoding."""

DECAY = 1.0
"""Power p of the power-law encoding; pictures' amplitudes fall about so."""


class EncodingKind(Enum):
    """What coordinates become before the network; AUTO is GAUSSIAN, or NONE where the activation brings frequencies."""

    AUTO = "auto"
    NONE = "none"
    BASIC = "basic"
    POSITIONAL = "positional"
    GAUSSIAN = "gaussian"
    POWER_LAW = "power-law"
    LEARNED = "learned"
    PERIODIC = "periodic"
    HASH_GRID = "hash-grid"
    DENSE_GRID = "dense-grid"
    TRIPLANE = "triplane"

    @property
    def domain(self) -> tuple[float, float]:
        """The range that coordinates are brought to."""
        return (-1.0, 1.0) if self in (EncodingKind.NONE, EncodingKind.PERIODIC) else (0.0, 1.0)

    @property
    def reaches(self) -> bool:
        """Whether its bandwidth can be set."""
        return self not in (EncodingKind.AUTO, EncodingKind.NONE, EncodingKind.BASIC)


def encode(
    kind: EncodingKind, axes: int, features: int, bandwidth: Sequence[float] | None, seed: int
) -> encodings.Encoding:
    """The encoding of a kind.

    Args:
        kind: Any but AUTO.
        axes: Number of coordinates.
        features: Frequencies of the Gaussian and the learned encoding; of the power law, those of all axes together.
        bandwidth: In cycles per unit of the encoding's domain, one per axis; for those that `reaches`.
        seed: Seeds what is drawn.

    Returns:
        The encoding.

    Raises:
        InputError: If a size is wrong, or there are not the axes that the kind is for.
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
