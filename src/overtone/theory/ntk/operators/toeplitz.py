"""A stationary kernel on a grid, also with missing samples, through FFTs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.ntk.operators.lags import embedding
from overtone.theory.ntk.operators.operator import Operator

HOT = 1 << 22
"""Bytes that are transformed together on a CPU."""

LEAST, MOST = 8, 64
"""Frequencies of the last axis that are transformed together on a CPU: fewer waste cache lines, more gain nothing."""


@final
class Toeplitz(Operator):
    """K[x, x'] = k(x - x') between the present samples of a 1-D to 3-D grid.

    The block-Toeplitz matrix of the grid is a corner of a circulant matrix of twice its size per axis (of its
    own size along periodic axes), which FFTs diagonalise: a product costs O(N log N) and no N x N matrix is
    formed. Missing samples are zeros going in and are left out coming out (Chan and Ng 1996, "Conjugate
    gradient methods for Toeplitz systems", SIAM Review 38, section 1).

    Args:
        lags: (embedding of the grid) kernel values as `operators.lags` gives them; float32 or float64.
        shape: Samples per axis.
        periodic: Whether the kernel has the grid's period, per axis; None for no axis.
        present: (*shape) bool, True for the samples that are there; None for all.

    Attributes:
        shape: Samples per axis.
        spectrum: Eigenvalues of the circulant matrix, in its shape, in kernel units; the largest is at least
            the largest of K.

    Raises:
        InputError: If the shapes do not fit or no sample is present.
    """

    def __init__(
        self,
        lags: Tensor,
        shape: Sequence[int],
        periodic: Sequence[bool] | None = None,
        present: Tensor | None = None,
    ) -> None:
        around = (False,) * len(shape) if periodic is None else tuple(periodic)
        self.shape = tuple(shape)
        self._sizes = embedding(shape, around)
        if lags.shape != self._sizes:
            raise InputError(
                f"lags of shape {self._sizes}", f"{tuple(lags.shape)}", "compute them with lags()", "lags"
            )
        self.dtype, self.device = lags.dtype, lags.device
        self.index = self._indices(present)
        self.size = len(self.index)
        self.spectrum = torch.fft.fftn(lags).real
        half = torch.fft.rfftn(lags).real
        self._turned = half.permute(*range(1, half.ndim), 0).contiguous()

    def _indices(self, present: Tensor | None) -> Tensor:
        if present is None:
            return torch.arange(torch.Size(self.shape).numel(), device=self.device)
        if present.dtype != torch.bool or tuple(present.shape) != self.shape or not bool(present.any()):
            raise InputError(
                f"a bool mask of shape {self.shape} with a sample present",
                f"{present.dtype} of shape {tuple(present.shape)}, {int(present.sum())} present",
                "pass True where there is a sample",
                "present",
            )
        return present.reshape(-1).nonzero().squeeze(1).to(self.device)

    def everywhere(self, weights: Tensor) -> Tensor:
        """Sum over present x' of k(x - x') w(x') at every x of the grid.

        Args:
            weights: (..., size) w, in the order of the present samples.

        Returns:
            (..., *shape), in the operator's precision.

        Raises:
            InputError: If there are not `size` weights.
        """
        if weights.shape[-1:] != (self.size,):
            raise InputError(
                f"{self.size} weights", f"shape {tuple(weights.shape)}", "pass one per sample", "weights"
            )
        rows = weights.reshape(-1, self.size).to(self.device, self.dtype)
        flat = rows.new_zeros(len(rows), torch.Size(self.shape).numel())
        flat[:, self.index] = rows
        return self._convolved(flat.reshape(-1, *self.shape)).reshape(*weights.shape[:-1], *self.shape)

    def restricted(self, field: Tensor) -> Tensor:
        """The values (..., size) at the present samples of a field (..., *shape)."""
        return field.reshape(*field.shape[: field.ndim - len(self.shape)], -1)[..., self.index]

    def _apply(self, vector: Tensor) -> Tensor:
        return self.restricted(self.everywhere(vector))

    def _convolved(self, field: Tensor) -> Tensor:
        """Real transforms along the last axis; the others for a few of its frequencies at a time."""
        wave = torch.fft.rfft(field, n=self._sizes[-1])
        few = self._abreast(wave)
        for start in range(0, wave.shape[-1], few):
            part = slice(start, start + few)
            wave[..., part] = self._scaled(wave[..., part], part)
        return torch.fft.irfft(wave, n=self._sizes[-1])[..., : self.shape[-1]]

    def _scaled(self, wave: Tensor, part: slice) -> Tensor:
        """One axis at a time, always the last one in memory, and no transform of rows that are zero."""
        axes = len(self.shape)
        for axis in range(axes - 2, -1, -1):
            wave = torch.fft.fft(wave.movedim(-1, 1).contiguous(), n=self._sizes[axis])
        wave = wave * (self._turned[part] if axes == 1 else self._turned[..., part, :])
        for axis in range(axes - 1):
            wave = torch.fft.ifft(wave)[..., : self.shape[axis]].movedim(1, -1)
            wave = wave if axis == axes - 2 else wave.contiguous()
        return wave

    def _abreast(self, wave: Tensor) -> int:
        """How many frequencies of the last axis are transformed together, so that they stay in a CPU's cache."""
        if wave.device.type != "cpu":
            return wave.shape[-1]
        each = len(wave) * math.prod(self._sizes[:-1]) * wave.element_size()
        return min(max(HOT // each, LEAST), MOST)
