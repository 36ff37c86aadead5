"""Independent random streams derived from one seed; the global generator is never seeded."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def derive_seed(seed: int, *names: str) -> int:
    """Return a 63-bit seed for the stream `names` of a seed; the same on every platform and version.

    Args:
        seed: The user's seed, a non-negative integer.
        names: The stream, for instance `("held-out",)` or `("training", "batches")`.

    Returns:
        An integer in [0, 2^63).

    Example:
        >>> derive_seed(0, "held-out") == derive_seed(0, "held-out") != derive_seed(0, "training")
        True
    """
    # A cryptographic hash keeps streams of neighbouring seeds and of similar names independent.
    text = "/".join((str(int(seed)), *names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def numpy_generator(seed: int, *names: str) -> np.random.Generator:
    """Return a NumPy generator for the stream `names` of a seed.

    Args:
        seed: The user's seed.
        names: The stream.

    Returns:
        An independent `numpy.random.Generator`.
    """
    return np.random.default_rng(derive_seed(seed, *names))


def draw_subset(total: int, count: int, seed: int, *names: str) -> NDArray[np.int64]:
    """Return ascending positions of `count` of `total` entries, drawn without repetition; all if there are no more.

    Args:
        total: Number of entries.
        count: How many to draw, at least 1.
        seed: The user's seed.
        names: The stream.

    Example:
        >>> draw_subset(3, 5, 0, "samples").tolist(), len(draw_subset(100, 5, 0, "samples"))
        ([0, 1, 2], 5)
    """
    if count >= total:
        return np.arange(total, dtype=np.int64)
    return np.sort(numpy_generator(seed, *names).choice(total, count, replace=False))
