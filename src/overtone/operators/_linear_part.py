"""The linear part of a residual at each point: a differential operator, by automatic differentiation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.operators._derivatives import MultiIndex, monomials, multi_indices
from overtone.signals import Measured, Term
from overtone.signals._measured import Operator

MAX_ORDER = 4
"""Highest derivative that is looked for: that of plates and of Cahn-Hilliard equations."""

NONLINEAR = 1e-8
"""Relative r(2u) - 2 r(u) + r(0) above which a residual is nonlinear; rounding leaves 1e-12."""

MISMATCH = 1e-6
"""Relative difference above which a residual is not determined by field and derivatives at its point."""

AT_ONCE = 2**23
"""Coefficients of residuals that are held at once, where each reads every point."""

CHANGE, UNSEEN, KINKS = 1e-2, 1e-3, 0.2
"""Change of a wave, part of its largest effect on a residual that autograd may miss, and share of points that may."""


@final
@dataclass(frozen=True, eq=False)
class LinearPart:
    """r(u + v) = value + sum over a, c of coefficients[k, c, a] d^a v_c + O(v^2), at each point.

    Attributes:
        indices: Multi-indices a of the derivatives.
        coefficients: (N, K, C, A) float64 or complex128, for K residuals and C channels.
        value: (N, K) the residual at u.
    """

    indices: tuple[MultiIndex, ...]
    coefficients: Tensor
    value: Tensor

    @property
    def order(self) -> int:
        """Order of the highest derivative."""
        used = self.coefficients.abs().amax((0, 1, 2))
        return max(
            (sum(a) for a, size in zip(self.indices, used.tolist(), strict=True) if size > 0), default=0
        )

    def reduced(self) -> LinearPart:
        """Return it without the derivatives that do not occur."""
        used = self.coefficients.abs().amax((0, 1, 2)) > 0
        used[0] = True
        indices = tuple(a for a, there in zip(self.indices, used.tolist(), strict=True) if there)
        return LinearPart(indices, self.coefficients[..., used], self.value)

    def columns(self, jets: Tensor) -> Tensor:
        """Return the operator applied to features.

        Args:
            jets: (A, N, F) derivatives of the features, in the order of `indices`.

        Returns:
            (N, K, C, F): residual k of feature f in channel c.
        """
        return torch.einsum("nkca,anf->nkcf", self.coefficients, jets.to(self.coefficients.dtype))


def linear_part(term: Term, channels: int, state: Tensor | None = None, order: int = MAX_ORDER) -> LinearPart:
    """Return the linear part of a local term, by one backward pass per residual.

    The field is passed to the residual as a polynomial about each point, so that every derivative the residual takes
    of it is one of the polynomial's coefficients; the gradient by the coefficients is the operator.

    Args:
        term: A local term.
        channels: Channels of the field, C.
        state: (A, N, C) derivatives of the field about which to linearise; zeros if None.
        order: Order of the polynomials.

    Raises:
        InputError: If the residual is not finite, or does not depend on the field.
    """
    indices, coefficients, residual = _on_polynomials(term, channels, state, order)
    parts = []
    for k in range(residual.shape[1]):
        column = residual[:, k]
        pair = (column.real, column.imag) if column.is_complex() else (column,)
        slopes = [_gradient(part.sum(), coefficients) for part in pair]
        parts.append(torch.complex(*slopes) if len(slopes) == 2 else slopes[0])
    return LinearPart(
        indices, torch.stack(parts, dim=1).detach(), residual.detach() - term.data.reshape(residual.shape)
    )


def _on_polynomials(
    term: Term, channels: int, state: Tensor | None, order: int
) -> tuple[tuple[MultiIndex, ...], Tensor, Tensor]:
    """Multi-indices up to an order, coefficients (N, C, A) of polynomials about each point, and residuals (M, K)."""
    points = term.points.detach().double()
    indices = multi_indices(points.shape[1], order)
    x = points.clone().requires_grad_(True)
    shape = (len(points), channels, len(indices))
    start = torch.zeros(shape, dtype=torch.float64, device=points.device)
    coefficients = (
        (start if state is None else state.permute(1, 2, 0).double()).detach().clone().requires_grad_(True)
    )
    field = torch.einsum("na,nca->nc", monomials(x - points, indices), coefficients)
    return indices, coefficients, call(term.operator, term.name, x, field)


def spread_columns(
    term: Term, channels: int, jets: Tensor, order: int, state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the change of a term's residuals by each feature, where residuals read any of its points, and residuals.

    As in `linear_part`, the residual is called once, on polynomials, with one backward pass per residual.

    Args:
        term: A term that differentiates, local or not.
        channels: Channels of the field, C.
        jets: (A, N, F) derivatives of the features, up to the order.
        order: Order of the polynomials.
        state: (A, N, C) derivatives of the field about which to linearise; zeros if None.

    Returns:
        (R, C F) and (R,), for R residuals in all.

    Raises:
        InputError: If the residual is not finite.
    """
    _, coefficients, residual = _on_polynomials(term, channels, state, order)
    rows = residual.flatten()
    parts = (rows.real, rows.imag) if rows.is_complex() else (rows,)

    def columns(part: Tensor) -> Tensor:
        # Few rows at once: each has a coefficient for every point.
        several = part.split(max(1, AT_ONCE // coefficients.numel()))
        slopes = (_gradients(some, coefficients) for some in several)
        return torch.cat([torch.einsum("rnca,anf->rcf", some, jets).flatten(1) for some in slopes])

    images = [columns(part) for part in parts]
    matrix = torch.complex(*images) if len(images) == 2 else images[0]
    return matrix, rows.detach() - term.data.flatten()


def _random_slope(values: Tensor, variable: Tensor) -> Tensor:
    """Derivative of a random combination of many values, which vanishes where all derivatives do."""
    draw = torch.Generator(device="cpu").manual_seed(0)
    factors = torch.rand(len(values), generator=draw, dtype=values.dtype, device="cpu") + 0.5
    return _gradient((values * factors.to(values.device)).sum(), variable)


def _gradients(values: Tensor, variable: Tensor) -> Tensor:
    """Derivatives (R, ...) of each of some values by a tensor."""
    zeros = variable.new_zeros(len(values), *variable.shape)
    if not values.requires_grad:
        return zeros
    pick = torch.eye(len(values), dtype=values.dtype, device=values.device)
    (slopes,) = torch.autograd.grad(
        values, variable, pick, retain_graph=True, allow_unused=True, is_grads_batched=True
    )
    return zeros if slopes is None else slopes


def _gradient(total: Tensor, variable: Tensor) -> Tensor:
    if not total.requires_grad:
        return torch.zeros_like(variable)
    (slope,) = torch.autograd.grad(total, variable, retain_graph=True, allow_unused=True)
    return torch.zeros_like(variable) if slope is None else slope


NO_GRAPH = ("does not require grad", "not have been used", "a second time")
"""Parts of the errors of PyTorch where a derivative has no graph, or no longer one."""


def call(operator: Operator, name: str, x: Tensor, field: Tensor) -> Tensor:
    """Return a residual as (M, K).

    Args:
        operator: The residual.
        name: Name of its term, for errors.
        x: (N, d) points, whose gradient is required.
        field: (N, C) values there.

    Raises:
        InputError: If the residual cannot be differentiated, is no tensor with rows, or is not finite.
    """
    try:
        result = operator(x, field)
    except (RuntimeError, IndexError) as error:
        message = str(error).split(". ")[0].splitlines()[0].rstrip(".")
        if any(sign in message for sign in NO_GRAPH):
            raise InputError(
                "a residual whose derivatives can be differentiated",
                f"the error of PyTorch {message!r}",
                "pass create_graph=True to torch.autograd.grad, and use the x and u that the residual is called with",
                name,
            ) from error
        raise InputError(
            f"a residual for points {tuple(x.shape)} and values {tuple(field.shape)}",
            f"the error {message!r}",
            "use columns that are there, and functions of torch",
            name,
        ) from error
    if not isinstance(result, Tensor) or result.ndim == 0:
        got = "a single number" if isinstance(result, Tensor) else type(result).__name__
        raise InputError(
            f"residuals as a tensor (N,) or (N, K), N = {len(x)} points",
            got,
            "return them without their mean",
            name,
        )
    if result.numel() == 0:
        raise InputError(
            "at least one residual per point",
            f"shape {tuple(result.shape)}",
            f"use columns that are there: x has {x.shape[1]}, u has {field.shape[1]}",
            name,
        )
    result = result.reshape(len(result), -1)
    finite = torch.isfinite(torch.view_as_real(result) if result.is_complex() else result)
    if not bool(finite.all()):
        bad = int((~finite.reshape(len(result), -1).all(1)).nonzero()[0])
        place = f"at {tuple(x[bad].tolist())}" if len(result) == len(x) else f"in row {bad}"
        raise InputError(
            "finite residuals",
            f"nan or infinity {place}",
            "check divisions there, leave the point out, or keep the field in its range by transform=, as exp(u) where "
            "it is positive",
            name,
        )
    return result


@final
@dataclass(frozen=True)
class Check:
    """Measured properties of a residual.

    Attributes:
        local: Whether each residual depends on the field and its derivatives at its point alone.
        order: Order of the highest derivative, 5 for all above 4.
        nonlinearity: Largest |r(2u) - 2 r(u) + r(0)| over the largest |r(u)|, for random waves u of size 1.
    """

    local: bool
    order: int
    nonlinearity: float

    @property
    def linear(self) -> bool:
        """Whether the residual is linear up to rounding."""
        return self.nonlinearity <= NONLINEAR


def check(term: Term, channels: int, extent: tuple[float, ...], seed: int = 0) -> Check:
    """Measure a residual on random plane waves: locality, order and nonlinearity.

    Args:
        term: A term whose operator differentiates.
        channels: Channels of the field.
        extent: Lengths of the domain, which set the waves' frequencies: 1 to 3 cycles.
        seed: Seed of the waves.

    Raises:
        InputError: If the residual is not finite, cannot be differentiated, ignores the field or a part of it, combines
            each point with every other, or is another one at each call.
    """
    wave = _random_waves(channels, extent, term.points.shape[1], seed)
    x = term.points.detach().double().clone().requires_grad_(True)
    values = [call(term.operator, term.name, x, factor * wave(x)).detach() for factor in (0.0, 1.0, 2.0)]
    scale = float((values[1] - values[0]).abs().max())
    if scale == 0:
        raise InputError(
            "a residual that depends on the field",
            "the same residual for every field",
            "use u in it",
            term.name,
        )
    _check_gradient(term, channels, extent, wave, x, values[1], seed)
    nonlinearity = float((values[2] - 2 * values[1] + values[0]).abs().max()) / scale
    indices = multi_indices(x.shape[1], MAX_ORDER)
    state = _wave_jets(wave, term.points.detach().double(), indices)
    _, coefficients, polynomials = _on_polynomials(term, channels, state, MAX_ORDER)
    # The polynomial has the wave's derivatives up to its order: a residual of higher derivatives differs.
    if float((polynomials.detach() - values[1]).abs().max()) > MISMATCH * scale:
        return Check(False, MAX_ORDER + 1, nonlinearity)
    rows = polynomials.flatten()
    parts = (rows.real, rows.imag) if rows.is_complex() else (rows,)
    used = sum(_random_slope(part, coefficients).abs().amax((0, 1)) for part in parts)
    assert isinstance(used, Tensor)
    order = max((sum(a) for a, size in zip(indices, used.tolist(), strict=True) if size > 0), default=0)
    if len(values[0]) != len(x) or not _is_pointwise(term, wave, x, values[1]):
        return Check(False, order, nonlinearity)
    # Another field at every other point changes nothing at the points between, unless a residual looks at neighbours.
    even = (torch.arange(len(x), device=x.device) % 2 == 0)[:, None]
    mixed = call(term.operator, term.name, x, torch.where(even, wave(x), torch.cos(3 * wave(x)))).detach()
    mismatch = float((mixed - values[1])[even[:, 0]].abs().max()) / scale
    return Check(mismatch <= MISMATCH, order, nonlinearity)


def _check_gradient(
    term: Term,
    channels: int,
    extent: tuple[float, ...],
    wave: Callable[[Tensor], Tensor],
    x: Tensor,
    values: Tensor,
    seed: int,
) -> None:
    """Refuse a residual that is another one at a second call, or changes with the field without gradient."""
    size = float(values.abs().max()) or 1.0
    if float((call(term.operator, term.name, x, wave(x)).detach() - values).abs().max()) > MISMATCH * size:
        raise InputError(
            "the same residual for the same points and field",
            "another one at the second call",
            "leave random numbers and counters out of it",
            term.name,
        )
    other = _random_waves(channels, extent, x.shape[1], derive_seed(seed, "change"))

    def at(amount: float | Tensor) -> Tensor:
        return call(term.operator, term.name, x, wave(x) + amount * other(x))

    def slope(step: float) -> Tensor:
        return (at(step) - at(-step)).detach() / (2 * step)

    # Two steps of central differences, so that the error is of fourth order.
    effect = (4 * slope(CHANGE / 2) - slope(CHANGE)) / 3
    amount = torch.zeros((), dtype=torch.float64, device=x.device, requires_grad=True)
    changed = at(amount)
    pairs = (
        [(effect.real, changed.real), (effect.imag, changed.imag)]
        if effect.is_complex()
        else [(effect, changed)]
    )
    missed = torch.stack([(true - _slope(graph, amount)).abs() for true, graph in pairs]).amax(0).amax(1)
    # A kink is passed at few points.
    if float((missed > UNSEEN * float(effect.abs().max())).double().mean()) > KINKS:
        raise InputError(
            "a residual whose gradient by the field PyTorch can take",
            "one that changes with the field without it",
            "leave detach, .data, float() and torch.no_grad out of it, and pass create_graph=True to every "
            "torch.autograd.grad",
            term.name,
        )


def _slope(values: Tensor, amount: Tensor) -> Tensor:
    """Derivative of many values by one number, by two backward passes."""
    if not values.requires_grad:
        return torch.zeros_like(values)
    weights = torch.ones_like(values, requires_grad=True)
    (product,) = torch.autograd.grad(values, amount, weights, create_graph=True, allow_unused=True)
    return torch.zeros_like(values) if product is None else _gradient(product, weights).to(values.dtype)


def _is_pointwise(term: Term, wave: Callable[[Tensor], Tensor], x: Tensor, values: Tensor) -> bool:
    """Whether the residual of half of the points is that half of the residual.

    Raises:
        InputError: If the number of residuals per point is that of the points.
    """
    if len(x) < 2:
        return True
    half = x.detach()[: len(x) // 2].clone().requires_grad_(True)
    try:
        part = call(term.operator, term.name, half, wave(half)).detach()
    except InputError:
        # A residual with data of its own for all points takes all of them at once.
        return False
    if part.shape == (len(half), len(half)) and values.shape == (len(x), len(x)):
        raise InputError(
            f"residuals (N,) or (N, K), N = {len(x)} points",
            f"{tuple(values.shape)}, every point with every other",
            "combine columns (N, 1) with columns: x[:, :1] in place of x[:, 0]",
            term.name,
        )
    rows = values[: len(half)]
    return part.shape == rows.shape and bool(
        (part - rows).abs().max() <= MISMATCH * (values.abs().max() + 1e-300)
    )


@final
@dataclass(frozen=True, eq=False)
class _Waves:
    """sin(2 pi k_c x + phase_c) per channel."""

    frequencies: Tensor
    phases: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return torch.sin(2 * math.pi * x @ self.frequencies.T + self.phases)


def _random_waves(channels: int, extent: tuple[float, ...], axes: int, seed: int) -> _Waves:
    draw = torch.Generator(device="cpu").manual_seed(seed)
    cycles = 1 + 2 * torch.rand(channels, axes, generator=draw, dtype=torch.float64, device="cpu")
    lengths = torch.tensor(extent, dtype=torch.float64, device="cpu")
    phases = torch.rand(channels, generator=draw, dtype=torch.float64, device="cpu") * 2 * math.pi
    return _Waves(cycles / lengths, phases)


def _wave_jets(wave: _Waves, points: Tensor, indices: tuple[MultiIndex, ...]) -> Tensor:
    """(A, N, C) derivatives of waves: each order multiplies by 2 pi k and advances the phase by a quarter."""
    argument = 2 * math.pi * points @ wave.frequencies.T + wave.phases
    rows = []
    for index in indices:
        factor = torch.ones(len(wave.phases), dtype=torch.float64, device=points.device)
        for axis, order in enumerate(index):
            factor = factor * (2 * math.pi * wave.frequencies[:, axis]) ** order
        rows.append(factor * torch.sin(argument + sum(index) * math.pi / 2))
    return torch.stack(rows)


def checks(problem: Measured, seed: int = 0) -> tuple[Check, ...]:
    """Measure each term that differentiates; others are linear maps of samples.

    Args:
        problem: The measured field.
        seed: Seed of the waves.
    """
    extent = problem.geometry.extent
    return tuple(
        check(term, problem.outputs, extent, seed) if term.derivatives else Check(False, 0, 0.0)
        for term in problem.terms
    )
