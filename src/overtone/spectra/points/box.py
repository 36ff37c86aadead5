"""The box whose Fourier modes describe scattered samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from overtone.errors import InputError

_PLAUSIBLE_GAPS = 6.0
"""A random sample leaves a border wider than this many mean gaps once in 400 times."""


@final
@dataclass(frozen=True)
class Box:
    """The domain [low_i, high_i] per axis, in units of the coordinates.

    Attributes:
        low: Lower bound per axis.
        high: Upper bound per axis.

    Raises:
        InputError: If a bound is not finite or an axis has no length.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        bounds = list(zip(self.low, self.high, strict=True))
        if not bounds or not all(math.isfinite(a) and math.isfinite(b) and a < b for a, b in bounds):
            raise InputError("finite bounds, low < high per axis", f"{bounds}", "pass (low, high)", "domain")

    @staticmethod
    def of(domain: Box | Sequence[float] | Sequence[Sequence[float]], axes: int) -> Box:
        """A box from itself, from one (low, high) for all axes, or from one (low, high) per axis."""
        if isinstance(domain, Box):
            low, high = domain.low, domain.high
        else:
            given = np.atleast_2d(np.asarray(domain, dtype=np.float64))
            if given.ndim != 2 or given.shape[1] != 2:
                raise InputError(
                    "(low, high) per axis", f"bounds of shape {given.shape}", "pass pairs", "domain"
                )
            pairs = np.broadcast_to(given, (axes, 2)) if len(given) == 1 else given
            low, high = tuple(pairs[:, 0].tolist()), tuple(pairs[:, 1].tolist())
        if len(low) != axes:
            raise InputError(f"bounds of {axes} axes", f"{len(low)}", "pass (low, high) per axis", "domain")
        return Box(low, high)

    @staticmethod
    def around(coords: np.ndarray) -> Box:
        """The box the samples were plausibly drawn from: per axis the roundest bounds near the outermost ones.

        N places drawn at random from [a, b] leave gaps of (b - a) / N on average, beyond the outermost ones
        too. Of all numbers up to 6 such gaps beyond them the one with the fewest significant digits is taken,
        so samples in the unit interval get the unit interval and not the range they happen to reach.

        Args:
            coords: (N, d) coordinates that vary along every axis.
        """
        low, high = [], []
        for column in coords.T:
            places = np.unique(column)
            reach = _PLAUSIBLE_GAPS * (places[-1] - places[0]) / (len(places) - 1)
            low.append(_roundest(places[0] - reach, places[0], places[0]))
            high.append(_roundest(places[-1], places[-1] + reach, places[-1]))
        return Box(tuple(low), tuple(high))

    @property
    def extent(self) -> tuple[float, ...]:
        """Length per axis, in units of the coordinates."""
        return tuple(b - a for a, b in zip(self.low, self.high, strict=True))

    @property
    def volume(self) -> float:
        """Product of the lengths."""
        return math.prod(self.extent)


def _roundest(first: float, last: float, near: float) -> float:
    """The number of fewest significant decimal digits in [first, last]; of several the one closest to `near`."""
    if first <= 0 <= last:
        return 0.0
    largest = math.floor(math.log10(max(abs(first), abs(last)))) + 1
    for power in range(largest, largest - 17, -1):
        unit = 10.0**power
        lowest, highest = math.ceil(first / unit), math.floor(last / unit)
        if lowest <= highest:
            steps = lowest if abs(first - near) < abs(last - near) else highest
            found = float(f"{steps}e{power}")
            if first <= found <= last:
                return found
    return near
