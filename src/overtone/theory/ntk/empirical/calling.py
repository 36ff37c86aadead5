"""How a network is called, and what it may answer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from overtone.errors import InputError

FAILURES = (RuntimeError, ValueError, TypeError, IndexError, AttributeError, AssertionError)
"""What a network may raise on samples that it does not take, or in a form in which it cannot be followed."""


def outputs_of(network: nn.Module, x: Tensor) -> Tensor:
    """The network's outputs as (N, C); those of a single sample may lack its axis.

    Raises:
        InputError: If the output is not one floating-point tensor with a row per sample.
    """
    y = network(x)
    if isinstance(y, Tensor) and y.is_floating_point() and len(x) == 1:
        return y.reshape(1, -1)
    if not isinstance(y, Tensor) or not y.is_floating_point() or y.ndim == 0 or len(y) != len(x):
        got = f"shape {tuple(y.shape)} of {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
        raise InputError(
            f"a network with one floating-point output row for each of {len(x)} samples",
            got,
            "wrap the network in a module that returns the tensor of interest",
            "network",
        )
    return y.reshape(len(x), -1)


def alone(network: nn.Module, sample: Tensor, channels: int | None = None) -> Tensor:
    """The outputs (1, C) for one sample (1, ...).

    Args:
        network: The network.
        sample: One sample.
        channels: C, if it is known.

    Raises:
        InputError: If the network does not take a single sample, or gives another number of outputs for it.
    """
    try:
        y = outputs_of(network, sample)
    except InputError:
        raise
    except FAILURES as failure:
        raise InputError(
            "a network that takes a sample alone",
            f"the failure: {str(failure).rstrip('.')}",
            "take out what needs more samples than one, for instance statistics of the batch",
            "network",
        ) from failure
    if channels is not None and y.shape[1] != channels:
        raise InputError(
            "a network with as many outputs for a sample alone as for one among others",
            f"{y.shape[1]} and {channels}",
            "let it keep the axis of the samples",
            "network",
        )
    return y


def half_the_digits(dtype: torch.dtype) -> float:
    """A relative difference that rounding does not reach, and all that is wrong in kind does."""
    return 4 * math.sqrt(torch.finfo(dtype).eps)


def check_independent(one: Tensor, other: Tensor, among: Tensor | None = None) -> None:
    """Raise InputError unless a network gave the same samples (N, C) the same outputs in different company.

    Outputs that are not finite in both are left to whoever uses them.

    Args:
        one: (N, C) outputs.
        other: (N, C) those in other company.
        among: All outputs, of whose largest rounding is a share; `other` if None.
    """
    difference = (one - other).nan_to_num().abs().max()
    largest = (other if among is None else among).nan_to_num().abs().max()
    if difference > half_the_digits(other.dtype) * largest:
        raise InputError(
            "a network whose output for a sample depends on that sample alone",
            f"a difference of {float(difference):.1e} when others are in the batch",
            "take out what mixes the samples of a batch",
            "network",
        )
