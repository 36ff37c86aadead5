"""The spectral estimator: the level at which the spectrum of the whole signal runs out towards Nyquist."""

from __future__ import annotations

import numpy as np
import torch

from overtone.spectra.lattice import Lattice
from overtone.spectra.noise.curve import Curve, robust_power
from overtone.spectra.transform import forward

_LOWEST = 0.3
_RINGS = 24
_MODES_PER_RING = 16
_SHORT = 8


def spectrum_curve(values: np.ndarray, periodic: tuple[bool, ...]) -> Curve:
    """Median power per mode in rings of equal numbers of modes, above 0.3 of the Nyquist frequency.

    The median keeps tones and the axes, where straight edges lie, from counting. It assumes that the signal leaves
    most modes of some ring empty, so edges and textures that reach up to Nyquist count as noise.

    Args:
        values: Real float64 values of 1 to 3 axes, at least two samples.
        periodic: Whether the axes wrap around.
    """
    wraps = tuple(p and n >= _SHORT for p, n in zip(periodic, values.shape, strict=True))
    lattice = Lattice.of(values.shape, 0.5, wraps)
    modes = forward(torch.from_numpy(values - values.mean()), lattice.even, lattice.around).numpy()
    square = np.zeros(())
    for axis in range(values.ndim):
        along = lattice.frequencies(axis).numpy() ** 2
        square = np.add.outer(square, along)
    if lattice.halved is not None:
        inner = np.arange(1, (lattice.shape[lattice.halved] + 1) // 2)
        modes, square = (np.take(a, inner, lattice.halved) for a in (modes, square))
    kept = square >= _LOWEST**2
    frequency, chosen = np.sqrt(square[kept]), modes[kept]
    if np.iscomplexobj(chosen):
        energies = np.concatenate([2 * chosen.real**2, 2 * chosen.imag**2])
        frequency = np.concatenate([frequency, frequency])
    else:
        energies = chosen**2
    rings = int(np.clip(len(energies) // _MODES_PER_RING, 1, _RINGS))
    order = np.argsort(frequency, kind="stable")
    parts = np.array_split(order, rings)
    points = [robust_power(energies[part]) for part in parts]
    power, degrees = np.array(points).T
    return Curve(np.array([frequency[part].mean() for part in parts]), power, degrees)
