"""Argument checks, buffers that keep their precision, and seeded initialisation."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from overtone._utils.numbers import whole
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError

Numbers = float | Sequence[float] | Tensor
"""One number, or one per axis."""


MAX_SIZE = (1 << 31) - 1
"""Largest size of a tensor axis."""

MAX_DEPTH = 4096
"""Largest number of layers."""


def check_count(value: int, name: str, minimum: int = 1) -> int:
    """Return `value` as an integer of at least `minimum`.

    Args:
        value: A width, a depth or a number of features.
        name: The argument's name, for the error.
        minimum: Smallest value allowed.

    Raises:
        InputError: If it is not an integer in range.
    """
    return whole(value, name, minimum, MAX_DEPTH if name == "depth" else MAX_SIZE)


def positive_per_axis(value: Numbers, axes: int, name: str) -> tuple[float, ...]:
    """Return one positive number per axis, from one number for all axes or one for each.

    Args:
        value: A number, or `axes` of them.
        axes: Number of coordinates.
        name: The argument's name, for the error.

    Returns:
        `axes` numbers.

    Raises:
        InputError: If the count is wrong or a number is not positive and finite.
    """
    try:
        array = torch.as_tensor(value, dtype=torch.float64, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"a number or one per axis ({axes})", repr(value), f"pass {name} as numbers", name
        ) from None
    values = tuple(array.tolist()) if array.ndim == 1 else (float(array),) * axes if array.ndim == 0 else ()
    if len(values) != axes:
        raise InputError(
            f"one number or one per axis ({axes})",
            f"shape {tuple(array.shape)}",
            f"pass {axes} numbers",
            name,
        )
    if not all(math.isfinite(v) and v > 0 for v in values):
        raise InputError("positive finite numbers", f"{value}", "pass values above zero on every axis", name)
    return values


def check_last_axis(tensor: Tensor, features: int, name: str) -> None:
    """Check that the last axis of `tensor` has `features` entries.

    Args:
        tensor: (..., features) input of a module.
        features: Number of features that the module takes.
        name: Name of the input, for the error.

    Raises:
        InputError: If it has another number of entries.
    """
    if tensor.ndim == 0 or tensor.shape[-1] != features:
        raise InputError(
            f"{name} of shape (..., {features})",
            f"shape {tuple(tensor.shape)}",
            f"pass {features} numbers along the last axis, or build the module for the input",
        )


class HighPrecisionBuffers(nn.Module, ABC):
    """A module whose buffers keep their dtype under `.half()`, `.float()` and `.to(dtype)`.

    Buffers still move between devices. Frequencies and coordinate maps in half precision would be wrong by whole
    cycles: 11 bits resolve a phase of 1000 cycles to half a cycle. Parameters named in `high_precision_parameters`
    keep their dtype as well.
    """

    high_precision_parameters: tuple[str, ...] = ()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> HighPrecisionBuffers:
        # PyTorch casts every tensor in `_apply`; the saved ones are put back in their dtype on the new device.
        before = {name: buffer for name, buffer in self._buffers.items() if buffer is not None}
        protected = {name: self._parameters[name] for name in self.high_precision_parameters}
        values = {name: p.data for name, p in protected.items() if p is not None}
        super()._apply(fn, recurse)
        for name, buffer in before.items():
            current = self._buffers[name]
            if current is not None and current.dtype != buffer.dtype:
                self._buffers[name] = buffer.to(current.device)
        for name, value in values.items():
            parameter = self._parameters[name]
            if parameter is not None and parameter.dtype != value.dtype:
                parameter.data = value.to(parameter.device)
                # PyTorch requires a gradient of its parameter's dtype.
                parameter.grad = None
        return self


Seed = int | torch.Generator
"""A seed, from which each use derives an independent stream, or a generator, which continues from its state."""


def torch_generator(seed: Seed, name: str) -> torch.Generator:
    """Return the generator of the stream `name` under a seed, or the generator that was passed.

    Args:
        seed: An integer or a generator.
        name: Name of the stream; streams of different names are independent under one seed.

    Returns:
        A generator on the CPU for an integer, so that weights are the same on every device.
    """
    if isinstance(seed, torch.Generator):
        return seed
    return torch.Generator(device="cpu").manual_seed(derive_seed(seed, name))


def fill_uniform(tensor: Tensor, bound: float, source: torch.Generator) -> None:
    """Fill a tensor in place with samples of U(-bound, bound), outside of autograd.

    Args:
        tensor: Tensor to fill.
        bound: Half the width of the distribution.
        source: Generator of the samples; may be on another device than the tensor.
    """
    # Drawn on the generator's device and then copied, so that a seed gives the same values on every device.
    numbers = torch.empty(tensor.shape, dtype=tensor.dtype, device=source.device)
    with torch.no_grad():
        tensor.copy_(numbers.uniform_(-bound, bound, generator=source))
