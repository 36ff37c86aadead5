"""Checks of arguments, buffers of full precision and seeded initialisation."""

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


LARGEST = (1 << 31) - 1
"""The largest size of an axis."""

DEEPEST = 4096
"""The most layers."""


def size(value: int, name: str, minimum: int = 1) -> int:
    """`value` as a whole number of at least `minimum`.

    Args:
        value: A width, a depth, a number of features.
        name: The argument's name, for the error.
        minimum: Smallest value allowed.

    Returns:
        The number.

    Raises:
        InputError: If it is anything else.
    """
    return whole(value, name, minimum, DEEPEST if name == "depth" else LARGEST)


def per_axis(value: Numbers, axes: int, name: str) -> tuple[float, ...]:
    """One positive number per axis, from one for all or one for each.

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
        raise InputError(
            "positive finite numbers", f"{value}", f"pass a {name} above zero on every axis", name
        )
    return values


def last_axis(tensor: Tensor, features: int, name: str) -> None:
    """Check that the last axis of `tensor` has `features` entries.

    Args:
        tensor: (..., features) input of a module.
        features: What the module was built for.
        name: What the input is, for the error.

    Raises:
        InputError: If it has another number.
    """
    if tensor.ndim == 0 or tensor.shape[-1] != features:
        raise InputError(
            f"{name} of shape (..., {features})",
            f"shape {tuple(tensor.shape)}",
            "pass what the module was built for",
        )


class HighPrecisionBuffers(nn.Module, ABC):
    """Buffers move between devices but keep their dtype under `.half()`, `.float()` and `.to(dtype)`.

    Frequencies and coordinate maps in half precision would be wrong by whole cycles: with 11 bits, a phase of
    1000 cycles is known to half a cycle. The parameters named in `exact` are kept as buffers are.
    """

    exact: tuple[str, ...] = ()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> HighPrecisionBuffers:
        before = {name: buffer for name, buffer in self._buffers.items() if buffer is not None}
        trained = {name: self._parameters[name] for name in self.exact}
        values = {name: p.data for name, p in trained.items() if p is not None}
        super()._apply(fn, recurse)
        for name, buffer in before.items():
            after = self._buffers[name]
            if after is not None and after.dtype != buffer.dtype:
                self._buffers[name] = buffer.to(after.device)
        for name, value in values.items():
            parameter = self._parameters[name]
            if parameter is not None and parameter.dtype != value.dtype:
                parameter.data = value.to(parameter.device)
                parameter.grad = None
        return self


Seed = int | torch.Generator
"""A seed, which gives each use its own stream, or a generator, which is drawn from where it stands."""


def generator(seed: Seed, name: str) -> torch.Generator:
    """The generator for the stream called `name` under a seed, or the generator that was passed.

    Args:
        seed: An integer or a generator.
        name: The stream; modules of different names are independent under one seed.

    Returns:
        A generator on the CPU for an integer, so that weights are the same on every device.
    """
    if isinstance(seed, torch.Generator):
        return seed
    return torch.Generator(device="cpu").manual_seed(derive_seed(seed, name))


def fill_uniform(tensor: Tensor, bound: float, source: torch.Generator) -> None:
    """Fill a tensor in place with U(-bound, bound), outside of autograd.

    Args:
        tensor: What is filled.
        bound: Half the width of the distribution.
        source: Where the numbers come from; may be on another device than the tensor.
    """
    numbers = torch.empty(tensor.shape, dtype=tensor.dtype, device=source.device)
    with torch.no_grad():
        tensor.copy_(numbers.uniform_(-bound, bound, generator=source))
