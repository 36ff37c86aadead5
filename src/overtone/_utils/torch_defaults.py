"""PyTorch's own defaults, whatever default device and precision the caller has set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch


@contextmanager
def standard() -> Iterator[None]:
    """Use the CPU and float32 as PyTorch's defaults inside a block; restore the caller's defaults afterwards.

    For what is computed without the caller's network: optimizers and quotients of whole numbers make tensors whose
    device and precision nobody can name. Also a decorator, `@standard()`.

    Yields:
        Nothing.
    """
    dtype = torch.get_default_dtype()
    elsewhere = torch.get_default_device().type != "cpu"
    with torch.device("cpu") if elsewhere else nullcontext():
        if dtype != torch.float32:
            torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            if dtype != torch.float32:
                torch.set_default_dtype(dtype)
