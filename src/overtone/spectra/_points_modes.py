"""Fourier modes of a box up to a radial frequency, and non-uniform transforms between modes and samples."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from overtone._utils.optional import import_optional
from overtone.errors import InputError

_PLAUSIBLE_GAPS = 6.0
"""Margin in mean gaps; random samples leave a wider one with probability 1 / 400."""


@final
@dataclass(frozen=True)
class Box:
    """Box-shaped domain [low_i, high_i] per axis, in units of the coordinates.

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
        """Convert a box, one (low, high) for all axes, or one (low, high) per axis to a box."""
        if isinstance(domain, Box):
            low, high = domain.low, domain.high
        else:
            bounds_array = np.atleast_2d(np.asarray(domain, dtype=np.float64))
            if bounds_array.ndim != 2 or bounds_array.shape[1] != 2:
                raise InputError(
                    "(low, high) per axis", f"bounds of shape {bounds_array.shape}", "pass pairs", "domain"
                )
            pairs = np.broadcast_to(bounds_array, (axes, 2)) if len(bounds_array) == 1 else bounds_array
            low, high = tuple(pairs[:, 0].tolist()), tuple(pairs[:, 1].tolist())
        if len(low) != axes:
            raise InputError(f"bounds of {axes} axes", f"{len(low)}", "pass (low, high) per axis", "domain")
        return Box(low, high)

    @staticmethod
    def around(coords: np.ndarray) -> Box:
        """Return the box with round bounds that plausibly is the domain of the samples.

        N random points in [a, b] have gaps of (b - a) / N on average, also between the outermost points and
        the ends. Each bound is the number with the fewest significant digits within 6 such gaps beyond the
        outermost point. Samples in the unit interval thus get the unit interval instead of their range.

        Args:
            coords: (N, d) coordinates that vary along every axis.
        """
        low, high = [], []
        for column in coords.T:
            places = np.unique(column)
            margin = _PLAUSIBLE_GAPS * (places[-1] - places[0]) / (len(places) - 1)
            low.append(_roundest(places[0] - margin, places[0], places[0]))
            high.append(_roundest(places[-1], places[-1] + margin, places[-1]))
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
    """Return the number of fewest significant digits in [first, last]; ties go to the closest to `near`."""
    if first <= 0 <= last:
        return 0.0
    # From one digit to seventeen: the largest power of ten with a multiple in the interval gives the fewest
    # digits.
    largest = math.floor(math.log10(max(abs(first), abs(last)))) + 1
    for power in range(largest, largest - 17, -1):
        unit = 10.0**power
        lowest, highest = math.ceil(first / unit), math.floor(last / unit)
        if lowest <= highest:
            steps = lowest if abs(first - near) < abs(last - near) else highest
            candidate = float(f"{steps}e{power}")
            if first <= candidate <= last:
                return candidate
    return near


_EDGE = 1 + 1e-9
_THREADED = 1 << 22
_ACCURACY = 1e-13


@final
class Modes:
    """Modes exp(2 pi i f x) with |f| <= `top` of a box; even axes are extended by the mirror image.

    A periodic axis of length L has the frequencies k / L, an even axis k / (2 L). The coefficients of a real
    function f are stored for positive and negative k, which are complex conjugates and equal under reversal
    of an even axis, so that the mean of f^2 over the domain is the sum of their squared moduli.

    Args:
        box: The domain.
        periodic: Whether each axis wraps around.
        top: Highest radial frequency, in cycles per unit.

    Attributes:
        frequency: (mode,) float64 radial frequency.
        sides: Largest k per axis.
        mask: (2 sides + 1 per axis) bool, whether each k of the enclosing block is a mode.
    """

    def __init__(self, box: Box, periodic: tuple[bool, ...], top: float) -> None:
        self.box, self.periodic = box, periodic
        self.period = tuple(
            length if wraps else 2 * length for length, wraps in zip(box.extent, periodic, strict=True)
        )
        # The smallest block of integer k that contains the ball of radius `top`.
        self.sides = tuple(int(top * _EDGE * p) for p in self.period)
        axes = [np.arange(-m, m + 1) / p for m, p in zip(self.sides, self.period, strict=True)]
        square = sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij", sparse=True))
        radius = torch.from_numpy(np.sqrt(square))
        self.mask = radius <= top * _EDGE
        self.frequency = radius[self.mask]

    @property
    def unknowns(self) -> int:
        """Number of real parameters of a real function of these modes."""
        shares = [
            torch.ones(2 * m + 1, dtype=torch.float64, device="cpu") if wraps else _half_shares(m)
            for m, wraps in zip(self.sides, self.periodic, strict=True)
        ]
        weight = shares[0]
        for share in shares[1:]:
            weight = weight[..., None] * share
        return round(float(weight[self.mask].sum()))

    def angles(self, coords: np.ndarray) -> list[np.ndarray]:
        """Convert coordinates (N, d) to one contiguous array of angles in [-pi, pi) per axis."""
        cycles = (coords - np.array(self.box.low)) / np.array(self.period)
        # FINUFFT expects angles in [-pi, pi): larger ones lose precision.
        folded = 2 * np.pi * (cycles - np.floor(cycles + 0.5))
        return [np.ascontiguousarray(column) for column in folded.T]

    def even(self, block: Tensor) -> Tensor:
        """Return the part of a block of coefficients (C, *block) that is even along the even axes."""
        for axis, wraps in enumerate(self.periodic):
            if not wraps:
                block = (block + block.flip(axis + 1)) / 2
        return block

    def spread(self, coefficients: Tensor) -> Tensor:
        """Scatter coefficients (mode, C) to the enclosing block (C, *block), zero outside the modes."""
        block = coefficients.new_zeros(coefficients.shape[1], *self.mask.shape)
        block[:, self.mask] = coefficients.T
        return block


def adjoint(angles: list[np.ndarray], strengths: Tensor, sides: tuple[int, ...]) -> Tensor:
    """Compute sum_j strengths_j exp(-i k . angles_j) for every |k_i| <= sides_i, a transform of type 1.

    Args:
        angles: One (N,) array per axis.
        strengths: (C, N) complex128.
        sides: Largest k per axis.

    Returns:
        (C, 2 sides + 1 per axis) complex128 with a relative error of 1e-13 in the Euclidean norm.
    """
    finufft = import_optional("finufft", "points")

    shape = tuple(2 * m + 1 for m in sides)
    call = getattr(finufft, f"nufft{len(angles)}d1")
    sums = call(*angles, _batch(strengths), shape, eps=_ACCURACY, isign=-1, nthreads=_threads(strengths))
    return torch.from_numpy(np.ascontiguousarray(sums).reshape(len(strengths), *shape))


def evaluate(angles: list[np.ndarray], block: Tensor) -> Tensor:
    """Compute sum_k block_k exp(i k . angles_j) at every sample, a transform of type 2.

    Args:
        angles: One (N,) array per axis.
        block: (C, 2 sides + 1 per axis) complex128.

    Returns:
        (C, N) complex128 with a relative error of 1e-13 in the Euclidean norm.
    """
    finufft = import_optional("finufft", "points")

    call = getattr(finufft, f"nufft{len(angles)}d2")
    sums = call(*angles, _batch(block), eps=_ACCURACY, isign=1, nthreads=_threads(block))
    return torch.from_numpy(np.ascontiguousarray(sums).reshape(len(block), -1))


def sign_flips(periodic: tuple[bool, ...]) -> list[np.ndarray]:
    """Return every combination of reversals of the even axes, as factors +-1 per axis."""
    choices = [(1.0,) if wraps else (1.0, -1.0) for wraps in periodic]
    return [np.array(signs) for signs in itertools.product(*choices)]


def ball_volume(axes: int) -> float:
    """Return the volume of the unit ball in `axes` dimensions."""
    return math.pi ** (axes / 2) / math.gamma(axes / 2 + 1)


def _half_shares(side: int) -> Tensor:
    share = torch.full((2 * side + 1,), 0.5, dtype=torch.float64, device="cpu")
    share[side] = 1.0
    return share


def _batch(rows: Tensor) -> np.ndarray:
    array = rows.contiguous().numpy()
    return array[0] if len(array) == 1 else array


def _threads(rows: Tensor) -> int:
    """Return the number of threads: one for small problems, where starting threads does not pay off."""
    return 1 if rows.numel() < _THREADED else torch.get_num_threads()
