"""How far a kernel is from positive semi-definite, and the nearest one that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError, RunError


@final
@dataclass(frozen=True)
class NearestPSD:
    """A symmetric kernel without negative eigenvalues, and what was done to it.

    Attributes:
        matrix: (N, N) the nearest positive semi-definite matrix in the Frobenius norm, or the kernel itself.
        lowest: The kernel's lowest eigenvalue.
        negative: How many eigenvalues were negative beyond rounding, and were set to zero.
        changed: |matrix - kernel| / |kernel| in the Frobenius norm.
    """

    matrix: Tensor
    lowest: float
    negative: int
    changed: float

    @property
    def sentence(self) -> str:
        """What was found and done."""
        if not self.negative:
            return f"positive semi-definite to rounding, the lowest eigenvalue is {self.lowest:.2e}"
        return (
            f"{self.negative} negative eigenvalues down to {self.lowest:.2e} were set to zero, "
            f"which changed the kernel by {self.changed:.1e} of its norm"
        )


def nearest_psd(kernel: Tensor) -> NearestPSD:
    """Set the negative eigenvalues of a symmetric matrix to zero, and say how many and how large they were.

    An eigenvalue counts as negative below -4 sqrt(N) eps times the largest: sums of rounded products move
    eigenvalues by about as much (eps of the kernel's precision; the decomposition is in double precision).

    Args:
        kernel: (N, N), symmetric to rounding.

    Returns:
        The matrix and the report; a kernel without negative eigenvalues comes back as it is.

    Raises:
        InputError: If the matrix is not square or not symmetric.
        RunError: If it holds NaN or infinite entries.

    Source: Higham 1988, Linear Algebra Appl. 103, theorem 2.1.
    """
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or not len(kernel):
        raise InputError("a square matrix", f"shape {tuple(kernel.shape)}", "pass an (N, N) kernel", "kernel")
    wide = kernel.detach().double()
    if not bool(torch.isfinite(wide).all()):
        raise RunError("a finite kernel", "NaN or infinite entries", "check how it was made", "kernel")
    rounding = 4 * len(kernel) ** 0.5 * torch.finfo(kernel.dtype).eps
    skew = float((wide - wide.mT).abs().max())
    if skew > rounding * float(wide.abs().max()):
        raise InputError(
            "a symmetric matrix", f"entries {skew:.1e} apart from their mirror", "pass K(x, x)", "kernel"
        )
    values, vectors = torch.linalg.eigh((wide + wide.mT) / 2)
    negative = int((values < -rounding * values.abs().max()).sum())
    lowest = float(values[0])
    if not negative:
        return NearestPSD(kernel, lowest, 0, 0.0)
    kept = values > 0
    nearest = (vectors[:, kept] * values[kept]) @ vectors[:, kept].mT
    changed = float(values[~kept].norm() / values.norm())
    return NearestPSD(((nearest + nearest.mT) / 2).to(kernel.dtype), lowest, negative, changed)
