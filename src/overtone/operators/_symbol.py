"""The symbol of an equation: what its operator does to each frequency at each place, and what its zeros say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone._utils.display import Result
from overtone.errors import InputError
from overtone.operators._derivatives import MultiIndex
from overtone.operators._linear_part import Check, check, linear_part
from overtone.signals import Measured

OSCILLATING = 1e-3
"""A root with |Im| above this part of its size oscillates."""

LAYER = 0.1
"""Decay lengths below this part of the domain are boundary layers."""


@final
@dataclass(frozen=True, eq=False, repr=False)
class Symbol(Result):
    """The operator of one term as a function of frequency and place: s(x, k) = sum_a c_a(x) (2 pi i k)^a.

    Attributes:
        term: Name of the term.
        points: (N, d) places.
        indices: Multi-indices a of the derivatives that occur.
        coefficients: (N, K, C, A) their coefficients, for K residuals and C channels; of the linear part about the zero
            field where the equation is not linear.
        order: Order of the highest derivative.
        nonlinearity: |r(2u) - 2 r(u) + r(0)| over |r(u)| for random waves of size 1; rounding if linear.
        extent: Lengths of the domain.

    Example:
        >>> import torch
        >>> from overtone import operators
        >>> def residual(x, u):
        ...     (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        ...     (d2u,) = torch.autograd.grad(du.sum(), x, create_graph=True)
        ...     return d2u + (2 * torch.pi * 4) ** 2 * u
        >>> symbol = operators.symbol(operators.equation({"equation": (residual, 20)}, [(0, 1)]))
        >>> round(float(symbol.at((5.0,)).abs().max() / (2 * torch.pi) ** 2), 6)
        9.0
        >>> [round(f, 6) for f in symbol.wave_frequencies(axis=0)]
        [4.0, 4.0]
    """

    term: str
    points: Tensor
    indices: tuple[MultiIndex, ...]
    coefficients: Tensor
    order: int
    nonlinearity: float
    extent: tuple[float, ...]

    def at(self, frequency: tuple[float, ...]) -> Tensor:
        """Return the symbol (N, K, C) at a frequency, in cycles per unit of each axis.

        Args:
            frequency: One per axis.

        Raises:
            InputError: If there is not one frequency per axis.
        """
        if len(frequency) != len(self.extent):
            raise InputError(
                f"one frequency per axis ({len(self.extent)})",
                f"{len(frequency)}",
                "pass that many",
                "frequency",
            )
        factors = [
            math.prod((2j * math.pi * f) ** order for f, order in zip(frequency, index, strict=True))
            for index in self.indices
        ]
        weights = torch.tensor(factors, dtype=torch.complex128, device=self.coefficients.device)
        return self.coefficients.to(torch.complex128) @ weights

    def roots(self, axis: int, others: tuple[float, ...] | None = None) -> NDArray[np.complex128]:
        """Return the characteristic roots q along an axis at each place: solutions there go as exp(q x).

        They are the zeros of det s(x, q / (2 pi i)) along the axis. The imaginary part over 2 pi is a frequency that
        solutions have; the inverse of the real part is a length over which they decay.

        Args:
            axis: The axis.
            others: Frequencies along all axes, of which that of `axis` is not used; zeros if None.

        Returns:
            (N, R) complex, nan where there are fewer.

        Raises:
            InputError: If there are not as many residuals as channels.
        """
        residuals, channels = self.coefficients.shape[1:3]
        if residuals != channels:
            raise InputError(
                f"as many residuals as channels ({channels})",
                f"{residuals}",
                "pass the whole system",
                self.term,
            )
        fixed = others or (0.0,) * len(self.extent)
        degree = max((a[axis] for a in self.indices), default=0)
        table = np.zeros((degree + 1, *self.coefficients.shape[:3]), np.complex128)
        values = self.coefficients.cpu().numpy()
        for position, index in enumerate(self.indices):
            factor = math.prod(
                (2j * math.pi * fixed[i]) ** order for i, order in enumerate(index) if i != axis
            )
            table[index[axis]] += factor * values[..., position]
        return _polynomial_eigenvalues(table)

    def wave_frequencies(
        self, axis: int, others: tuple[float, ...] | None = None
    ) -> tuple[float, float] | None:
        """Return lowest and highest frequency of the waves that solutions have along an axis, in cycles per unit.

        Args:
            axis: The axis.
            others: Frequencies along the other axes; zeros if None.

        Returns:
            None if no solution oscillates.
        """
        q = self.roots(axis, others)
        waves = np.abs(q.imag[np.isfinite(q) & (np.abs(q.imag) > OSCILLATING * np.abs(q))]) / (2 * math.pi)
        # Waves longer than four domains are no oscillation within it.
        waves = waves[waves > 0.25 / self.extent[axis]]
        return (float(waves.min()), float(waves.max())) if waves.size else None

    def layer_width(self, axis: int) -> float | None:
        """Return the smallest length over which solutions decay along an axis, where it is far below the domain's.

        Args:
            axis: The axis.

        Returns:
            In units of the axis; None where no root decays within a tenth of the domain.
        """
        q = self.roots(axis)
        rates = np.abs(q.real[np.isfinite(q)])
        rates = rates[rates > 0]
        if not rates.size:
            return None
        width = 1 / float(rates.max())
        return width if width < LAYER * self.extent[axis] else None


def _polynomial_eigenvalues(table: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Zeros q of det(sum_m table[m, n] q^m) for each n, by a companion pencil; nan at infinity."""
    from scipy.linalg import eigvals

    degree, places, size = len(table) - 1, table.shape[1], table.shape[2]
    count = degree * size
    result = np.full((places, max(count, 1)), complex(math.nan, math.nan))
    if count == 0:
        return result
    previous: dict[bytes, NDArray[np.complex128]] = {}
    for n in range(places):
        key = table[:, n].tobytes()
        if key not in previous:
            right = np.eye(count, dtype=complex)
            left = np.diag(np.ones(count - size), size).astype(complex)
            for m in range(degree):
                left[-size:, m * size : (m + 1) * size] = -table[m, n]
            right[-size:, -size:] = table[degree, n]
            with np.errstate(all="ignore"):
                roots = eigvals(left, right)
            previous[key] = np.where(np.isfinite(roots), roots, complex(math.nan, math.nan))
        result[n] = previous[key]
    return result


def symbol(problem: Measured, term: str | None = None, *, seed: int = 0) -> Symbol:
    """Return the symbol of a term: s(x, k) = sum_a c_a(x) (2 pi i k)^a, with c_a taken from the residual's derivatives.

    Args:
        problem: A field known through equations.
        term: Name of the term; the first that is an equation of at least first order if None.
        seed: Seed of the waves for the nonlinearity.

    Raises:
        InputError: If there is no such term, or it is no differential operator.

    Example:
        >>> import torch
        >>> from overtone import operators
        >>> def first_order(x, u):
        ...     (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        ...     return du + 3 * u
        >>> symbol = operators.symbol(operators.equation({"equation": (first_order, 8)}, [(0, 1)]))
        >>> symbol.order, round(abs(complex(symbol.at((0.0,)).flatten()[0])), 6)
        (1, 3.0)
    """
    names = [t.name for t in problem.terms]
    if term is not None and term not in names:
        raise InputError(f"one of {', '.join(names)}", repr(term), "pass the name of a term", "term")
    for candidate in problem.terms:
        if not candidate.local or term not in (None, candidate.name):
            continue
        known: Check = check(candidate, problem.outputs, problem.geometry.extent, seed)
        if term is None and known.order == 0:
            continue
        part = linear_part(candidate, problem.outputs).reduced()
        return Symbol(
            candidate.name,
            candidate.points,
            part.indices,
            part.coefficients,
            known.order,
            known.nonlinearity,
            problem.geometry.extent,
        )
    raise InputError(
        "a term that is a differential equation",
        f"terms {', '.join(names)}",
        "build the problem with operators.equation from residuals that depend on each point alone",
        "term",
    )
