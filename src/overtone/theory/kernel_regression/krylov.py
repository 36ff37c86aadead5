"""One Krylov space per channel: the fit at all training times from the same products with the kernel."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from overtone.theory.ntk.operators.toeplitz import Toeplitz


@final
class Krylov:
    """Gradient flow of a kernel predictor on |f - y|^2 / 2, started from 0.

    After time t the prediction is f_t(x) = k(x, X) g_t(K) y with g_t(z) = (1 - exp(-z t)) / z. Lanczos builds
    V and the tridiagonal H with K V = V H + rest, and g_t(K) y = |y| V g_t(H) e_1: one space holds all times.
    Without reorthogonalisation: rounding costs a few more vectors, not accuracy (Druskin and Knizhnerman 1992,
    "Error bounds in the simple Lanczos procedure"; Musco, Musco, Sidford 2018, arXiv 1708.07788).

    Args:
        operator: The kernel between the training samples, float64.
        values: (size, C) y.
        probes: (P,) flat indices of grid samples at which the fit is wanted at every time.

    Attributes:
        dimension: Vectors per channel so far.
    """

    def __init__(self, operator: Toeplitz, values: Tensor, probes: Tensor) -> None:
        self._operator, self._probes = operator, probes.to(operator.device)
        self._least = torch.finfo(torch.float64).eps * float(operator.spectrum.abs().max())
        start = values.to(operator.device, torch.float64).mT.contiguous()
        self._norm = start.norm(dim=1)
        self._next = start / self._norm.clamp_min(torch.finfo(torch.float64).tiny)[:, None]
        self._basis: list[Tensor] = []
        self._seen: list[Tensor] = []
        self._diagonal: list[Tensor] = []
        self._below: list[Tensor] = []

    @property
    def dimension(self) -> int:
        """Vectors per channel so far."""
        return len(self._basis)

    def extend(self, dimension: int) -> None:
        """Grow every channel's space to `dimension` vectors; a space that is exhausted stays as it is."""
        while len(self._basis) < dimension:
            vector = self._next
            field = self._operator.everywhere(vector)
            self._seen.append(field.reshape(len(vector), -1)[:, self._probes])
            product = self._operator.restricted(field)
            if self._basis:
                product = product - self._below[-1][:, None] * self._basis[-1]
            along = (product * vector).sum(1)
            product = product - along[:, None] * vector
            size = product.norm(dim=1)
            size = torch.where(size > self._least, size, 0.0)
            self._basis.append(vector)
            self._diagonal.append(along)
            self._below.append(size)
            self._next = torch.where(size[:, None] > 0, product / size[:, None].clamp_min(self._least), 0.0)

    def probed(self, times: Tensor) -> Tensor:
        """(T, P, C) the fit at the probes after each of T times."""
        weights = self._weights(times)
        return torch.stack([w @ s for w, s in zip(weights, torch.stack(self._seen, 1), strict=True)], 2)

    def predict(self, time: float) -> Tensor:
        """(*shape, C) the fit on the whole grid after one time."""
        weights = self._weights(torch.tensor([time], dtype=torch.float64, device="cpu"))
        total = torch.zeros_like(self._next)
        for step, vector in enumerate(self._basis):
            total += weights[:, :, step] * vector
        return self._operator.everywhere(total).movedim(0, -1)

    def _weights(self, times: Tensor) -> Tensor:
        """(C, T, m) |y| g_t(H) e_1."""
        diagonal, below = torch.stack(self._diagonal, 1), torch.stack(self._below, 1)[:, :-1]
        matrix = diagonal.diag_embed() + below.diag_embed(1) + below.diag_embed(-1)
        values, vectors = torch.linalg.eigh(matrix)
        learned = _elapsed(values.clamp_min(0)[:, None], times.to(values)[:, None])
        return self._norm[:, None, None] * ((learned * vectors[:, :1]) @ vectors.mT)


def _elapsed(values: Tensor, times: Tensor) -> Tensor:
    """(1 - exp(-z t)) / z, t at z = 0."""
    tiny = torch.finfo(values.dtype).tiny
    return torch.where(values * times > 1e-12, -torch.expm1(-values * times) / values.clamp_min(tiny), times)
