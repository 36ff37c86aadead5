"""The modes of a sampled box: their frequencies, and how many modes each stored coefficient stands for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overtone.errors import InputError


@dataclass(frozen=True)
class GridModes:
    """A box of `shape` samples and the modes its transform has.

    A periodic axis of n samples at distance s has the frequencies |k| / (n s), |k| <= n / 2; a non-periodic
    one is extended evenly and has k / (2 n s), k = 0 .. n - 1. Coefficients of the last periodic axis are
    stored for k >= 0 only, since the others are their complex conjugates.

    Attributes:
        shape: Samples per axis, 1 to 3 axes.
        spacing: Distance of neighbours per axis, in units of the coordinate.
        periodic: Whether the axis wraps around, per axis.
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
        """Check the arguments and fill in one value per axis.

        Args:
            shape: Samples per axis, 1 to 3 axes.
            spacing: Distance of neighbours, one for all axes or one per axis; None means 1 / n per axis, so
                that frequencies are in cycles per array.
            periodic: Whether the axes wrap around, one for all or one per axis.

        Raises:
            InputError: If the number of axes, a length or a distance is impossible.
        """
        lengths = tuple(int(n) for n in shape)
        axes = len(lengths)
        if not 1 <= axes <= 3:
            raise InputError(
                "values on a grid of 1 to 3 axes",
                f"{axes} axes of shape {lengths}",
                "name the channels with channel_axis, or pass one picture, recording or volume",
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
        """The axis stored for k >= 0 only: the last periodic one, or None."""
        return self.around[-1] if self.around else None

    @property
    def stored(self) -> tuple[int, ...]:
        """Shape of the stored coefficients."""
        return tuple(n // 2 + 1 if axis == self.halved else n for axis, n in enumerate(self.shape))

    def step(self, axis: int) -> float:
        """Lowest non-zero frequency of `axis`, in cycles per unit: 1 / L if periodic, else 1 / (2 L)."""
        return (1.0 if self.periodic[axis] else 0.5) / (self.shape[axis] * self.spacing[axis])

    def frequencies(self, axis: int, device: torch.device | None = None) -> Tensor:
        """(stored[axis],) float64 frequency, unsigned, of each stored coefficient along `axis`."""
        k = torch.arange(self.stored[axis], device=device or "cpu")
        if self.periodic[axis]:
            # Beyond n / 2 a periodic axis goes through the negative frequencies, of which the size counts.
            k = torch.minimum(k, self.shape[axis] - k)
        return k.double() * self.step(axis)

    def weights(self, axis: int, device: torch.device | None = None) -> Tensor:
        """(stored[axis],) float64 number of modes, 1 or 2, per stored coefficient along `axis`."""
        ones = torch.ones(self.stored[axis], dtype=torch.float64, device=device or "cpu")
        if axis == self.halved:
            # Neither k = 0 nor, for even n, k = n / 2 has a conjugate partner.
            ones[1 : (self.shape[axis] + 1) // 2] = 2
        return ones

    def radius(self) -> Tensor:
        """(*stored,) float64 radial frequency sqrt(sum_i f_i^2) of each stored coefficient."""
        squares = [self.frequencies(axis).square() for axis in range(len(self.shape))]
        return _outer(squares, torch.add).sqrt()

    def multiplicity(self) -> Tensor:
        """(*stored,) float64 number of real modes per stored coefficient; they sum to the number of samples."""
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
    import scipy.fft

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
    # 0, 2, 4, ..., 5, 3, 1: even samples forwards, odd ones backwards (Makhoul 1980).
    j = torch.arange(n, device=field.device)
    order = torch.where(j < (n + 1) // 2, 2 * j, 2 * (n - j) - 1)
    half = torch.fft.rfft(field[..., order], norm="ortho")
    k = torch.arange(n // 2 + 1, device=field.device, dtype=torch.float64)
    # The quarter-sample shift exp(-i pi k / 2n), and the factor that makes all rows but the first
    # orthonormal.
    size = torch.full_like(k, math.sqrt(2.0))
    size[0] = 1.0
    half = half * torch.polar(size, -math.pi * k / (2 * n)).to(half.dtype)
    # X_{n-k} is minus the imaginary part of X_k: the half spectrum holds all n real coefficients.
    return torch.cat([half.real, -half.imag[..., 1 : (n + 1) // 2].flip(-1)], dim=-1)
