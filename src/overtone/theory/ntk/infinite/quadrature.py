"""Activations without a closed form, by quadrature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.ntk.infinite.dual import Dual, root_determinant

REACH = 7.5
"""Standard deviations that the nodes span on either side; what lies beyond has a probability of 6e-14."""

ENTRIES = 1 << 14
"""Kernel entries that are evaluated at once."""


@final
@dataclass(frozen=True)
class Quadrature(Dual):
    """Any smooth activation.

    The pair is written with two independent standard normals a, b:
    u = sqrt(q11) a, v = (q12 a + sqrt(q11 q22 - q12^2) b) / sqrt(q11). It stays defined on the diagonal,
    where b drops out. Equidistant nodes under a Gaussian converge geometrically for an analytic activation,
    also at large variances, where Gauss-Hermite nodes do not. Not for kinks: those have closed forms.

    Attributes:
        function: phi, elementwise.
        slope: phi', elementwise.
        nodes: Quadrature points per axis; the work is nodes^2 evaluations per entry.
    """

    function: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    nodes: int = 64

    def __post_init__(self) -> None:
        if self.nodes < 2:
            raise InputError("at least 2 quadrature nodes", f"{self.nodes}", "leave it at 64", "nodes")

    def _expect(self, phi: Callable[[Tensor], Tensor], q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        points, weights = self._rule(q12)
        first = q11.clamp_min(torch.finfo(q11.dtype).tiny).sqrt()
        pair = torch.broadcast_tensors(first, q12 / first, root_determinant(q11, q22, q12) / first)
        parts = []
        for u, along, across in zip(*(each.reshape(-1, 1).split(ENTRIES) for each in pair), strict=True):
            total = torch.zeros_like(u[:, 0])
            for a, weight in zip(points, weights, strict=True):
                inner = phi(along * a + across * points) @ weights
                total = total + weight * phi(u[:, 0] * a) * inner
            parts.append(total)
        return torch.cat(parts).reshape(pair[0].shape)

    def _rule(self, like: Tensor) -> tuple[Tensor, Tensor]:
        points = torch.linspace(-REACH, REACH, self.nodes, dtype=like.dtype, device=like.device)
        weights = (-points.square() / 2).exp()
        return points, weights / weights.sum()

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi(u) phi(v)]."""
        return self._expect(self.function, q11, q22, q12)

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi'(u) phi'(v)]."""
        return self._expect(self.slope, q11, q22, q12)

    def mean(self, q: Tensor) -> Tensor:
        """E[phi(u)]."""
        points, weights = self._rule(q)
        return self.function(q.sqrt()[..., None] * points) @ weights


def _tanh_slope(x: Tensor) -> Tensor:
    return 1 - x.tanh() ** 2


def tanh() -> Quadrature:
    """The hyperbolic tangent: to 1e-8 for pre-activation variances up to 2, to 1e-3 up to 10."""
    return Quadrature(torch.tanh, _tanh_slope)
