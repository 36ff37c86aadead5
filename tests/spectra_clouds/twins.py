"""Slow independent answers: one row and one pair at a time, dense matrices, no tree and no sparse solver."""

from __future__ import annotations

import numpy as np


def filtered(x, y, width):
    """(N, C) averages, each from the differences of one row with all others."""
    low = np.empty_like(y)
    for i in range(len(x)):
        weight = np.exp(-((x - x[i]) ** 2).sum(1) / (2 * width**2))
        low[i] = (weight[:, None] * y).sum(0) / weight.sum()
    return low


def dense_walk(x, neighbours):
    """The balanced symmetric walk as a dense matrix, and the root mean square length of its steps."""
    n = len(x)
    distance = np.array([[np.sqrt(((a - b) ** 2).sum()) for b in x] for a in x])
    joined = np.zeros((n, n), bool)
    scale = np.empty(n)
    for i in range(n):
        others = [j for j in np.argsort(distance[i], kind="stable") if j != i][:neighbours]
        joined[i, others] = True
        scale[i] = distance[i, others[-1]]
    joined |= joined.T
    weight = np.where(joined, np.exp(-(distance**2) / np.outer(scale, scale)), 0) + np.eye(n)
    factor = np.ones(n)
    for _ in range(20_000):
        factor = 0.5 * factor + 0.5 / (weight @ factor)
    walk = factor[:, None] * weight * factor
    assert np.abs(walk.sum(1) - 1).max() < 1e-9
    return walk, np.sqrt((walk * distance**2).sum() / n)


def dense_graph(x, neighbours, dimension=1.0):
    """All frequencies, ascending, and the modes as columns."""
    walk, step = dense_walk(x, neighbours)
    values, vectors = np.linalg.eigh(np.eye(len(x)) - walk)
    return np.sqrt(2 * dimension * values.clip(0)) / (2 * np.pi * step), vectors


def direct_sum(x, y, direction, frequencies):
    """(F, C) mean of y exp(-2 pi i f x . p), x from its mean, one frequency at a time."""
    unit = np.asarray(direction) / np.linalg.norm(direction)
    along = (x - x.mean(0)) @ unit
    return np.stack([(y * np.exp(-2j * np.pi * f * along)[:, None]).mean(0) for f in frequencies])
