"""Fourier features along the axes: each feature sees one coordinate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch

from overtone import units
from overtone.errors import InputError
from overtone.nn.checks import Numbers, per_axis, size
from overtone.nn.encodings.fourier import Fourier


@final
class Positional(Fourier):
    """gamma(v) = [cos(2 pi b v_i), sin(2 pi b v_i)] for each axis i and each of its frequencies b.

    Args:
        frequencies: Per axis, its frequencies in cycles per unit.

    Raises:
        InputError: If there is no axis, an axis without a frequency, or a negative or non-finite frequency.
    """

    def __init__(self, frequencies: Sequence[Sequence[float]]) -> None:
        if len(frequencies) == 0 or any(len(axis) == 0 for axis in frequencies):
            raise InputError(
                "frequencies for each axis", f"{frequencies}", "pass one list per axis", "frequencies"
            )
        if not all(math.isfinite(b) and b >= 0 for axis in frequencies for b in axis):
            raise InputError(
                "finite frequencies of at least 0", f"{frequencies}", "pass cycles per unit", "frequencies"
            )
        rows = [(i, float(b)) for i, axis in enumerate(frequencies) for b in axis]
        matrix = torch.zeros(len(rows), len(frequencies), dtype=torch.float64, device="cpu")
        for row, (i, b) in enumerate(rows):
            matrix[row, i] = b
        super().__init__(matrix)

    @staticmethod
    def log_linear(in_features: int, count: int, scale: Numbers) -> Positional:
        """Frequencies 2^linspace(0, S, m) - 1 per axis, from 0 to 2^S - 1.

        The "positional encoding" of the reference notebooks of Tancik et al. 2020.

        Args:
            in_features: d, the number of coordinates.
            count: m, frequencies per axis, at least 2.
            scale: S, one for all axes or one per axis.

        Returns:
            The encoding, for coordinates in [0, 1).

        Raises:
            InputError: If a size is too small, the number of scales is wrong, or one is not positive and
                finite.
        """
        size(count, "count", least=2)
        exponents = [s / (count - 1) for s in per_axis(scale, size(in_features, "in_features"), "scale")]
        return Positional([[2 ** (step * j) - 1 for j in range(count)] for step in exponents])

    @staticmethod
    def octaves(in_features: int, count: int | Sequence[int], first: float = 1.0) -> Positional:
        """Frequencies first * 2^k, k = 0 ... L-1, per axis.

        With `first` = 1 on [0, 1) these are the features of NeRF (Mildenhall et al. 2020, equation 4: sin(2^k
        pi v) on [-1, 1]); only the sign of those with k = 0 differs.

        Args:
            in_features: d, the number of coordinates.
            count: L, one for all axes or one per axis.
            first: The lowest frequency in cycles per unit.

        Returns:
            The encoding, for coordinates in [0, 1).

        Raises:
            InputError: If a size is too small, the number of counts is wrong, or `first` is not positive and
                finite.
        """
        axes = size(in_features, "in_features")
        counts = [count] * axes if isinstance(count, int) else list(count)
        lowest = per_axis(first, 1, "first")[0]
        if len(counts) != axes:
            raise InputError(
                f"one count or one per axis ({axes})", f"{len(counts)}", f"pass {axes} counts", "count"
            )
        return Positional([[lowest * 2.0**k for k in range(size(c, "count"))] for c in counts])

    @staticmethod
    def from_bandwidth(in_features: int, count: int, bandwidth: Numbers) -> Positional:
        """The log-linear encoding with the given bandwidth.

        Args:
            in_features: d, the number of coordinates.
            count: m, frequencies per axis, at least 2.
            bandwidth: In cycles per unit of the coordinate in [0, 1), one for all axes or one per axis.

        Returns:
            The encoding.

        Raises:
            InputError: As for `log_linear`.
        """
        size(count, "count", least=2)
        reach = per_axis(bandwidth, size(in_features, "in_features"), "bandwidth")
        return Positional.log_linear(in_features, count, [units.log_linear_scale(b, count) for b in reach])

    def describe(self) -> str:
        """One line for titles and records."""
        top = self.frequencies.amax(dim=0).tolist()
        highest = ", ".join(f"{b:.4g}" for b in (top[:1] if len(set(top)) == 1 else top))
        return f"Positional({len(self.frequencies)} frequencies up to {highest})"
