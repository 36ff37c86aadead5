"""Signals and comparisons small enough for tests."""

from __future__ import annotations

import numpy as np

import overtone as ot
from overtone._sweeps import Workers
from overtone.planning import Budget

QUICK = {"candidates": ["gaussian"], "seeds": 2, "budget": Budget(steps=50, parameters=6000)}


def waves(shape=(20, 24), noise=0.0):
    """A slow and a fast wave."""
    rows, columns = (axis / n for axis, n in zip(np.indices(shape), shape, strict=True))
    field = 0.5 + 0.2 * np.cos(2 * np.pi * rows) + 0.1 * np.cos(np.pi * 5 * columns)
    return ot.signals.array(field + noise * np.random.default_rng(0).standard_normal(shape))


def white(shape=(24, 24)):
    """Nothing but noise."""
    return ot.signals.array(np.random.default_rng(0).standard_normal(shape))


class Nobody(Workers):
    """Fails the test if there is anything left to do."""

    def run(self, tasks):
        raise AssertionError(f"{[task.name for task in tasks]} were not kept")
