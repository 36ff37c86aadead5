"""NTK regression of a grid without gaps, in closed form, stopped by cross-validation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.signals import Signal
from overtone.theory.kernel_regression._fit import NTKFit, NTKModel, training_times
from overtone.theory.ntk._operators.stationary import kernel_at_lags, periodic_axes
from overtone.theory.risk import GradientFlow, SmoothingPath


def fit_full_grid(signal: Signal, model: NTKModel) -> NTKFit:
    """Smooth a whole grid by gradient flow of the infinitely wide network's kernel, stopped by cross-validation.

    Along axes on which all frequencies complete whole cycles the kernel is circulant and the fit exact. Along the
    others the kernel is replaced by the nearest one that cosines about the half-sample borders diagonalise (the
    diagonal of K in that basis, minimum Frobenius distance): a continuous extension, as in all spectra of this
    package. It is positive semi-definite wherever K is. Every mode then follows 1 - exp(-lambda t).

    Args:
        signal: A signal without held-out or ignored samples.
        model: The infinitely wide network on this signal's grid.

    Returns:
        The fit; its `error` is the cross-validated estimate of the error on new observations.

    Raises:
        InputError: If samples are held out or ignored, or the kernel has less than full rank, for which
            cross-validation fails.

    Source:
        Filter: Lee et al. 2019, arXiv 1902.06720, equation 10; stop: Golub, Heath, Wahba 1979, section 1;
        nearest matrix: Chan 1988, "An optimal circulant preconditioner for Toeplitz systems", SIAM J. Sci.
        Stat. Comput. 9, section 2, here for cosines.

    Example:
        >>> import torch
        >>> from overtone.nn.encodings import Gaussian
        >>> from overtone.signals import array
        >>> from overtone.theory import kernel_regression
        >>> signal = array(torch.randn(16, 16, generator=torch.Generator().manual_seed(0)))
        >>> model = kernel_regression.NTKModel.from_encoding(Gaussian(2, 64, sigma=2.0), signal.geometry)
        >>> kernel_regression.fit_full_grid(signal, model).prediction.shape
        torch.Size([16, 16, 1])
    """
    if len(signal.train_index) != len(signal.values):
        raise InputError(
            "every sample of the grid to train on",
            f"{len(signal.train_index)} of {len(signal.values)}",
            "use fit, which stops by the held-out samples",
            "signal",
        )
    shape = signal.geometry.shape
    even = [axis for axis, w in enumerate(periodic_axes(model.network, shape, model.spacing)) if not w]
    values = signal.normalisation.apply(signal.values.double())
    mean = values.mean(0)
    # Mirroring an axis makes the grid periodic along it, so that FFTs apply the cosine transform.
    field = _mirrored((values - mean).reshape(*shape, -1), even)
    axes = tuple(range(len(shape)))
    rates = _rates(model, tuple(field.shape[:-1]), even)
    coefficients = torch.fft.fftn(field, dim=axes)
    # Of a mirrored axis of 2 n coefficients n are independent; the others repeat them.
    inside = tuple(slice(0, n) for n in shape)
    modes, observed = rates[inside].reshape(-1), _sizes(coefficients[inside], field.shape[:-1].numel(), even)
    times = training_times(float(rates.max())).to(values.device)
    stop = SmoothingPath.of(modes, observed, GradientFlow(), times).gcv_stop()
    # Gradient flow learns each mode with a separate factor, 1 - exp(-lambda t).
    learned = -torch.expm1(-rates * stop.step)
    fitted = torch.fft.ifftn(coefficients * learned[..., None], dim=axes).real
    fitted = fitted[inside] + mean
    estimate = stop.estimate[:, None] * signal.normalisation.scale.to(values).square()
    prediction = signal.normalisation.restore(fitted).to(signal.values.dtype)
    return NTKFit(
        prediction,
        times,
        estimate,
        stop.index,
        stop.verdict,
        vectors=0,
        modes=len(modes),
        mirrored_axes=tuple(even),
    )


def _mirrored(field: Tensor, even: list[int]) -> Tensor:
    for axis in even:
        field = torch.cat([field, field.flip(axis)], axis)
    return field


def _rates(model: NTKModel, sizes: tuple[int, ...], even: list[int]) -> Tensor:
    """Return the eigenvalues on the grid with its even axes doubled, equal at k and -k along these axes."""
    rates = kernel_at_lags(model.network, sizes, model.spacing)
    periodic = [axis for axis in range(len(sizes)) if axis not in even]
    for axis in even:
        rates = _cosine_diagonal(rates.movedim(axis, -1)).movedim(-1, axis)
    return (torch.fft.fftn(rates, dim=periodic).real if periodic else rates).clamp_min(0)


def _cosine_diagonal(lags: Tensor) -> Tensor:
    """Return u_k^T T u_k for the orthonormal cosines u_k of n samples and the Toeplitz matrix T of 2 n lags.

    With a = pi k / n: sum over |l| < n of t_l ((1 - |l| / n) cos(a l) - sin(a |l|) / (n sin a)), without the
    second term for k = 0.

    Args:
        lags: (..., 2 n) t, entry l + 2 n for negative l.

    Returns:
        (..., 2 n) values, even in k; 0 at k = n, which no signal contains.
    """
    n = lags.shape[-1] // 2
    # Rounding leaves an odd part in the lags, which would otherwise appear as a sine.
    t = (lags + lags.flip(-1).roll(1, -1)) / 2
    index = torch.arange(2 * n, dtype=torch.float64, device=lags.device)
    inner = torch.fft.fft(t * (1 - torch.minimum(index, 2 * n - index) / n)).real
    one_sided = torch.where((index > 0) & (index < n), t, 0.0)
    angle = (math.pi / n) * index
    border = (
        2 * torch.fft.fft(one_sided).imag / (n * torch.where(angle.sin().abs() > 1e-12, angle.sin(), 1.0))
    )
    border[..., 0] = 0
    diagonal = inner + border
    diagonal[..., n] = 0
    return diagonal


def _sizes(coefficients: Tensor, entries: int, even: list[int]) -> Tensor:
    """Return (mode, C) sizes of orthonormal coefficients, one per sample of the original grid.

    A mirrored signal's coefficients are even in k, and 0 at k = n: each one with 0 < k < n represents two.
    """
    size = coefficients.abs() / math.sqrt(entries * 2 ** len(even))
    for axis in even:
        n = size.shape[axis]
        double = torch.full((n,), math.sqrt(2.0), dtype=size.dtype, device=size.device)
        double[0] = 1.0
        size = size * double.reshape([-1 if a == axis else 1 for a in range(size.ndim)])
    return size.reshape(-1, size.shape[-1])
