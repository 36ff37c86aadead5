"""Validation of tensors that users pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError


def as_tensor(numbers: Any, dtype: torch.dtype | None = None) -> Tensor:
    """Return a tensor on its own device; other numbers become a tensor on the CPU, whatever PyTorch's defaults.

    Args:
        numbers: A tensor, an array or nested numbers.
        dtype: Precision; as given if None.

    Raises:
        TypeError, ValueError, RuntimeError: If they are no numbers, as `torch.as_tensor` does.

    Example:
        >>> as_tensor([1.0, 2.0])
        tensor([1., 2.], dtype=torch.float64)
    """
    if isinstance(numbers, Tensor):
        return numbers if dtype is None else numbers.to(dtype)
    array = np.asarray(numbers)
    # PyTorch warns of arrays that it cannot write to, since the tensor would share their memory.
    return torch.as_tensor(array if array.flags.writeable else array.copy(), dtype=dtype, device="cpu")


def ordinary(tensor: Tensor, source: str) -> Tensor:
    """Return the same numbers as a dense tensor with its own values, without their gradient.

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
    """Return a tensor, with its gradient, if it is dense.

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
    """Return a tensor if it holds values.

    Raises:
        InputError: If it has a shape alone, and no values.
    """
    name = "one on the meta device" if tensor.is_meta else f"a {type(tensor).__name__}"
    if tensor.is_meta or type(tensor).__name__ == "FakeTensor":
        raise InputError(
            "a dense tensor of numbers", f"{name}, which has no values", "pass one that has them", source
        )
    return tensor
