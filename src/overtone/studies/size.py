"""How large a study is run."""

from __future__ import annotations

from enum import Enum


class Size(Enum):
    """How much a study is given.

    Attributes:
        SMOKE: Seconds; shows that the study runs.
        QUICK: Minutes on two cores; gives the verdict that is kept.
        FULL: The source's own dimensions, for a cluster or a GPU.
    """

    SMOKE = "smoke"
    QUICK = "quick"
    FULL = "full"
