"""The largest eigenvalues of a kernel and their eigenvectors, by Lanczos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from overtone._utils import seeding as rng
from overtone._utils.special import decay_integral
from overtone.errors import InputError, RunError
from overtone.theory.ntk._operators.base import KernelOperator


class Eigenpairs(NamedTuple):
    """Eigenvalues, largest first, and unit eigenvectors.

    Attributes:
        values: (k,) in the kernel's units.
        vectors: (size, k).
    """

    values: Tensor
    vectors: Tensor


def top_eigenpairs(
    operator: KernelOperator, count: int, *, tolerance: float = 0.0, seed: int = 0
) -> Eigenpairs:
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


def expm_multiply(
    operator: KernelOperator,
    vector: Tensor,
    times: Sequence[float] | Tensor,
    *,
    tolerance: float = 1e-6,
    steps: int = 300,
) -> Tensor:
    """exp(-t K) v for several times, from products with vectors alone.

    Gradient flow on the loss |f - y|^2 / 2, summed over the samples, takes the residual r to exp(-t K) r
    while the kernel stays what it is; for the mean over n samples take K / n, that is t / n. Lanczos with
    full reorthogonalisation builds V and the tridiagonal H with K V = V H + b v e^T; the result is
    |v| V exp(-t H) e_1. Its error is at most |v| b int_0^t |e^T exp(-s H) e_1| ds, since K is positive
    semi-definite; the integrand keeps its sign, so the integral is |e^T H^-1 (1 - exp(-t H)) e_1|. The
    subspace grows until this bound is below tolerance |v| (Saad 1992, SIAM J. Numer. Anal. 29, section 5).

    Args:
        operator: The kernel K, positive semi-definite.
        vector: (size,) v.
        times: T times, not negative, in reciprocal units of K's eigenvalues.
        tolerance: Largest error relative to |v|.
        steps: Largest dimension of the subspace; as many vectors are held.

    Returns:
        (T, size) float64, on the operator's device.

    Raises:
        InputError: If a time is negative or not finite, or the vector does not fit.
        RunError: If `steps` do not reach the tolerance.
    """
    when = torch.as_tensor(times, dtype=torch.float64, device=operator.device).reshape(-1)
    if not bool((torch.isfinite(when) & (when >= 0)).all()):
        raise InputError(
            "finite times that are not negative", f"{when.tolist()}", "count time from 0", "times"
        )
    start = vector.to(operator.device, torch.float64)
    norm = start.norm()
    first = operator @ start
    if norm == 0:
        return start.expand(len(when), -1).clone()
    basis, diagonal, below = [start / norm], [], []
    product = first.double() / norm
    limit = min(steps, operator.size)
    while True:
        diagonal.append(torch.dot(basis[-1], product))
        stacked = torch.stack(basis)
        for _ in range(2):
            product = product - stacked.mT @ (stacked @ product)
        below.append(product.norm())
        coefficients, error = _exponential(torch.stack(diagonal), torch.stack(below), when)
        exhausted = (
            below[-1] <= torch.finfo(torch.float64).eps * len(basis) * torch.stack(diagonal).abs().max()
        )
        if error <= tolerance or exhausted or len(basis) == operator.size:
            return norm * coefficients @ stacked
        if len(basis) == limit:
            raise RunError(
                f"an error below {tolerance:g}",
                f"{float(error):.1e} after {limit} steps",
                "allow more steps, a larger tolerance or shorter times",
                "decay",
            )
        basis.append(product / below[-1])
        product = (operator @ basis[-1]).double()


def _exponential(diagonal: Tensor, below: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """(T, m) exp(-t H) e_1 and a bound on the relative error."""
    values, vectors = torch.linalg.eigh(diagonal.diag() + below[:-1].diag(1) + below[:-1].diag(-1))
    values = values.clamp_min(0)
    coefficients = (torch.exp(-times[:, None] * values) * vectors[0]) @ vectors.mT
    elapsed = decay_integral(values, times[:, None])
    error = (
        below[-1] * ((elapsed * vectors[0]) @ vectors[-1]).abs().max() if len(times) else below.new_zeros(())
    )
    return coefficients, error
