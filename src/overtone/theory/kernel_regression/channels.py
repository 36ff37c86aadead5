"""Channels turned to their principal axes, each with a Krylov space of its own size."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from overtone.theory.kernel_regression.krylov import Krylov
from overtone.theory.ntk.operators.toeplitz import Toeplitz


@final
class Channels:
    """The fits of C channels by one kernel.

    The kernel acts on all channels alike, so they may be rotated among each other. Along their principal axes
    most of the power lies in one (the brightness of a picture); the others need fewer vectors for the same
    error in sum.

    Args:
        operator: The kernel between the training samples.
        values: (size, C) y.
        probes: (P,) flat indices of grid samples at which the fit is wanted at every time.

    Attributes:
        rotation: (C, C) orthogonal, from principal axes (rows) to channels (columns).
    """

    def __init__(self, operator: Toeplitz, values: Tensor, probes: Tensor) -> None:
        exact = values.double()
        _, axes = torch.linalg.eigh(exact.mT @ exact)
        self.rotation = axes.mT.to(operator.device)
        self._spaces = [Krylov(operator, each[:, None], probes) for each in (exact @ axes).unbind(1)]

    def __len__(self) -> int:
        return len(self._spaces)

    @property
    def vectors(self) -> int:
        """Krylov vectors of all axes together."""
        return sum(space.dimension for space in self._spaces)

    def probed(self, axis: int, dimension: int, times: Tensor) -> Tensor:
        """(T, P) fit of one principal axis at the probes, from `dimension` vectors or more."""
        self._spaces[axis].extend(dimension)
        return self._spaces[axis].probed(times)[..., 0]

    def predict(self, time: float) -> Tensor:
        """(*shape, C) the fit of the channels on the whole grid after one time."""
        return torch.cat([space.predict(time) for space in self._spaces], -1) @ self.rotation
