"""Random fields of prescribed power, a volume with sharp edges, and additive noise of known variance."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.signals._geometry import Grid
from overtone.signals._normalisation import Normalisation
from overtone.signals._signal import Signal
from overtone.signals.synthetic._waves import grid_shape, signal


def power_law(
    shape: int | tuple[int, ...], exponent: float, seed: int = 0, *, dtype: torch.dtype = torch.float32
) -> Signal:
    """Create a field of power proportional to |k|^-exponent per mode, k in cycles per array; mean square 1.

    Natural pictures have an exponent near 2 in two dimensions.

    Args:
        shape: Samples per axis, 1 to 3 axes.
        exponent: Exponent of the decay of the power per mode; 0 is white.
        seed: Seed of the phases.
        dtype: Data type of the values.

    Returns:
        A periodic signal of kind "synthetic".

    Raises:
        InputError: If the shape is not a valid grid.

    Example:
        >>> from overtone import signals
        >>> signal = signals.synthetic.power_law((16, 16), exponent=2)
        >>> round(float(signal.values.square().mean()), 4)
        1.0
    """
    sizes = grid_shape(shape, "shape")
    radius = _radius(sizes)
    radius.flat[0] = 1.0
    modulus = radius ** (-exponent / 2)
    modulus.flat[0] = 0.0
    return _field(modulus, sizes, seed, f"power law {exponent:g}", dtype)


def band_noise(
    shape: int | tuple[int, ...],
    low: float,
    high: float,
    seed: int = 0,
    *,
    dtype: torch.dtype = torch.float32,
) -> Signal:
    """Create a field with equal power in every mode of low <= |k| < high and no other power; mean square 1.

    Args:
        shape: Samples per axis, 1 to 3 axes.
        low: Lower edge in cycles per array, inclusive.
        high: Upper edge in cycles per array, exclusive.
        seed: Seed of the phases.
        dtype: Data type of the values.

    Returns:
        A periodic signal of kind "synthetic".

    Raises:
        InputError: If the band contains no mode other than the mean.

    Example:
        >>> from overtone import signals
        >>> signal = signals.synthetic.band_noise(64, low=4, high=8)
        >>> signal.geometry.periodic
        (True,)
    """
    sizes = grid_shape(shape, "shape")
    radius = _radius(sizes)
    modulus = ((radius >= low) & (radius < high) & (radius > 0)) * 1.0
    if not modulus.any():
        raise InputError(
            f"a band that contains a mode (1 to {radius.max():.4g} cycles per array)",
            f"{low:g} to {high:g}",
            "widen the band",
            "band_noise",
        )
    return _field(modulus, sizes, seed, f"noise from {low:g} to {high:g}", dtype)


def _radius(shape: tuple[int, ...]) -> np.ndarray:
    """Return |k| of the modes of a real transform, (n_1, ..., n_d // 2 + 1)."""
    ks = [np.fft.fftfreq(n, 1 / n) for n in shape[:-1]] + [np.fft.rfftfreq(shape[-1], 1 / shape[-1])]
    return np.sqrt(sum(k**2 for k in np.meshgrid(*ks, indexing="ij", sparse=True)))


def _field(modulus: np.ndarray, shape: tuple[int, ...], seed: int, name: str, dtype: torch.dtype) -> Signal:
    """Create a field with the phases of white noise and the specified modulus."""
    axes = tuple(range(len(shape)))
    # White noise has a uniform phase in every mode and the symmetry of a real field; only its modulus is replaced.
    white = np.fft.rfftn(numpy_generator(seed, "synthetic", "phases").standard_normal(shape))
    samples = np.fft.irfftn(white / np.abs(white) * modulus, s=shape, axes=axes)
    samples /= np.sqrt(np.mean(samples**2))
    return signal(samples, Grid.unit_box(shape, periodic=True), name, dtype)


_ELLIPSOIDS = (
    ((0.0, 0.0, 0.0), (0.90, 0.80, 0.70), 1.0),
    ((0.0, 0.0, 0.0), (0.84, 0.73, 0.63), -0.7),
    ((0.1, -0.3, 0.2), (0.30, 0.20, 0.25), 0.4),
    ((-0.2, 0.3, 0.1), (0.40, 0.18, 0.22), -0.2),
    ((0.0, 0.1, -0.35), (0.12, 0.12, 0.12), 0.6),
    ((0.4, -0.1, -0.1), (0.06, 0.10, 0.06), 0.5),
    ((-0.45, -0.2, -0.2), (0.04, 0.05, 0.04), 0.6),
)


def phantom(
    shape: tuple[int, int, int] = (32, 32, 32),
    spacing: float | tuple[float, float, float] = 1.0,
    *,
    dtype: torch.dtype = torch.float32,
) -> Signal:
    """Create nested ellipsoids of constant density: a shell, its interior and five bodies of different size.

    Args:
        shape: Voxels per axis.
        spacing: Distance of voxels in mm, a single value or one per axis.
        dtype: Data type of the values.

    Returns:
        A signal of kind "volume" with coordinates in mm.

    Raises:
        InputError: If the shape does not have three axes.

    Example:
        >>> from overtone import signals
        >>> signals.synthetic.phantom((8, 8, 8), spacing=2.0).geometry.extent
        (16.0, 16.0, 16.0)
    """
    sizes = grid_shape(shape, "shape")
    if len(sizes) != 3:
        raise InputError("three axes", f"shape {sizes}", "pass (slices, rows, columns)", "shape")
    axes = np.meshgrid(*((np.arange(n) + 0.5) / n * 2 - 1 for n in sizes), indexing="ij", sparse=True)
    density = np.zeros(sizes)
    for centre, half, value in _ELLIPSOIDS:
        inside = sum(((x - c) / h) ** 2 for x, c, h in zip(axes, centre, half, strict=True)) <= 1.0
        density += value * inside
    mm = (float(spacing),) * 3 if isinstance(spacing, int | float) else tuple(float(s) for s in spacing)
    geometry = Grid(sizes, mm, (0.0,) * 3, ("mm",) * 3, (False,) * 3)
    return signal(density, geometry, "ellipsoid phantom", dtype, kind="volume")


def add_noise(
    signal: Signal, std: float | None = None, *, fraction_of_range: float | None = None, seed: int = 0
) -> Signal:
    """Add white Gaussian noise to a signal, independent per sample and channel; nothing is clipped.

    Args:
        signal: The clean signal, or a signal with `clean`, which is not changed.
        std: Standard deviation of the noise in the values' unit.
        fraction_of_range: Instead of `std`, the standard deviation as a fraction of the peak, or of each
            channel's range if the channels are normalised separately.
        seed: Seed of the noise.

    Returns:
        The noisy signal with `clean`, a new normalisation, and the masks and the peak of `signal`.

    Raises:
        InputError: If not exactly one of `std` and `fraction_of_range` is passed, or it is not positive.

    Example:
        >>> from overtone import signals
        >>> clean = signals.synthetic.harmonics([1], samples=4096)
        >>> noisy = signals.synthetic.add_noise(clean, std=0.5)
        >>> round(float((noisy.values - noisy.clean).std()), 1)
        0.5
    """
    if (std is None) == (fraction_of_range is None):
        count = "neither" if std is None else "both"
        raise InputError("either std or fraction_of_range", count, "pass one of them", "add_noise")
    strength = std if fraction_of_range is None else fraction_of_range
    if strength is None or not (math.isfinite(strength) and strength > 0):
        raise InputError(
            "noise of positive finite strength", f"{strength}", "pass a number above 0", "add_noise"
        )
    values = signal.values
    if fraction_of_range is None:
        scale = torch.full(values.shape[1:], strength, dtype=values.dtype, device=values.device)
    elif signal.normalisation.per_channel:
        scale = strength * (values.amax(dim=0) - values.amin(dim=0))
    else:
        scale = torch.full(values.shape[1:], strength * signal.peak, dtype=values.dtype, device=values.device)
    noise = torch.from_numpy(numpy_generator(seed, "synthetic", "noise").standard_normal(tuple(values.shape)))
    noisy = values + scale * noise.to(values)
    return replace(
        signal,
        values=noisy,
        clean=values if signal.clean is None else signal.clean,
        normalisation=Normalisation.of(noisy, signal.normalisation.per_channel),
        notes=(*signal.notes, f"white Gaussian noise added, standard deviation {_words(scale)}"),
    )


def _words(scale: torch.Tensor) -> str:
    return ", ".join(f"{s:.4g}" for s in dict.fromkeys(scale.tolist()))
