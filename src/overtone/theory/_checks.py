"""What every function of this folder asks of its tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone.errors import InputError

_NEGATIVE = 1e-8


def finite(values: Tensor, where: str) -> Tensor:
    """The values as float64.

    Args:
        values: Any real tensor.
        where: Name of the argument, for the error.

    Raises:
        InputError: If there are no values or one is not finite.
    """
    if values.is_complex():
        raise InputError("real numbers", f"{values.dtype}", "pass the real part or the power", where)
    exact = values.double()
    if not exact.numel() or not bool(torch.isfinite(exact).all()):
        raise InputError("finite numbers, at least one", "none, or NaN or infinity", "check the input", where)
    return exact


def non_negative(values: Tensor, where: str) -> Tensor:
    """The values as float64, none of them below zero.

    Args:
        values: Any real tensor.
        where: Name of the argument, for the error.

    Raises:
        InputError: If a value is not finite or negative.
    """
    exact = finite(values, where)
    if bool((exact < 0).any()):
        raise InputError(
            "no negative number", f"{float(exact.min()):.3g}", "pass powers, not amplitudes", where
        )
    return exact


def spectrum(eigenvalues: Tensor) -> Tensor:
    """Kernel eigenvalues (mode,) as float64, with rounding below zero set to zero.

    Args:
        eigenvalues: (mode,) eigenvalues in any order.

    Raises:
        InputError: If one is below -1e-8 of the largest: then the kernel is not positive, and rounding is not
            why.
    """
    exact = finite(eigenvalues, "eigenvalues")
    if exact.ndim != 1:
        raise InputError(
            "one eigenvalue per mode", f"shape {tuple(exact.shape)}", "flatten them", "eigenvalues"
        )
    low, high = float(exact.min()), float(exact.abs().max())
    if low < -_NEGATIVE * high:
        raise InputError(
            "a positive kernel",
            f"an eigenvalue of {low:.3g} beside the largest of {high:.3g}",
            "add a ridge, or compute the kernel in float64",
            "eigenvalues",
        )
    return exact.clamp(min=0)


def variance(noise: float, where: str = "noise") -> float:
    """A noise variance, checked.

    Args:
        noise: Variance in value units squared.
        where: Name of the argument, for the error.

    Raises:
        InputError: If it is negative or not finite.
    """
    if not 0 <= noise < float("inf"):
        raise InputError(
            "a variance of 0 or more", f"{noise}", "pass the square of the noise's deviation", where
        )
    return float(noise)
