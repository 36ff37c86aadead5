"""Tensors as callers hand them over, made ordinary at the door."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError


def as_tensor(numbers: Any, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor as it is, on its own device; other numbers on the CPU, whatever the defaults of PyTorch.

    Args:
        numbers: A tensor, an array or nested numbers.
        dtype: Precision; as given if None.

    Raises:
        TypeError, ValueError, RuntimeError: If they are no numbers, as `torch.as_tensor` does.
    """
    if isinstance(numbers, Tensor):
        return numbers if dtype is None else numbers.to(dtype)
    array = np.asarray(numbers)
    return torch.as_tensor(array if array.flags.writeable else array.copy(), dtype=dtype, device="cpu")


def ordinary(tensor: Tensor, where: str) -> Tensor:
    """The same numbers as a dense tensor with its own values, without their gradient.

    Args:
        tensor: Any tensor.
        where: Name of the argument, for errors.

    Returns:
        The tensor itself where it is dense already; conjugate and negative views are written out.

    Raises:
        InputError: If it holds no numbers (meta, fake), or holds them in another way (sparse, nested, quantised).
    """
    for strange, name, do in _strange(tensor):
        if strange:
            raise InputError("a dense tensor of numbers", name, do, where)
    return tensor.detach().resolve_conj().resolve_neg()


def _strange(tensor: Tensor) -> tuple[tuple[bool, str, str], ...]:
    kind = type(tensor).__name__
    return (
        (tensor.is_meta, "one on the meta device, which has no values", "pass one on a device that has them"),
        (kind == "FakeTensor", "a FakeTensor, which has no values", "pass one that has them"),
        (
            tensor.is_nested,
            "a nested one",
            "pass torch.nested.to_padded_tensor(tensor, 0.0), or one row after the other",
        ),
        (tensor.is_quantized, f"a quantised one ({tensor.dtype})", "pass tensor.dequantize()"),
        (
            tensor.layout is not torch.strided,
            f"one of layout {str(tensor.layout).removeprefix('torch.')}",
            "pass tensor.to_dense()",
        ),
        (
            torch._C._functorch.is_functorch_wrapped_tensor(tensor),
            "one inside a transform of torch.func",
            "call this outside of vmap, grad and jvp",
        ),
    )
