"""The encodings that a plan may name, built to reach a bandwidth."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from overtone import units
from overtone.nn import encodings
from overtone.nn.networks import Frame
from overtone.signals import Grid

POSITIONAL_COUNT = 16
"""Frequencies per axis of the positional encoding."""


class Family(Enum):
    """An encoding by the name that `fit` knows it by; its frequencies are known, so that it has a kernel twin."""

    GAUSSIAN = "gaussian"
    POSITIONAL = "positional"

    def build(
        self, grid: Grid, features: int, bandwidth: Sequence[float], seed: int = 0
    ) -> encodings.Fourier:
        """The encoding that reaches a bandwidth on a grid.

        Args:
            grid: Where the samples lie; its coordinates are brought to [0, 1).
            features: Frequencies of the Gaussian encoding; the positional one has 16 per axis.
            bandwidth: Per axis, in cycles per unit of the grid.
            seed: Seeds what is drawn.

        Returns:
            The encoding, for coordinates in its domain.

        Raises:
            InputError: If a bandwidth is not positive and finite.
        """
        frame = Frame.of(grid.origin, grid.extent, grid.units, (0.0, 1.0))
        inner = [b / s for b, s in zip(bandwidth, frame.scale.tolist(), strict=True)]
        if self is Family.GAUSSIAN:
            return encodings.Gaussian.from_bandwidth(len(inner), features, inner, seed)
        scales = [units.log_linear_scale(b, POSITIONAL_COUNT) for b in inner]
        return encodings.Positional.log_linear(len(inner), POSITIONAL_COUNT, scales)
