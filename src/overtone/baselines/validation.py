"""Training samples set aside for choosing: a stop, a cut-off, a smoothness."""

from __future__ import annotations

import numpy as np

from overtone._utils import seeding as rng

SHARE = 0.1
"""Part of the training samples."""


def set_aside(present: np.ndarray, seed: int = 0) -> np.ndarray:
    """A random tenth of the present samples, at least one, at most all but one.

    Args:
        present: Bool array of any shape.
        seed: The same seed gives the same samples.

    Returns:
        Bool array of the same shape.
    """
    index = np.flatnonzero(present)
    count = min(max(1, round(SHARE * len(index))), len(index) - 1)
    chosen = np.zeros(present.size, dtype=bool)
    chosen[rng.generator(seed, "baselines", "set aside").choice(index, count, replace=False)] = True
    return chosen.reshape(present.shape)
