"""Modes of a sampled box: their frequencies and the number of modes per stored coefficient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overtone.errors import InputError


@dataclass(frozen=True)
class GridModes:
    """Modes of the transform of a box of `shape` samples.

    A periodic axis of n samples at distance s has the frequencies |k| / (n s), |k| <= n / 2; a non-periodic
    axis is extended evenly and has the frequencies k / (2 n s), k = 0 .. n - 1. Coefficients of the last
    periodic axis are stored for k >= 0 only, because those of k < 0 are their complex conjugates.

    Attributes:
        shape: Number of samples along each of 1 to 3 axes.
        spacing: Distance between neighbouring samples per axis, in units of the coordinate.
        periodic: Whether each axis wraps around.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    periodic: tuple[bool, ...]

    @staticmethod
    def of(
        shape: Sequence[int],
        spacing: float | Iterable[float] | None = None,
        periodic: bool | Iterable[bool] = False,
    ) -> GridModes:
        """Validate the arguments and broadcast them to one value per axis.

        Args:
            shape: Number of samples along each of 1 to 3 axes.
            spacing: Distance between neighbouring samples, one for all axes or one per axis; None for 1 / n
                per axis, which gives frequencies in cycles per array.
            periodic: Whether the axes wrap around, one value for all axes or one per axis.

        Raises:
            InputError: If the number of axes, a length or a distance is invalid.
        """
        lengths = tuple(int(n) for n in shape)
        axes = len(lengths)
        if not 1 <= axes <= 3:
            raise InputError(
                "values on a grid of 1 to 3 axes",
                f"{axes} axes of shape {lengths}",
                "set channel_axis, or pass one picture, recording or volume",
            )
        if min(lengths) < 1 or max(lengths) < 2:
            raise InputError("at least two samples along one axis", f"shape {lengths}", "pass a longer array")
        if spacing is None:
            distances = tuple(1.0 / n for n in lengths)
        elif isinstance(spacing, Iterable):
            distances = tuple(float(s) for s in spacing)
        else:
            distances = (float(spacing),) * axes
        wraps = (
            tuple(bool(p) for p in periodic) if isinstance(periodic, Iterable) else (bool(periodic),) * axes
        )
        for name, per_axis in (("spacing", distances), ("periodic", wraps)):
            if len(per_axis) != axes:
                raise InputError(
                    f"one {name} per axis ({axes})",
                    f"{len(per_axis)}",
                    "pass one value, or one per axis",
                    name,
                )
        if not all(math.isfinite(s) and s > 0 for s in distances):
            raise InputError(
                "positive finite distances between samples", f"{distances}", "check the resolution", "spacing"
            )
        return GridModes(lengths, distances, wraps)

    @property
    def samples(self) -> int:
        """Number of samples, which is also the number of real modes."""
        return math.prod(self.shape)

    @property
    def even(self) -> tuple[int, ...]:
        """The axes that are extended evenly."""
        return tuple(axis for axis, wraps in enumerate(self.periodic) if not wraps)

    @property
    def around(self) -> tuple[int, ...]:
        """The axes that wrap around."""
        return tuple(axis for axis, wraps in enumerate(self.periodic) if wraps)

    @property
    def halved(self) -> int | None:
        """Index of the axis stored for k >= 0 only: the last periodic axis, or None if there is none."""
        return self.around[-1] if self.around else None

    @property
    def stored(self) -> tuple[int, ...]:
        """Shape of the stored coefficients."""
        return tuple(n // 2 + 1 if axis == self.halved else n for axis, n in enumerate(self.shape))

    def step(self, axis: int) -> float:
        """Return the lowest non-zero frequency of `axis` of length L: 1 / L if periodic, else 1 / (2 L)."""
        return (1.0 if self.periodic[axis] else 0.5) / (self.shape[axis] * self.spacing[axis])

    def frequencies(self, axis: int, device: torch.device | None = None) -> Tensor:
        """Return the (stored[axis],) float64 absolute frequency of each stored coefficient along `axis`."""
        k = torch.arange(self.stored[axis], device=device or "cpu")
        if self.periodic[axis]:
            # Indices above n / 2 are the negative frequencies of a periodic axis; their absolute value is
            # used.
            k = torch.minimum(k, self.shape[axis] - k)
        return k.double() * self.step(axis)

    def weights(self, axis: int, device: torch.device | None = None) -> Tensor:
        """Return the (stored[axis],) float64 number of modes, 1 or 2, per stored coefficient along `axis`."""
        ones = torch.ones(self.stored[axis], dtype=torch.float64, device=device or "cpu")
        if axis == self.halved:
            # All coefficients but k = 0 and, for even n, k = n / 2 stand for a conjugate pair.
            ones[1 : (self.shape[axis] + 1) // 2] = 2
        return ones

    def radius(self) -> Tensor:
        """Return the (*stored,) float64 radial frequency sqrt(sum_i f_i^2) of each stored coefficient."""
        squares = [self.frequencies(axis).square() for axis in range(len(self.shape))]
        return _outer(squares, torch.add).sqrt()

    def multiplicity(self) -> Tensor:
        """Return the (*stored,) float64 number of real modes per coefficient; the sum is `samples`."""
        return _outer([self.weights(axis) for axis in range(len(self.shape))], torch.mul)

    @property
    def _extended(self) -> list[int]:
        return [axis for axis, n in enumerate(self.shape) if n > 1]

    @property
    def fundamental(self) -> float:
        """Lowest non-zero frequency of all axes."""
        return min(self.step(axis) for axis in self._extended)

    @property
    def nyquist(self) -> float:
        """The radial Nyquist frequency: the largest 1 / (2 spacing) of all axes longer than one sample."""
        return max(0.5 / self.spacing[axis] for axis in self._extended)

    @property
    def top(self) -> float:
        """Highest radial frequency of any mode."""
        return math.hypot(
            *(
                self.step(axis) * (n // 2 if wraps else n - 1)
                for axis, (n, wraps) in enumerate(zip(self.shape, self.periodic, strict=True))
            )
        )


def _outer(columns: Sequence[Tensor], join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    total = columns[0]
    for column in columns[1:]:
        total = join(total.unsqueeze(-1), column)
    return total


def forward(field: Tensor, even: Sequence[int], around: Sequence[int]) -> Tensor:
    """Return the orthonormal coefficients of a real field along the specified axes.

    Along an `even` axis, X_0 = sum_j x_j / sqrt(n) and X_k = sqrt(2 / n) sum_j x_j cos(pi k (j + 1/2) / n):
    the Fourier series of the signal mirrored about its half-sample borders. Along a periodic axis,
    X_k = sum_j x_j exp(-2 pi i k j / n) / sqrt(n).

    Args:
        field: Real tensor in float32 or float64. Its memory may be reused.
        even: Axes to extend evenly.
        around: Periodic axes; the result has only k >= 0 along the last of them.

    Returns:
        Coefficients in the precision of the field, complex if any axis is periodic.
    """
    if even:
        field = cosine(field, even)
    return torch.fft.rfftn(field, dim=tuple(around), norm="ortho") if around else field


def cosine(field: Tensor, axes: Sequence[int]) -> Tensor:
    """Compute the orthonormal DCT-II along `axes`: with SciPy on the CPU, by FFT elsewhere or for gradients.

    Args:
        field: Real tensor, float32 or float64. Its memory may be reused.
        axes: The axes to transform.
    """
    import scipy.fft

    if field.device.type != "cpu" or field.requires_grad:
        return cosine_by_fft(field, axes)
    out = scipy.fft.dctn(
        field.numpy(), axes=axes, norm="ortho", overwrite_x=True, workers=torch.get_num_threads()
    )
    return torch.from_numpy(out)


def cosine_by_fft(field: Tensor, axes: Sequence[int]) -> Tensor:
    """Compute the orthonormal DCT-II by one real FFT of equal length per axis; differentiable, on any device.

    Reordering the samples, even indices ascending and then odd indices descending, turns the cosine sum into
    a Fourier sum (Makhoul 1980, "A fast cosine transform in one and two dimensions", IEEE Trans. ASSP 28,
    section III).

    Args:
        field: Real tensor, float32 or float64.
        axes: The axes to transform.
    """
    for axis in axes:
        field = _cosine_last(field.movedim(axis, -1)).movedim(-1, axis)
    return field


def _cosine_last(field: Tensor) -> Tensor:
    n = field.shape[-1]
    # 0, 2, 4, ..., 5, 3, 1: even indices ascending, then odd indices descending (Makhoul 1980).
    j = torch.arange(n, device=field.device)
    order = torch.where(j < (n + 1) // 2, 2 * j, 2 * (n - j) - 1)
    half = torch.fft.rfft(field[..., order], norm="ortho")
    k = torch.arange(n // 2 + 1, device=field.device, dtype=torch.float64)
    # The quarter-sample shift exp(-i pi k / 2n) and the factor sqrt(2) that makes all rows but the first
    # orthonormal.
    size = torch.full_like(k, math.sqrt(2.0))
    size[0] = 1.0
    half = half * torch.polar(size, -math.pi * k / (2 * n)).to(half.dtype)
    # X_{n-k} is minus the imaginary part of X_k, so the half spectrum contains all n real coefficients.
    return torch.cat([half.real, -half.imag[..., 1 : (n + 1) // 2].flip(-1)], dim=-1)
