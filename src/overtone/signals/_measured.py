"""`Measured`: a field known through functionals: equations, boundary values, integrals, Fourier coefficients."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, TypeAlias, final

import torch
from torch import Tensor

from overtone._utils.seeding import numpy_generator
from overtone.errors import InputError
from overtone.signals._geometry import Grid, Points
from overtone.signals._map_checks import check_map, check_size_of
from overtone.signals._readers._numbers import measurements, tensor

Operator: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From points (P, d) and values (P, C) of the field there to functionals (M, ...)."""

SamplesMap: TypeAlias = Callable[[Tensor], Tensor]
"""From values (P, C) to functionals (M, ...), or back."""

RESOLUTION, FEWEST_PLACES = 2.0**-52, 1e6
"""Relative distance of neighbouring numbers, and places along an axis that second derivatives need."""

FEW_GROUPS = 8
"""A term of fewer groups is part of both sides of a split: two boundary values cannot be held out."""


@final
@dataclass(frozen=True)
class Domain:
    """Domain of an equation: a box in physical coordinates, without samples.

    Attributes:
        low: Smallest coordinate per axis, in `units`.
        high: Largest coordinate per axis.
        units: Name of each coordinate's unit.

    Example:
        >>> from overtone.signals import Domain
        >>> domain = Domain((0.0, 0.0), (50.0, 2.0), ("s", "mm"))
        >>> domain.extent, domain.frequency_unit
        ((50.0, 2.0), 'cycles per s / mm')
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    units: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.low) == len(self.high) == len(self.units) > 0:
            raise InputError(
                "one low, one high and one unit per axis",
                f"{len(self.low)}, {len(self.high)} and {len(self.units)}",
                "pass as many of each",
                "domain",
            )
        pairs = zip(self.low, self.high, strict=True)
        if not all(math.isfinite(a) and math.isfinite(b) and a < b for a, b in pairs):
            raise InputError(
                "a low end below the high end on every axis, both finite",
                f"{self.low} and {self.high}",
                "check the domain",
                "domain",
            )
        for first, last in zip(self.low, self.high, strict=True):
            places = (last - first) / (RESOLUTION * max(abs(first), abs(last)))
            if places < FEWEST_PLACES:
                raise InputError(
                    "a domain in which float64 distinguishes a million places along every axis",
                    f"{places:.2g} between {first!r} and {last!r}",
                    "subtract the low end from the coordinate",
                    "domain",
                )

    @property
    def axes(self) -> int:
        """Number of coordinates."""
        return len(self.low)

    @property
    def origin(self) -> tuple[float, ...]:
        """Smallest coordinate per axis, in `units`."""
        return self.low

    @property
    def extent(self) -> tuple[float, ...]:
        """Length per axis, in `units`."""
        return tuple(b - a for a, b in zip(self.low, self.high, strict=True))

    @property
    def frequency_unit(self) -> str:
        """Unit of every frequency: "Hz" for seconds, else "cycles per UNIT"."""
        names = list(dict.fromkeys(self.units))
        return "Hz" if names == ["s"] else "cycles per " + " / ".join(names)


FieldGeometry: TypeAlias = Domain | Grid | Points
"""Geometry of a measured field."""


@final
@dataclass(frozen=True, eq=False)
class Term:
    """Functionals of one kind with their data: one term of the loss, weight * mean |operator(field) - data|^2.

    Attributes:
        name: Name for tables ("equation", "boundary", "k-space").
        operator: From points (P, d) and values (P, C) of the field there to functionals (M, ...), real or complex.
        points: (P, d) float64, where the operator reads the field, in physical units.
        data: (M, ...) what the functionals were measured to be; zeros for residuals of equations.
        weight: Factor of the mean square in the loss.
        groups: (M,) int64; functionals of one group are held out together, such as conjugate Fourier coefficients or
            all rays of an angle.
        local: Whether functional m depends on the field and its derivatives at point m alone.
        derivatives: Whether the operator differentiates the values by the points, whose gradient it then requires.
        noise: Standard deviation of each datum, None where unknown; of the whole complex number for complex data.
    """

    name: str
    operator: Operator
    points: Tensor
    data: Tensor
    weight: float = 1.0
    groups: Tensor | None = None
    local: bool = False
    derivatives: bool = False
    noise: float | None = None

    def __post_init__(self) -> None:
        if self.groups is not None and self.groups.shape != self.data.shape[:1]:
            raise InputError(
                f"one group per functional ({len(self.data)})",
                f"shape {tuple(self.groups.shape)}",
                "pass an integer per functional",
                f"groups of {self.name}",
            )
        if self.local and len(self.points) != len(self.data):
            raise InputError(
                f"one functional per point ({len(self.points)})",
                f"{len(self.data)}",
                "pass local=False if a functional depends on several points",
                self.name,
            )
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise InputError("a weight of at least 0", f"{self.weight}", "pass another", self.name)
        if self.noise is not None and not (isinstance(self.noise, Real) and 0 <= self.noise < math.inf):
            raise InputError(
                "noise as a number of at least 0",
                f"{self.noise!r}"[:40],
                "pass a standard deviation",
                "noise",
            )
        if not bool(
            torch.isfinite(torch.view_as_real(self.data) if self.data.is_complex() else self.data).all()
        ):
            raise InputError("finite data", "nan or infinity", "remove these functionals", self.name)

    @property
    def size(self) -> int:
        """Number of functionals, M."""
        return len(self.data)

    def group_numbers(self) -> Tensor:
        """(M,) group of each functional, each its own where none were passed."""
        return torch.arange(self.size, device=self.data.device) if self.groups is None else self.groups

    def functionals(self, field: Callable[[Tensor], Tensor], complex_values: bool = False) -> Tensor:
        """Return the functionals (M, ...) of a field, differentiable in its parameters.

        Args:
            field: From points (P, d) to real values (P, C); pairs of them are complex where `complex_values`.
            complex_values: Whether channels are real and imaginary parts in turn.
        """
        if self.derivatives and not torch.is_grad_enabled():
            # Residuals take derivatives of the field, also where the caller needs none of the network.
            with torch.inference_mode(False), torch.enable_grad():
                return self.functionals(field, complex_values).detach()
        points = self.points.clone().requires_grad_(True) if self.derivatives else self.points
        values = field(points)
        if not self.derivatives:
            # Maps of samples take the precision of the points, whatever the network's.
            values = values.to(points.dtype)
        if complex_values:
            values = torch.view_as_complex(values.reshape(len(values), -1, 2).contiguous())
        return self.operator(points, values)

    def select(self, mask: Tensor) -> Term:
        """Return the term with some of its functionals.

        Args:
            mask: (M,) bool.
        """
        groups = None if self.groups is None else self.groups[mask]
        if self.local:
            return replace(self, points=self.points[mask], data=self.data[mask], groups=groups)
        operator, whole = self.operator, mask
        if isinstance(operator, Selected):
            # One mask of all functionals, so that terms of one operator can share what it makes of features.
            whole = operator.mask.clone()
            whole[operator.mask] = mask
            operator = operator.operator
        return replace(self, operator=Selected(operator, whole), data=self.data[mask], groups=groups)


@final
@dataclass(frozen=True, eq=False)
class Selected:
    """Some of an operator's functionals.

    Attributes:
        operator: The operator.
        mask: (M,) bool, which of its functionals.
    """

    operator: Operator
    mask: Tensor

    def __call__(self, points: Tensor, values: Tensor) -> Tensor:
        return self.operator(points, values)[self.mask]


@final
@dataclass(frozen=True, eq=False)
class Measured:
    """A field known through functionals with their data: an equation and its boundary, k-space, projections, blur.

    Attributes:
        geometry: Where the field lives: a `Domain`, or a `Grid` or `Points` where operators read samples.
        terms: Functionals by kind.
        channels: One name per channel of the field; real and imaginary part count as one where `complex_values`.
        complex_values: Whether the field is complex: a network then has two outputs per channel, real and imaginary.
        name: Description, for titles.
        reference: Values (P, C) at points where they are known, to measure against, or None; complex where
            `complex_values`.
        angles: Degrees of parallel projections, by the number of the group; classical reconstructions need them.

    Example:
        >>> import torch
        >>> from overtone import signals
        >>> grid = signals.Grid.unit_box((8,))
        >>> pairs = torch.eye(8, dtype=torch.float64)[::2] + torch.eye(8, dtype=torch.float64)[1::2]
        >>> sums = signals.measured(lambda v: pairs @ v, lambda w: pairs.T @ w, torch.full((4, 1), 6.0), grid)
        >>> sums, float(sums.loss(lambda x: torch.full((len(x), 1), 2.0, dtype=torch.float64)))
        (<Measured 'measurements': 4 functionals on 8 samples>, 4.0)
    """

    geometry: FieldGeometry
    terms: tuple[Term, ...]
    channels: tuple[str, ...] = ("value",)
    complex_values: bool = False
    name: str = "measurements"
    reference: Callable[[Tensor], Tensor] | None = None
    angles: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.terms:
            raise InputError("at least one term", "none", "pass an equation or measurements", "terms")

    def __repr__(self) -> str:
        count = sum(term.size for term in self.terms)
        place = "in a domain" if isinstance(self.geometry, Domain) else f"on {self.geometry.samples} samples"
        return f"<Measured {self.name!r}: {count} functionals {place}>"

    @property
    def outputs(self) -> int:
        """Outputs of a network for the field: two per channel of a complex one."""
        return len(self.channels) * (2 if self.complex_values else 1)

    def apply(self, field: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
        """Return the functionals of a field, term by term, differentiable in its parameters.

        Args:
            field: A network or a function, from points (P, d) to values (P, outputs).
        """
        return tuple(term.functionals(field, self.complex_values) for term in self.terms)

    def residuals(self, field: Callable[[Tensor], Tensor]) -> tuple[Tensor, ...]:
        """Return the functionals of a field minus their data, term by term."""
        return tuple(a - term.data for a, term in zip(self.apply(field), self.terms, strict=True))

    def loss(self, field: Callable[[Tensor], Tensor]) -> Tensor:
        """Return what is trained: sum over terms of weight * mean |functionals - data|^2."""
        losses = [
            term.weight * r.abs().square().mean()
            for r, term in zip(self.residuals(field), self.terms, strict=True)
        ]
        return torch.stack(losses).sum()

    def split(
        self, share: float = 0.25, seed: int = 0, trained: Sequence[Tensor] | None = None
    ) -> tuple[Measured, Measured]:
        """Return the measurements to train on and those held out, by whole groups.

        Terms of fewer than eight groups are part of both.

        Args:
            share: Part of the groups of each term that is held out, between 0 and 1.
            seed: Seed of the draw.
            trained: Per term, (M,) bool, the functionals whose groups are never held out.

        Raises:
            InputError: If the share is not between 0 and 1.
        """
        if not 0 < share < 1:
            raise InputError("a share between 0 and 1", f"{share}", "pass for instance 0.25", "share")
        train, held_out = [], []
        for position, term in enumerate(self.terms):
            names, inverse = term.group_numbers().unique(return_inverse=True)
            if len(names) < FEW_GROUPS:
                train.append(term)
                held_out.append(term)
                continue
            draw = numpy_generator(seed, "held-out functionals", str(position)).permutation(len(names))
            chosen = torch.zeros(len(names), dtype=torch.bool, device=inverse.device)
            if trained is not None:
                fixed = set(inverse[trained[position]].tolist())
                draw = draw[[number not in fixed for number in draw.tolist()]]
            chosen[torch.from_numpy(draw[: max(1, round(share * len(names)))]).to(inverse.device)] = True
            train.append(term.select(~chosen[inverse]))
            held_out.append(term.select(chosen[inverse]))
        return replace(self, terms=tuple(train)), replace(self, terms=tuple(held_out))


@final
class ReferenceSamples:
    """A reference that is known at points alone; elsewhere it has the value of the nearest of them.

    Args:
        points: (N, d) in the units of the coordinates.
        values: (N, C), or (N,) of one channel.
        problem: The problem that it belongs to.

    Raises:
        InputError: If shapes do not fit, or a number is not finite.
    """

    def __init__(self, points: Any, values: Any, problem: Measured) -> None:
        self.points, known = (_tensor(one) for one in (points, values))
        self.values = known.reshape(len(known), -1)
        axes, outputs = problem.geometry.axes, problem.outputs
        if self.points.shape != (len(known), axes) or self.values.shape[1] != outputs:
            raise InputError(
                f"points (N, {axes}) and values (N, {outputs})",
                f"shapes {tuple(self.points.shape)} and {tuple(known.shape)}",
                "pass one row per point in both",
                "reference",
            )

    def __call__(self, points: Tensor) -> Tensor:
        """Return the values (N, C) of the nearest points."""
        if points.shape == self.points.shape and bool((points == self.points).all()):
            return self.values
        return torch.cat([self.values[torch.cdist(x, self.points).argmin(1)] for x in points.split(1024)])


class _WithAdjoint(torch.autograd.Function):
    """A linear map of samples whose backward pass is its adjoint, for maps that PyTorch cannot differentiate."""

    @staticmethod
    def forward(context: Any, values: Tensor, forward: SamplesMap, adjoint: SamplesMap) -> Tensor:
        context.adjoint = adjoint
        return forward(values.detach())

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return context.adjoint(gradients[0]), None, None


@final
@dataclass(frozen=True, eq=False)
class SamplesOperator:
    """Operator of a term that reads samples: a linear map with its adjoint.

    Attributes:
        forward: From values (P, C) to functionals (M, ...).
        adjoint: From functionals (M, ...) to values (P, C); the conjugate transpose for complex maps.
        batched: Whether `forward` maps any number of columns, each for itself.
        frequencies: (M, d) in cycles per sample, of Fourier coefficients that are on no lattice; their density makes
            the classical picture.
    """

    forward: SamplesMap
    adjoint: SamplesMap
    batched: bool = False
    frequencies: Tensor | None = None

    def __call__(self, points: Tensor, values: Tensor) -> Tensor:
        """Return the functionals of values (P, C) at the points, which the map knows."""
        del points
        if not values.requires_grad:
            return self.forward(values)
        result: Tensor = _WithAdjoint.apply(values, self.forward, self.adjoint)
        return result


def maps_columns(term: Term) -> bool:
    """Return whether a term's operator maps values (P, n) of any n to (M, n), each column for itself.

    Args:
        term: A term of a problem.
    """
    operator = term.operator.operator if isinstance(term.operator, Selected) else term.operator
    return isinstance(operator, SamplesOperator) and operator.batched


def term_frequencies(term: Term) -> Tensor | None:
    """Return the frequencies (M, d) of Fourier coefficients that are on no lattice, in cycles per sample; else None.

    Args:
        term: A term of a problem.
    """
    if isinstance(term.operator, Selected):
        known = getattr(term.operator.operator, "frequencies", None)
        return None if known is None else known[term.operator.mask]
    return getattr(term.operator, "frequencies", None)


def measured(
    forward: SamplesMap,
    adjoint: SamplesMap,
    data: Any,
    geometry: Grid | Points,
    *,
    groups: Any = None,
    noise: float | None = None,
    weight: float = 1.0,
    channels: Sequence[str] = ("value",),
    complex_values: bool = False,
    batched: bool = False,
    name: str = "measurements",
) -> Measured:
    """Return a field known through a linear map of its samples.

    The adjoint is compared with the map on random vectors: <A v, w> = <v, A* w>.

    Args:
        forward: A, from values (P, C) at all samples to functionals (M, ...), real or complex; any library.
        adjoint: A*, from functionals (M, ...) to values (P, C).
        data: (M, ...) the measured functionals.
        geometry: The P samples of the field.
        groups: (M,) integers; functionals of one group are held out together. Each alone if None.
        noise: Standard deviation of each datum, None if unknown.
        weight: Factor of the mean square in the loss.
        channels: One name per channel of the field.
        complex_values: Whether the field is complex.
        batched: Whether the maps take values (P, n) of any n and treat each column alike, as a matrix product does: the
            choice of a bandwidth then applies them to all features at once.
        name: Description, for titles and tables.

    Raises:
        InputError: If shapes differ, data or functionals are not finite, the map is not linear, mixes columns although
            `batched`, or the adjoint is that of another map; the message says by how much.
    """
    data = data if isinstance(data, Tensor) and data.is_complex() else _tensor(data)
    check_size_of(data)
    numbers = None if groups is None else torch.as_tensor(groups, device=data.device)
    if numbers is not None and (numbers.is_floating_point() or numbers.is_complex()):
        raise InputError("groups as whole numbers", f"{numbers.dtype}", "number the groups", "groups")
    numbers = None if numbers is None else numbers.to(torch.int64)
    points = geometry.coords().to(data.device)
    operator = SamplesOperator(forward, adjoint, batched)
    term = Term(name, operator, points, data, weight, numbers, noise=noise)
    check_map(operator, (len(points), len(channels)), data, complex_values)
    return Measured(geometry, (term,), tuple(channels), complex_values, name)


def _tensor(data: Any) -> Tensor:
    """Complex arrays as complex128, others as the samples of a signal are."""
    if not isinstance(data, Tensor) and getattr(getattr(data, "dtype", None), "kind", "") == "c":
        return torch.from_numpy(measurements(data, "data", complex_values=True).copy())
    return tensor(data, "data").double()
