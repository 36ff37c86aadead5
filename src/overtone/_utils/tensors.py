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


def ordinary(tensor: Tensor, source: str) -> Tensor:
    """The same numbers as a dense tensor with its own values, without their gradient.

    Args:
        tensor: Any tensor.
        source: Name of the argument, for errors.

    Returns:
        The tensor itself where it is dense already; conjugate and negative views are written out.

    Raises:
        InputError: If it holds no numbers (meta, fake), or holds them in another way (sparse, nested, quantised).
    """
    return valued(dense(tensor, source), source).detach().resolve_conj().resolve_neg()


def dense(tensor: Tensor, source: str) -> Tensor:
    """The tensor itself, with its gradient.

    Raises:
        InputError: If its numbers are held in another way than one after the other.
    """
    kind = None
    if tensor.is_nested:
        kind = (
            "a nested one",
            "pass torch.nested.to_padded_tensor(tensor, 0.0), or one row after the other",
        )
    elif tensor.is_quantized:
        kind = (f"a quantised one ({tensor.dtype})", "pass tensor.dequantize()")
    elif tensor.layout is not torch.strided:
        kind = (f"one of layout {str(tensor.layout).removeprefix('torch.')}", "pass tensor.to_dense()")
    if kind is not None:
        raise InputError("a dense tensor of numbers", *kind, source)
    return tensor


def valued(tensor: Tensor, source: str) -> Tensor:
    """The tensor itself.

    Raises:
        InputError: If it has a shape alone, and no values.
    """
    name = "one on the meta device" if tensor.is_meta else f"a {type(tensor).__name__}"
    if tensor.is_meta or type(tensor).__name__ == "FakeTensor":
        raise InputError(
            "a dense tensor of numbers", f"{name}, which has no values", "pass one that has them", source
        )
    return tensor
