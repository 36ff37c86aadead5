"""The encodings that a plan may name, built to reach a bandwidth."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from overtone import units
from overtone.nn import encodings
from overtone.nn._networks import Frame
from overtone.signals import Geometry

POSITIONAL_COUNT = 16
"""Frequencies per axis of the positional encoding."""


class EncodingKind(Enum):
    """An encoding by the name that `fit` knows it by. All but PERIODIC have a kernel twin."""

    GAUSSIAN = "gaussian"
    POSITIONAL = "positional"
    NONE = "none"
    PERIODIC = "periodic"

    @property
    def domain(self) -> tuple[float, float]:
        """The range that coordinates are brought to."""
        return (0.0, 1.0) if self in (EncodingKind.GAUSSIAN, EncodingKind.POSITIONAL) else (-1.0, 1.0)

    def build(
        self, places: Geometry, features: int, bandwidth: Sequence[float], seed: int = 0
    ) -> encodings.Encoding:
        """The encoding that reaches a bandwidth.

        Args:
            places: Where the samples lie; coordinates are brought to the encoding's domain.
            features: Frequencies of the Gaussian encoding; the positional one has 16 per axis.
            bandwidth: Per axis, in cycles per unit of the coordinate; plain coordinates have none.
            seed: Seeds what is drawn.

        Returns:
            The encoding, for coordinates in its domain.

        Raises:
            InputError: If a bandwidth is not positive and finite.
        """
        if self is EncodingKind.NONE:
            return encodings.Identity(len(places.origin))
        frame = Frame.of(places.origin, places.extent, places.units, self.domain)
        inner = [b / s for b, s in zip(bandwidth, frame.scale.tolist(), strict=True)]
        if self is EncodingKind.PERIODIC:
            return encodings.Periodic.from_bandwidth(len(inner), inner, seed=seed)
        if self is EncodingKind.GAUSSIAN:
            return encodings.Gaussian.from_bandwidth(len(inner), features, inner, seed)
        scales = [units.log_linear_scale(b, POSITIONAL_COUNT) for b in inner]
        return encodings.Positional.log_linear(len(inner), POSITIONAL_COUNT, scales)
