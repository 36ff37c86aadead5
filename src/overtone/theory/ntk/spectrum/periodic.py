"""Eigenvalues of a stationary kernel on a periodic grid."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone.errors import InputError


def periodic(row: Tensor) -> Tensor:
    """All eigenvalues of the circulant matrix K[n, m] = row[n - m] by one FFT.

    The eigenvector of entry k is the wave exp(2 pi i k.n / shape): its frequency is k cycles per period
    (entries above n / 2 are the negative ones, as in `torch.fft.fftfreq`). Under gradient flow on |f - y|^2 /
    2 that wave's residual falls as exp(-eigenvalue t).

    Args:
        row: (n,) or (n_1, n_2, ...) kernel between the origin and every grid point, in torch.fft order.

    Returns:
        Eigenvalues of the matrix in the row's shape, in kernel units; divide by the number of points for
        those of the integral operator under the uniform density.

    Raises:
        InputError: If the row is not symmetric, row[n] = row[-n], to the precision of its type.
    """
    values = torch.fft.fftn(row.to(torch.promote_types(row.dtype, torch.float32)))
    error = float(
        values.imag.abs().max() / values.real.abs().max().clamp_min(torch.finfo(values.real.dtype).tiny)
    )
    if not error <= 100 * torch.finfo(row.dtype).eps * row.numel() ** 0.5:
        raise InputError(
            "a symmetric row, row[n] = row[-n]",
            f"an asymmetric part of {error:.1e}",
            "evaluate the kernel between the origin and every point of a periodic grid",
            "row",
        )
    return values.real.to(row.dtype)
