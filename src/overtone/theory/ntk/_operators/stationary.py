"""Stationary kernels on grids: lags, tabulated profile, and products by FFT."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.ntk._infinite.feature_maps import FeatureMap, FourierMap, GaussianFourierMap
from overtone.theory.ntk._infinite.layers import LayerMoments, compose
from overtone.theory.ntk._infinite.network import InfiniteNetwork
from overtone.theory.ntk._operators.base import KernelOperator

NODES = 8192
"""Number of angles in [0, pi] at which the network is evaluated; cubic interpolation has an error below 1e-12."""

CHUNK = 1 << 15
"""Number of entries that are interpolated at once, so that they stay in the processor's cache."""


@final
class StationaryProfile:
    """The tangent kernel of an infinitely wide network after Fourier features, h(rho).

    All samples' features have the same length, so the layers' moments for a pair of samples depend only on the cosine
    rho = gamma(x).gamma(x') / |gamma|^2. In the angle arccos(rho) the kernel is smooth, even for activations with a
    kink: it is tabulated once over the angle and interpolated by cubics, at a cost independent of the network.

    Args:
        network: An infinitely wide network whose inputs are Fourier features.

    Raises:
        InputError: If its inputs are plain coordinates: this kernel is not stationary.
    """

    def __init__(self, network: InfiniteNetwork) -> None:
        if not isinstance(network.inputs, FourierMap | GaussianFourierMap):
            raise InputError(
                "a network after a Fourier encoding, whose kernel depends only on x - x'",
                type(network.inputs).__name__,
                "add ntk.FeatureMap.fourier before it, or use the kernel matrix",
                "network",
            )
        square = float(network.inputs.square(torch.zeros(1, 1, dtype=torch.float64, device="cpu")))
        length = torch.full((1, 1), square, dtype=torch.float64, device="cpu")
        cosine = torch.linspace(0, math.pi, NODES, dtype=torch.float64, device="cpu").cos()[None] * square
        zero = torch.zeros_like
        end = compose(
            network.layers, LayerMoments(length, length, cosine, zero(cosine), zero(length), zero(length))
        )
        self.square = square
        # Nodes equidistant in the angle resolve the kink of rectified activations at rho = 1.
        self._table = end.tangent[0]

    def __call__(self, product: Tensor) -> Tensor:
        """Return h for feature products gamma.gamma' / D.

        Args:
            product: Any shape, float64, between -`square` and `square` up to rounding.

        Returns:
            The tangent kernel, same shape.
        """
        table = self._table.to(product.device)
        parts = [self._interpolated(table, part) for part in product.reshape(-1).split(CHUNK)]
        return torch.cat(parts).reshape(product.shape)

    def _interpolated(self, table: Tensor, product: Tensor) -> Tensor:
        """Return Lagrange's cubic through the four nearest nodes, at -1, 0, 1 and 2."""
        place = (product / self.square).clamp_(-1, 1).acos_().mul_((NODES - 1) / math.pi)
        left = place.floor().clamp_(1, NODES - 3)
        s = place - left
        index = left.long()
        value_minus_1, value_0, value_1, value_2 = (table[index + k] for k in (-1, 0, 1, 2))
        outer = (value_minus_1 * (s - 1) * (2 - s) + value_2 * (s * s - 1)) / 6
        return value_0 * (1 - s * s) * (1 - s / 2) + s * (outer + value_1 * (s + 1) * (2 - s) / 2)


_ROWS = 1 << 18
"""Number of lags whose features are in memory at once."""


def circulant_shape(shape: Sequence[int], periodic: Sequence[bool]) -> tuple[int, ...]:
    """Return the size per axis of the circulant matrix that contains the kernel of a grid.

    Args:
        shape: Samples per axis.
        periodic: Whether the kernel has the period of the grid, per axis; then n is sufficient, otherwise the
            smallest size of at least 2 n - 1 that suits an FFT.
    """
    from scipy.fft import next_fast_len

    return tuple(
        n if periodic_flags or n == 1 else int(next_fast_len(2 * n - 1, real=True))
        for n, periodic_flags in zip(shape, periodic, strict=True)
    )


def lag_offsets(shape: Sequence[int], device: torch.device | None = None) -> list[Tensor]:
    """Return the lag in samples of every entry, per axis: 0, 1, ..., then negative ones as in `torch.fft.fftfreq`."""
    return [torch.fft.fftfreq(n, 1.0 / n, dtype=torch.float64, device=device or "cpu").round() for n in shape]


def stationary_kernel_lags(
    network: InfiniteNetwork,
    shape: Sequence[int],
    spacing: Sequence[float],
    periodic: Sequence[bool] | None = None,
) -> Tensor:
    """Return the tangent kernel of an infinitely wide network at all lags of a grid.

    With x - x' = lag * spacing, the product of the features is mean_j a_j^2 cos(2 pi b_j.(x - x')) / 2, which
    separates over the axes: one matrix product instead of a cosine per lag and frequency. `StationaryProfile` then
    applies the network's layers.

    Args:
        network: An infinitely wide network after a Fourier encoding with its present frequencies.
        shape: Samples per axis, 1 to 3 axes.
        spacing: Distance of neighbours per axis, in the unit of the encoding's coordinates.
        periodic: Whether the kernel has the grid's period, per axis; None for no axis.

    Returns:
        `circulant_shape(shape, periodic)` float64, entry i for the lag `lag_offsets`[i]; in kernel units.

    Raises:
        InputError: If the kernel is not stationary, the axes do not fit, or some frequency does not complete whole
        cycles
            along an axis marked as periodic.
    """
    periodic_flags = (False,) * len(shape) if periodic is None else tuple(periodic)
    if not 1 <= len(shape) <= 3 or not len(shape) == len(spacing) == len(periodic_flags):
        raise InputError(
            "1 to 3 axes, each with a size, a spacing and a border",
            f"{len(shape)}, {len(spacing)} and {len(periodic_flags)}",
            "pass one of each per axis",
            "lags",
        )
    whole = periodic_axes(network, shape, spacing)
    for axis, (claimed, periodic_axis) in enumerate(zip(periodic_flags, whole, strict=True)):
        if claimed and not periodic_axis:
            raise InputError(
                f"a whole number of cycles of every frequency along periodic axis {axis}",
                "frequencies with a fraction of a cycle",
                "mark the axis as not periodic",
                "periodic",
            )
    return kernel_at_lags(network, circulant_shape(shape, periodic_flags), spacing)


def kernel_at_lags(network: InfiniteNetwork, sizes: Sequence[int], spacing: Sequence[float]) -> Tensor:
    """Return the tangent kernel at the lags of a circulant matrix, see `stationary_kernel_lags`.

    Args:
        network: An infinitely wide network after a Fourier encoding.
        sizes: Entries per axis.
        spacing: Distance of neighbours per axis, in the unit of the encoding's coordinates.

    Returns:
        (*sizes) float64, entry i for the lag `lag_offsets`[i].

    Raises:
        InputError: If the kernel is not stationary.
    """
    profile = StationaryProfile(network)
    device = network.inputs.frequencies.device if isinstance(network.inputs, FourierMap) else None
    steps = [step * pitch for step, pitch in zip(lag_offsets(sizes, device), spacing, strict=True)]
    # k(-lag) = k(lag): half of the first axis is enough, the remainder is its mirror image.
    half = len(steps[0]) // 2 + 1
    return _mirrored(profile(_products(network.inputs, [steps[0][:half], *steps[1:]])), len(steps[0]))


def _mirrored(half: Tensor, rows: int) -> Tensor:
    """Return all rows from those with lags of 0 or more, by k(-lag) = k(lag)."""
    if rows <= 2:
        return half
    other = half[1 : (rows + 1) // 2]
    for axis in range(1, half.ndim):
        other = other.flip(axis).roll(1, axis)
    return torch.cat([half, other.flip(0)])


def periodic_axes(
    network: InfiniteNetwork, shape: Sequence[int], spacing: Sequence[float]
) -> tuple[bool, ...]:
    """Return whether every frequency completes whole cycles along each axis, which makes the kernel periodic there.

    Args:
        network: An infinitely wide network.
        shape: Samples per axis.
        spacing: Distance of neighbours per axis, in the unit of the encoding's coordinates.

    Returns:
        One flag per axis, to 1e-9 cycles.
    """
    if not isinstance(network.inputs, FourierMap):
        return (False,) * len(shape)
    frequencies = network.inputs.frequencies
    if frequencies.shape[1] != len(shape):
        raise InputError(
            f"a grid of {frequencies.shape[1]} axes",
            f"{len(shape)}",
            "use an encoding of as many coordinates",
            "network",
        )
    extent = torch.tensor(
        [n * s for n, s in zip(shape, spacing, strict=True)], dtype=torch.float64, device=frequencies.device
    )
    cycles = frequencies * extent
    return tuple(((cycles - cycles.round()).abs() < 1e-9).all(0).tolist())


def _products(inputs: FeatureMap, steps: list[Tensor]) -> Tensor:
    """Return gamma.gamma' / D at all lags of the product of `steps`."""
    if isinstance(inputs, FourierMap):
        return _separated(inputs, steps)
    rows = torch.cartesian_prod(*steps).reshape(-1, len(steps))
    origin = rows.new_zeros(1, len(steps))
    parts = [inputs.product(origin, part)[0] for part in rows.split(_ROWS)]
    return torch.cat(parts).reshape([len(step) for step in steps])


def _separated(inputs: FourierMap, steps: list[Tensor]) -> Tensor:
    """Return the same for known frequencies, by cos(a + b) = cos a cos b - sin a sin b and a matrix product over j."""
    phases = [
        2 * math.pi * torch.remainder(step[:, None] * inputs.frequencies[:, axis], 1.0)
        for axis, step in enumerate(steps)
    ]
    weights = inputs.amplitudes.square() / (2 * len(inputs.frequencies))
    last = torch.cat([phases[-1].cos(), -phases[-1].sin()], 1) if len(steps) > 1 else None
    if last is None:
        return phases[0].cos() @ weights
    if len(steps) == 2:
        first = torch.cat([phases[0].cos() * weights, phases[0].sin() * weights], 1)
        return first @ last.mT
    # One plane at a time: all phases of a volume at once would need one number per lag and frequency.
    planes = []
    for row in phases[0]:
        angle = row + phases[1]
        planes.append(torch.cat([angle.cos() * weights, angle.sin() * weights], 1) @ last.mT)
    return torch.stack(planes)


CACHE_BYTES = 1 << 22
"""Number of bytes that are transformed together on a CPU."""

MIN_FREQUENCIES, MAX_FREQUENCIES = 8, 64
"""Number of frequencies of the last axis that are transformed together on a CPU: fewer waste cache lines."""


@final
class ToeplitzOperator(KernelOperator):
    """K[x, x'] = k(x - x') between the present samples of a 1-D to 3-D grid.

    The block-Toeplitz matrix of the grid is a corner of a circulant matrix of twice its size per axis (of the same
    size along periodic axes), which FFTs diagonalise: a product costs O(N log N) and no N x N matrix is formed.
    Missing samples are zero in the input and omitted from the output (Chan and Ng 1996, "Conjugate gradient methods
    for Toeplitz systems", SIAM Review 38, section 1).

    Args:
        lags: (`circulant_shape` of the grid) kernel values from `stationary_kernel_lags`; float32 or float64.
        shape: Samples per axis.
        periodic: Whether the kernel has the grid's period, per axis; None for no axis.
        present: (*shape) bool, True for the present samples; None for all.

    Attributes:
        shape: Samples per axis.
        spectrum: Eigenvalues of the circulant matrix, in its shape, in kernel units; the largest is at least
            the largest of K.

    Raises:
        InputError: If the shapes do not fit or no sample is present.
    """

    def __init__(
        self,
        lags: Tensor,
        shape: Sequence[int],
        periodic: Sequence[bool] | None = None,
        present: Tensor | None = None,
    ) -> None:
        periodic_flags = (False,) * len(shape) if periodic is None else tuple(periodic)
        self.shape = tuple(shape)
        self._sizes = circulant_shape(shape, periodic_flags)
        if lags.shape != self._sizes:
            raise InputError(
                f"lags of shape {self._sizes}", f"{tuple(lags.shape)}", "use stationary_kernel_lags()", "lags"
            )
        self.dtype, self.device = lags.dtype, lags.device
        self.index = self._indices(present)
        self.size = len(self.index)
        self.spectrum = torch.fft.fftn(lags).real
        # Real transforms need half of the spectrum; the last axis comes first because products use it in blocks.
        half = torch.fft.rfftn(lags).real
        self._spectrum_last_first = half.permute(*range(1, half.ndim), 0).contiguous()

    def _indices(self, present: Tensor | None) -> Tensor:
        if present is None:
            return torch.arange(torch.Size(self.shape).numel(), device=self.device)
        if present.dtype != torch.bool or tuple(present.shape) != self.shape or not bool(present.any()):
            raise InputError(
                f"a bool mask of shape {self.shape} with at least one True",
                f"{present.dtype} of shape {tuple(present.shape)}, {int(present.sum())} True",
                "pass True where there is a sample",
                "present",
            )
        return present.reshape(-1).nonzero().squeeze(1).to(self.device)

    def apply_everywhere(self, weights: Tensor) -> Tensor:
        """Return the sum over present x' of k(x - x') w(x') at every x of the grid.

        Args:
            weights: (..., size) w, in the order of the present samples.

        Returns:
            (..., *shape), in the operator's precision.

        Raises:
            InputError: If there are not `size` weights.
        """
        if weights.shape[-1:] != (self.size,):
            raise InputError(
                f"{self.size} weights", f"shape {tuple(weights.shape)}", "pass one per sample", "weights"
            )
        rows = weights.reshape(-1, self.size).to(self.device, self.dtype)
        flat = rows.new_zeros(len(rows), torch.Size(self.shape).numel())
        flat[:, self.index] = rows
        return self._convolved(flat.reshape(-1, *self.shape)).reshape(*weights.shape[:-1], *self.shape)

    def at_samples(self, field: Tensor) -> Tensor:
        """Return the values (..., size) at the present samples of a field (..., *shape)."""
        return field.reshape(*field.shape[: field.ndim - len(self.shape)], -1)[..., self.index]

    def _apply(self, vector: Tensor) -> Tensor:
        return self.at_samples(self.apply_everywhere(vector))

    def _convolved(self, field: Tensor) -> Tensor:
        """Apply real transforms along the last axis, and the others for a few of its frequencies at a time."""
        # Padding all axes together would need 2^d times the grid: the last axis here, the others blockwise.
        wave = torch.fft.rfft(field, n=self._sizes[-1])
        block = self._frequencies_per_block(wave)
        for start in range(0, wave.shape[-1], block):
            part = slice(start, start + block)
            wave[..., part] = self._scaled(wave[..., part], part)
        return torch.fft.irfft(wave, n=self._sizes[-1])[..., : self.shape[-1]]

    def _scaled(self, wave: Tensor, part: slice) -> Tensor:
        """Multiply by the spectrum, with transforms of one contiguous axis at a time, without rows that are zero."""
        axes = len(self.shape)
        for axis in range(axes - 2, -1, -1):
            wave = torch.fft.fft(wave.movedim(-1, 1).contiguous(), n=self._sizes[axis])
        wave = wave * (
            self._spectrum_last_first[part] if axes == 1 else self._spectrum_last_first[..., part, :]
        )
        for axis in range(axes - 1):
            wave = torch.fft.ifft(wave)[..., : self.shape[axis]].movedim(1, -1)
            wave = wave if axis == axes - 2 else wave.contiguous()
        return wave

    def _frequencies_per_block(self, wave: Tensor) -> int:
        """Return the number of frequencies of the last axis that fit in a CPU's cache together."""
        if wave.device.type != "cpu":
            return wave.shape[-1]
        each = len(wave) * math.prod(self._sizes[:-1]) * wave.element_size()
        return min(max(CACHE_BYTES // each, MIN_FREQUENCIES), MAX_FREQUENCIES)
