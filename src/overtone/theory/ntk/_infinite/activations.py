"""Dual activations: expectations of an activation over a pair of jointly Gaussian pre-activations."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.theory.ntk._infinite.layers import InfiniteLayer, LayerMoments

NODE_RANGE = 7.5
"""Standard deviations covered by the quadrature nodes on either side; the Gaussian has 6e-14 of its mass outside."""

ENTRIES_PER_CHUNK = 1 << 14
"""Kernel entries per quadrature chunk, which bounds its memory."""


class DualActivation(InfiniteLayer):
    """Dual of an elementwise activation phi for a Gaussian process: (u, v) ~ N(0, [[q11, q12], [q12, q22]]).

    As a layer it maps the second moment K to E[phi(u) phi(v)] and the tangent kernel T to T E[phi'(u) phi'(v)].

    All methods take float64 tensors that broadcast against each other and return the broadcast shape. Formulas
    without a separate source are from Cho and Saul 2009 (NIPS), Williams 1997 (NIPS), and Han et al. 2022 (arXiv
    2209.04121); each is checked against Monte Carlo in the tests.

    Example:
        >>> import torch
        >>> one, correlation = torch.ones(1).double(), torch.tensor([0.5]).double()
        >>> DualActivation.relu().covariance(one, one, correlation).round(decimals=4)
        tensor([0.3045], dtype=torch.float64)
    """

    @abstractmethod
    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """Return E[phi(u) phi(v)]."""

    @abstractmethod
    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        """Return E[phi'(u) phi'(v)]."""

    @abstractmethod
    def mean(self, q: Tensor) -> Tensor:
        """Return E[phi(u)] for u ~ N(0, q)."""

    def apply(self, moments: LayerMoments) -> LayerMoments:
        """Return the moments of the activations; T <- T E[phi'(u) phi'(v)]."""
        q11, q22, q12 = moments.q11, moments.q22, moments.q12
        return LayerMoments(
            self.covariance(q11, q11, q11),
            self.covariance(q22, q22, q22),
            self.covariance(q11, q22, q12),
            moments.tangent * self.derivative(q11, q22, q12),
            self.mean(q11),
            self.mean(q22),
        )

    @staticmethod
    def relu() -> DualActivation:
        """Return the dual of phi(x) = max(x, 0): the arc-cosine kernels of order 1 and 0."""
        return _LeakyRelu(0.0)

    @staticmethod
    def leaky_relu(slope: float = 0.01) -> DualActivation:
        """Return the dual of phi(x) = slope min(x, 0) + max(x, 0); slope -1 is the absolute value, 1 the identity."""
        return _LeakyRelu(slope)

    @staticmethod
    def erf() -> DualActivation:
        """Return the dual of the error function."""
        return _Erf()

    @staticmethod
    def gelu() -> DualActivation:
        """Return the dual of phi(x) = x (1 + erf(x / sqrt 2)) / 2."""
        return _Gelu()

    @staticmethod
    def sine(omega: float = 1.0, phase: float = 0.0) -> DualActivation:
        """Return the dual of phi(x) = sin(omega x + phase), omega in radians per unit of the pre-activation."""
        return _Sine(omega, phase)

    @staticmethod
    def cosine(omega: float = 1.0) -> DualActivation:
        """Return the dual of phi(x) = cos(omega x), a sine of phase pi / 2."""
        return _Sine(omega, math.pi / 2)

    @staticmethod
    def gaussian(scale: float = 1.0) -> DualActivation:
        """Return the dual of phi(x) = exp(-(scale x)^2)."""
        return _Gaussian(scale)

    @staticmethod
    def tanh() -> DualActivation:
        """Return the dual of tanh, accurate to 1e-8 for pre-activation variances up to 2, to 1e-3 up to 10."""
        return _Quadrature(torch.tanh, _tanh_slope)

    @staticmethod
    def quadrature(
        function: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor], nodes: int = 64
    ) -> DualActivation:
        """Return the dual of any smooth activation, by quadrature.

        Args:
            function: phi, elementwise.
            slope: phi', elementwise.
            nodes: Quadrature points per axis; the cost is nodes^2 evaluations per entry.

        Raises:
            InputError: If there are fewer than 2 nodes.
        """
        return _Quadrature(function, slope, nodes)


@final
@dataclass(frozen=True)
class _LeakyRelu(DualActivation):
    """Dual of phi(x) = slope min(x, 0) + max(x, 0).

    With t the angle between u and v and D = (1 + slope^2) / 2 - (1 - slope)^2 t / (2 pi):
    E[phi(u) phi(v)] = (1 - slope)^2 sqrt(q11 q22 - q12^2) / (2 pi) + D q12 and E[phi'(u) phi'(v)] = D.
    """

    slope: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.slope):
            raise InputError(
                "a finite slope", f"{self.slope}", "pass the slope of the negative side", "slope"
            )

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        root = _root_determinant(q11, q22, q12)
        return (1 - self.slope) ** 2 * root / (2 * math.pi) + self.derivative(q11, q22, q12) * q12

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        return (1 + self.slope**2) / 2 - (1 - self.slope) ** 2 * _angle(q11, q22, q12) / (2 * math.pi)

    def mean(self, q: Tensor) -> Tensor:
        """Return (1 - slope) sqrt(q / (2 pi))."""
        return (1 - self.slope) * (q / (2 * math.pi)).sqrt()


@final
@dataclass(frozen=True)
class _Sine(DualActivation):
    """Dual of phi(x) = sin(omega x + phase).

    With s1 = exp(omega^2 (q12 - (q11 + q22) / 2)) and s2 = exp(-omega^2 (q12 + (q11 + q22) / 2)) cos(2
    phase): E[phi(u) phi(v)] = (s1 - s2) / 2 and E[phi'(u) phi'(v)] = omega^2 (s1 + s2) / 2.
    """

    omega: float
    phase: float

    def _exponentials(self, q11: Tensor, q22: Tensor, q12: Tensor) -> tuple[Tensor, Tensor]:
        mean = (q11 + q22) / 2
        square = self.omega**2
        return (square * (q12 - mean)).exp(), (-square * (q12 + mean)).exp() * math.cos(2 * self.phase)

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        difference, total = self._exponentials(q11, q22, q12)
        return (difference - total) / 2

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        difference, total = self._exponentials(q11, q22, q12)
        return self.omega**2 * (difference + total) / 2

    def mean(self, q: Tensor) -> Tensor:
        """Return exp(-omega^2 q / 2) sin(phase)."""
        return (-(self.omega**2) * q / 2).exp() * math.sin(self.phase)


@final
@dataclass(frozen=True)
class _Erf(DualActivation):
    """Dual of phi(x) = erf(x) (Williams 1997).

    E[phi(u) phi(v)] = (2 / pi) asin(2 q12 / sqrt((1 + 2 q11)(1 + 2 q22))) and
    E[phi'(u) phi'(v)] = (4 / pi) / sqrt((1 + 2 q11)(1 + 2 q22) - 4 q12^2).
    """

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        product = (1 + 2 * q11) * (1 + 2 * q22)
        # atan2 retains the digits that asin loses where its argument is close to 1.
        return (2 / math.pi) * torch.atan2(2 * q12, (product - 4 * q12**2).sqrt())

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        return (4 / math.pi) * ((1 + 2 * q11) * (1 + 2 * q22) - 4 * q12**2).rsqrt()

    def mean(self, q: Tensor) -> Tensor:
        """Return 0, by symmetry."""
        return torch.zeros_like(q)


@final
@dataclass(frozen=True)
class _Gelu(DualActivation):
    """Dual of phi(x) = x (1 + erf(x / sqrt 2)) / 2 (Tsuchida et al. 2020, arXiv 2002.08517).

    With D = (1 + q11)(1 + q22) - q12^2, P = (1 + q11)(1 + q22) and A = atan2(q12, sqrt D):
    E[phi(u) phi(v)] = ((q12^2 + q11 q22 D) / (P sqrt D) + q12 A) / (2 pi) + q12 / 4 and
    E[phi'(u) phi'(v)] = q12 (1 / D + (1 - q11 q22) / P + 1) / (2 pi sqrt D) + 1 / 4 + A / (2 pi).
    """

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        product = (1 + q11) * (1 + q22)
        determinant = product - q12**2
        root = determinant.sqrt()
        smooth = (q12**2 + q11 * q22 * determinant) / (product * root)
        return (smooth + q12 * torch.atan2(q12, root)) / (2 * math.pi) + q12 / 4

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        product = (1 + q11) * (1 + q22)
        determinant = product - q12**2
        root = determinant.sqrt()
        smooth = q12 * (1 / determinant + (1 - q11 * q22) / product + 1) / root
        return (smooth + torch.atan2(q12, root)) / (2 * math.pi) + 0.25

    def mean(self, q: Tensor) -> Tensor:
        """Return q / sqrt(2 pi (1 + q))."""
        return q * (2 * math.pi * (1 + q)).rsqrt()


@final
@dataclass(frozen=True)
class _Gaussian(DualActivation):
    """Dual of phi(x) = exp(-(scale x)^2).

    With s = scale^2 and D = (1 + 2 s q11)(1 + 2 s q22) - 4 s^2 q12^2: E[phi(u) phi(v)] = D^(-1/2) and
    E[phi'(u) phi'(v)] = 4 s^2 q12 D^(-3/2).
    """

    scale: float

    def _determinant(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        s = self.scale**2
        return (1 + 2 * s * q11) * (1 + 2 * s * q22) - 4 * s**2 * q12**2

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        return self._determinant(q11, q22, q12).rsqrt()

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        return 4 * self.scale**4 * q12 * self._determinant(q11, q22, q12) ** -1.5

    def mean(self, q: Tensor) -> Tensor:
        """Return (1 + 2 s q)^(-1/2)."""
        return (1 + 2 * self.scale**2 * q).rsqrt()


@final
@dataclass(frozen=True)
class _Quadrature(DualActivation):
    """Dual of any smooth activation, on equidistant nodes.

    The pair is written with two independent standard normals a, b: u = sqrt(q11) a, v = (q12 a + sqrt(q11 q22 -
    q12^2) b) / sqrt(q11). It is also defined on the diagonal, where b vanishes. Equidistant nodes under a Gaussian
    converge geometrically for an analytic activation, also at large variances, where Gauss-Hermite nodes do not.
    Activations with kinks have closed forms instead.
    """

    function: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    nodes: int = 64

    def __post_init__(self) -> None:
        if self.nodes < 2:
            raise InputError("at least 2 quadrature nodes", f"{self.nodes}", "use the default of 64", "nodes")

    def _expectation(self, phi: Callable[[Tensor], Tensor], q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        points, weights = self._rule(q12)
        first = q11.clamp_min(torch.finfo(q11.dtype).tiny).sqrt()
        pair = torch.broadcast_tensors(first, q12 / first, _root_determinant(q11, q22, q12) / first)
        parts = []
        for u, parallel, orthogonal in zip(
            *(part.reshape(-1, 1).split(ENTRIES_PER_CHUNK) for part in pair), strict=True
        ):
            total = torch.zeros_like(u[:, 0])
            # One node of a at a time: all pairs of nodes at once would need nodes^2 numbers per kernel entry.
            for a, weight in zip(points, weights, strict=True):
                inner = phi(parallel * a + orthogonal * points) @ weights
                total = total + weight * phi(u[:, 0] * a) * inner
            parts.append(total)
        return torch.cat(parts).reshape(pair[0].shape)

    def _rule(self, like: Tensor) -> tuple[Tensor, Tensor]:
        points = torch.linspace(-NODE_RANGE, NODE_RANGE, self.nodes, dtype=like.dtype, device=like.device)
        weights = (-points.square() / 2).exp()
        return points, weights / weights.sum()

    def covariance(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        return self._expectation(self.function, q11, q22, q12)

    def derivative(self, q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
        return self._expectation(self.slope, q11, q22, q12)

    def mean(self, q: Tensor) -> Tensor:
        points, weights = self._rule(q)
        return self.function(q.sqrt()[..., None] * points) @ weights


def _tanh_slope(x: Tensor) -> Tensor:
    return 1 - x.tanh() ** 2


def _root_determinant(q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
    """Return sqrt(q11 q22 - q12^2) by factors, accurate near the diagonal where a plain difference cancels."""
    scale = (q11 * q22).sqrt()
    return ((scale - q12) * (scale + q12)).clamp_min(0).sqrt()


def _angle(q11: Tensor, q22: Tensor, q12: Tensor) -> Tensor:
    """Return the angle between u and v in [0, pi], accurate for nearly equal samples; 0 for two zeros."""
    return torch.atan2(_root_determinant(q11, q22, q12), q12)
