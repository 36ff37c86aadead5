"""How probable it is that something is watched, so that a given number is and what matters most certainly is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def inclusion(
    share: NDArray[np.float64], count: float, members: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Probabilities proportional to shares, none above 1, that make `count` expected.

    Args:
        share: (n,) positive weight of each entry.
        count: How many members are to be drawn in all.
        members: (n,) members of each entry, who all get its probability; one each if None.

    Returns:
        (n,) probabilities; all 1 if there are no more members than are wanted.
    """
    members = np.ones_like(share) if members is None else members
    found = np.ones_like(share)
    if count >= members.sum():
        return found
    certain = members == 0
    while True:
        open_ = ~certain
        wanted = count - members[certain].sum()
        scale = max(wanted, 0.0) / float((share * members)[open_].sum())
        over = open_ & (scale * share >= 1)
        if not over.any():
            found[open_] = scale * share[open_]
            return found
        certain |= over
