"""Pictures of known spectra: white noise and what upsampling makes of it."""

from __future__ import annotations

import numpy as np
import torch


def white(count, side, seed=0, channels=None):
    """(count, side, side[, channels]) independent standard normal pixels."""
    shape = (count, side, side) if channels is None else (count, side, side, channels)
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def coloured(count, side, gain, seed=0):
    """Periodic pictures whose modes have the power gain(|f|), f in cycles per picture."""
    k = np.fft.fftfreq(side, 1 / side)
    radius = np.hypot(k[:, None], k[None])
    modes = np.fft.fft2(white(count, side, seed).numpy()) * np.sqrt(gain(radius))
    return torch.from_numpy(np.fft.ifft2(modes).real.copy())


def zeros_between(pictures):
    """Each pixel followed by a zero along both axes."""
    out = pictures.new_zeros(len(pictures), 2 * pictures.shape[1], 2 * pictures.shape[2])
    out[:, ::2, ::2] = pictures
    return out


def nearest(pictures):
    """Each pixel twice along both axes."""
    return pictures.repeat_interleave(2, 1).repeat_interleave(2, 2)


def bilinear(pictures):
    """Halfway between pixels their mean, around the border: the kernel (1, 2, 1) / 2 over zeros between."""
    wide = zeros_between(pictures)
    for axis in (1, 2):
        wide = wide + 0.5 * (wide.roll(1, axis) + wide.roll(-1, axis))
    return wide


GAINS = {
    zeros_between: lambda w: np.ones_like(w),
    nearest: lambda w: 2 + 2 * np.cos(w),
    bilinear: lambda w: (1 + np.cos(w)) ** 2,
}
"""|H|^2 along one axis, w in radians per new pixel, of the filter that follows the zeros."""
