"""Checks of grids with a batch and a channel axis in front."""

from __future__ import annotations

from torch import Tensor

from overtone.errors import InputError
from overtone.nn.checks import size
from overtone.nn.layers.borders import Border


def check_axes(value: int) -> int:
    """`value` if it is 1 or 2, the numbers of axes that layers are built for."""
    if size(value, "axes") > 2:
        raise InputError("1 or 2 axes", f"{value}", "pass recordings or pictures", "axes")
    return value


def check_grid(values: Tensor, axes: int, channels: int | None = None) -> None:
    """Check that `values` are (batch, channels, *shape) with `axes` axes of shape."""
    fits = values.ndim == axes + 2 and channels in (None, values.shape[1] if values.ndim > 1 else None)
    if not fits:
        wanted = ("batch", "channels" if channels is None else channels, *["n"] * axes)
        raise InputError(
            f"values of shape ({', '.join(str(w) for w in wanted)})",
            f"shape {tuple(values.shape)}",
            "pass what the layer was built for",
        )


def check_odd(value: int, name: str) -> int:
    """`value` if it is an odd number of at least 3."""
    if size(value, name, 3) % 2 == 0:
        raise InputError("an odd number", f"{value}", f"pass {name} with a middle", name)
    return value


def check_length(values: Tensor, axes: int, margin: int, border: Border) -> None:
    """Check that a grid can be continued by `margin` samples on each side."""
    least = {Border.WRAP: margin, Border.MIRROR: margin + 1, Border.REPEAT: 1}[border]
    shortest = min(values.shape[-axes:])
    if shortest < least:
        raise InputError(
            f"at least {least} samples along each axis",
            f"shape {tuple(values.shape)}",
            "pass a larger grid, or Border.REPEAT",
        )
