"""Masks of the kinds that occur: a real coastline, a swath, random gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

COASTLINE = Path(__file__).parents[2] / "benchmarks" / "coastline.txt"


def land() -> np.ndarray:
    """(180, 360) land from north to south, 0 to 360 degrees east; the file names its source."""
    lines = [x for x in COASTLINE.read_text(encoding="ascii").splitlines() if not x.startswith("#")]
    return np.stack([np.unpackbits(np.frombuffer(bytes.fromhex(x), np.uint8)) for x in lines]).astype(bool)


def swath(rows: int, columns: int, width: float = 0.6, period: float = 1.0) -> np.ndarray:
    """(rows, columns) cells within slanted stripes; `period` is the share of the width that a stripe repeats at."""
    y, x = np.mgrid[:rows, :columns]
    return np.mod(x / columns + 0.4 * y / rows, period) < width * period


def masks(size: int = 64) -> dict[str, Tensor]:
    """Masks of a box; True where a cell is valid. The coastline is that of the Malay Archipelago and Australia."""
    ocean = ~land()[60 : 60 + size, 90 : 90 + size]
    gaps = np.random.default_rng(1).random((size, size)) < 0.7
    named = {"coastline": ocean, "swath": swath(size, size), "random gaps": gaps}
    return {name: torch.from_numpy(mask) for name, mask in named.items()}


def globe_masks(rows: int, columns: int) -> dict[str, Tensor]:
    """Masks of the globe on cells."""
    ocean = ~land()[:: 180 // rows, :: 360 // columns]
    gaps = np.random.default_rng(1).random((rows, columns)) < 0.85
    named = {
        "coastline": ocean,
        "swath": swath(rows, columns, 0.7, 0.25),
        "random gaps": gaps,
    }
    return {name: torch.from_numpy(mask) for name, mask in named.items()}
