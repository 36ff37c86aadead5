"""The largest eigenvalues of a kernel and their eigenvectors, by Lanczos."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from overtone._utils import seeding as rng
from overtone.errors import InputError, RunError
from overtone.theory.ntk.operators.operator import Operator


class Eigenpairs(NamedTuple):
    """Eigenvalues, largest first, and unit eigenvectors.

    Attributes:
        values: (k,) in the kernel's units.
        vectors: (size, k).
    """

    values: Tensor
    vectors: Tensor


def leading(operator: Operator, count: int, *, tolerance: float = 0.0, seed: int = 0) -> Eigenpairs:
    """The `count` largest eigenpairs from products with vectors alone (implicitly restarted Lanczos, ARPACK).

    Args:
        operator: The kernel.
        count: How many, below the operator's size.
        tolerance: Relative accuracy of the eigenvalues; 0 for the precision of the operator.
        seed: Seed of the starting vector.

    Returns:
        The pairs, in the operator's precision, on its device.

    Raises:
        InputError: If `count` is not between 1 and size - 1.
        RunError: If the iteration does not converge.
    """
    if not 1 <= count < operator.size:
        raise InputError(f"a count between 1 and {operator.size - 1}", f"{count}", "ask for fewer", "count")
    single = operator.dtype != torch.float64
    precision = np.float32 if single else np.float64

    def product(vector: np.ndarray) -> np.ndarray:
        result = operator @ torch.from_numpy(np.array(vector, dtype=precision).reshape(-1))
        return result.detach().cpu().to(torch.float32 if single else torch.float64).numpy()

    start = rng.generator(seed, "lanczos").standard_normal(operator.size).astype(precision)
    shape = (operator.size, operator.size)
    try:
        values, vectors = eigsh(
            LinearOperator(shape, matvec=product, dtype=precision),
            k=count,
            which="LA",
            v0=start,
            tol=tolerance,
        )
    except ArpackNoConvergence as failure:
        raise RunError(
            f"{count} converged eigenpairs",
            f"{len(failure.eigenvalues)}",
            "raise the tolerance or ask for fewer",
            "leading",
        ) from failure
    order = np.argsort(values)[::-1].copy()
    found = (torch.from_numpy(values[order]), torch.from_numpy(vectors[:, order].copy()))
    return Eigenpairs(*(each.to(operator.device, operator.dtype) for each in found))
