"""Room in memory and on the disk: how much a run needs and how much there is, asked before anything is done."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

from overtone.errors import RunError
from overtone.nn import Field
from overtone.planning._run_size import parameter_count
from overtone.signals import Geometry, Signal

MIB = 1 << 20

KEPT = 12
"""Networks that a rule for stopping may still go back to, at most."""

FIXED = 8 * MIB
"""Bytes of a report and a record's rows."""

LARGEST_PICTURE = MIB
"""Samples of a signal that are kept of a prediction, at most."""


def needed(signal: Signal[Geometry], network: Field, pictures: int) -> int:
    """Bytes that a run writes, rounded up.

    Report and rows, whole predictions, two checkpoints while one is saved, and the networks kept to go back to.

    Args:
        signal: What is learned.
        network: The network that is trained.
        pictures: How many whole predictions are kept.
    """
    samples = min(signal.values.shape[0], LARGEST_PICTURE) * signal.values.shape[1]
    parameter_count = sum(p.numel() for p in network.parameters())
    return FIXED + 4 * samples * pictures + (2 * 3 + KEPT) * 4 * parameter_count


def check_memory(width: int, depth: int, features: int, channels: int) -> None:
    """Whether a network can be trained in the memory of this machine: weights, gradients and an optimizer's averages.

    Asked before anything is allocated, since a system that promises more than it has ends the process instead.

    Args:
        width: Units of a hidden layer.
        depth: Hidden layers.
        features: Frequencies of the encoding.
        channels: Outputs.

    Raises:
        RunError: If it cannot.
    """
    if 4 * 4 * parameter_count(width, depth, features, channels) > _memory():
        raise RunError(
            "enough memory", "less than this takes", "make width=, depth=, features= or batch= smaller"
        )


def _memory() -> int:
    """Bytes of memory of this machine; where the system does not tell, as many as addresses reach."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 48


def available(path: Path) -> int:
    """Bytes that may be written at `path`, which need not exist yet: free on its disk, and allowed by `ulimit -f`.

    Raises:
        OSError: If the file system does not tell.
    """
    there = next((p for p in (path, *path.absolute().parents) if os.path.exists(p)), Path.cwd())
    return min(shutil.disk_usage(there).free, _file_limit())


def _file_limit() -> int:
    try:
        import resource
    except ImportError:
        return 1 << 62
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return 1 << 62 if limit == resource.RLIM_INFINITY else limit


def in_mib(size: int) -> str:
    """Bytes in words, like "8.1 MiB"."""
    return (
        f"{size / MIB:.{0 if size >= 10 * MIB else 1}f} MiB"
        if size >= MIB / 10
        else f"{math.ceil(size)} bytes"
    )
