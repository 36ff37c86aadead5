"""Checks of the tensors passed to the theory: eigenvalues, powers and variances."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone.errors import InputError

NEGATIVE_SHARE = 1e-8
"""Size of a negative eigenvalue, relative to the largest one, that rounding explains."""


def finite_values(values: Tensor, name: str) -> Tensor:
    """Return real, finite values as float64.

    Args:
        values: Any real tensor.
        name: Name of the argument, for the error.

    Raises:
        InputError: If there are no values, or one is complex or not finite.
    """
    if values.is_complex():
        raise InputError("real numbers", f"{values.dtype}", "pass the real part or the power", name)
    exact = values.double()
    if not exact.numel() or not bool(torch.isfinite(exact).all()):
        raise InputError(
            "finite numbers, at least one", "no number, NaN or infinity", "check the input", name
        )
    return exact


def non_negative(values: Tensor, name: str) -> Tensor:
    """Return values as float64, none of them below zero.

    Args:
        values: Any real tensor.
        name: Name of the argument, for the error.

    Raises:
        InputError: If a value is negative or not finite.
    """
    exact = finite_values(values, name)
    if bool((exact < 0).any()):
        raise InputError(
            "numbers of 0 or more", f"{float(exact.min()):.3g}", "pass powers, not amplitudes", name
        )
    return exact


def kernel_spectrum(eigenvalues: Tensor) -> Tensor:
    """Return kernel eigenvalues (mode,) as float64, with negative rounding errors set to zero.

    Args:
        eigenvalues: (mode,) eigenvalues in any order.

    Raises:
        InputError: If one is below -1e-8 of the largest: the kernel is then not positive semi-definite, beyond
        rounding.
    """
    exact = finite_values(eigenvalues, "eigenvalues")
    if exact.ndim != 1:
        raise InputError(
            "one eigenvalue per mode", f"shape {tuple(exact.shape)}", "flatten them", "eigenvalues"
        )
    low, high = float(exact.min()), float(exact.abs().max())
    if low < -NEGATIVE_SHARE * high:
        raise InputError(
            "a positive semi-definite kernel",
            f"an eigenvalue of {low:.3g}, with {high:.3g} as the largest",
            "add a ridge, or compute the kernel in float64",
            "eigenvalues",
        )
    return exact.clamp(min=0)


def checked_variance(noise: float, name: str = "noise") -> float:
    """Return a noise variance after a check.

    Args:
        noise: Variance in value units squared.
        name: Name of the argument, for the error.

    Raises:
        InputError: If it is negative or not finite.
    """
    if not 0 <= noise < float("inf"):
        raise InputError(
            "a variance of 0 or more", f"{noise}", "pass the square of the noise's standard deviation", name
        )
    return float(noise)
