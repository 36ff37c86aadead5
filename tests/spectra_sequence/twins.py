"""Slow twins: the definitions as explicit sums over steps, tapers and frequencies."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from overtone.spectra.sequence._estimators import EvenExtension, Multitaper, PeriodicExtension, Welch


def banded(frequency, power, edges):
    """(band, channel) sums of power (frequency, channel); the last band keeps its upper edge and what is above."""
    inner = np.searchsorted(np.asarray(edges[1:-1]) * (1 - 1e-9), frequency, side="right")
    return np.stack([power[inner == band].sum(0) for band in range(len(edges) - 1)])


def slepians(steps, time_bandwidth, count):
    """The eigenvectors of sin(2 pi W (s - t)) / (pi (s - t)) with the largest eigenvalues, W = time_bandwidth / T."""
    apart = np.subtract.outer(np.arange(steps), np.arange(steps))
    width = time_bandwidth / steps
    kernel = 2 * width * np.sinc(2 * width * apart)
    return scipy.linalg.eigh(kernel)[1][:, ::-1][:, :count].T


def windows(steps, estimator):
    """(W, T) windows whose spectra are averaged; each has unit energy."""
    if isinstance(estimator, PeriodicExtension):
        return np.ones((1, steps)) / np.sqrt(steps)
    if isinstance(estimator, Multitaper):
        return slepians(steps, estimator.time_bandwidth, estimator.taper_count)
    size = estimator.segment
    hann = np.sin(np.pi * np.arange(size) / size) ** 2
    hann /= np.sqrt((hann**2).sum())
    starts = range(0, steps - size + 1, size - size // 2)
    return np.stack([np.pad(hann, (at, steps - size - at)) for at in starts])


def dense_power(x, rate, edges, estimator):
    """Mean over sequences of the power per band, all sums written out."""
    _, steps, _ = x.shape
    mean = x.mean(1, keepdims=True)
    rest, time = x - mean, np.arange(steps)
    if isinstance(estimator, EvenExtension):
        k = np.arange(1, steps)
        waves = np.sqrt(2) * np.cos(np.pi * np.outer(k, time + 0.5) / steps) / steps
        frequency, power = k / (2 * steps), (np.einsum("kt,ntc->nkc", waves, rest) ** 2).mean(0)
    else:
        size = estimator.segment if isinstance(estimator, Welch) else steps
        k = np.arange(size)
        waves = np.exp(-2j * np.pi * np.outer(k, time) / size)
        frequency = np.minimum(k, size - k) / size
        spectra = [
            np.abs(np.einsum("kt,ntc->nkc", waves * window, rest)) ** 2
            for window in windows(steps, estimator)
        ]
        power = np.mean(spectra, axis=(0, 1)) / size
    total = banded(frequency * rate, power, edges)
    total[0] += (mean**2).mean((0, 1))
    return total
