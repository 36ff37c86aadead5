"""Expectations of an activation over a pair of jointly Gaussian pre-activations."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError


class DualActivation(ABC):
    """What an activation phi does to a Gaussian process: (u, v) ~ N(0, [[q11, q12], [q12, q22]]).

    All methods take float64 tensors that broadcast against each other and return the broadcast shape.
    Formulas without their own source are found in Cho and Saul 2009 (NIPS), Williams 1997 (NIPS), and Han et
    al. 2022 (arXiv 2209.04121); each is checked against Monte Carlo in the tests.
    """

    @abstractmethod
    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi(u) phi(v)]."""

    @abstractmethod
    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi'(u) phi'(v)]."""

    @abstractmethod
    def mean(self, q: Tensor) -> Tensor:
        """E[phi(u)] for u ~ N(0, q)."""


def root_determinant(q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
    """sqrt(q11 q22 - q12^2) by factors, which keeps digits near the diagonal that a plain difference loses."""
    scale = (q11 * q22).sqrt()
    return ((scale - q12) * (scale + q12)).clamp_min(0).sqrt()


def angle(q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
    """The angle between u and v in [0, pi], accurate where the two nearly agree; 0 for two zeros."""
    return torch.atan2(root_determinant(q11, q22, q12), q12)


@final
@dataclass(frozen=True)
class LeakyReluDual(DualActivation):
    """phi(x) = slope min(x, 0) + max(x, 0).

    With t the angle between u and v and D = (1 + slope^2) / 2 - (1 - slope)^2 t / (2 pi):
    E[phi phi'] = (1 - slope)^2 sqrt(q11 q22 - q12^2) / (2 pi) + D q12 and E[phi' phi'] = D.

    Attributes:
        slope: Slope on the negative side; 0 is ReLU, -1 the absolute value, 1 the identity.
    """

    slope: float = 0.01

    def __post_init__(self) -> None:
        if not math.isfinite(self.slope):
            raise InputError(
                "a finite slope", f"{self.slope}", "pass the slope of the negative side", "slope"
            )

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi(u) phi(v)]."""
        root = root_determinant(q11, q22, q12)
        return (1 - self.slope) ** 2 * root / (2 * math.pi) + self.derivative(q11, q22, q12) * q12

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi'(u) phi'(v)]."""
        return (1 + self.slope**2) / 2 - (1 - self.slope) ** 2 * angle(q11, q22, q12) / (2 * math.pi)

    def mean(self, q: Tensor) -> Tensor:
        """(1 - slope) sqrt(q / (2 pi))."""
        return (1 - self.slope) * (q / (2 * math.pi)).sqrt()


def relu() -> LeakyReluDual:
    """phi(x) = max(x, 0): the arc-cosine kernels of order 1 and 0."""
    return LeakyReluDual(0.0)


@final
@dataclass(frozen=True)
class SineDual(DualActivation):
    """phi(x) = sin(omega x + phase).

    With s1 = exp(omega^2 (q12 - (q11 + q22) / 2)) and s2 = exp(-omega^2 (q12 + (q11 + q22) / 2)) cos(2
    phase): E[phi phi'] = (s1 - s2) / 2 and E[phi' phi'] = omega^2 (s1 + s2) / 2.

    Attributes:
        omega: Angular frequency, radians per unit of the pre-activation.
        phase: Radians.
    """

    omega: float = 1.0
    phase: float = 0.0

    def _terms(self, q11: Tensor, q22: Tensor, q12: Tensor) -> tuple[Tensor, Tensor]:
        mean = (q11 + q22) / 2
        square = self.omega**2
        return (square * (q12 - mean)).exp(), (-square * (q12 + mean)).exp() * math.cos(2 * self.phase)

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """(s1 - s2) / 2."""
        near, far = self._terms(q11, q22, q12)
        return (near - far) / 2

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """omega^2 (s1 + s2) / 2."""
        near, far = self._terms(q11, q22, q12)
        return self.omega**2 * (near + far) / 2

    def mean(self, q: Tensor) -> Tensor:
        """exp(-omega^2 q / 2) sin(phase)."""
        return (-(self.omega**2) * q / 2).exp() * math.sin(self.phase)


def cosine(omega: float = 1.0) -> SineDual:
    """phi(x) = cos(omega x), a sine of phase pi / 2."""
    return SineDual(omega, math.pi / 2)


@final
class ErfDual(DualActivation):
    """phi(x) = erf(x) (Williams 1997)."""

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """(2 / pi) asin(2 q12 / sqrt((1 + 2 q11)(1 + 2 q22))), by atan2."""
        product = (1 + 2 * q11) * (1 + 2 * q22)
        return (2 / math.pi) * torch.atan2(2 * q12, (product - 4 * q12**2).sqrt())

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """(4 / pi) / sqrt((1 + 2 q11)(1 + 2 q22) - 4 q12^2)."""
        return (4 / math.pi) * ((1 + 2 * q11) * (1 + 2 * q22) - 4 * q12**2).rsqrt()

    def mean(self, q: Tensor) -> Tensor:
        """0, by symmetry."""
        return torch.zeros_like(q)


@final
class GeluDual(DualActivation):
    """phi(x) = x (1 + erf(x / sqrt 2)) / 2 (Tsuchida et al. 2020, arXiv 2002.08517).

    With D = (1 + q11)(1 + q22) - q12^2, P = (1 + q11)(1 + q22) and A = atan2(q12, sqrt D):
    E[phi phi'] = ((q12^2 + q11 q22 D) / (P sqrt D) + q12 A) / (2 pi) + q12 / 4 and
    E[phi' phi'] = q12 (1 / D + (1 - q11 q22) / P + 1) / (2 pi sqrt D) + 1 / 4 + A / (2 pi).
    """

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi(u) phi(v)]."""
        product = (1 + q11) * (1 + q22)
        determinant = product - q12**2
        root = determinant.sqrt()
        smooth = (q12**2 + q11 * q22 * determinant) / (product * root)
        return (smooth + q12 * torch.atan2(q12, root)) / (2 * math.pi) + q12 / 4

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """E[phi'(u) phi'(v)]."""
        product = (1 + q11) * (1 + q22)
        determinant = product - q12**2
        root = determinant.sqrt()
        smooth = q12 * (1 / determinant + (1 - q11 * q22) / product + 1) / root
        return (smooth + torch.atan2(q12, root)) / (2 * math.pi) + 0.25

    def mean(self, q: Tensor) -> Tensor:
        """Q / sqrt(2 pi (1 + q))."""
        return q * (2 * math.pi * (1 + q)).rsqrt()


@final
@dataclass(frozen=True)
class GaussianDual(DualActivation):
    """phi(x) = exp(-(scale x)^2).

    With s = scale^2 and D = (1 + 2 s q11)(1 + 2 s q22) - 4 s^2 q12^2: E[phi phi'] = D^(-1/2) and
    E[phi' phi'] = 4 s^2 q12 D^(-3/2).

    Attributes:
        scale: Reciprocal width.
    """

    scale: float = 1.0

    def _determinant(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        s = self.scale**2
        return (1 + 2 * s * q11) * (1 + 2 * s * q22) - 4 * s**2 * q12**2

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """D^(-1/2)."""
        return self._determinant(q11, q22, q12).rsqrt()

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """4 s^2 q12 D^(-3/2)."""
        return 4 * self.scale**4 * q12 * self._determinant(q11, q22, q12) ** -1.5

    def mean(self, q: Tensor) -> Tensor:
        """(1 + 2 s q)^(-1/2)."""
        return (1 + 2 * self.scale**2 * q).rsqrt()


REACH = 7.5
"""Standard deviations that the nodes span on either side; what lies beyond has a probability of 6e-14."""

ENTRIES = 1 << 14
"""Kernel entries that are evaluated at once."""


@final
@dataclass(frozen=True)
class QuadratureDual(DualActivation):
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


def tanh() -> QuadratureDual:
    """The hyperbolic tangent: to 1e-8 for pre-activation variances up to 2, to 1e-3 up to 10."""
    return QuadratureDual(torch.tanh, _tanh_slope)
