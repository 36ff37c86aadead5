"""Fields known through measurements of imaging: k-space, projections, blurred samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone._utils.numbers import whole
from overtone._utils.optional import import_optional
from overtone.errors import InputError
from overtone.signals._geometry import Grid
from overtone.signals._measured import Measured, SamplesOperator, measured
from overtone.signals._plausible import (
    check_channels,
    check_coefficient_noise,
    check_coefficients,
    check_counts,
    check_rotation,
    check_sample_noise,
    check_turns,
)
from overtone.signals._readers._files import check_size
from overtone.signals._readers._numbers import measurements

Array = NDArray[Any]

RAY_STEP = 0.5
"""Distance between the points of a ray at which the field is read, in samples."""


def kspace(
    data: Any,
    mask: Any = None,
    *,
    spacing: float = 1.0,
    unit: str = "pixel",
    complex_values: bool = True,
    noise: float | None = None,
    name: str = "k-space",
) -> Measured:
    """Return a picture or volume known through some of its Fourier coefficients, as Cartesian MRI measures them.

    The coefficients are orthonormal, F_k = N^(-1/2) sum_n u_n exp(-2 pi i k n / N), with frequency 0 in the middle of
    the array (`numpy.fft.fftshift`) and the field's centre as the origin of its phase.

    Args:
        data: (*shape) or (*shape, channel) complex coefficients of the whole array; those outside the mask are ignored.
        mask: (*shape) bool, True where measured; where the data are not 0 if None.
        spacing: Distance between neighbouring samples of the field.
        unit: Its unit.
        complex_values: Whether the field is complex. Of a real field, a coefficient and that of the opposite frequency
            are held out together, since they are conjugates.
        noise: Standard deviation of the complex noise of a coefficient, None if unknown.
        name: Description, for titles.

    Of a mask of whole lines along an axis, with enough of them beside the middle, whole lines are held out:
    coefficients beside measured ones say little about lines that are missing altogether.

    Raises:
        InputError: If the data are not complex, not finite or not of 1 to 3 axes, or the mask leaves nothing.

    Example:
        >>> import numpy as np
        >>> from overtone import signals
        >>> picture = np.outer(np.hanning(16), np.hanning(16))
        >>> full = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(picture), norm="ortho"))
        >>> lines = np.zeros((16, 16), bool); lines[::2] = True
        >>> signals.kspace(full, lines)
        <Measured 'k-space': 128 functionals on 256 samples>
    """
    array = measurements(data, "data", complex_values=True)
    if array.dtype.kind != "c":
        raise InputError("complex coefficients", f"{array.dtype}", "pass real + 1j * imaginary part", "data")
    measured_at = (array != 0) if mask is None else np.asarray(entire(mask, "mask"))
    if mask is None and array.ndim > 3:
        measured_at = measured_at.any(axis=-1)
    shape = measured_at.shape
    if measured_at.dtype != bool or array.shape[: len(shape)] != shape or array.ndim - len(shape) > 1:
        raise InputError(
            "a bool mask of the shape of the data, without channels",
            f"{measured_at.dtype} of shape {shape} for data of shape {array.shape}",
            "pass one value per coefficient",
            "mask",
        )
    if not measured_at.any():
        raise InputError(
            "a mask that selects coefficients", "one that selects none", "check the mask", "mask"
        )
    if array.ndim > len(shape):
        check_channels(shape, array.shape[-1], "mask", "by numpy.broadcast_to for whole lines")
    by_channel = array.reshape(*shape, -1)
    check_coefficients(by_channel, measured_at, complex_values, noise)
    grid = _grid(shape, spacing, unit, periodic=True)
    values = torch.from_numpy(array.reshape(*shape, -1).astype(np.complex128))
    chosen = torch.from_numpy(measured_at)

    # The shifts of frequency 0 and of the origin are permutations, of the samples and of the coefficients read.
    order = np.fft.ifftshift(np.arange(math.prod(shape)).reshape(shape))
    samples = torch.from_numpy(order.reshape(-1).copy())
    coefficients = torch.from_numpy(np.fft.fftshift(np.arange(order.size).reshape(shape))[measured_at])
    inner = tuple(range(-len(shape), 0))

    def forward(field: Tensor) -> Tensor:
        # Columns first: transforms of contiguous pictures are several times faster.
        pictures = field.T[:, samples].reshape(-1, *shape).to(torch.complex128)
        return torch.fft.fftn(pictures, dim=inner, norm="ortho").flatten(1)[:, coefficients].T

    def adjoint(data: Tensor) -> Tensor:
        whole = torch.zeros(data.shape[-1], order.size, dtype=torch.complex128, device=data.device)
        whole[:, coefficients] = data.T.to(torch.complex128)
        pictures = torch.fft.ifftn(whole.reshape(-1, *shape), dim=inner, norm="ortho").flatten(1)
        field = torch.empty_like(pictures)
        field[:, samples] = pictures
        return field.T if complex_values else field.T.real

    return measured(
        forward,
        adjoint,
        values[chosen],
        grid,
        groups=_groups(measured_at, complex_values),
        noise=noise,
        channels=_names(values.shape[-1]),
        complex_values=complex_values,
        batched=True,
        name=name,
    )


FEW_LINES = 8
"""Lines of k-space beside its middle from which whole ones are held out."""

NUFFT_ACCURACY, THREADED = 1e-12, 65536
"""Relative error of non-uniform Fourier transforms, and numbers from which threads share them."""


def noncartesian_kspace(
    data: Any,
    trajectory: Any,
    shape: tuple[int, ...],
    *,
    spacing: float = 1.0,
    unit: str = "pixel",
    complex_values: bool = True,
    noise: float | None = None,
    name: str = "k-space",
) -> Measured:
    """Return a picture or volume known through Fourier coefficients at any frequencies: radial, spiral and other MRI.

    F_m = N^(-1/2) sum_n u_n exp(-2 pi i k_m x_n), with positions x counted from the middle of the field (index n // 2):
    at the frequencies of the lattice the coefficients of `kspace`. Sums are those of a non-uniform fast Fourier
    transform (finufft).

    Args:
        data: (readout, sample) or (sample,) complex coefficients, with or without a last axis of channels. All samples
            of a readout (a spoke, an arm of a spiral) are held out together.
        trajectory: (readout, sample, axis) or (sample, axis) frequencies k in cycles per `unit`, at most
            1 / (2 spacing) per axis.
        shape: Samples of the field per axis.
        spacing: Distance between neighbouring samples of the field.
        unit: Its unit.
        complex_values: Whether the field is complex.
        noise: Standard deviation of the complex noise of a coefficient, None if unknown.
        name: Description, for titles.

    Raises:
        InputError: If the data are not complex, shapes differ, numbers are not finite or frequencies lie above those
            that the samples resolve.

    Source: Fessler and Sutton 2003, "Nonuniform fast Fourier transforms using min-max interpolation".

    Example:
        >>> import numpy as np
        >>> from overtone import signals
        >>> angles, radii = np.arange(6)[:, None] * np.pi / 6, np.arange(-8, 8) / 16
        >>> spokes = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=-1)
        >>> signals.noncartesian_kspace(np.ones((6, 16), complex), spokes, (16, 16))
        <Measured 'k-space': 96 functionals on 256 samples>
    """
    array = measurements(data, "data", complex_values=True)
    places = measurements(trajectory, "trajectory")
    sides = tuple(whole(n, "shape") for n in shape)
    if array.dtype.kind != "c":
        raise InputError("complex coefficients", f"{array.dtype}", "pass real + 1j * imaginary part", "data")
    if not 1 <= len(sides) <= 3 or min(sides) < 2:
        raise InputError("a shape of 1 to 3 whole numbers from 2", f"{sides}", "correct it", "shape")
    samples = places.shape[:-1]
    if (
        places.ndim not in (2, 3)
        or places.shape[-1] != len(sides)
        or array.shape[: len(samples)] != samples
        or array.ndim - len(samples) > 1
    ):
        raise InputError(
            f"{len(sides)} frequencies per coefficient",
            f"a trajectory of shape {places.shape} for data of shape {array.shape}",
            "pass a trajectory (readout, sample, axis) for data (readout, sample)",
            "trajectory",
        )
    highest = float(np.abs(places).max()) if places.size and np.isfinite(places).all() else math.nan
    if not highest <= 0.5 / spacing * (1 + 1e-6):
        raise InputError(
            f"frequencies of at most {0.5 / spacing:g} cycles per {unit}",
            "nan, infinity or none" if math.isnan(highest) else f"up to {highest:.3g}",
            f"pass cycles per {unit}: radians over 2 pi, or the index over the number of samples",
            "trajectory",
        )
    values = torch.from_numpy(array.reshape(math.prod(samples), -1).astype(np.complex128))
    check_coefficient_noise(array, noise)
    frequencies = places.reshape(-1, len(sides)) * spacing
    forward, adjoint = nonuniform_transforms(frequencies, sides, complex_values)
    problem = measured(
        forward,
        adjoint,
        values,
        _grid(sides, spacing, unit),
        groups=np.repeat(np.arange(samples[0]), samples[1]) if len(samples) == 2 else None,
        noise=noise,
        channels=_names(values.shape[-1]),
        complex_values=complex_values,
        batched=True,
        name=name,
    )
    operator = SamplesOperator(forward, adjoint, True, torch.from_numpy(frequencies))
    return replace(problem, terms=(replace(problem.terms[0], operator=operator),))


def nonuniform_transforms(
    frequencies: Array, shape: tuple[int, ...], complex_values: bool
) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """Return the orthonormal sums over samples at any frequencies, and their adjoint.

    Args:
        frequencies: (M, d) in cycles per sample.
        shape: Samples per axis.
        complex_values: Whether the field is complex.
    """
    finufft = import_optional("finufft", "points")
    angles = [np.ascontiguousarray(2 * math.pi * column) for column in frequencies.T]
    evaluate, spread = (getattr(finufft, f"nufft{len(shape)}d{kind}") for kind in (2, 1))
    scale = 1 / math.sqrt(math.prod(shape))

    def options(columns: int) -> dict[str, Any]:
        # Starting threads does not pay off for small problems.
        small = columns * max(len(frequencies), math.prod(shape)) < THREADED
        return {"eps": NUFFT_ACCURACY, "nthreads": 1 if small else torch.get_num_threads()}

    def forward(field: Tensor) -> Tensor:
        pictures = on_cpu(field, "finufft").T.reshape(-1, *shape).to(torch.complex128).contiguous().numpy()
        sums = evaluate(*angles, pictures, isign=-1, **options(len(pictures))).reshape(len(pictures), -1)
        return torch.from_numpy(scale * sums.T)

    def adjoint(data: Tensor) -> Tensor:
        strengths = on_cpu(data, "finufft").T.to(torch.complex128).contiguous().numpy()
        pictures = spread(*angles, strengths, shape, isign=1, **options(len(strengths))).reshape(
            len(strengths), -1
        )
        field = torch.from_numpy(scale * pictures.T)
        return field if complex_values else field.real

    return forward, adjoint


def _groups(mask: Array, complex_values: bool) -> Array | None:
    """Return the numbers of coefficients that are held out together: lines of k-space, conjugates, or None for each."""
    for axis in range(mask.ndim):
        lines = np.asarray(mask.any(axis=axis))
        if mask.ndim == 1 or lines.all() or not np.array_equal(mask.all(axis=axis), lines):
            continue
        numbers = np.arange(lines.size).reshape(lines.shape) if complex_values else _conjugates(lines.shape)
        # The block that is measured whole around the middle holds the picture itself: one group, never held out.
        outer = lines & ~_middle(lines)
        if len(np.unique(numbers[outer])) < FEW_LINES:
            continue
        return np.broadcast_to(np.expand_dims(np.where(outer, numbers, -1), axis), mask.shape)[mask]
    return None if complex_values else _conjugates(mask.shape)[mask]


def _middle(lines: Array) -> Array:
    """Return which lines belong to the largest block around the middle that is measured whole."""
    places = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in lines.shape), indexing="ij"))
    # A block of half-width h: the smallest one of a missing line is the first that is not whole.
    distance = np.abs(places).max(axis=0)
    missing = distance[~lines]
    return distance < (missing.min() if missing.size else math.inf)


def _conjugates(shape: tuple[int, ...]) -> Array:
    """Return (*shape) one number for each pair of opposite frequencies, frequency 0 in the middle."""
    frequencies = np.stack(np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij"), axis=-1)
    # The index of -k modulo the lattice: of an even axis, -N / 2 is its own opposite.
    index, opposite = (
        np.ravel_multi_index(np.moveaxis(k % np.array(shape), -1, 0), shape)
        for k in (frequencies, -frequencies)
    )
    return np.minimum(index, opposite)


def projections(
    sinogram: Any,
    angles: Any,
    *,
    side: int | None = None,
    spacing: float = 1.0,
    unit: str = "pixel",
    source_distance: float | None = None,
    noise: float | None = None,
    name: str = "projections",
) -> Measured:
    """Return a square picture known through its integrals along rays, as computed tomography measures them.

    Ray (a, j) crosses the picture's centre at the distance s_j = (j - detectors // 2) * spacing. At angle 0 it runs
    down the rows; the angle turns as in `skimage.transform.radon`. The integral is a sum of bilinear interpolations
    every half sample, times their distance. All rays of an angle are held out together.

    Args:
        sinogram: (angle, detector) integrals, in value units times `unit`.
        angles: (angle,) in degrees.
        side: Samples along a side of the picture; as many as detectors if None.
        spacing: Distance between neighbouring samples and between detectors (for fan beams between rays at the centre).
        unit: Its unit.
        source_distance: Distance of the source from the centre, for fan beams; None for parallel ones.
        noise: Standard deviation of an integral, None if unknown.
        name: Description, for titles.

    Raises:
        InputError: If shapes differ, numbers are not finite, or the source lies within the picture.

    Source: Kak and Slaney 1988, "Principles of Computerized Tomographic Imaging", sections 3.1 and 3.4.

    Example:
        >>> import numpy as np
        >>> from overtone import signals
        >>> signals.projections(np.ones((6, 8)), np.arange(0, 180, 30))
        <Measured 'projections': 48 functionals on 64 samples>
    """
    data, turns = measurements(sinogram, "sinogram"), measurements(angles, "angles")
    if data.ndim != 2 or turns.shape != data.shape[:1]:
        raise InputError(
            "a sinogram (angle, detector) and one angle per row",
            f"shapes {data.shape} and {turns.shape}",
            "transpose the sinogram, whose first axis is the angle",
            "sinogram",
        )
    if not (np.isfinite(data).all() and np.isfinite(turns).all()):
        raise InputError("finite integrals and angles", "nan or infinity", "remove these angles", "sinogram")
    if data.size == 0:
        raise InputError("at least one angle", "none", "save the measured angles", "sinogram")
    check_turns(data, turns)
    check_counts(data)
    if source_distance is None:
        check_rotation(data, turns)
    check_sample_noise(data, noise)
    side = whole(side or data.shape[1], "side")
    check_size((side, side), 16, "side")
    if source_distance is not None and source_distance <= side * spacing / math.sqrt(2):
        raise InputError(
            f"a source outside the picture (beyond {side * spacing / math.sqrt(2):.4g} {unit})",
            f"{source_distance:g}",
            "check its unit",
            "source_distance",
        )
    matrix = _ray_matrix(
        turns, data.shape[1], side, None if source_distance is None else source_distance / spacing
    )
    forward, adjoint = _as_maps(matrix, spacing)
    problem = measured(
        forward,
        adjoint,
        data.reshape(-1, 1),
        _grid((side, side), spacing, unit),
        groups=np.repeat(np.arange(len(turns)), data.shape[1]),
        noise=noise,
        batched=True,
        name=name,
    )
    return problem if source_distance is not None else replace(problem, angles=tuple(turns.tolist()))


def _ray_matrix(angles: Array, detectors: int, side: int, source: float | None) -> Any:
    """Return the sparse (rays, side^2) matrix of ray integrals, with lengths in samples."""
    from scipy import sparse

    radius = side / math.sqrt(2) + 1
    along = np.arange(-radius, radius + RAY_STEP, RAY_STEP)
    across = np.arange(detectors) - detectors // 2
    centre = side // 2
    rows, columns, weights = [], [], []
    for number, angle in enumerate(np.deg2rad(angles)):
        # Coordinates in the frame of the detector: `s` across the rays, `t` along the central one.
        if source is None:
            s, t = np.meshgrid(across, along, indexing="ij")
        else:
            fan = np.arctan(across / source)
            s = (source + along)[None] * np.tan(fan)[:, None]
            t = np.broadcast_to(along, s.shape)
        length = RAY_STEP if source is None else (RAY_STEP / np.cos(np.arctan(across / source)))[:, None]
        x = s * math.cos(angle) + t * math.sin(angle) + centre
        y = -s * math.sin(angle) + t * math.cos(angle) + centre
        left, top = np.floor(x).astype(int), np.floor(y).astype(int)
        ray = np.broadcast_to(number * detectors + np.arange(detectors)[:, None], s.shape)
        for right, below in ((0, 0), (0, 1), (1, 0), (1, 1)):
            i, j = top + below, left + right
            weight = np.abs(1 - below - (y - top)) * np.abs(1 - right - (x - left)) * length
            inside = (i >= 0) & (i < side) & (j >= 0) & (j < side) & (weight > 0)
            rows.append(ray[inside])
            columns.append((i * side + j)[inside])
            weights.append(weight[inside])
    triples = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.coo_matrix(triples, shape=(len(angles) * detectors, side * side)).tocsr()


def _as_maps(matrix: Any, factor: float) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """Return the product with a sparse matrix and with its transpose, both times a factor."""
    transposed = matrix.T.tocsr()

    def times(one: Any) -> Callable[[Tensor], Tensor]:
        def product(values: Tensor) -> Tensor:
            return torch.from_numpy(factor * (one @ on_cpu(values, "SciPy").double().numpy()))

        return product

    return times(matrix), times(transposed)


def blurred(
    picture: Any,
    kernel: Any,
    *,
    factor: int = 1,
    spacing: float = 1.0,
    unit: str = "pixel",
    noise: float | None = None,
    name: str = "blurred samples",
) -> Measured:
    """Return a picture or volume known through blurred samples, of which only every `factor`-th may be known.

    d_n = sum_m h_m u_(factor n + m): the samples of the field that the kernel reaches beyond the border are unknowns as
    well, so that nothing is assumed about them.

    Args:
        picture: (*shape) or (*shape, channel) blurred samples.
        kernel: (*size) weights h of the samples around, of as many axes, for instance a sampled point-spread function;
            its middle is at size // 2.
        factor: Distance between known samples in samples of the field, at least 1.
        spacing: Distance between neighbouring samples of the field.
        unit: Its unit.
        noise: Standard deviation of a sample, None if unknown.
        name: Description, for titles.

    Raises:
        InputError: If numbers are not finite or the kernel has other axes than the picture.

    Example:
        >>> import numpy as np
        >>> from overtone import signals
        >>> signals.blurred(np.zeros((10, 12)), np.ones((3, 3)) / 9)
        <Measured 'blurred samples': 120 functionals on 168 samples>
    """
    from scipy.ndimage import correlate

    weights, values = measurements(kernel, "kernel"), measurements(picture, "picture")
    factor = whole(factor, "factor")
    if weights.ndim not in (1, 2, 3) or values.ndim - weights.ndim not in (0, 1):
        raise InputError(
            "a kernel with the axes of the picture",
            f"{weights.ndim} axes for a picture of shape {values.shape}",
            "pass one weight per neighbour",
            "kernel",
        )
    if not (np.isfinite(weights).all() and np.isfinite(values).all() and weights.any()):
        raise InputError(
            "finite samples and a finite kernel that is not 0",
            "NaN, infinity or zeros alone",
            "check both arrays",
            "kernel",
        )
    axes = weights.ndim
    if values.ndim > axes:
        check_channels(
            values.shape[:axes], values.shape[-1], "kernel", "with one weight along those without blur"
        )
    values = values.reshape(*values.shape[:axes], -1)
    known = values.shape[:axes]
    check_sample_noise(np.moveaxis(values, -1, 0), noise)
    shape = tuple(factor * (n - 1) + m for n, m in zip(known, weights.shape, strict=True))
    # Of the field's samples, those at which the kernel's middle stands for a known one.
    places = tuple(
        slice(m // 2, m // 2 + factor * (n - 1) + 1, factor)
        for n, m in zip(known, weights.shape, strict=True)
    )
    stencil = weights[..., None]
    # The transpose of a correlation is one with the mirrored kernel; for even sizes its middle lies on the other side.
    mirrored = stencil[(slice(None, None, -1),) * axes]
    shifts = (*(-1 if m % 2 == 0 else 0 for m in weights.shape), 0)

    def forward(field: Tensor) -> Tensor:
        whole = on_cpu(field, "SciPy").double().numpy().reshape(*shape, -1)
        return torch.from_numpy(
            correlate(whole, stencil, mode="constant")[places].reshape(-1, whole.shape[-1])
        )

    def adjoint(data: Tensor) -> Tensor:
        spread = np.zeros((*shape, data.shape[-1]))
        spread[places] = on_cpu(data, "SciPy").double().numpy().reshape(*known, -1)
        back = correlate(spread, mirrored, mode="constant", origin=shifts)
        return torch.from_numpy(back.reshape(-1, data.shape[-1]))

    return measured(
        forward,
        adjoint,
        values.reshape(-1, values.shape[-1]),
        _grid(shape, spacing, unit),
        noise=noise,
        channels=_names(values.shape[-1]),
        batched=True,
        name=name,
    )


def on_cpu(values: Tensor, library: str) -> Tensor:
    """Return values without their graph, for a library that computes on the CPU alone.

    Args:
        values: Of a map.
        library: Its name.

    Raises:
        InputError: If they are on another device: copies at every step would be slow without a word.
    """
    if values.device.type != "cpu":
        raise InputError(
            f"values on the CPU, where {library} computes",
            f"{values.device}",
            "move network and problem there, or pass functions of PyTorch to signals.measured",
            "operator",
        )
    return values.detach()


def _grid(shape: tuple[int, ...], spacing: float, unit: str, periodic: bool = False) -> Grid:
    axes = len(shape)
    return Grid(shape, (spacing,) * axes, (0.0,) * axes, (unit,) * axes, (periodic,) * axes)


def _names(channels: int) -> tuple[str, ...]:
    return ("value",) if channels == 1 else tuple(str(c) for c in range(channels))
