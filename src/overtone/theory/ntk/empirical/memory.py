"""Memory for large results."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def fresh(*shape: int, like: Tensor) -> Tensor:
    """An uninitialised tensor of `like`'s precision on its device.

    On CPUs it comes from NumPy, which asks the system for large pages: writing to small ones for the first time
    takes longer than the arithmetic that fills them.

    Args:
        shape: The shape.
        like: A floating-point tensor.
    """
    if like.device.type != "cpu" or like.dtype not in (torch.float32, torch.float64):
        return like.new_empty(shape)
    return torch.from_numpy(np.empty(shape, np.float32 if like.dtype == torch.float32 else np.float64))
