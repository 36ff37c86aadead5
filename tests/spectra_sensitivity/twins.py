"""Slow, independent ways to the same numbers: one picture, one frequency, one mode at a time."""

from __future__ import annotations

import math

import numpy as np


def fourier_basis(row: int, column: int, height: int, width: int) -> np.ndarray:
    """The real picture of unit norm whose discrete Fourier transform is equal at (row, column) and its mirror image."""
    plane = np.zeros((height, width), dtype=complex)
    plane[row % height, column % width] += 1
    plane[-row % height, -column % width] += 1
    picture = np.fft.ifft2(plane)
    assert np.abs(picture.imag).max() < 1e-15
    return picture.real / np.sqrt((picture.real**2).sum())


def cosine_modes(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Orthonormal cosine coefficients of a picture, their radial frequency, and the modes, by explicit sums."""
    tables, frequency = [], []
    for n in picture.shape:
        k, j = np.arange(n)[:, None], np.arange(n)
        table = np.cos(math.pi * k * (j + 0.5) / n) * math.sqrt(2 / n)
        table[0] = math.sqrt(1 / n)
        tables.append(table)
        frequency.append(np.arange(n) / (2 * n))
    found = np.einsum("ky,lx,yx->kl", *tables, picture)
    return found, np.sqrt(frequency[0][:, None] ** 2 + frequency[1] ** 2), tables


def low_passed(picture: np.ndarray, cutoff: float) -> np.ndarray:
    found, radius, tables = cosine_modes(picture)
    return np.einsum("ky,lx,kl->yx", *tables, np.where(radius <= cutoff + 1e-9, found, 0))
