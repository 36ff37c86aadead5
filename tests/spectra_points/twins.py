"""Slow independent answers: dense sums over explicitly listed modes, no fast transform and no iteration."""

from __future__ import annotations

import itertools

import numpy as np


def listed_modes(extent, periodic, top):
    """Real basis functions of the box as (wave number per axis, phase) with their radial frequency.

    An even axis has cosines of k / (2 L). Periodic axes together have a cosine and a sine for each pair of
    opposite wave vectors.
    """
    period = [length if wraps else 2 * length for length, wraps in zip(extent, periodic, strict=True)]
    ranges = [range(-int(top * p + 1), int(top * p + 1) + 1) for p in period]
    found = []
    for k in itertools.product(*ranges):
        radius = np.sqrt(sum((a / p) ** 2 for a, p in zip(k, period, strict=True)))
        if radius > top * (1 + 1e-9):
            continue
        if any(a < 0 and not wraps for a, wraps in zip(k, periodic, strict=True)):
            continue
        turning = [a for a, wraps in zip(k, periodic, strict=True) if wraps]
        leading = next((a for a in turning if a != 0), 0)
        if leading < 0:
            continue
        found.append((k, 0.0, radius))
        if leading > 0:
            found.append((k, np.pi / 2, radius))
    return found


def basis(x, low, extent, periodic, top):
    """(N, M) orthonormal functions at the places (N, d), and the (M,) radial frequencies."""
    columns, radii = [], []
    for k, phase, radius in listed_modes(extent, periodic, top):
        column = np.ones(len(x))
        angle = np.full(len(x), -phase)
        turning = False
        for axis, wave in enumerate(k):
            along = (x[:, axis] - low[axis]) / extent[axis]
            if periodic[axis]:
                angle = angle + 2 * np.pi * wave * along
                turning = turning or wave != 0
            elif wave:
                column = column * np.sqrt(2) * np.cos(np.pi * wave * along)
        columns.append(column * (np.sqrt(2) * np.cos(angle) if turning else 1.0))
        radii.append(radius)
    return np.stack(columns, 1), np.array(radii)


def banded(power, radii, edges):
    """Power (M, ...) summed into half-open bands; the last is closed."""
    last = len(edges) - 2
    band = [min(int(np.searchsorted(edges, r * (1 + 1e-9), side="right")) - 1, last) for r in radii]
    total = np.zeros((len(edges) - 1, *power.shape[1:]))
    for index, value in zip(band, power, strict=True):
        total[index] += value
    return total


def dense_least_squares(x, y, low, extent, periodic, top, weights):
    """(M, C) coefficients that minimise the weighted square, by a dense orthogonal factorisation."""
    functions, radii = basis(x, low, extent, periodic, top)
    root = np.sqrt(weights)[:, None]
    return np.linalg.lstsq(root * functions, root * y, rcond=None)[0], radii


def dense_quadrature(x, y, low, extent, periodic, top, weights):
    """(M, C) weighted sums against each function, the mean treated like every other mode."""
    functions, radii = basis(x, low, extent, periodic, top)
    return functions.T @ (weights[:, None] * y), radii


def band_limited(x, low, extent, periodic, top, seed, channels=1):
    """Values (N, C) of a random function of the modes, its (M, C) coefficients and their frequencies."""
    functions, radii = basis(x, low, extent, periodic, top)
    coefficients = np.random.default_rng(seed).normal(size=(functions.shape[1], channels))
    return functions @ coefficients, coefficients, radii
