"""Truths of known spectra, and forecasts with planted defects."""

from __future__ import annotations

import numpy as np

SIZE = 64
K = np.sqrt(sum(f**2 for f in np.meshgrid(*(np.fft.fftfreq(SIZE, 1 / SIZE),) * 2, indexing="ij")))


def truth(samples: int, seed: int = 0, exponent: float = 3.0) -> np.ndarray:
    """(samples, 1, 64, 64) periodic Gaussian fields of unit variance with E(k) ~ k^-exponent."""
    noise = np.fft.fft2(np.random.default_rng(seed).standard_normal((samples, 1, SIZE, SIZE)))
    fields = np.fft.ifft2(noise * np.where(K > 0, np.maximum(K, 1), np.inf) ** (-(exponent + 1) / 2)).real
    return fields / fields.std()


def filtered(fields: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Multiply each Fourier mode by a gain."""
    return np.fft.ifft2(np.fft.fft2(fields) * gain).real


def blurred(fields: np.ndarray) -> np.ndarray:
    """Gaussian blur."""
    return filtered(fields, np.exp(-((K / 12) ** 2)))


def noisy(fields: np.ndarray, mean_square_error: float, seed: int = 1) -> np.ndarray:
    """White noise added."""
    noise = np.random.default_rng(seed).standard_normal(fields.shape)
    return fields + noise * np.sqrt(mean_square_error / np.mean(noise**2))


def hedged(fields: np.ndarray, seed: int = 2) -> np.ndarray:
    """The best linear estimate from the truth plus white noise: power ratio = coherence^2 in every mode."""
    power = np.maximum(K, 1) ** -4.0
    scale = np.mean(np.abs(np.fft.fft2(fields)) ** 2) / np.mean(power) / SIZE**2
    level = 1e-3
    gain = power * scale / (power * scale + level)
    noise = np.random.default_rng(seed).standard_normal(fields.shape) * np.sqrt(level)
    return filtered(fields + noise, gain)


def displaced(fields: np.ndarray, seed: int = 3) -> np.ndarray:
    """Right at low wavenumbers; above 10 the power of the truth with the phases of another field."""
    low = np.where(K < 10, 1.0, 0.0)
    return filtered(fields, low) + filtered(truth(len(fields), seed + 50), 1 - low)
