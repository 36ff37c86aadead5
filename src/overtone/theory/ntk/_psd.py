"""Nearest positive semi-definite matrix of a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError, RunError


@final
@dataclass(frozen=True)
class NearestPSD:
    """A symmetric kernel without negative eigenvalues, and its distance from the original.

    Attributes:
        matrix: (N, N) the nearest positive semi-definite matrix in the Frobenius norm, or the kernel itself.
        lowest: The kernel's lowest eigenvalue.
        negative: Number of eigenvalues that were negative beyond rounding, and were set to zero.
        changed: |matrix - kernel| / |kernel| in the Frobenius norm.
    """

    matrix: Tensor
    lowest: float
    negative: int
    changed: float

    @property
    def sentence(self) -> str:
        """Description of the eigenvalues set to zero, and of the change by this."""
        if not self.negative:
            return f"positive semi-definite to rounding, the lowest eigenvalue is {self.lowest:.2e}"
        return (
            f"{self.negative} negative eigenvalues down to {self.lowest:.2e} were set to zero, "
            f"which changed the kernel by {self.changed:.1e} of its norm"
        )


def nearest_psd(kernel: Tensor) -> NearestPSD:
    """Set the negative eigenvalues of a symmetric matrix to zero, and report their number and size.

    An eigenvalue counts as negative below -4 sqrt(N) eps times the largest: sums of rounded products change
    eigenvalues by about this amount (eps of the kernel's precision; the decomposition is in double precision).

    Args:
        kernel: (N, N), symmetric to rounding.

    Returns:
        The matrix and the report; a kernel without negative eigenvalues is returned unchanged.

    Raises:
        InputError: If the matrix is not square or not symmetric.
        RunError: If it contains NaN or infinite entries.

    Source: Higham 1988, Linear Algebra Appl. 103, theorem 2.1.

    Example:
        >>> import torch
        >>> from overtone.theory import ntk
        >>> repaired = ntk.nearest_psd(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
        >>> repaired.negative, round(repaired.lowest, 4)
        (1, -1.0)
    """
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or not len(kernel):
        raise InputError("a square matrix", f"shape {tuple(kernel.shape)}", "pass an (N, N) kernel", "kernel")
    exact = kernel.detach().double()
    if not bool(torch.isfinite(exact).all()):
        raise RunError("a finite kernel", "NaN or infinite entries", "check its computation", "kernel")
    rounding = 4 * len(kernel) ** 0.5 * torch.finfo(kernel.dtype).eps
    skew = float((exact - exact.mT).abs().max())
    if skew > rounding * float(exact.abs().max()):
        raise InputError("a symmetric matrix", f"an asymmetry of {skew:.1e}", "pass K(x, x)", "kernel")
    # In double precision, so that the decomposition adds no negative eigenvalues.
    values, vectors = torch.linalg.eigh((exact + exact.mT) / 2)
    negative = int((values < -rounding * values.abs().max()).sum())
    lowest = float(values[0])
    if not negative:
        return NearestPSD(kernel, lowest, 0, 0.0)
    positive = values > 0
    # Dropping the negative part is the Frobenius projection onto the cone (Higham).
    nearest = (vectors[:, positive] * values[positive]) @ vectors[:, positive].mT
    changed = float(values[~positive].norm() / values.norm())
    return NearestPSD(((nearest + nearest.mT) / 2).to(kernel.dtype), lowest, negative, changed)
