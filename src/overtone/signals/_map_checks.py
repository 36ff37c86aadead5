"""Checks of linear maps of samples and of what they measured, on random vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from overtone.errors import InputError

ADJOINT_TOLERANCE = 1e-4
"""Relative mismatch of <A v, w> and <v, A* w> above which an adjoint is refused; single precision leaves 1e-6."""

LARGEST = 1e30
"""Largest size of measurements, and one over the smallest."""

SAME = 1e-5
"""Relative difference of two calls of a map; sums of single precision in another order differ by less."""


class LinearMap(Protocol):
    """A map of samples with its adjoint, as `SamplesOperator`."""

    @property
    def forward(self) -> Callable[[Tensor], Tensor]:
        """From values to functionals."""

    @property
    def adjoint(self) -> Callable[[Tensor], Tensor]:
        """From functionals to values."""

    @property
    def batched(self) -> bool:
        """Whether each column is mapped for itself."""


def check_size_of(data: Tensor) -> None:
    """Refuse empty data, and sizes that single precision does not hold.

    Args:
        data: The measurements.

    Raises:
        InputError: If so.
    """
    size = float(data.abs().max()) if data.numel() else math.inf
    if (math.isfinite(size) or not data.numel()) and size != 0 and not 1 / LARGEST < size < LARGEST:
        raise InputError(
            f"measurements whose largest is between {1 / LARGEST:g} and {LARGEST:g}",
            f"{size:g}" if data.numel() else "none",
            "check the data, or express them in another unit",
            "data",
        )


def check_map(operator: LinearMap, shape: tuple[int, int], data: Tensor, complex_values: bool) -> None:
    """Refuse maps of the wrong shape, maps that are not linear and adjoints of other maps.

    Args:
        operator: The map with its adjoint.
        shape: Samples and channels of the field.
        data: The measurements.
        complex_values: Whether the field is complex.

    Raises:
        InputError: Says what the map does instead.
    """
    dtype = torch.complex128 if complex_values else torch.float64
    draw = torch.Generator(device="cpu").manual_seed(0)
    v = torch.randn(*shape, generator=draw, dtype=dtype, device="cpu").to(data.device)
    w = torch.randn(*data.shape, generator=draw, dtype=data.dtype, device="cpu").to(data.device)
    before = v.clone()
    image = operator.forward(v)
    changed = not torch.equal(v, before)
    if not isinstance(image, Tensor) or image.is_complex() != data.is_complex():
        kind = "complex" if data.is_complex() else "real"
        raise InputError(
            f"functionals as a {kind} tensor, as the data are",
            f"{image.dtype}" if isinstance(image, Tensor) else type(image).__name__,
            "convert what the map returns, by torch.from_numpy for instance, or the data",
            "forward",
        )
    if image.shape != data.shape:
        raise InputError(
            f"functionals of the shape of the data, {tuple(data.shape)}",
            f"{tuple(image.shape)}",
            "pass the data of this map",
            "forward",
        )
    scale = float(image.abs().square().mean().sqrt())
    if not math.isfinite(scale) or scale == 0:
        raise InputError(
            "finite functionals of random values",
            "zeros" if scale == 0 else "nan or infinity",
            "check the map",
            "forward",
        )
    again = operator.forward(before.clone())
    if changed or float((again - image).abs().max()) > SAME * float(image.abs().max()):
        raise InputError(
            "a map that returns the same functionals for the same values and does not change them",
            "different functionals at the second call",
            "leave random numbers and changes in place out of the map",
            "forward",
        )
    double = operator.forward(2 * v)
    if float((double - 2 * image).abs().max()) > ADJOINT_TOLERANCE * float(double.abs().max()):
        raise InputError(
            "a linear map, A(2 v) = 2 A(v)",
            f"a difference of {float((double - 2 * image).abs().max() / double.abs().max()):.2g} of the largest value",
            "pass its linear part, and subtract its value at 0 from the data",
            "forward",
        )
    if operator.batched:
        _check_columns(operator, v, image)
    back = operator.adjoint(w)
    if back.shape != v.shape:
        raise InputError(
            f"values of shape {tuple(v.shape)}",
            f"{tuple(back.shape)}",
            "return values at all samples",
            "adjoint",
        )
    # A map of real values has Re<A v, w> = <v, A* w>: the imaginary part is not the adjoint's.
    left, right = (image.conj() * w).sum(), (v.conj() * back).sum()
    difference = float((left - right).abs() if complex_values else (left.real - right.real).abs())
    mismatch = difference / float(image.norm() * w.norm())
    # Of M random numbers <A v, w> is about |A v| |w| / sqrt(M), so the mismatch is taken relative to that.
    mismatch *= math.sqrt(w.numel())
    if mismatch > ADJOINT_TOLERANCE:
        raise InputError(
            "an adjoint with <A v, w> = <v, A* w>",
            f"a relative difference of {mismatch:.2g} on random vectors",
            "pass the (conjugate) transpose of the map with the same factors",
            "adjoint",
        )


def _check_columns(operator: LinearMap, v: Tensor, image: Tensor) -> None:
    """Refuse maps whose images of several columns are not those of each."""
    together = operator.forward(torch.cat([2 * v, v], dim=1))
    expected = torch.cat([2 * image, image], dim=1) if image.ndim == 2 else image[:0]
    if (
        together.shape != expected.shape
        or float((together - expected).abs().max()) > ADJOINT_TOLERANCE * image.abs().max()
    ):
        raise InputError(
            "a map that treats each column of its values alike",
            "results for two columns together that differ from those for each alone",
            "pass batched=False",
            "forward",
        )
