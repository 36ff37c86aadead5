"""Periodic random fields whose power in every mode is prescribed; only the phases are random."""

from __future__ import annotations

import numpy as np
import torch

from overtone._utils.seeding import generator
from overtone.errors import InputError
from overtone.signals.geometry import Grid
from overtone.signals.signal import Signal
from overtone.signals.synthetic.make import grid_shape, signal


def power_law(
    shape: int | tuple[int, ...], exponent: float, seed: int = 0, *, dtype: torch.dtype = torch.float32
) -> Signal:
    """A field of power |k|^-exponent per mode, up to a factor, k in cycles per array; mean 0, mean square 1.

    Natural pictures have an exponent near 2 in two dimensions.

    Args:
        shape: Samples per axis, 1 to 3 axes.
        exponent: Fall of the power per mode; 0 is white.
        seed: Seed of the phases.
        dtype: Of the values.

    Returns:
        A periodic signal of kind "synthetic".

    Raises:
        InputError: If the shape is no grid.
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
    """A field with equal power in every mode of low <= |k| < high and none elsewhere; mean 0, mean square 1.

    Args:
        shape: Samples per axis, 1 to 3 axes.
        low: Lower edge in cycles per array, included.
        high: Upper edge, excluded.
        seed: Seed of the phases.
        dtype: Of the values.

    Returns:
        A periodic signal of kind "synthetic".

    Raises:
        InputError: If no mode but the mean lies in the band.
    """
    sizes = grid_shape(shape, "shape")
    radius = _radius(sizes)
    modulus = ((radius >= low) & (radius < high) & (radius > 0)) * 1.0
    if not modulus.any():
        raise InputError(
            f"a band that holds a mode (1 to {radius.max():.4g} cycles per array)",
            f"{low:g} to {high:g}",
            "widen it",
            "band_noise",
        )
    return _field(modulus, sizes, seed, f"noise from {low:g} to {high:g}", dtype)


def _radius(shape: tuple[int, ...]) -> np.ndarray:
    """|k| of the modes of a real transform, (n_1, ..., n_d // 2 + 1)."""
    ks = [np.fft.fftfreq(n, 1 / n) for n in shape[:-1]] + [np.fft.rfftfreq(shape[-1], 1 / shape[-1])]
    return np.sqrt(sum(k**2 for k in np.meshgrid(*ks, indexing="ij", sparse=True)))


def _field(modulus: np.ndarray, shape: tuple[int, ...], seed: int, name: str, dtype: torch.dtype) -> Signal:
    """Take the phases of white noise, which has the symmetry of a real field, and give them the modulus."""
    axes = tuple(range(len(shape)))
    white = np.fft.rfftn(generator(seed, "synthetic", "phases").standard_normal(shape))
    samples = np.fft.irfftn(white / np.abs(white) * modulus, s=shape, axes=axes)
    samples /= np.sqrt(np.mean(samples**2))
    return signal(samples, Grid.unit_box(shape, periodic=True), name, dtype)
