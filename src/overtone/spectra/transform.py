"""The orthonormal transform behind every grid spectrum: FFT along periodic axes, DCT-II along the others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import scipy.fft
import torch
from torch import Tensor


def forward(field: Tensor, even: Sequence[int], around: Sequence[int]) -> Tensor:
    """Orthonormal coefficients of a real field along the named axes.

    Along an `even` axis, X_0 = sum_j x_j / sqrt(n) and X_k = sqrt(2 / n) sum_j x_j cos(pi k (j + 1/2) / n):
    the Fourier series of the signal mirrored about its half-sample borders. Along one that wraps `around`,
    X_k = sum_j x_j exp(-2 pi i k j / n) / sqrt(n).

    Args:
        field: Real tensor in float32 or float64. Its memory may be reused.
        even: Axes to extend evenly.
        around: Axes that wrap around; only k >= 0 is kept of the last one.

    Returns:
        Coefficients, complex if any axis wraps around, in the field's precision.
    """
    if even:
        field = cosine(field, even)
    return torch.fft.rfftn(field, dim=tuple(around), norm="ortho") if around else field


def cosine(field: Tensor, axes: Sequence[int]) -> Tensor:
    """Orthonormal DCT-II along `axes`: by SciPy on the processor, by FFT elsewhere and under gradients.

    Args:
        field: Real tensor, float32 or float64. Its memory may be reused.
        axes: The axes to transform.
    """
    if field.device.type != "cpu" or field.requires_grad:
        return cosine_by_fft(field, axes)
    out = scipy.fft.dctn(
        field.numpy(), axes=axes, norm="ortho", overwrite_x=True, workers=torch.get_num_threads()
    )
    return torch.from_numpy(out)


def cosine_by_fft(field: Tensor, axes: Sequence[int]) -> Tensor:
    """Orthonormal DCT-II along `axes`, one real FFT of equal length each; differentiable, any device.

    Even samples in order followed by odd samples in reverse turn the cosines into a plain Fourier sum
    (Makhoul 1980, "A fast cosine transform in one and two dimensions", IEEE Trans. ASSP 28, section III).

    Args:
        field: Real tensor, float32 or float64.
        axes: The axes to transform.
    """
    for axis in axes:
        field = _cosine_last(field.movedim(axis, -1)).movedim(-1, axis)
    return field


def _cosine_last(field: Tensor) -> Tensor:
    n = field.shape[-1]
    j = torch.arange(n, device=field.device)
    order = torch.where(j < (n + 1) // 2, 2 * j, 2 * (n - j) - 1)
    half = torch.fft.rfft(field[..., order], norm="ortho")
    k = torch.arange(n // 2 + 1, device=field.device, dtype=torch.float64)
    size = torch.full_like(k, math.sqrt(2.0))
    size[0] = 1.0
    half = half * torch.polar(size, -math.pi * k / (2 * n)).to(half.dtype)
    return torch.cat([half.real, -half.imag[..., 1 : (n + 1) // 2].flip(-1)], dim=-1)
