"""Sums of sines, a step and a sweep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from overtone._utils.seeding import generator
from overtone.errors import InputError
from overtone.signals.geometry import Grid
from overtone.signals.signal import Signal
from overtone.signals.synthetic.make import grid_shape, signal


def harmonics(
    frequencies: Sequence[float] | Sequence[Sequence[float]] | np.ndarray,
    amplitudes: float | Sequence[float] | np.ndarray = 1.0,
    phases: float | Sequence[float] | np.ndarray | None = None,
    samples: int | tuple[int, ...] = 256,
    seed: int = 0,
    *,
    dtype: torch.dtype = torch.float32,
) -> Signal:
    """A sum of sines, f(x) = sum_j a_j sin(2 pi k_j . x + p_j), on [0, 1) per axis.

    With whole and distinct k_j below Nyquist, the mean square at |k_j| is a_j^2 / 2 exactly.

    Args:
        frequencies: (m,) frequencies, or (m, d) wave vectors for d axes, in cycles per array.
        amplitudes: One, or one per frequency.
        phases: One, or one per frequency, in radians; drawn from the seed, uniform in [0, 2 pi), if None.
        samples: Samples per axis.
        seed: Seed of the phases.
        dtype: Of the values.

    Returns:
        A signal of kind "synthetic", periodic along each axis on which all frequencies are whole.

    Raises:
        InputError: If the wave vectors do not fit the grid or reach its Nyquist frequency.
    """
    shape = grid_shape(samples, "samples")
    waves = np.asarray(frequencies, dtype=np.float64)
    waves = waves[:, None] if waves.ndim == 1 else waves
    if waves.ndim != 2 or not waves.size or waves.shape[1] != len(shape):
        raise InputError(
            f"wave vectors of {len(shape)} components",
            f"shape {waves.shape}",
            "pass one row per wave",
            "frequencies",
        )
    nyquist = np.asarray(shape) / 2
    if not (np.abs(waves) < nyquist).all():
        raise InputError(
            f"frequencies below Nyquist ({', '.join(f'{n:g}' for n in nyquist)} cycles per array)",
            f"{np.abs(waves).max():g}",
            "take more samples or lower frequencies",
            "frequencies",
        )
    m = len(waves)
    heights = _one_each(amplitudes, m, "amplitudes")
    drawn = generator(seed, "synthetic", "phases").uniform(0, 2 * np.pi, m)
    shifts = drawn if phases is None else _one_each(phases, m, "phases")
    axes = np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij", sparse=True)
    total = np.zeros(shape)
    for wave, height, shift in zip(waves, heights, shifts, strict=True):
        total += height * np.sin(2 * np.pi * sum(k * x for k, x in zip(wave, axes, strict=True)) + shift)
    whole = tuple(bool(w) for w in (waves == np.round(waves)).all(axis=0))
    box = Grid.unit_box(shape)
    return signal(total, Grid(shape, box.spacing, box.origin, box.units, whole), "harmonics", dtype)


def step(samples: int = 256, position: float = 0.5, *, dtype: torch.dtype = torch.float32) -> Signal:
    """A step from 0 to 1 at `position` on [0, 1): amplitudes fall as 1 / frequency.

    Args:
        samples: Number of samples.
        position: Where it rises, as a fraction of the array.
        dtype: Of the values.

    Returns:
        A signal of kind "synthetic", not periodic.

    Raises:
        InputError: If no sample lies before the step or none after.
    """
    shape = grid_shape(samples, "samples")
    return signal((np.arange(shape[0]) / shape[0] >= position) * 1.0, Grid.unit_box(shape), "step", dtype)


def chirp(
    samples: int = 1024, low: float = 1.0, high: float = 64.0, *, dtype: torch.dtype = torch.float32
) -> Signal:
    """A linear sweep, sin(2 pi (low x + (high - low) x^2 / 2)), whose frequency at x is low + (high - low) x.

    Args:
        samples: Number of samples on [0, 1).
        low: Frequency at the start, in cycles per array.
        high: Frequency at the end.
        dtype: Of the values.

    Returns:
        A signal of kind "synthetic", not periodic.

    Raises:
        InputError: If a frequency is negative or reaches Nyquist.
    """
    shape = grid_shape(samples, "samples")
    if not (0 <= low < shape[0] / 2 and 0 <= high < shape[0] / 2):
        raise InputError(
            f"frequencies from 0 to below Nyquist ({shape[0] / 2:g} cycles per array)",
            f"{low:g} and {high:g}",
            "take more samples or lower frequencies",
            "chirp",
        )
    x = np.arange(shape[0]) / shape[0]
    return signal(
        np.sin(2 * np.pi * (low * x + (high - low) * x**2 / 2)), Grid.unit_box(shape), "chirp", dtype
    )


def _one_each(value: float | Sequence[float] | np.ndarray, m: int, name: str) -> np.ndarray:
    given = np.asarray(value, dtype=np.float64)
    if given.ndim == 0:
        return np.full(m, float(given))
    if given.shape != (m,):
        raise InputError(f"one of {name}, or {m}", f"shape {given.shape}", "pass one per frequency", name)
    return given
