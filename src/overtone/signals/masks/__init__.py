"""Masks of samples: (N,) bool tensors, True for the selected samples.

Example:
    >>> from overtone import signals
    >>> signal = signals.synthetic.harmonics([1, 2], samples=10)
    >>> held_out = signals.masks.random(signal.geometry, fraction=0.2, seed=0)
    >>> len(signal.with_held_out(held_out).train_index)
    8
"""

from overtone.signals._masks import alternating, blocks, lattice, random

__all__ = ["alternating", "blocks", "lattice", "random"]
