"""Cosines about the half-sample borders along open axes, waves along periodic ones: filters on a grid."""

from __future__ import annotations

from typing import final

import numpy as np
import scipy.fft


@final
class Waves:
    """The real orthonormal basis of a grid, seen through filters alone.

    Args:
        shape: Samples per axis.
        periodic: Per axis.

    Attributes:
        frequency: Per axis an array of |f| in cycles per sample, shaped to broadcast against the coefficients.
    """

    def __init__(self, shape: tuple[int, ...], periodic: tuple[bool, ...]) -> None:
        self._around = [axis for axis, p in enumerate(periodic) if p]
        self._open = [axis for axis, p in enumerate(periodic) if not p]
        self.frequency = []
        for axis, (n, around) in enumerate(zip(shape, periodic, strict=True)):
            f = np.abs(scipy.fft.fftfreq(n)) if around else np.arange(n) / (2 * n)
            self.frequency.append(f.reshape([-1 if a == axis else 1 for a in range(len(shape))]))

    def filtered(self, field: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """A (*shape, C) field whose coefficients are multiplied by the (*shape) gain, even in frequency."""
        c = scipy.fft.dctn(field, axes=self._open, norm="ortho") if self._open else field
        c = scipy.fft.fftn(c, axes=self._around) if self._around else c
        c = c * gain[..., None]
        c = scipy.fft.ifftn(c, axes=self._around).real if self._around else c
        return scipy.fft.idctn(c, axes=self._open, norm="ortho") if self._open else c
