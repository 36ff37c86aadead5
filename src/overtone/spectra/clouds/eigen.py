"""The slowest modes of a random walk, copies of one frequency included."""

from __future__ import annotations

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from overtone._utils.seeding import generator
from overtone.errors import RunError

_PRECISION = 1e-9
_CHECKED = 8
_STEPS = 20_000


def slowest(walk: scipy.sparse.csr_array, modes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues 1 - p ascending and orthonormal eigenvectors for the largest eigenvalues p of the walk.

    A Lanczos iteration finds one vector of each eigenvalue, so that of the two waves around a circle it may find
    one. What was found is therefore moved to the other end of the spectrum and the largest of the rest sought,
    until none of these belongs among the modes.

    Args:
        walk: (N, N) symmetric, with unit row sums.
        modes: How many, fewer than N - 1.
        seed: Seed of the starting vectors.

    Raises:
        RunError: If an iteration does not converge.
    """
    source = generator(seed, "cloud", "graph")
    values, vectors = _largest(walk, modes, source.normal(size=walk.shape[0]))
    for _ in range(modes):
        moved = _without(walk, vectors)
        more, beside = _largest(moved, min(_CHECKED, modes), source.normal(size=walk.shape[0]))
        missed = more > values.min() + 10 * _PRECISION
        if not missed.any():
            break
        basis = np.linalg.qr(np.concatenate([vectors, beside[:, missed]], 1))[0]
        values, turn = np.linalg.eigh(basis.T @ (walk @ basis))
        values, vectors = values[-modes:], basis @ turn[:, -modes:]
    order = np.argsort(-values)
    return 1 - values[order], np.ascontiguousarray(vectors[:, order])


def _without(walk: scipy.sparse.csr_array, vectors: np.ndarray) -> LinearOperator:
    """The walk with these eigenvectors' eigenvalues lowered by 3, below all others."""

    def apply(vector: np.ndarray) -> np.ndarray:
        return walk @ vector - 3 * (vectors @ (vectors.T @ vector))

    return LinearOperator(walk.shape, matvec=apply, dtype=np.float64)


def _largest(
    operator: scipy.sparse.csr_array | LinearOperator, count: int, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    try:
        return eigsh(operator, k=count, which="LA", v0=start, tol=_PRECISION, maxiter=_STEPS)
    except ArpackNoConvergence as failure:
        raise RunError(
            f"{count} slowest modes",
            f"{len(failure.eigenvalues)} that converged",
            "ask for fewer modes or pass more neighbours",
            "graph",
        ) from failure
