"""Lanczos iterations: leading eigenpairs of a kernel, and its exponential applied to a vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone._utils.special import decay_integral
from overtone.errors import InputError, RunError
from overtone.theory.ntk._operators.base import KernelOperator, as_operator


@final
class Lanczos:
    """Lanczos tridiagonalisation of a symmetric matrix, for several starting vectors in parallel.

    It builds V and the tridiagonal H with K V = V H + b v e^T, one column of V per `step`.

    Args:
        multiply: Products (C, n) of K with the rows of (C, n).
        start: (C, n) unit vectors, float64.
        reorthogonalise: Keep V orthogonal to rounding, which a bound on the remainder requires. Without it, products
            with functions of H lose no accuracy but need a few more vectors, and each step saves one pass over memory
            per stored vector.
        negligible: Norm below which a remainder is rounding error and the space exhausted.

    Attributes:
        basis: The columns of V so far, (C, n) each.
        diagonal: Diagonal of H, (C,) each.
        below: Norm b of the remainder after each step, (C,) each; all but the last are H's off-diagonal.
    """

    def __init__(
        self,
        multiply: Callable[[Tensor], Tensor],
        start: Tensor,
        *,
        reorthogonalise: bool,
        negligible: float = torch.finfo(torch.float64).tiny,
    ) -> None:
        self._multiply, self._next = multiply, start
        self._reorthogonalise, self._negligible = reorthogonalise, negligible
        self.basis: list[Tensor] = []
        self.diagonal: list[Tensor] = []
        self.below: list[Tensor] = []

    def step(self) -> None:
        """Add one column; rows with an exhausted space get zeros."""
        vector = self._next
        product = self._multiply(vector)
        # Three-term recurrence: K is symmetric, so only the last two columns overlap with the product.
        if self.basis:
            product = product - self.below[-1][:, None] * self.basis[-1]
        overlap = (product * vector).sum(1)
        product = product - overlap[:, None] * vector
        self.basis.append(vector)
        if self._reorthogonalise:
            columns = torch.stack(self.basis, 1)
            # Twice is enough: one pass of Gram-Schmidt leaves errors of the size of the cancellation.
            for _ in range(2):
                product = product - ((product[:, None] @ columns.mT) @ columns)[:, 0]
        size = product.norm(dim=1)
        size = torch.where(size > self._negligible, size, 0.0)
        self.diagonal.append(overlap)
        self.below.append(size)
        self._next = torch.where(size[:, None] > 0, product / size[:, None].clamp_min(self._negligible), 0.0)

    def tridiagonal(self) -> Tensor:
        """Return H, (C, m, m)."""
        diagonal, below = torch.stack(self.diagonal, 1), torch.stack(self.below, 1)[:, :-1]
        return diagonal.diag_embed() + below.diag_embed(1) + below.diag_embed(-1)


class Eigenpairs(NamedTuple):
    """Eigenvalues, largest first, and unit eigenvectors.

    Attributes:
        values: (k,) in the kernel's units.
        vectors: (size, k).
    """

    values: Tensor
    vectors: Tensor


def top_eigenpairs(
    kernel: KernelOperator | Tensor, count: int, *, tolerance: float = 0.0, seed: int = 0
) -> Eigenpairs:
    """Return the `count` largest eigenpairs, using only products with vectors (restarted Lanczos, ARPACK).

    Args:
        kernel: The kernel as an operator or a symmetric matrix.
        count: Number of pairs, below the kernel's number of rows.
        tolerance: Relative accuracy of the eigenvalues; 0 for the precision of the operator.
        seed: Seed of the starting vector.

    Returns:
        The pairs, in the operator's precision, on its device.

    Raises:
        InputError: If `count` is not between 1 and size - 1.
        RunError: If the iteration does not converge.

    Example:
        >>> import torch
        >>> from overtone.theory import ntk
        >>> ntk.top_eigenpairs(torch.diag(torch.tensor([1.0, 5.0, 3.0])), 2).values.round(decimals=3)
        tensor([5., 3.])
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    operator = as_operator(kernel)
    if not 1 <= count < operator.size:
        raise InputError(
            f"a count between 1 and {operator.size - 1}", f"{count}", "reduce the count", "count"
        )
    single = operator.dtype != torch.float64
    precision = np.float32 if single else np.float64

    def product(vector: np.ndarray) -> np.ndarray:
        result = operator @ torch.from_numpy(np.array(vector, dtype=precision).reshape(-1))
        return result.detach().cpu().to(torch.float32 if single else torch.float64).numpy()

    # ARPACK would draw an unseeded starting vector; a seeded one makes the result reproducible.
    start = numpy_generator(seed, "lanczos").standard_normal(operator.size).astype(precision)
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
            "increase the tolerance or reduce the count",
            "top_eigenpairs",
        ) from failure
    order = np.argsort(values)[::-1].copy()
    pairs = (torch.from_numpy(values[order]), torch.from_numpy(vectors[:, order].copy()))
    return Eigenpairs(*(part.to(operator.device, operator.dtype) for part in pairs))


def expm_multiply(
    kernel: KernelOperator | Tensor,
    vector: Tensor,
    times: Sequence[float] | Tensor,
    *,
    tolerance: float = 1e-6,
    steps: int = 300,
) -> Tensor:
    """Return exp(-t K) v for several times, using only products with vectors.

    Gradient flow on the loss |f - y|^2 / 2, summed over the samples, takes the residual r to exp(-t K) r for a
    constant kernel; for the mean over n samples use K / n, which is equivalent to t / n. Lanczos with full
    reorthogonalisation builds V and the tridiagonal H with K V = V H + b v e^T; the result is |v| V exp(-t H) e_1.
    Its error is at most |v| b int_0^t |e^T exp(-s H) e_1| ds, because K is positive semi-definite; the integrand has
    a constant sign, so the integral is |e^T H^-1 (1 - exp(-t H)) e_1|. The subspace grows until this bound is below
    tolerance |v| (Saad 1992, SIAM J. Numer. Anal. 29, section 5).

    Args:
        kernel: K, positive semi-definite, as an operator or a symmetric matrix.
        vector: (size,) v.
        times: T times of 0 or more, in reciprocal units of K's eigenvalues.
        tolerance: Maximum error relative to |v|.
        steps: Maximum dimension of the subspace, and number of stored vectors.

    Returns:
        (T, size) float64, on the operator's device.

    Raises:
        InputError: If a time is negative or not finite, or the vector does not fit.
        RunError: If the tolerance is not met within `steps`.

    Example:
        >>> import torch
        >>> from overtone.theory import ntk
        >>> ntk.expm_multiply(torch.eye(2), torch.ones(2), [0.0, 1.0]).round(decimals=4)
        tensor([[1.0000, 1.0000],
                [0.3679, 0.3679]], dtype=torch.float64)
    """
    operator = as_operator(kernel)
    checked_times = torch.as_tensor(times, dtype=torch.float64, device=operator.device).reshape(-1)
    if not bool((torch.isfinite(checked_times) & (checked_times >= 0)).all()):
        raise InputError(
            "finite times of 0 or more", f"{checked_times.tolist()}", "count time from 0", "times"
        )
    start = vector.to(operator.device, torch.float64)
    norm = start.norm()
    if norm == 0:
        return (operator @ start).double().expand(len(checked_times), -1).clone()
    lanczos = Lanczos(
        lambda rows: (operator @ rows[0]).double()[None], (start / norm)[None], reorthogonalise=True
    )
    limit = min(steps, operator.size)
    while True:
        lanczos.step()
        coefficients, error = _exponential(lanczos, checked_times)
        scale = torch.stack(lanczos.diagonal).abs().max()
        # A remainder at the rounding level means that the space is invariant under K: the result is exact.
        exhausted = lanczos.below[-1] <= torch.finfo(torch.float64).eps * len(lanczos.basis) * scale
        if error <= tolerance or exhausted or len(lanczos.basis) == operator.size:
            return norm * coefficients @ torch.cat(lanczos.basis)
        if len(lanczos.basis) == limit:
            raise RunError(
                f"an error below {tolerance:g}",
                f"{float(error):.1e} after {limit} steps",
                "allow more steps, a larger tolerance or shorter times",
                "expm_multiply",
            )


def _exponential(lanczos: Lanczos, times: Tensor) -> tuple[Tensor, Tensor]:
    """Return (T, m) exp(-t H) e_1 and a bound on the relative error."""
    values, vectors = torch.linalg.eigh(lanczos.tridiagonal()[0])
    # K has no negative eigenvalues, and neither has H except for rounding.
    values = values.clamp_min(0)
    coefficients = (torch.exp(-times[:, None] * values) * vectors[0]) @ vectors.mT
    remainder = lanczos.below[-1][0]
    if not len(times):
        return coefficients, remainder.new_zeros(())
    integral = decay_integral(values, times[:, None])
    return coefficients, remainder * ((integral * vectors[0]) @ vectors[-1]).abs().max()
