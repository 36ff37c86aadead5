"""The twin by a dense kernel and its complete eigendecomposition: no lags, no FFTs, no Krylov spaces."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone.nn.encodings import Gaussian
from overtone.signals import Signal, array, masks
from overtone.theory.kernel_regression import NTKModel


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dense(signal: Signal, model: NTKModel, times: Tensor) -> Tensor:
    """(T, *shape, C) fits of the training samples at all times, in physical units, float64."""
    shape = signal.geometry.shape
    axes = [torch.arange(n, dtype=torch.float64) * s for n, s in zip(shape, model.spacing, strict=True)]
    x = torch.cartesian_prod(*axes).reshape(-1, len(shape))
    kernel, train = model.network(x).ntk, signal.train_index
    y = signal.values.double()[train]
    values, vectors = torch.linalg.eigh(kernel[train][:, train])
    aligned = vectors.mT @ (y - y.mean(0))
    fits = []
    for t in times.tolist():
        learned = torch.where(values * t > 1e-13, -torch.expm1(-values * t) / values, t)
        fits.append(kernel[:, train] @ (vectors @ (learned[:, None] * aligned)) + y.mean(0))
    return torch.stack(fits).reshape(len(times), *shape, -1)


def picture(n: int = 16, channels: int = 1, noise: float = 0.0, seed: int = 0) -> Signal:
    """A smooth random field with half its samples known and a fifth of those held out."""
    source = seeded(seed)
    x = torch.arange(n, dtype=torch.float64) / n
    waves = torch.randn(channels, 6, 2, generator=source, dtype=torch.float64) * 1.5
    phase = 6.28 * torch.rand(channels, 6, generator=source, dtype=torch.float64)
    arg = 6.28 * (waves[..., :1, None] * x[:, None] + waves[..., 1:, None] * x)
    clean = (arg + phase[..., None, None]).cos().sum(1).movedim(0, -1)
    values = clean + noise * torch.randn(clean.shape, generator=source, dtype=torch.float64)
    signal = array(values, channel_axis=2).with_clean(clean.reshape(-1, channels))
    known = masks.random(signal.geometry, 0.5, seed=seed + 1)
    held = known & masks.random(signal.geometry, 0.2, seed=seed + 2)
    return signal.with_split(known & ~held, held)


def gaussian(sigma: float, features: int = 64, axes: int = 2) -> Gaussian:
    return Gaussian(axes, features, sigma, seed=3)
