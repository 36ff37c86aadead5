"""Formulas of the powers of a prediction, its target and their residual, for tensors and for arrays."""

from __future__ import annotations

from typing import Any, TypeVar

Powers = TypeVar("Powers")
"""Powers as tensors or as arrays: the formulas are the same."""


def cross_power(target: Powers, prediction: Powers, residual: Powers) -> Powers:
    """Return the cross power C = (Pf + Pg - E) / 2 of prediction and target."""
    g, f, e = _plain(target, prediction, residual)
    cross: Powers = (g + f - e) / 2
    return cross


def coherence(target: Powers, prediction: Powers, residual: Powers) -> Powers:
    """Return the cross power over the geometric mean of both powers, in [-1, 1]; NaN without power."""
    g, f, e = _plain(target, prediction, residual)
    ratio: Powers = (cross_power(g, f, e) / (f * g) ** 0.5).clip(-1, 1)
    return ratio


def amplitude_error(target: Powers, prediction: Powers, residual: Powers) -> Powers:
    """Return the part of the residual power that is due to amplitude, (sqrt Pf - sqrt Pg)^2."""
    g, f, e = _plain(target, prediction, residual)
    # It cannot exceed the residual power (Cauchy-Schwarz); rounding can.
    error: Powers = ((f**0.5 - g**0.5) ** 2).clip(max=e)
    return error


def _plain(*powers: Any) -> tuple[Any, ...]:
    """Return powers without their types: no protocol describes the operators of both libraries."""
    return powers
