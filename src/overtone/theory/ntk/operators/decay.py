"""exp(-t K) applied to a vector: what gradient flow does to a residual."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from overtone.errors import InputError, RunError
from overtone.theory.ntk.operators.operator import Operator


def decay(
    operator: Operator,
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
    elapsed = -torch.expm1(-times[:, None] * values) / values.clamp_min(torch.finfo(values.dtype).tiny)
    elapsed = torch.where(values > 0, elapsed, times[:, None])
    error = (
        below[-1] * ((elapsed * vectors[0]) @ vectors[-1]).abs().max() if len(times) else below.new_zeros(())
    )
    return coefficients, error
