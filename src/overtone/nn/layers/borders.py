"""How a grid is continued beyond its borders."""

from __future__ import annotations

from enum import Enum


class Border(Enum):
    """WRAP: the grid repeats. MIRROR: it is reflected about its outermost samples. REPEAT: these go on."""

    WRAP = "circular"
    MIRROR = "reflect"
    REPEAT = "replicate"
