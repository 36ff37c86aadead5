"""`equation`: a measured field from residuals as scripts of physics-informed networks write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.operators._linear_part import call, check
from overtone.signals import Domain, Measured, Term
from overtone.signals._measured import Operator


def equation(
    terms: Mapping[str, tuple[Operator, Any]],
    domain: Domain | Sequence[tuple[float, float]],
    *,
    channels: int | Sequence[str] = 1,
    weights: Mapping[str, float] | None = None,
    transform: Operator | None = None,
    name: str = "equation",
    seed: int = 0,
) -> Measured:
    """Return a field known through residuals r(x, u) = 0: an equation with its boundary and initial conditions.

    A residual is the function that DeepXDE and plain scripts train with: it takes points x (N, d), whose gradient
    is required, and the network's values u (N, C) there, takes derivatives by `torch.autograd.grad` and returns (N,) or
    (N, K), zero for a solution. Each is called once on random waves.

    Args:
        terms: By name, a residual and its points: an array (N, d), or a number of random points in the domain.
        domain: Ends of each axis, ((low, high), ...), or a `signals.Domain`, which also has units.
        channels: Number of values of the field, or their names. Complex fields have two, real and imaginary.
        weights: Factor of each term's mean square in the loss; 1 where none is named.
        transform: u_hard(x, u) applied to the network's values before the residuals, for conditions that hold exactly.
        name: Description, for titles.
        seed: Seed of random points.

    Raises:
        InputError: If a residual is not finite, cannot be differentiated as often as it does, ignores the field, or has
            another number of rows than points; if points lie outside the domain; if a weight names no term.

    Example:
        >>> import torch
        >>> from overtone import operators
        >>> def residual(x, u):
        ...     (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        ...     (d2u,) = torch.autograd.grad(du.sum(), x, create_graph=True)
        ...     return d2u + (2 * torch.pi * 4) ** 2 * u
        >>> ends = [[0.0], [1.0]]
        >>> problem = operators.equation(
        ...     {"equation": (residual, 200), "boundary": (lambda x, u: u - torch.cos(x), ends)}, domain=[(0, 1)]
        ... )
        >>> problem
        <Measured 'equation': 202 functionals in a domain>
    """
    domain, names = _as_domain(domain), _channel_names(channels)
    _check_terms(terms)
    unknown = set(weights or {}) - set(terms)
    if unknown:
        raise InputError(
            f"weights of the terms {', '.join(terms)}",
            f"{', '.join(sorted(unknown))}",
            "correct the name",
            "weights",
        )
    built = []
    for label, (residual, places) in terms.items():
        weight = (weights or {}).get(label, 1.0)
        if weight == 0:
            raise InputError("a weight above 0", "0", "leave the term out, or pass another", label)
        operator = residual if transform is None else _Transformed(residual, transform)
        # Residuals take derivatives, whatever the caller's mode.
        with torch.inference_mode(False), torch.enable_grad():
            points = _points(places, domain, label, seed)
            zeros = _zeros(operator, points, len(names), label)
            term = Term(label, operator, points, zeros, weight, derivatives=True)
            measured = check(term, len(names), domain.extent, derive_seed(seed, "waves", label))
        built.append(replace(term, local=measured.local))
    return Measured(domain, tuple(built), names, name=name)


def _as_domain(domain: Domain | Sequence[tuple[float, float]]) -> Domain:
    if isinstance(domain, Domain):
        return domain
    try:
        pairs = [(float(a), float(b)) for a, b in domain]
    except (TypeError, ValueError) as refused:
        raise InputError(
            "ends (low, high) of each axis", f"{domain!r}"[:80], "pass for instance [(0, 1)]", "domain"
        ) from refused
    units = ("unit",) * len(pairs) if len(pairs) == 1 else tuple(f"x{i}" for i in range(len(pairs)))
    return Domain(tuple(a for a, _ in pairs), tuple(b for _, b in pairs), units)


def _channel_names(channels: int | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(channels, int | float):
        names = tuple(channels)
    elif channels == int(channels):
        names = tuple(f"u{i}" for i in range(int(channels)))
    else:
        names = ()
    if not names:
        raise InputError(
            "at least one channel of the field", f"{channels!r}", "pass their number or names", "channels"
        )
    return names


def _check_terms(terms: Mapping[str, tuple[Operator, Any]]) -> None:
    for label, pair in terms.items() if isinstance(terms, Mapping) else [("terms", terms)]:
        is_pair = isinstance(pair, tuple | list) and len(pair) == 2
        if not is_pair or not callable(pair[0]):
            raise InputError(
                "a residual, which is a function, and its points by name",
                f"{type(pair[0] if is_pair else pair).__name__} for {label!r}",
                'pass for instance {"equation": (residual, 300)}',
                "terms",
            )


class _Transformed:
    """A residual of a transformed network: u is `transform(x, network(x))`."""

    def __init__(self, residual: Operator, transform: Operator) -> None:
        self._residual, self._transform = residual, transform

    def __call__(self, points: Tensor, values: Tensor) -> Tensor:
        return self._residual(points, self._transform(points, values))


def _zeros(operator: Operator, points: Tensor, channels: int, name: str) -> Tensor:
    """Zeros of the residual's shape, as scripts write it: (N,) or (N, K)."""
    x = points.clone().requires_grad_(True)
    # sin, since derivatives of 0 * x have no graph.
    values = torch.sin(x.sum(1, keepdim=True)).expand(-1, channels)
    kind = call(operator, name, x, values).dtype
    if not (kind.is_floating_point or kind.is_complex):
        raise InputError("residuals as floating-point numbers", f"{kind}", "return a difference", name)
    return torch.zeros_like(operator(x, values).detach())


def _points(places: Any, domain: Domain, label: str, seed: int) -> Tensor:
    if isinstance(places, int | np.integer) and not isinstance(places, bool):
        places = int(places)
        if places < 1:
            raise InputError("at least one point", f"{places}", "pass a larger number", label)
        draw = torch.Generator(device="cpu").manual_seed(derive_seed(seed, "points", label) % 2**63)
        unit = torch.rand(places, domain.axes, generator=draw, dtype=torch.float64, device="cpu")
        low, extent = (
            torch.tensor(v, dtype=torch.float64, device="cpu") for v in (domain.low, domain.extent)
        )
        return low + extent * unit
    places = entire(places, f"points of {label}")
    points = places if isinstance(places, Tensor) else torch.from_numpy(np.array(places))
    if points.is_complex():
        raise InputError("real points", "complex ones", "pass real coordinates", f"points of {label}")
    points = points.detach().double()
    if points.ndim != 2 or points.shape[1] != domain.axes or len(points) == 0:
        raise InputError(
            f"points (N, {domain.axes})",
            f"shape {tuple(points.shape)}",
            "pass one row per point",
            f"points of {label}",
        )
    for axis, (first, last) in enumerate(zip(domain.low, domain.high, strict=True)):
        margin = 1e-9 * (last - first)
        outside = (points[:, axis] < first - margin) | (points[:, axis] > last + margin)
        if not bool(torch.isfinite(points[:, axis]).all()) or bool(outside.any()):
            raise InputError(
                f"points between {first:g} and {last:g} on axis {axis}",
                f"{float(points[:, axis][outside][0]) if bool(outside.any()) else float('nan'):g}",
                "correct the points or the domain",
                f"points of {label}",
            )
    return points


def faces(
    domain: Domain | Sequence[tuple[float, float]],
    count: int,
    *,
    axis: int | None = None,
    end: str | None = None,
    seed: int = 0,
) -> Tensor:
    """Return random points on the faces of a domain, for boundary and initial conditions.

    Args:
        domain: Ends of each axis, or a `signals.Domain`.
        count: Points per face; a face of a 1-D domain is one point.
        axis: The axis whose ends are the faces; all axes if None.
        end: "low" or "high" for one face of each axis; both if None.
        seed: Seed of the points.

    Returns:
        (M, d) float64.

    Raises:
        InputError: If there is no such axis or end.

    Example:
        >>> from overtone import operators
        >>> operators.faces([(0, 2)], 1).tolist(), operators.faces([(0, 1), (0, 3)], 5, axis=1, end="low").shape
        ([[0.0], [2.0]], torch.Size([5, 2]))
    """
    pairs = list(zip(domain.low, domain.high, strict=True)) if isinstance(domain, Domain) else list(domain)
    if axis is not None and not 0 <= axis < len(pairs):
        raise InputError(f"an axis from 0 to {len(pairs) - 1}", f"{axis}", "pass another", "axis")
    if end not in ("low", "high", None):
        raise InputError('"low", "high" or None', f"{end!r}", "pass one of them", "end")
    low = torch.tensor([float(a) for a, _ in pairs], dtype=torch.float64, device="cpu")
    high = torch.tensor([float(b) for _, b in pairs], dtype=torch.float64, device="cpu")
    draw = torch.Generator(device="cpu").manual_seed(derive_seed(seed, "faces") % 2**63)
    parts = []
    for number in range(len(pairs)) if axis is None else [axis]:
        for side in ("low", "high") if end is None else [end]:
            rows = 1 if len(pairs) == 1 else count
            unit = torch.rand(rows, len(pairs), generator=draw, dtype=torch.float64, device="cpu")
            points = low + (high - low) * unit
            points[:, number] = (low if side == "low" else high)[number]
            parts.append(points)
    return torch.cat(parts)
