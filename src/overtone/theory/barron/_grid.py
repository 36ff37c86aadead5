"""Barron constant of a signal on a grid, as a lower and an upper estimate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.barron._bounds import error_bound, relu_error_bound, required_relu_width, required_width
from overtone.theory.barron._continuation import (
    Bridge,
    Mirror,
    Repeat,
    affine_trend,
    extend,
    lower_bound,
    moment,
    second_moment,
)

MAX_JUMP = 2.0
"""Step across a border over the largest step inside, above which the repeated estimate is reported to diverge."""

MAX_GROWTH = 1.1
"""Growth of the estimate at half the spacing, above which it has not converged."""

MIN_SAMPLES = 4
"""Minimum number of samples along an axis."""


@final
@dataclass(frozen=True)
class BarronConstant:
    """Estimates of C = int |w| |f~(w)| dw of a signal on a box, w in radians per coordinate unit.

    Attributes:
        lower: Lower bound of the constant over all continuations of the samples outside the box.
        upper: The smallest estimate by a continuation; in value units per coordinate unit, like `lower`.
        repeated: Estimate with the box as period.
        mirrored: Estimate with even reflection at the borders.
        bridged: Estimate with a bridge of continuous slope between the borders.
        detrended: The bridged estimate without the best-fitting affine function, plus the length of its slope, which
            is the constant of an affine function (as a limit of slow waves).
        jump: Per axis, the step from border to border over the largest step inside; 0 on periodic axes.
        growth: `upper` over its value from every second sample: 1 after convergence, 2 where the signal jumps; NaN if
            there are too few samples.
        second: Upper estimate of the second moment over the box for `relu_error_bound`, in value units, up to an
            affine function. It grows with the logarithm of the resolution if the signal curves at a border.
        radius: Radius of the ball about the box, in coordinate units.
    """

    lower: float
    upper: float
    repeated: float
    mirrored: float
    bridged: float
    detrended: float
    jump: tuple[float, ...]
    growth: float
    second: float
    radius: float

    @property
    def settled(self) -> bool:
        """Whether halving the spacing hardly changes the upper estimate."""
        return self.growth < MAX_GROWTH

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on estimates that diverge, and the reasons."""
        return _notes(self.jump, self.growth)

    def bound(self, width: int) -> float:
        """Return an upper bound on the squared error of the best sigmoidal network of this width."""
        return error_bound(self.upper, self.radius, width)

    def width(self, error: float) -> int:
        """Return the width for a root mean square error of `error` (value units) with sigmoidal units."""
        return required_width(self.upper, self.radius, error)

    def relu_bound(self, width: int) -> float:
        """Return an upper bound on the squared error of the best ReLU network of this width."""
        return relu_error_bound(self.second, width)

    def relu_width(self, error: float) -> int:
        """Return the width for a root mean square error of `error` (value units) with ReLU units."""
        return required_relu_width(self.second, error)


def constant_on_grid(
    values: Tensor, spacing: float | Iterable[float] | None = None, *, periodic: bool | Iterable[bool] = False
) -> BarronConstant:
    """Estimate the Barron constant of one channel on a grid.

    C depends on the continuation of the signal beyond its box; the theorem allows any continuation, so the smallest
    estimate is used. Upper estimates are sums 2 pi |k| |c_k| over the Fourier series of continuations. The repeated
    one diverges in proportion to the number of samples where opposite borders differ, the mirrored one in proportion
    to its logarithm where the slope at a border is not zero; the bridged one converges for a smooth signal. The lower
    bound holds for all continuations. Jumps inside the box make every estimate grow with the resolution, and so does
    noise: see `growth`.

    Args:
        values: Real samples of 1 to 3 axes, at least four per axis.
        spacing: Distance of neighbours, one or one per axis, in coordinate units; None for 1 / n per axis.
        periodic: Whether the axes are periodic, one or one per axis.

    Returns:
        The estimates.

    Raises:
        InputError: If the values are not real and finite, there are too few, or an argument does not fit.

    Source:
        Barron 1993, IEEE Transactions on Information Theory 39, sections II and IX.

    Example:
        >>> import math, torch
        >>> from overtone.theory import barron
        >>> x = torch.arange(32, dtype=torch.float64) / 32
        >>> constant = barron.constant_on_grid(torch.cos(2 * math.pi * 3 * x), periodic=True)
        >>> round(constant.upper / (2 * math.pi), 6), constant.settled
        (3.0, True)
    """
    exact, steps, wraps = _checked_grid(values, spacing, periodic)
    open_axes = [axis for axis, wrap in enumerate(wraps) if not wrap]
    extents = [s * (n if wrap else n - 1) for n, s, wrap in zip(exact.shape, steps, wraps, strict=True)]
    half = [extent / 2 for extent in extents]
    continuations = [extend(exact, by, open_axes) for by in (Repeat(), Mirror(), Bridge())]
    repeated, mirrored, bridged = (moment(continuation, steps) for continuation in continuations)
    # An affine function has the constant of its slope, as the limit of ever slower waves; without it the values at
    # opposite borders of the remainder are closer.
    residual, slope = affine_trend(exact, steps, open_axes)
    level = extend(residual, Bridge(), open_axes)
    steep = float(slope.norm())
    detrended = moment(level, steps) + steep
    upper = min(repeated, mirrored, bridged, detrended)
    # Without open axes no continuation is needed: the repeated signal is the signal, and its constant exact.
    lower = min(lower_bound(exact, steps), upper) if open_axes else upper
    jump = tuple(0.0 if wrap else border_jump(exact, axis) for axis, wrap in enumerate(wraps))
    growth = _growth([*continuations, level], [0.0, 0.0, 0.0, steep], steps)
    return BarronConstant(
        lower=lower,
        upper=upper,
        repeated=repeated,
        mirrored=mirrored,
        bridged=bridged,
        detrended=detrended,
        jump=jump,
        growth=growth,
        second=min(second_moment(continuation, steps, half) for continuation in (*continuations, level)),
        radius=math.hypot(*half),
    )


def _checked_grid(
    values: Tensor, spacing: float | Iterable[float] | None, periodic: bool | Iterable[bool]
) -> tuple[Tensor, list[float], list[bool]]:
    if values.is_complex() or not 1 <= values.ndim <= 3:
        raise InputError(
            "real values on a grid of 1 to 3 axes",
            f"{values.dtype} of {values.ndim} axes",
            "pass one channel at a time",
            "values",
        )
    if min(values.shape) < MIN_SAMPLES:
        raise InputError(
            f"at least {MIN_SAMPLES} samples per axis",
            f"shape {tuple(values.shape)}",
            "pass more samples",
            "values",
        )
    exact = values.detach().double()
    if not bool(torch.isfinite(exact).all()):
        raise InputError("finite values", "NaN or infinity", "fill or crop the gaps", "values")
    axes = values.ndim
    if spacing is None:
        steps = [1.0 / n for n in values.shape]
    else:
        steps = [float(s) for s in spacing] if isinstance(spacing, Iterable) else [float(spacing)] * axes
    wraps = [bool(p) for p in periodic] if isinstance(periodic, Iterable) else [bool(periodic)] * axes
    for name, entries in (("spacing", steps), ("periodic", wraps)):
        if len(entries) != axes:
            raise InputError(
                f"one {name} per axis ({axes})", f"{len(entries)}", "pass one, or one per axis", name
            )
    if not all(math.isfinite(s) and s > 0 for s in steps):
        raise InputError("positive finite distances", f"{tuple(steps)}", "check the resolution", "spacing")
    return exact, steps, wraps


def border_jump(values: Tensor, axis: int) -> float:
    """Return the root mean square step from last to first sample along an axis, over the largest between neighbours.

    Args:
        values: Real samples of one channel.
        axis: The axis.

    Returns:
        The ratio, up to 1 where the signal may be periodic; 0 if it is constant along the axis.
    """
    others = [other for other in range(values.ndim) if other != axis]

    def size(step: Tensor) -> Tensor:
        return step.square().mean(dim=others).sqrt() if others else step.abs()

    n = values.shape[axis]
    across = float(size(values.narrow(axis, n - 1, 1) - values.narrow(axis, 0, 1)))
    inside = float(size(values.diff(dim=axis)).max())
    return across / inside if inside > 0 else 0.0


def _growth(continuations: Sequence[Tensor], added: Sequence[float], steps: Sequence[float]) -> float:
    """Return the smallest estimate over that from every second sample of the same continuation, of even length."""
    # With an odd period every second sample is not a sampling of the same continuation.
    estimates = [
        (moment(continuation, steps) + offset, offset, continuation)
        for continuation, offset in zip(continuations, added, strict=True)
        if _even(continuation)
    ]
    if not estimates:
        return float("nan")
    fine, offset, best = min(estimates, key=lambda estimate: estimate[0])
    # Every second sample of the same continuation, so that only the resolution differs.
    coarse = moment(best[tuple(slice(None, None, 2) for _ in steps)], [2 * s for s in steps]) + offset
    if fine == 0:
        return 1.0
    return fine / coarse if coarse > 0 else float("inf")


def _even(continuation: Tensor) -> bool:
    return all(n % 2 == 0 for n in continuation.shape)


def _notes(jump: Sequence[float], growth: float) -> tuple[str, ...]:
    notes = [
        f"opposite borders of axis {axis} differ by {ratio:.1f} times the largest step inside: the repeated estimate"
        " diverges, in proportion to the number of samples"
        for axis, ratio in enumerate(jump)
        if ratio > MAX_JUMP
    ]
    if growth >= MAX_GROWTH:
        notes.append(
            f"the estimate grows by a factor of {growth:.2f} when the spacing is halved: the signal jumps, is noisy or"
            " is not resolved, and the constant is that of these samples only"
        )
    if math.isnan(growth):
        notes.append(
            "an odd number of samples on a periodic axis: the convergence of the estimate cannot be determined"
        )
    return tuple(notes)
