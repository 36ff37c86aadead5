"""Out-of-memory errors of Python, of GPUs and of PyTorch's allocator for the CPU."""

from __future__ import annotations

import errno
import re
import sys


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out.

    Args:
        error: Any error.

    Example:
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("shapes differ"))
        (True, False)
    """
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # PyTorch's allocator for the CPU raises a plain RuntimeError; its message is the only sign of the cause.
    return isinstance(error, RuntimeError) and bool(_CPU_ALLOCATOR.search(str(error)))


_CPU_ALLOCATOR = re.compile(r"allocate memory|not enough memory|out of memory")
