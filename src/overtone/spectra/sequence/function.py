"""What a map between sequences has to be: one tensor out, step for step, the same each time, entry by entry."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.sequence.derivative import SequenceMap

_ROUNDING = 1e3
"""Roundings of the largest output by which two ways of summing may differ."""


def checked_channels(function: SequenceMap, operating: Tensor) -> int:
    """Output channels of a map, after three calls that show whether its response can be measured.

    Args:
        function: The map.
        operating: (1, T, features).

    Raises:
        InputError: If it returns no tensor (1, T, channels) of finite numbers, other numbers at a second call, or
            other numbers when a second batch entry is there.
    """
    with torch.no_grad():
        first = _output(function(operating), operating)
        again = _output(function(operating), operating)
        other = torch.cat([operating, operating.flip(1) + 1 + operating.abs().max()])
        beside = _output(function(other), other)[:1]
    scale = _ROUNDING * torch.finfo(first.dtype).eps * float(first.abs().max())
    apart = float((first - again).abs().max())
    if apart > scale:
        raise InputError(
            "the same output for the same input",
            f"a difference of {apart:.3g}",
            "call eval() on the network, or fix what it draws at random",
            "function",
        )
    apart = float((first - beside).abs().max())
    if apart > scale:
        raise InputError(
            "batch entries that do not act on each other",
            f"a difference of {apart:.3g} once a second one is there",
            "call eval() on the network, or put the batch first (batch_first=True)",
            "function",
        )
    return first.shape[-1]


def _output(found: object, given: Tensor) -> Tensor:
    if not isinstance(found, Tensor):
        raise InputError(
            "a tensor of shape (batch, steps, channels)",
            f"a {type(found).__name__}",
            "wrap the network so that it returns one, for instance lambda x: network(x)[0]",
            "function",
        )
    if found.ndim != 3 or found.shape[:2] != given.shape[:2] or not found.is_floating_point():
        raise InputError(
            f"real outputs of shape ({given.shape[0]}, {given.shape[1]}, channels)",
            f"{found.dtype} of shape {tuple(found.shape)}",
            "return one output a step, batch first",
            "function",
        )
    if not bool(found.isfinite().all()):
        step = int((~found.isfinite()).any(2).any(0).byte().argmax())
        raise InputError(
            "finite outputs", f"NaN or infinity at step {step}", "check the network and its input", "function"
        )
    return found
