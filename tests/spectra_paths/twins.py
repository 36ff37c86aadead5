"""Slow, independent ways to the same numbers: one path, one position and one cosine at a time."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np


def walk(vertices: np.ndarray, distance: float) -> np.ndarray:
    """The point at a distance along a polyline, segment after segment."""
    for first, last in pairwise(vertices):
        length = math.sqrt(((last - first) ** 2).sum())
        if distance <= length and length > 0:
            return first + (last - first) * (distance / length)
        distance -= length
    return vertices[-1]


def path_power(function, vertices: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Frequencies in cycles per path, (mode, channel) power by a sum over cosines, and the length."""
    length = sum(math.sqrt(((b - a) ** 2).sum()) for a, b in pairwise(vertices))
    points = [walk(vertices, (j + 0.5) / samples * length) for j in range(samples)]
    values = np.array([function(point[None])[0] for point in points])
    power = []
    for k in range(samples):
        cosine = np.cos(math.pi * k * (np.arange(samples) + 0.5) / samples)
        cosine *= math.sqrt((2 if k else 1) / samples)
        power.append((cosine @ values) ** 2 / samples)
    return np.arange(samples) / 2, np.array(power), length
