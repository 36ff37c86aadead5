"""The nearest rows of every row."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from overtone.optional import require

_TREE_FEATURES = 12


def nearest(coords: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and indices (N, count) of the nearest other rows, ascending.

    Up to 12 features by a k-d tree; beyond, where no tree helps, by scikit-learn's chunked comparison of all
    pairs, whose memory does not grow with N^2.

    Args:
        coords: (N, d).
        count: Neighbours a row, fewer than N.

    Raises:
        InputError: If there are more than 12 features and scikit-learn is not installed.
    """
    if coords.shape[1] <= _TREE_FEATURES:
        distance, index = cKDTree(coords).query(coords, k=count + 1)
    else:
        search = require("sklearn.neighbors", "sklearn").NearestNeighbors(algorithm="brute")
        distance, index = search.fit(coords).kneighbors(coords, n_neighbors=count + 1)
    return _without_self(distance, index)


def _without_self(distance: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row without itself, or without its last neighbour where more copies of it crowd it out."""
    own = index == np.arange(len(index))[:, None]
    own[~own.any(1), -1] = True
    shape = (len(index), index.shape[1] - 1)
    return distance[~own].reshape(shape), index[~own].reshape(shape)
