"""Seeds are arguments. One seed fans out into independent named streams; the global generator is never seeded."""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *names: str) -> int:
    """A 63-bit seed for the stream called `names` under `seed`; the same on every platform and version.

    Args:
        seed: The user's seed, a non-negative integer.
        names: The stream, for instance `("held-out",)` or `("training", "batches")`.

    Returns:
        An integer in [0, 2^63).
    """
    text = "/".join((str(int(seed)), *names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def generator(seed: int, *names: str) -> np.random.Generator:
    """A NumPy generator for the stream called `names` under `seed`.

    Args:
        seed: The user's seed.
        names: The stream.

    Returns:
        An independent `numpy.random.Generator`.
    """
    return np.random.default_rng(derive(seed, *names))
