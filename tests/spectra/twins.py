"""Slow, independent ways to the same numbers: dense sums over every mode, one band at a time."""

from __future__ import annotations

import itertools
import math

import numpy as np

from overtone.spectra import Bands


def basis(n: int, spacing: float, periodic: bool) -> tuple[np.ndarray, np.ndarray]:
    """(n, n) orthonormal modes as rows, all of them, and their unsigned frequencies."""
    j = np.arange(n)
    if periodic:
        k = j[:, None]
        return np.exp(-2j * np.pi * k * j / n) / math.sqrt(n), np.abs(np.fft.fftfreq(n, spacing))
    rows = np.cos(np.pi * j[:, None] * (j + 0.5) / n) * math.sqrt(2 / n)
    rows[0] = 1 / math.sqrt(n)
    return rows, j / (2 * n * spacing)


def dense_modes(
    field: np.ndarray, spacing: tuple[float, ...], periodic: tuple[bool, ...]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Every orthonormal coefficient of a field, none left out by symmetry, and the frequencies per axis."""
    modes = field.astype(np.complex128)
    frequencies = []
    for axis, (n, s, wraps) in enumerate(zip(field.shape, spacing, periodic, strict=True)):
        rows, frequency = basis(n, s, wraps)
        modes = np.moveaxis(np.tensordot(rows, modes, axes=(1, axis)), 0, axis)
        frequencies.append(frequency)
    return modes, frequencies


def band_of(frequency: float, bands: Bands) -> int:
    """The band of one frequency, by trying them in turn; a frequency on an edge opens the upper band."""
    closed = bands.edges[-2] if bands.corner else bands.edges[-1]
    for band, high in enumerate(bands.edges[1:]):
        on_edge = math.isclose(frequency, high, rel_tol=1e-9)
        if (on_edge and high == closed) or (frequency < high and not on_edge):
            return band
    return bands.count - 1


def dense_cross(
    field: np.ndarray,
    other: np.ndarray,
    spacing: tuple[float, ...],
    periodic: tuple[bool, ...],
    bands: Bands,
) -> np.ndarray:
    """(band,) Re<field, other> with <f, g> = mean(f g), mode by mode."""
    own, frequencies = dense_modes(field, spacing, periodic)
    theirs, _ = dense_modes(other, spacing, periodic)
    total = np.zeros(bands.count)
    for index in itertools.product(*(range(n) for n in field.shape)):
        radius = math.sqrt(sum(f[i] ** 2 for f, i in zip(frequencies, index, strict=True)))
        total[band_of(radius, bands)] += (own[index] * np.conj(theirs[index])).real / field.size
    return total


def tolerance(power: np.ndarray, total: float, samples: int, precision: float) -> np.ndarray:
    """Largest error of a band's power.

    A fast transform of N samples has an error e = c eps log2(N) ||x|| in the 2-norm (Higham 2002, "Accuracy
    and Stability of Numerical Algorithms", section 24.1, c about 1 to 4); with P = ||X_band||^2 the error of
    the power is at most 2 e sqrt(P) + e^2.
    """
    e = 4 * precision * math.log2(samples + 1) * math.sqrt(total)
    return 2 * e * np.sqrt(np.abs(power)) + e * e
